//! Where writers get their pixels: rows of one layer after the other, or of all at once, each from its top.
//!
//! A writer asks for the rows of a layer as often as it needs them (PSD twice, since a PSD says how long each layer is before
//! the first of them), and holds a band of rows of each; whoever keeps layers compressed need not decode one whole.

use std::io;

use super::stack::Bounds;

/// The pixels of a stack's layers, by [`Layer::source`](super::Layer::source).
pub trait Pictures {
    /// Begins a layer at its top row.
    ///
    /// # Errors
    /// Whatever hinders reading; it ends the export.
    fn open(&self, source: usize) -> io::Result<Box<dyn Rows + '_>>;

    /// The layer as a PNG file that exists already, which a ZIP then holds as it is. `None` has one made.
    ///
    /// # Errors
    /// Whatever hinders reading.
    fn file(&self, source: usize) -> io::Result<Option<PngFile>> {
        let _ = source;
        Ok(None)
    }
}

/// A layer's rows, from top to bottom.
pub trait Rows {
    /// Fills `rows` with the next whole rows of the layer's bounds: straight-alpha RGBA, 8 bits a sample. It is never asked
    /// for more rows than there are.
    ///
    /// # Errors
    /// Whatever hinders reading.
    fn read(&mut self, rows: &mut [u8]) -> io::Result<()>;
}

/// A PNG file, and the place of its picture from the layer's own corner on: a file of the whole canvas begins left of it and above.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PngFile {
    /// The file.
    pub bytes: Vec<u8>,
    /// The place.
    pub bounds: Bounds,
}

/// Layers in memory: RGBA, row by row. For tests and small pictures.
impl Pictures for Vec<Vec<u8>> {
    fn open(&self, source: usize) -> io::Result<Box<dyn Rows + '_>> {
        let pixels = self.get(source).ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(pixels.as_slice()))
    }
}

impl Rows for &[u8] {
    fn read(&mut self, rows: &mut [u8]) -> io::Result<()> {
        io::Read::read_exact(self, rows)
    }
}
