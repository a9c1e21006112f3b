//! What is left of a thing beyond its coverage: a thin outline in its colours, or darker, that would
//! stay behind in the background.
//!
//! In the rim that no colour is carried on from, what is seen is compared with the fill. Where it
//! is a mixture of the fill and the thing, or off by far more than the surroundings are rough, it
//! belongs to the thing, with the coverage that explains it. Invariant: coverage only rises, and in
//! the rim alone.

use crate::Error;
use crate::box_blur::box_blur;
use crate::context::Context;
use crate::hole::{self, Hole, Smooth};
use crate::ink::cover;
use crate::matte;
use crate::plane::{Gray, Plane, Rgb, distance2, lightness};
use crate::scene::{Cut, Edge};

/// Difference from the fill, in levels, below which nothing is left.
const OFF: f32 = 10.0;
/// How many times the roughness of the surroundings it must be as well.
const ROUGH: f32 = 2.5;
/// Over how many levels beyond that a place goes over to the thing wholly.
const RISE: f32 = 40.0;
/// How far the roughness is looked at.
const REACH: usize = 12;
/// Most coverage of what has none of the colours of the thing.
const DARK: f32 = 0.8;

/// The rim of everything that was cut, and how much of it is no ground.
pub(crate) struct Left<'a> {
    seen: &'a Rgb,
    under: &'a Rgb,
    /// Levels that what is seen is off the fill beyond what its surroundings would be, as a share of
    /// `RISE`; 0 outside the rim.
    off: Gray,
}

impl<'a> Left<'a> {
    /// Looks at the rim of `hole` in `seen`, of which `smooth` is the fill.
    pub(crate) fn of(
        seen: &'a Rgb,
        smooth: &'a Smooth,
        hole: &Hole,
        ctx: &Context<'_>,
    ) -> Result<Self, Error> {
        let (w, h) = (seen.w, seen.h);
        let things = matte::dilate(
            &hole.cut.map(|a| f32::from(u8::from(a > 0.05))),
            hole::rim(w, h),
        );
        ctx.check()?;
        let rough = roughness(seen, &smooth.known, ctx)?;
        let data = (0..w * h).map(|at| {
            let rim = things.data[at] > 0.0 && smooth.known.data[at] <= 0.0;
            if !rim || hole.cut.data[at] > 0.0 || hole.shade.data[at] > 0.0 {
                return 0.0;
            }
            let off = distance2(seen.data[at], smooth.under.data[at]).sqrt();
            let least = OFF + ROUGH * rough.data[at];
            ((off - least) / RISE).clamp(0.0, 1.0)
        });
        let off = Plane {
            w,
            h,
            data: data.collect(),
        };
        Ok(Self {
            seen,
            under: &smooth.under,
            off,
        })
    }

    /// Above 0 where something of a thing is left.
    pub(crate) fn into_places(self) -> Gray {
        self.off
    }

    /// Gives a cut what is left in its rectangle, if it is one with a rim.
    pub(crate) fn give(&self, cut: &mut Cut) {
        let Edge::Guided(slope, offset) = &mut cut.edge else {
            return;
        };
        let rect = cut.rect;
        for y in 0..rect.h {
            for x in 0..rect.w {
                let at = (rect.y + y) * self.seen.w + rect.x + x;
                let off = self.off.data[at];
                if off <= 0.0 {
                    continue;
                }
                let own = cover(self.seen.data[at], cut.paint.at(x, y), self.under.data[at]);
                let alpha = own.max(off * DARK).max(cut.alpha.at(x, y));
                cut.alpha.set(x, y, alpha);
                // At full size too it is this, not what the colours there would make of it.
                slope.set(x, y, [0.0; 3]);
                offset.set(x, y, matte::spread(alpha));
            }
        }
    }
}

/// Deviation of the lightness of what is known about each place.
fn roughness(seen: &Rgb, known: &Gray, ctx: &Context<'_>) -> Result<Gray, Error> {
    let light = seen.map(lightness);
    let weighted = |power: i32| Plane {
        w: light.w,
        h: light.h,
        data: light
            .data
            .iter()
            .zip(&known.data)
            .map(|(l, k)| l.powi(power) * k)
            .collect(),
    };
    let sums = box_blur(&weighted(1), REACH);
    ctx.check()?;
    let squares = box_blur(&weighted(2), REACH);
    ctx.check()?;
    let share = box_blur(known, REACH);
    ctx.check()?;
    let data = (0..light.data.len()).map(|at| {
        let weight = share.data[at];
        if weight <= 0.0 {
            return 0.0;
        }
        let mean = sums.data[at] / weight;
        (squares.data[at] / weight - mean * mean).max(0.0).sqrt()
    });
    Ok(Plane {
        w: light.w,
        h: light.h,
        data: data.collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plane::{Rect, mix};
    use crate::{Cancel, LayerKind, Options};

    #[test]
    fn an_outline_beyond_the_coverage_goes_to_the_thing() {
        // A disc cut three pixels too small, with a soft edge.
        let side = 120_usize;
        let (own, ground) = ([30.0, 30.0, 40.0], [200.0, 190.0, 170.0]);
        let reach = |at: usize| (at % side) as f32 - 60.0;
        let radius = |at: usize| reach(at).hypot((at / side) as f32 - 60.0);
        let disc = |at: usize, by: f32| (by - radius(at) + 0.5).clamp(0.0, 1.0);
        let plane = |by: f32| Plane {
            w: side,
            h: side,
            data: (0..side * side).map(|at| disc(at, by)).collect(),
        };
        let (truth, cut_alpha) = (plane(33.0), plane(30.0));
        let seen = truth.map(|a| mix(ground, own, a));
        let (options, cancel) = (Options::default(), Cancel::default());
        let mut heard = |_| {};
        let ctx = Context::new(&options, &mut heard, &cancel);
        let mut hole = Hole::new(side, side);
        hole.add_thing(&cut_alpha, &cut_alpha);
        let smooth = hole.smooth(&ctx, &seen).expect("not cancelled");
        let left = Left::of(&seen, &smooth, &hole, &ctx).expect("not cancelled");
        let rect = Rect {
            x: 0,
            y: 0,
            w: side,
            h: side,
        };
        let mut cut = Cut {
            kind: LayerKind::Subject,
            confidence: 1.0,
            name: String::new(),
            words: None,
            rect,
            alpha: cut_alpha,
            paint: Plane::filled(side, side, own),
            edge: Edge::Guided(
                Plane::filled(side, side, [0.0; 3]),
                Plane::filled(side, side, 0.0),
            ),
        };
        left.give(&mut cut);
        for (at, (a, t)) in cut.alpha.data.iter().zip(&truth.data).enumerate() {
            // In the soft edge of the cut itself the colours are solved later.
            let solved = (29.0..31.0).contains(&radius(at)) || (32.0..34.0).contains(&radius(at));
            if !solved {
                assert!((a - t).abs() < 0.12, "{a} for {t} at {}", radius(at));
            }
        }
    }
}
