//! From a set of pixels to soft coverage.
//!
//! Inside coverage is 1, two pixels outside it is 0, between them it is solved from the colours on
//! both sides where these differ enough, else from the geometry. Invariant: the border with a
//! shape that lies above is never softened, since the lower shape runs on under it.

use crate::Error;
use crate::blob::Blob;
use crate::context::Context;
use crate::ink;
use crate::plane::{Gray, Plane, Rect, Rgb, distance2};

/// The set without its outermost pixels; beyond the edge of its rectangle counts as inside where
/// that is the canvas edge, so callers give a rectangle with room.
pub(crate) fn eroded(blob: &Blob) -> Blob {
    let rect = blob.rect;
    let mut wide = blob.bits.clone();
    for (row, seen) in wide
        .chunks_exact_mut(rect.w)
        .zip(blob.bits.chunks_exact(rect.w))
    {
        narrowed(row, &seen[1..]);
        narrowed(&mut row[1..], seen);
    }
    let mut bits = wide.clone();
    narrowed(&mut bits, &wide[rect.w..]);
    narrowed(&mut bits[rect.w..], &wide);
    Blob { rect, bits }
}

/// Keeps what is set in both, as far as both reach.
fn narrowed(bits: &mut [bool], by: &[bool]) {
    for (bit, &other) in bits.iter_mut().zip(by) {
        *bit &= other;
    }
}

/// Coverage of a shape over the rectangle of `blob` (which has three pixels of room).
pub(crate) fn alpha(
    blob: &Blob,
    above: &[&Blob],
    picture: &Rgb,
    paint: &Rgb,
    below: &Rgb,
    ctx: &Context<'_>,
) -> Result<Gray, Error> {
    let rect = blob.rect;
    let core = eroded(blob);
    let wide = crate::matte::dilate(&blob.mask(rect), 2);
    ctx.check()?;
    let soft = soft(blob, rect);
    ctx.check()?;
    let mut alpha = Plane::filled(rect.w, rect.h, 0.0_f32);
    for y in 0..rect.h {
        for x in 0..rect.w {
            let at = y * rect.w + x;
            let (cx, cy) = (rect.x + x, rect.y + y);
            alpha.data[at] = if core.bits[at] {
                1.0
            } else if wide.data[at] == 0.0 {
                0.0
            } else if above.iter().any(|other| near(other, cx, cy)) {
                if blob.bits[at] { 1.0 } else { 0.0 }
            } else {
                let (ink, under) = (paint.data[at], below.at(cx, cy));
                if distance2(ink, under) > 20.0 * 20.0 {
                    snapped(ink::cover(picture.at(cx, cy), ink, under))
                } else {
                    soft.data[at]
                }
            };
        }
    }
    Ok(alpha)
}

/// Takes the noise off both ends.
fn snapped(a: f32) -> f32 {
    if a < 0.07 {
        0.0
    } else if a > 0.93 {
        1.0
    } else {
        a
    }
}

fn near(other: &Blob, x: usize, y: usize) -> bool {
    let (x, y) = (x as i64, y as i64);
    (-2..=2).any(|dy| (-2..=2).any(|dx| other.holds(x + dx, y + dy)))
}

/// Geometric coverage: the share of the 3 by 3 pixels around that belong to the set, inside only.
pub(crate) fn soft(blob: &Blob, rect: Rect) -> Gray {
    let hard = blob.mask(rect);
    let mean = crate::box_blur::box_blur(&hard, 1);
    let data = hard
        .data
        .iter()
        .zip(&mean.data)
        .map(|(&h, &m)| if h > 0.0 { (m * 1.5).min(1.0) } else { 0.0 })
        .collect();
    Plane {
        w: rect.w,
        h: rect.h,
        data,
    }
}

/// The full rectangle if the set nearly fills it; the set itself otherwise.
pub(crate) fn squared(blob: &Blob) -> Blob {
    if blob.area() * 1000 >= blob.rect.area() * 985 {
        return Blob {
            rect: blob.rect,
            bits: vec![true; blob.bits.len()],
        };
    }
    blob.clone()
}
