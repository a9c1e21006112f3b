//! A PNG layer measured row by row: its pixels are never in memory together.

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};

use image::metadata::Orientation;

use super::{LayerMeasures, Seen};
use crate::header::checked;
use crate::layer_rows::streamed;
use crate::limits::Limits;
use crate::media_type::MediaType;

/// The measures of a layer that certainly decodes; `None` where the decoder of the whole has to tell.
pub(super) fn measured(bytes: &[u8], limits: &Limits) -> Option<LayerMeasures> {
    let container = checked(bytes, limits).ok()?;
    let upright = container.orientation == Orientation::NoTransforms;
    if container.format != MediaType::Png || !upright || !container.has_plain_alpha() {
        return None;
    }
    // As for every decoder: one that panics has not decoded it.
    catch_unwind(AssertUnwindSafe(|| {
        let mut reader = streamed(Cursor::new(bytes), limits)?;
        let size = (reader.info().width, reader.info().height);
        if size != (container.width, container.height) {
            return None;
        }
        let (mut row, mut seen) = (vec![0; size.0 as usize * 4], Seen::of(size.0, size.1));
        for _ in 0..size.1 {
            reader.read_row(&mut row).ok()??;
            seen.row(0, &row);
        }
        reader.finish().ok()?;
        seen.measures(MediaType::Png)
    }))
    .ok()?
}
