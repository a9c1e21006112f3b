//! From a rough mask of a natural picture to a soft edge.
//!
//! Hair and fur come from the guided filter; a gentle contrast curve takes off the haze it leaves.
//! Invariant: coverage stays within 0 and 1.

use crate::guided::{self, Guided};
use crate::plane::{Gray, Plane, Rgb};

/// The mask with the edges of `picture`, and the coefficients for larger versions of it.
pub(crate) fn refine(picture: &Rgb, mask: &Gray) -> (Gray, Guided) {
    let (w, h) = (picture.w, picture.h);
    let (half_w, half_h) = (w.div_ceil(2), h.div_ceil(2));
    let fit = guided::fit(
        &picture.resize(half_w, half_h),
        &mask.resize(half_w, half_h),
        4,
        1e-4,
    );
    let full = Guided {
        slope: fit.slope.resize(w, h),
        offset: fit.offset.resize(w, h),
    };
    let alpha = full.apply(picture);
    (alpha.map(contrast), full)
}

/// Takes the ends of the scale to 0 and 1 and leaves the middle as it is.
pub(crate) fn contrast(alpha: f32) -> f32 {
    ((alpha - 0.08) / 0.84).clamp(0.0, 1.0)
}

/// Colours of the solid part carried on into the soft edge.
pub(crate) fn pure_paint(picture: &Rgb, alpha: &Gray) -> Rgb {
    let known = alpha.map(|a| if a > 0.97 { 1.0 } else { 0.0 });
    let solid = known.data.iter().any(|&k| k > 0.0);
    let known = if solid { known } else { alpha.clone() };
    crate::push_pull::fill(picture, &known)
}

/// The largest coverage in the square around each place.
pub(crate) fn dilate(mask: &Gray, radius: usize) -> Gray {
    let (w, h) = (mask.w, mask.h);
    let mut wide: Plane<f32> = Plane::filled(w, h, 0.0);
    for y in 0..h {
        for x in 0..w {
            let row = &mask.data[y * w + x.saturating_sub(radius)..y * w + (x + radius + 1).min(w)];
            wide.set(x, y, row.iter().copied().fold(0.0, f32::max));
        }
    }
    let mut tall = Plane::filled(w, h, 0.0_f32);
    for y in 0..h {
        for near in y.saturating_sub(radius)..(y + radius + 1).min(h) {
            for x in 0..w {
                let value = wide.at(x, near);
                if value > tall.at(x, y) {
                    tall.set(x, y, value);
                }
            }
        }
    }
    tall
}
