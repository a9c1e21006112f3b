//! How long each layer's channels become, counted while the layers are read for the merged picture. What that does not read to its end, such as a
//! hidden layer, is read for itself.

use std::cell::RefCell;
use std::io;

use super::plane::{Counted, Planes};
use super::{Compression, Form};
use crate::composite::{PIXEL, whole_layer};
use crate::pictures::{Pictures, Rows};
use crate::stack::Layer;

/// Pictures that count.
pub(super) struct Measuring<'a> {
    layers: &'a [&'a Layer],
    pictures: &'a dyn Pictures,
    compression: Compression,
    form: Form,
    /// By [`Layer::source`]: sources with a length for each width that was asked.
    counts: RefCell<Vec<(usize, Counted)>>,
}

pub(super) fn measured<'a>(
    layers: &'a [&'a Layer],
    pictures: &'a dyn Pictures,
    compression: Compression,
    form: Form,
) -> Measuring<'a> {
    Measuring {
        layers,
        pictures,
        compression,
        form,
        counts: RefCell::default(),
    }
}

impl Measuring<'_> {
    /// Of each layer, its channels' lengths.
    pub(super) fn finish(self) -> io::Result<Vec<[u64; 4]>> {
        let counts = self.counts.take();
        let mut lengths = Vec::with_capacity(self.layers.len());
        for layer in self.layers {
            let known = counts.iter().find(|(source, _)| *source == layer.source);
            lengths.push(match known {
                _ if layer.bounds.is_empty() => [2; 4],
                Some((_, counted)) => counted.lengths,
                None => self.whole(layer)?,
            });
        }
        Ok(lengths)
    }

    fn whole(&self, layer: &Layer) -> io::Result<[u64; 4]> {
        if self.compression == Compression::Zip {
            let mut planes = Planes::new(layer.bounds.width, self.compression);
            whole_layer(layer, self.pictures, &mut |rows| planes.rows(rows))?;
            let mut lengths = [0; 4];
            for (length, pieces) in lengths.iter_mut().zip(planes.finish(self.form)?) {
                *length = pieces.iter().map(Vec::len).sum::<usize>() as u64;
            }
            return Ok(lengths);
        }
        let mut counted = Counted::new();
        whole_layer(layer, self.pictures, &mut |rows| {
            counted.rows(rows, layer.bounds.width, self.form);
            Ok(())
        })?;
        Ok(counted.lengths)
    }
}

impl Pictures for Measuring<'_> {
    fn open(&self, source: usize) -> io::Result<Box<dyn Rows + '_>> {
        let rows = self.pictures.open(source)?;
        let mut layers = self.layers.iter().filter(|layer| layer.source == source);
        // A source that two layers show is measured by itself, and a zlib stream is not held for each open layer.
        let (Some(layer), None) = (layers.next(), layers.next()) else {
            return Ok(rows);
        };
        if self.compression == Compression::Zip {
            return Ok(rows);
        }
        Ok(Box::new(Counting {
            measuring: self,
            rows,
            source,
            width: layer.bounds.width,
            left: u64::from(layer.bounds.height),
            counted: Counted::new(),
        }))
    }
}

struct Counting<'a> {
    measuring: &'a Measuring<'a>,
    rows: Box<dyn Rows + 'a>,
    source: usize,
    width: u32,
    left: u64,
    counted: Counted,
}

impl Rows for Counting<'_> {
    fn read(&mut self, rows: &mut [u8]) -> io::Result<()> {
        self.rows.read(rows)?;
        self.counted.rows(rows, self.width, self.measuring.form);
        self.left -= (rows.len() / (self.width as usize * PIXEL)) as u64;
        if self.left == 0 {
            let counted = std::mem::take(&mut self.counted);
            let mut counts = self.measuring.counts.borrow_mut();
            counts.push((self.source, counted));
        }
        Ok(())
    }
}
