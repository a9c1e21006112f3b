//! Colour and coverage of a glow of a given shape.
//!
//! Coverage is a rising function of the blurred letters, whatever gain or spread it was drawn with: some steps, between which it is
//! interpolated. Invariant: it is 0 where nothing of the letters is near.

use std::borrow::Cow;

use super::shape::Shape;
use super::{View, mean};
use crate::box_blur::box_blur;
use crate::plane::{Gray, Plane, distance2, mix};

/// Pixels that a fit looks at, at most.
const LOOKED_AT: usize = 12_000;
/// Steps of coverage, over the root of the blurred letters.
pub(super) const STEPS: usize = 24;
const ROUNDS: usize = 6;
/// Share of the pixels with most of the blurred letters that the colour is first taken from.
const FIRST: usize = 12;
/// Coverage from which what a glow explains is counted, and below which there is nothing.
const COUNTS: f32 = 0.1;
const FAINT: f32 = 0.012;
/// Most coverage that is taken off a pixel.
const MOST: f32 = 0.9;
/// Least share of the difference from the ground that is more than noise.
const NO_NOISE: f32 = 0.25;

/// A glow as a function of the blurred letters.
pub(super) struct Fit<'a> {
    blurred: Cow<'a, Gray>,
    pub(super) colour: [f32; 3],
    pub(super) steps: [f32; STEPS + 1],
    /// Share of the difference from the ground that it does not explain, beside noise.
    pub(super) residual: f32,
}

impl Fit<'_> {
    fn coverage(&self, at: usize) -> f32 {
        let place = self.blurred.data[at].max(0.0).sqrt() * STEPS as f32;
        let low = (place as usize).min(STEPS - 1);
        let share = (place - low as f32).min(1.0);
        self.steps[low] * (1.0 - share) + self.steps[low + 1] * share
    }

    /// Coverage of a pixel `far` from the letters, of a glow that ends.
    pub(super) fn fading(&self, at: usize, far: f32, ends: f32) -> f32 {
        let a = self.coverage(at) * ((ends - far) / 2.0).clamp(0.0, 1.0);
        if a < FAINT { 0.0 } else { a }
    }

    /// What is seen, without the glow.
    pub(super) fn taken_off(&self, seen: [f32; 3], at: usize, far: f32, ends: f32) -> [f32; 3] {
        let a = self.fading(at, far, ends).min(MOST);
        [0, 1, 2].map(|c| ((seen[c] - a * self.colour[c]) / (1.0 - a)).clamp(0.0, 255.0))
    }

    /// The nearest step.
    fn step(&self, at: usize) -> usize {
        let place = self.blurred.data[at].max(0.0).sqrt() * STEPS as f32;
        ((place + 0.5) as usize).min(STEPS)
    }
}

impl View {
    /// The letters, blurred as by a shape that does not lie aside.
    pub(super) fn blurred(&self, shape: Shape) -> Gray {
        let radius = ((shape.ends * shape.width - 0.5).round() as usize).max(1);
        let mut blurred = box_blur(&self.letters, radius);
        for _ in 1..3 {
            blurred = box_blur(&blurred, radius);
        }
        blurred
    }

    /// The glow of a shape that explains best what is seen more than `edge` away from the letters; `blurred` is [`View::blurred`] of
    /// that shape.
    pub(super) fn fitted<'a>(&self, shape: Shape, blurred: &'a Gray, edge: f32) -> Fit<'a> {
        let all: Vec<usize> = self.between(edge, shape.ends).collect();
        let step = all.len().div_ceil(LOOKED_AT).max(1);
        let looked: Vec<usize> = all.into_iter().step_by(step).collect();
        let blurred = if shape.by == (0.0, 0.0) {
            Cow::Borrowed(blurred)
        } else {
            Cow::Owned(moved(blurred, shape.by))
        };
        let mut fit = Fit {
            colour: self.plainest(&blurred, &looked),
            blurred,
            steps: [0.0; STEPS + 1],
            residual: 1.0,
        };
        let stepped: Vec<(usize, usize)> = looked.iter().map(|&at| (at, fit.step(at))).collect();
        for _ in 0..ROUNDS {
            fit.steps = self.steps(fit.colour, &stepped);
            fit.colour = self.colour(&fit.steps, &stepped);
        }
        fit.residual = self.residual(&fit, &looked);
        fit
    }

    /// The mean of what is seen where most of the blurred letters is.
    fn plainest(&self, blurred: &Gray, looked: &[usize]) -> [f32; 3] {
        let mut nearest = looked.to_vec();
        let count = (looked.len() / FIRST).max(1);
        if count < nearest.len() {
            nearest.select_nth_unstable_by(count, |&a, &b| {
                blurred.data[b].total_cmp(&blurred.data[a])
            });
            nearest.truncate(count);
        }
        mean(nearest.iter().map(|&at| self.part.data[at]))
    }

    /// Coverages of a glow of this colour, from pixels with the step that each is at.
    fn steps(&self, colour: [f32; 3], looked: &[(usize, usize)]) -> [f32; STEPS + 1] {
        let mut sums = [(0.0_f32, 0.0_f32); STEPS + 1];
        for &(at, step) in looked {
            let (ground, off) = (self.ground.data[at], self.off(at));
            let (along, length) = &mut sums[step];
            for c in 0..3 {
                let whole = colour[c] - ground[c];
                *along += off[c] * whole;
                *length += whole * whole;
            }
        }
        isotonic(&sums)
    }

    /// The colour of a glow of these coverages.
    fn colour(&self, steps: &[f32; STEPS + 1], looked: &[(usize, usize)]) -> [f32; 3] {
        let (mut sum, mut weight) = ([0.0_f32; 3], 1e-6_f32);
        for &(at, step) in looked {
            let a = steps[step];
            let (seen, ground) = (self.part.data[at], self.ground.data[at]);
            for c in 0..3 {
                sum[c] += a * (seen[c] - (1.0 - a) * ground[c]);
            }
            weight += a * a;
        }
        sum.map(|s| (s / weight).clamp(0.0, 255.0))
    }

    /// What the ground's own roughness, where it shows, would leave is no fault of the glow.
    fn residual(&self, fit: &Fit<'_>, looked: &[usize]) -> f32 {
        let (mut error, mut all, mut rough, mut count) = (0.0_f32, 1e-6_f32, 0.0_f32, 0.0_f32);
        for &at in looked {
            let a = fit.coverage(at);
            if a > COUNTS {
                let (seen, ground) = (self.part.data[at], self.ground.data[at]);
                error += distance2(seen, mix(ground, fit.colour, a));
                all += distance2(seen, ground);
                rough += (1.0 - a) * (1.0 - a);
                count += 1.0;
            }
        }
        if count == 0.0 {
            return 1.0;
        }
        let error = (error - rough * self.noise).max(0.0);
        error / (all - rough * self.noise).max(NO_NOISE * all)
    }
}

/// Coverage at each step from sums along and of the whole way to the glow: nothing at the first, never falling (isotonic regression).
fn isotonic(sums: &[(f32, f32); STEPS + 1]) -> [f32; STEPS + 1] {
    // Neighbours that fall are one step with the mean of both.
    let mut blocks: Vec<(f32, f32, usize)> = Vec::with_capacity(STEPS + 1);
    for &(along, length) in &sums[1..] {
        let mut block = (along, length + 1e-3, 1);
        while let Some(&(a, l, n)) = blocks.last() {
            if a / l <= block.0 / block.1 {
                break;
            }
            blocks.pop();
            block = (block.0 + a, block.1 + l, block.2 + n);
        }
        blocks.push(block);
    }
    let mut steps = [0.0; STEPS + 1];
    let mut at = 1;
    for (along, length, count) in blocks {
        for step in &mut steps[at..at + count] {
            *step = (along / length).clamp(0.0, 1.0);
        }
        at += count;
    }
    steps
}

/// A mask moved right and down by whole pixels.
fn moved(mask: &Gray, (right, down): (f32, f32)) -> Gray {
    let (w, h) = (mask.w, mask.h);
    let from = |at: usize, by: f32, limit: usize| {
        let from = at as i64 - by as i64;
        (0..limit as i64).contains(&from).then_some(from as usize)
    };
    let data = (0..w * h).map(|at| {
        let place = from(at % w, right, w).zip(from(at / w, down, h));
        place.map_or(0.0, |(x, y)| mask.at(x, y))
    });
    Plane {
        w,
        h,
        data: data.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_never_fall_and_begin_with_nothing() {
        let mut sums = [(0.0, 0.0); STEPS + 1];
        for (at, sum) in sums.iter_mut().enumerate() {
            // Rising, but for one step, and beyond 1 at last.
            let a = if at == 7 { 0.0 } else { at as f32 / 20.0 };
            *sum = (a * 100.0, 100.0);
        }
        let steps = isotonic(&sums);
        assert_eq!(steps[0], 0.0);
        assert!(steps.is_sorted() && steps[STEPS] == 1.0);
        assert!((steps[3] - 0.15).abs() < 1e-3, "{steps:?}");
        assert_eq!(steps[6], steps[7], "one step with the mean of both");
    }
}
