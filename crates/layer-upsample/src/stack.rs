//! The layers made ready at the model's size: paint, edges, and what can be told of whole neighbourhoods at once.

use rayon::prelude::*;

use super::edge::{Edges, Evidence};
use super::error::Error;
use super::paint::{paint, visible};
use super::plane::{Plane, mix};
use super::push_pull;
use super::report::Drift;
use super::shrink::Small;
use super::source::SmallLayer;

/// A bit for each layer, the bottom one lowest: what holds in a gap between four small pixels.
#[derive(Clone, Copy, Default)]
pub(crate) struct Gap {
    /// Alpha is 0 as far as interpolation reaches.
    pub(crate) empty: u64,
    /// Alpha is 1 as far as interpolation reaches.
    pub(crate) solid: u64,
    /// There is an edge to be guided.
    pub(crate) edge: u64,
}

/// The layers, bottom first, ready to be raised.
pub(crate) struct Stack {
    pub(crate) w: usize,
    pub(crate) h: usize,
    pub(crate) paints: Vec<Plane<4>>,
    pub(crate) edges: Vec<Edges>,
    gaps: Vec<Gap>,
    pub(crate) drift: Drift,
}

impl Stack {
    pub(crate) fn of(
        layers: &[SmallLayer<'_>],
        small: &Small,
        check: &dyn Fn() -> Result<(), Error>,
    ) -> Result<Self, Error> {
        let (w, h) = (small.colour.w, small.colour.h);
        let drift = Drift::of(layers, small);
        let mut paints = Vec::with_capacity(layers.len());
        for (index, layer) in layers.iter().enumerate() {
            check()?;
            paints.push(paint(
                layer,
                &visible(layers, index),
                &drift.off,
                &small.alpha,
            ));
        }
        let texture = texture(&paints, small);
        let mut guide = small.colour.clone();
        let mut through = Plane::filled(w, h, [1.0]);
        let mut edges = Vec::with_capacity(layers.len());
        for (index, paint) in paints.iter().enumerate().rev() {
            check()?;
            let lower = &paints[..index];
            let fitted = |guide: &Plane<3>| {
                let evidence = Evidence {
                    guide,
                    through: &through,
                    paint,
                    lower,
                    texture: &texture,
                };
                Edges::of(&evidence)
            };
            let sharp = fitted(&guide);
            let soft = fitted(&blurred(&guide, 1.0 / 6.0));
            let softer = fitted(&blurred(&guide, 0.25));
            let best = [sharp, soft, softer]
                .into_iter()
                .min_by(|a, b| a.misses.total_cmp(&b.misses));
            edges.extend(best);
            take_off(paint, lower, &mut guide, &mut through);
        }
        edges.reverse();
        let mut stack = Self {
            w,
            h,
            paints,
            edges,
            gaps: Vec::new(),
            drift,
        };
        stack.gaps = (0..=h)
            .into_par_iter()
            .flat_map_iter(|y| {
                let stack = &stack;
                (0..=w).map(move |x| stack.look(x, y)).collect::<Vec<_>>()
            })
            .collect();
        Ok(stack)
    }

    pub(crate) fn gap(&self, x: u32, y: u32) -> Gap {
        self.gaps[y as usize * (self.w + 1) + x as usize]
    }

    fn look(&self, x: usize, y: usize) -> Gap {
        let span = |at: usize, reach: usize, length: usize| {
            at.saturating_sub(reach).min(length - 1)..(at + reach).min(length)
        };
        let mut gap = Gap::default();
        for (index, (paint, edges)) in self.paints.iter().zip(&self.edges).enumerate() {
            let (mut least, mut most) = (1.0_f32, 0.0_f32);
            for ny in span(y, 2, self.h) {
                for value in &paint.row(ny)[span(x, 2, self.w)] {
                    (least, most) = (least.min(value[3]), most.max(value[3]));
                }
            }
            let mut near =
                span(y, 1, self.h).flat_map(|ny| span(x, 1, self.w).map(move |nx| (nx, ny)));
            let is_edge = near.any(|(nx, ny)| edges.at(nx as u32, ny as u32).is_some());
            gap.empty |= u64::from(most <= 0.0) << index;
            gap.solid |= u64::from(least >= 1.0) << index;
            gap.edge |= u64::from(is_edge) << index;
        }
        gap
    }
}

/// The guide as a model shows it that blurs: of a blurred alpha the blurred guide tells more, and what is fitted to both holds
/// for the sharp ones as well. `side` is what a neighbour on an axis counts.
fn blurred(plane: &Plane<3>, side: f32) -> Plane<3> {
    let (w, h) = (plane.w, plane.h);
    let three = |before: [f32; 3], own: [f32; 3], after: [f32; 3]| {
        std::array::from_fn(|c| side * (before[c] + after[c]) + (1.0 - 2.0 * side) * own[c])
    };
    let across = (0..w * h).into_par_iter().map(|at| {
        let (x, y) = (at % w, at / w);
        three(
            plane.at(x.saturating_sub(1), y),
            plane.at(x, y),
            plane.at((x + 1).min(w - 1), y),
        )
    });
    let wide = Plane {
        w,
        h,
        data: across.collect(),
    };
    let down = (0..w * h).into_par_iter().map(|at| {
        let (x, y) = (at % w, at / w);
        three(
            wide.at(x, y.saturating_sub(1)),
            wide.at(x, y),
            wide.at(x, (y + 1).min(h - 1)),
        )
    });
    Plane {
        w,
        h,
        data: down.collect(),
    }
}

/// How much the source varies within a small pixel where no layer has an edge, carried on over edges.
fn texture(paints: &[Plane<4>], small: &Small) -> Plane<1> {
    let (w, h) = (small.variance.w, small.variance.h);
    let calm = |at: usize| {
        let place = (at % w, at / w);
        let differs = |paint: &Plane<4>| {
            let mut differs = false;
            let [.., here] = paint.data[at];
            paint.around(place, 1, |x, y| {
                differs |= (paint.at(x, y)[3] - here).abs() > 0.01;
            });
            differs
        };
        [if paints.iter().any(differs) { 0.0 } else { 1.0 }]
    };
    let known = (0..w * h).into_par_iter().map(calm).collect();
    push_pull::fill(&small.variance, &Plane { w, h, data: known })
}

/// Takes a layer off the guide, as [`peel`](super::peel) does at the source's size.
fn take_off(paint: &Plane<4>, lower: &[Plane<4>], guide: &mut Plane<3>, through: &mut Plane<1>) {
    let places = guide.data.par_iter_mut().zip(&mut through.data).enumerate();
    places.for_each(|(at, (seen, through))| {
        let [r, g, b, share] = paint.data[at];
        if share <= 0.0 {
            return;
        }
        let below = lower.iter().fold([0.5; 3], |below, lower| {
            let [r, g, b, a] = lower.data[at];
            mix(below, [r, g, b], a)
        });
        let (own, rest) = ([r, g, b], 1.0 - share);
        let give = rest / (share * share + rest * rest);
        *seen = std::array::from_fn(|c| {
            let missing = seen[c] - (share * own[c] + rest * below[c]);
            (below[c] + give * missing).clamp(0.0, 1.0)
        });
        through[0] *= rest;
    });
}
