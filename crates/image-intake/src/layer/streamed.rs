//! A PNG layer measured row by row: its pixels are never in memory together.

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};

use image::metadata::Orientation;

use super::{LayerMeasures, Seen};
use crate::glance::Glance;
use crate::header::checked;
use crate::layer_rows::streamed;
use crate::limits::Limits;
use crate::media_type::MediaType;
use crate::rgba::RgbaImage;

/// The measures of a layer that certainly decodes; `None` where the decoder of the whole has to tell.
pub(super) fn measured(bytes: &[u8], limits: &Limits) -> Option<LayerMeasures> {
    // As for every decoder: one that panics has not decoded it.
    catch_unwind(AssertUnwindSafe(|| {
        let mut layer = Streamed::open(bytes, limits)?;
        let (width, height) = layer.size();
        let mut row = vec![0; width as usize * 4];
        for _ in 0..height {
            layer.read(&mut row)?;
        }
        Some(layer.finish()?.0)
    }))
    .ok()?
}

/// A layer that is measured while its rows are read. `None` of any call: the decoder of the whole has to tell.
pub(crate) struct Streamed<'a> {
    reader: png::Reader<Cursor<&'a [u8]>>,
    seen: Seen,
}

impl<'a> Streamed<'a> {
    pub(crate) fn open(bytes: &'a [u8], limits: &Limits) -> Option<Self> {
        let container = checked(bytes, limits).ok()?;
        let upright = container.orientation == Orientation::NoTransforms;
        if container.format != MediaType::Png || !upright || !container.has_plain_alpha() {
            return None;
        }
        let reader = streamed(Cursor::new(bytes), limits)?;
        let size = (reader.info().width, reader.info().height);
        (size == (container.width, container.height)).then(|| Self {
            reader,
            seen: Seen::of(size.0, size.1),
        })
    }

    pub(crate) fn size(&self) -> (u32, u32) {
        (self.reader.info().width, self.reader.info().height)
    }

    /// Fills `row` with the next one, and tells what shows on it.
    pub(crate) fn read(&mut self, row: &mut [u8]) -> Option<Glance> {
        self.reader.read_row(row).ok()??;
        let glance = Glance::of(row.as_chunks::<4>().0);
        self.seen.row_of(0, row, &glance);
        Some(glance)
    }

    /// The measures and the likeness; none unless all rows were read.
    pub(crate) fn finish(mut self) -> Option<(LayerMeasures, RgbaImage)> {
        self.reader.finish().ok()?;
        self.seen.with_likeness(MediaType::Png)
    }
}
