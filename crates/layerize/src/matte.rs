//! From a rough mask of a natural picture to a soft edge.
//!
//! Hair and fur come from the guided filter; a gentle contrast curve takes off the haze it leaves.
//! Invariant: coverage stays within 0 and 1.

use crate::Error;
use crate::context::Context;
use crate::guided::{self, Guided};
use crate::plane::{Gray, Rgb};

/// The mask with the edges of `picture`, and the coefficients for larger versions of it.
pub(crate) fn refine(
    picture: &Rgb,
    mask: &Gray,
    ctx: &Context<'_>,
) -> Result<(Gray, Guided), Error> {
    let (w, h) = (picture.w, picture.h);
    let (half_w, half_h) = (w.div_ceil(2), h.div_ceil(2));
    let (small, rough) = (picture.resize(half_w, half_h), mask.resize(half_w, half_h));
    ctx.check()?;
    let fit = guided::fit(&small, &rough, 4, 1e-4, ctx)?;
    ctx.check()?;
    let slope = fit.slope.resize(w, h);
    ctx.check()?;
    let offset = fit.offset.resize(w, h);
    let full = Guided { slope, offset };
    ctx.check()?;
    let alpha = full.apply(picture);
    Ok((alpha.map(contrast), full))
}

/// Takes the ends of the scale to 0 and 1 and leaves the middle as it is.
pub(crate) fn contrast(alpha: f32) -> f32 {
    ((alpha - 0.08) / 0.84).clamp(0.0, 1.0)
}

/// Colours of the solid part carried on into the soft edge.
pub(crate) fn pure_paint(picture: &Rgb, alpha: &Gray, ctx: &Context<'_>) -> Result<Rgb, Error> {
    let known = alpha.map(|a| if a > 0.97 { 1.0 } else { 0.0 });
    let solid = known.data.iter().any(|&k| k > 0.0);
    let known = if solid { known } else { alpha.clone() };
    ctx.check()?;
    let paint = crate::push_pull::fill(picture, &known);
    ctx.check()?;
    Ok(paint)
}

/// The largest coverage in the square around each place.
pub(crate) fn dilate(mask: &Gray, radius: usize) -> Gray {
    let (w, h) = (mask.w, mask.h);
    let mut wide = mask.clone();
    for (row, seen) in wide.data.chunks_exact_mut(w).zip(mask.data.chunks_exact(w)) {
        for by in 1..=radius.min(w - 1) {
            raised(row, &seen[by..]);
            raised(&mut row[by..], seen);
        }
    }
    let mut tall = wide.clone();
    for by in 1..=radius.min(h - 1) {
        raised(&mut tall.data, &wide.data[by * w..]);
        raised(&mut tall.data[by * w..], &wide.data);
    }
    tall
}

/// Keeps the larger of both, as far as both reach.
fn raised(values: &mut [f32], by: &[f32]) {
    for (value, &other) in values.iter_mut().zip(by) {
        *value = if other > *value { other } else { *value };
    }
}
