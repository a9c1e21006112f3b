//! A PNG layer measured without its pixels: only alpha is looked at, and each channel of a PNG is filtered by itself, so
//! alpha alone is brought back.

use image::metadata::Orientation;

use super::{LayerMeasures, Seen};
use crate::header::checked;
use crate::limits::Limits;
use crate::media_type::MediaType;

const CHANNELS: usize = 4;

/// The measures of a layer that certainly decodes; `None` where a decoder has to tell.
pub(super) fn measured(bytes: &[u8], limits: &Limits) -> Option<LayerMeasures> {
    let container = checked(bytes, limits).ok()?;
    let upright = container.orientation == Orientation::NoTransforms;
    if container.format != MediaType::Png || !upright || !container.has_plain_alpha() {
        return None;
    }
    let (mut alpha, mut seen) = (vec![0; container.width as usize], Seen::default());
    let whole = container.each_row(bytes, |filter, row| {
        unfilter(filter, row, &mut alpha);
        seen.row(alpha.iter().copied());
    });
    whole.then(|| seen.measures(container.width, container.height, MediaType::Png))
}

/// Makes the alpha of the row above that of this one (W3C PNG, third edition, section 9.2).
fn unfilter(filter: u8, row: &[u8], alpha: &mut [u8]) {
    let raw = row
        .as_chunks::<CHANNELS>()
        .0
        .iter()
        .map(|pixel| pixel[CHANNELS - 1]);
    let pixels = raw.zip(alpha);
    let mut left = 0_u8;
    match filter {
        0 => pixels.for_each(|(raw, above)| *above = raw),
        1 => pixels.for_each(|(raw, above)| {
            left = raw.wrapping_add(left);
            *above = left;
        }),
        2 => pixels.for_each(|(raw, above)| *above = raw.wrapping_add(*above)),
        3 => pixels.for_each(|(raw, above)| {
            left = raw.wrapping_add(u8::midpoint(left, *above));
            *above = left;
        }),
        _ => {
            let mut above_left = 0;
            for (raw, above) in pixels {
                let value = raw.wrapping_add(paeth(left, *above, above_left));
                above_left = *above;
                (left, *above) = (value, value);
            }
        }
    }
}

/// The one of the three that is nearest to `left + above - above_left`.
fn paeth(left: u8, above: u8, above_left: u8) -> u8 {
    let [a, b, c] = [left, above, above_left].map(i16::from);
    let (to_left, to_above, to_corner) = ((b - c).abs(), (a - c).abs(), (a + b - 2 * c).abs());
    if to_left <= to_above && to_left <= to_corner {
        left
    } else if to_above <= to_corner {
        above
    } else {
        above_left
    }
}
