//! From a rough mask of a natural picture to a soft edge.
//!
//! The mask is right but for the width of its own edge: further in a thing is solid, further out it
//! is not there. Between, hair and fur come from the guided filter, with a gentle contrast curve that
//! takes off the haze it leaves, and from the colours at both sides (see [`crate::rim`]).
//! Invariant: coverage stays within 0 and 1.

use crate::context::Context;
use crate::guided::{self, Guided};
use crate::net::SALIENCY_SIDE;
use crate::plane::{Gray, Rgb};
use crate::rim::Rim;
use crate::{Error, push_pull};

/// How far the edge of a mask may be off, outwards and inwards, in pixels of the network.
const OUT: f32 = 3.0;
const IN: f32 = 1.5;

/// The mask with the edges of `picture`, and the coefficients for larger versions of it, which are
/// made for the outcome if it will be `enlarged`.
pub(crate) fn refine(
    picture: &Rgb,
    mask: &Gray,
    enlarged: bool,
    ctx: &Context<'_>,
) -> Result<(Gray, Guided), Error> {
    let cell = picture.w.max(picture.h) as f32 / SALIENCY_SIDE as f32;
    let pixels = |cells: f32| ((cells * cell).round() as usize).max(1);
    let fit = fitted(picture, mask, ctx)?;
    ctx.check()?;
    let mut alpha = fit.apply(picture).map(contrast);
    ctx.check()?;
    let near = dilate(mask, pixels(OUT).max(2));
    ctx.check()?;
    let solid = erode(mask, pixels(IN));
    // From well inside to a little beyond the edge coverage falls as the least mask about a place.
    let solid = solid.map(|least| ((least - 0.5) / 0.45).clamp(0.0, 1.0));
    for (at, a) in alpha.data.iter_mut().enumerate() {
        if near.data[at] <= 0.02 || *a < 0.02 {
            *a = 0.0;
        }
        *a = a.max(solid.data[at]);
    }
    ctx.check()?;
    let reach = pixels(2.0 * OUT).max(4);
    if let Some(rim) = Rim::of(picture, mask, near, solid, &alpha, reach, ctx)? {
        rim.solve(&mut alpha);
    }
    ctx.check()?;
    let fit = if enlarged {
        fitted(picture, &alpha, ctx)?
    } else {
        fit
    };
    Ok((alpha, fit))
}

/// The guided filter at half the size, its coefficients at the size of `picture`.
fn fitted(picture: &Rgb, mask: &Gray, ctx: &Context<'_>) -> Result<Guided, Error> {
    let (w, h) = (picture.w, picture.h);
    let (half_w, half_h) = (w.div_ceil(2), h.div_ceil(2));
    let (small, rough) = (picture.resize(half_w, half_h), mask.resize(half_w, half_h));
    ctx.check()?;
    let fit = guided::fit(&small, &rough, 4, 1e-4, ctx)?;
    ctx.check()?;
    let slope = fit.slope.resize(w, h);
    ctx.check()?;
    let offset = fit.offset.resize(w, h);
    Ok(Guided { slope, offset })
}

/// Takes the ends of the scale to 0 and 1 and leaves the middle as it is.
pub(crate) fn contrast(alpha: f32) -> f32 {
    ((alpha - 0.08) / 0.84).clamp(0.0, 1.0)
}

/// What [`contrast`] makes `alpha` of.
pub(crate) fn spread(alpha: f32) -> f32 {
    alpha * 0.84 + 0.08
}

/// Colours of the solid part carried on into the soft edge.
pub(crate) fn pure_paint(picture: &Rgb, alpha: &Gray, ctx: &Context<'_>) -> Result<Rgb, Error> {
    let known = alpha.map(|a| if a > 0.97 { 1.0 } else { 0.0 });
    let solid = known.data.iter().any(|&k| k > 0.0);
    let known = if solid { known } else { alpha.clone() };
    ctx.check()?;
    let paint = push_pull::fill(picture, &known);
    ctx.check()?;
    Ok(paint)
}

/// The largest coverage in the square around each place. Each step triples how far it looks.
pub(crate) fn dilate(mask: &Gray, radius: usize) -> Gray {
    let (w, h) = (mask.w, mask.h);
    let mut wide = mask.clone();
    for by in steps(radius.min(w - 1)) {
        let seen = wide.clone();
        for (row, seen) in wide.data.chunks_exact_mut(w).zip(seen.data.chunks_exact(w)) {
            raised(row, &seen[by..]);
            raised(&mut row[by..], seen);
            // Beyond an end there is what is at the end.
            raise_to(&mut row[..by], seen[0]);
            raise_to(&mut row[w - by..], seen[w - 1]);
        }
    }
    let mut tall = wide;
    for by in steps(radius.min(h - 1)) {
        let seen = tall.clone();
        raised(&mut tall.data, &seen.data[by * w..]);
        raised(&mut tall.data[by * w..], &seen.data);
        for y in 0..by {
            let (top, bottom) = (y * w, (h - 1 - y) * w);
            raised(&mut tall.data[top..top + w], &seen.data[..w]);
            raised(
                &mut tall.data[bottom..bottom + w],
                &seen.data[(h - 1) * w..],
            );
        }
    }
    tall
}

/// Distances that add up to `radius`, each no more than the width of what all before it have seen.
fn steps(radius: usize) -> impl Iterator<Item = usize> {
    let mut seen = 0;
    std::iter::from_fn(move || {
        let by = (2 * seen + 1).min(radius - seen);
        seen += by;
        (by > 0).then_some(by)
    })
}

/// The least coverage in the square around each place.
pub(crate) fn erode(mask: &Gray, radius: usize) -> Gray {
    dilate(&mask.map(|m| 1.0 - m), radius).map(|m| 1.0 - m)
}

/// Keeps the larger of both, as far as both reach.
fn raised(values: &mut [f32], by: &[f32]) {
    for (value, &other) in values.iter_mut().zip(by) {
        *value = if other > *value { other } else { *value };
    }
}

fn raise_to(values: &mut [f32], least: f32) {
    for value in values {
        *value = if least > *value { least } else { *value };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plane::{Plane, mix};
    use crate::{Cancel, Options};

    #[test]
    fn dilation_finds_the_largest_value_of_each_square() {
        for (w, h) in [(1, 1), (1, 9), (13, 1), (17, 11), (40, 3)] {
            let values = (0..w * h).map(|at| (at * 7919 % 101) as f32 / 101.0);
            let mask = Plane {
                w,
                h,
                data: values.collect(),
            };
            for radius in 0..45_usize {
                let wide = dilate(&mask, radius);
                for at in 0..w * h {
                    let (x, y) = (at % w, at / w);
                    let rows = y.saturating_sub(radius)..=(y + radius).min(h - 1);
                    let columns = x.saturating_sub(radius)..=(x + radius).min(w - 1);
                    let square = rows.flat_map(|y| columns.clone().map(move |x| (x, y)));
                    let most = square.map(|(x, y)| mask.at(x, y)).fold(0.0, f32::max);
                    assert_eq!(wide.data[at], most, "{w} {h} {radius} {x} {y}");
                }
            }
        }
    }

    /// A disc of the colours of both sides, its soft edge a pixel wide, and a mask of it from a
    /// network: blurred over four pixels.
    fn disc(own: [f32; 3], ground: [f32; 3]) -> (Rgb, Gray, Gray) {
        let side = 160;
        let cover = |at: usize, soft: f32| {
            let (x, y) = ((at % side) as f32, (at / side) as f32);
            (0.5 + (50.0 - (x - 80.0).hypot(y - 80.0)) / soft).clamp(0.0, 1.0)
        };
        let plane = |soft: f32| Plane {
            w: side,
            h: side,
            data: (0..side * side).map(|at| cover(at, soft)).collect(),
        };
        let truth = plane(1.0);
        let data = truth.data.iter().map(|&a| mix(ground, own, a)).collect();
        let picture = Plane {
            w: side,
            h: side,
            data,
        };
        (picture, plane(4.0), truth)
    }

    fn worst(own: [f32; 3], ground: [f32; 3]) -> f32 {
        let (picture, mask, truth) = disc(own, ground);
        let (options, cancel) = (Options::default(), Cancel::default());
        let mut heard = |_| {};
        let ctx = Context::new(&options, &mut heard, &cancel);
        let (alpha, _) = refine(&picture, &mask, false, &ctx).expect("not cancelled");
        let off = alpha
            .data
            .iter()
            .zip(&truth.data)
            .map(|(a, t)| (a - t).abs());
        off.fold(0.0, f32::max)
    }

    #[test]
    fn an_edge_between_two_colours_is_solved_to_the_pixel() {
        assert!(worst([200.0, 60.0, 40.0], [40.0, 90.0, 160.0]) < 0.1);
    }

    #[test]
    fn a_thing_as_dark_as_its_ground_is_not_holed() {
        let colour = [30.0, 28.0, 26.0];
        let (picture, mask, _) = disc(colour, colour);
        let (options, cancel) = (Options::default(), Cancel::default());
        let mut heard = |_| {};
        let ctx = Context::new(&options, &mut heard, &cancel);
        let (alpha, _) = refine(&picture, &mask, false, &ctx).expect("not cancelled");
        assert!((34..127).all(|x| alpha.at(x, 80) > 0.97));
        assert!((0..26).all(|x| alpha.at(x, 80) < 0.01));
    }
}
