//! The merged picture at the end of the file, which everything that reads no layers shows.
//!
//! Its colours are those on white, as Photoshop writes them and as readers expect them: they take the white out again where they
//! use the alpha.

use std::io;

use super::Form;
use super::plane::{row_lengths, samples};
use crate::composite::PIXEL;
use crate::packbits::pack;
use crate::thumbnail::on_white;
use crate::written::Written;

pub(super) struct Merged {
    width: usize,
    opaque: bool,
    spare: Vec<u8>,
    on_white: Vec<u8>,
    /// Red, green, blue, alpha: the lengths of their rows, and the rows.
    planes: [(Vec<u32>, Vec<u8>); 4],
}

impl Merged {
    pub(super) fn new(width: u32) -> Self {
        Self {
            width: width as usize,
            opaque: true,
            spare: Vec::new(),
            on_white: Vec::new(),
            planes: std::array::from_fn(|_| (Vec::new(), Vec::new())),
        }
    }

    /// Whether nothing shows through, so far.
    pub(super) fn is_opaque(&self) -> bool {
        self.opaque
    }

    pub(super) fn rows(&mut self, rows: &[u8]) {
        for row in rows.chunks_exact(self.width * PIXEL) {
            let pixels = row.as_chunks::<PIXEL>().0;
            let opaque = pixels.iter().all(|pixel| pixel[3] == u8::MAX);
            self.opaque &= opaque;
            if !opaque {
                self.on_white.clear();
                self.on_white
                    .extend(pixels.iter().flat_map(|[red, green, blue, alpha]| {
                        let [red, green, blue] =
                            [red, green, blue].map(|value| on_white(*value, *alpha));
                        [red, green, blue, *alpha]
                    }));
            }
            let shown = if opaque { row } else { &self.on_white };
            for (place, (lengths, packed)) in self.planes.iter_mut().enumerate() {
                samples(shown, place, &mut self.spare);
                let before = packed.len();
                pack(&self.spare, packed);
                lengths.push((packed.len() - before) as u32);
            }
        }
    }

    pub(super) fn write(&self, form: Form, out: &mut Written<'_>) -> io::Result<()> {
        let count = if self.opaque { 3 } else { 4 };
        out.u16(1)?;
        for (lengths, _) in &self.planes[..count] {
            out.bytes(&row_lengths(lengths, form))?;
        }
        for (_, packed) in &self.planes[..count] {
            out.bytes(packed)?;
        }
        Ok(())
    }
}
