//! One size of the picture: which patch of what is seen fits each patch of the hole best.
//!
//! Sizes are gone through by the caller. Invariant: a source is wholly seen, and may be copied.

use super::dice::Dice;
use super::guide::Guide;
use crate::Error;
use crate::context::Context;
use crate::plane::{Gray, Plane, Rgb, distance2};

/// Half a patch: 7 by 7.
pub(super) const HALF: usize = 3;
/// Pixels of a patch.
const PIXELS: f32 = ((2 * HALF + 1) * (2 * HALF + 1)) as f32;
/// Mean squared difference of a patch by which its weight falls to a third, unless a caller wants another.
const SHARP: f32 = 600.0;
/// What is added to the difference of a patch before those over a pixel are compared, and by which share it counts
/// more for each squared pixel away from the middle of the patch.
const EVEN: f32 = 30.0;
const AWAY: f32 = 0.15;

/// One size of the picture.
pub(super) struct Level {
    w: usize,
    h: usize,
    /// What is to be completed.
    pub(super) open: Vec<bool>,
    /// Middles of patches that hold something open: for these a source is sought.
    pub(super) holes: Vec<usize>,
    is_hole: Vec<bool>,
    /// Middles of patches that may be copied.
    pub(super) sources: Vec<usize>,
    is_source: Vec<bool>,
    /// What else than likeness makes a source right, if anything.
    pub(super) guide: Option<Guide>,
    /// How much an open pixel counts in a comparison, a seen one being 1.
    pub(super) trust: f32,
    /// Mean squared difference of a patch by which its weight falls to a third.
    pub(super) sharp: f32,
}

impl Level {
    pub(super) fn of(unknown: &Gray, may: &Gray) -> Self {
        let (w, h) = (unknown.w, unknown.h);
        let open: Vec<bool> = unknown.data.iter().map(|&u| u > 1e-3).collect();
        let patch = |at: usize| {
            let corner = at - HALF * w - HALF;
            (0..=2 * HALF).flat_map(move |y| (0..=2 * HALF).map(move |x| corner + y * w + x))
        };
        let (mut is_hole, mut is_source) = (vec![false; w * h], vec![false; w * h]);
        for y in HALF..h.saturating_sub(HALF) {
            for x in HALF..w.saturating_sub(HALF) {
                let at = y * w + x;
                is_hole[at] = patch(at).any(|near| open[near]);
                is_source[at] = !is_hole[at] && patch(at).all(|near| may.data[near] > 0.999);
            }
        }
        Self {
            w,
            h,
            open,
            holes: (0..w * h).filter(|&at| is_hole[at]).collect(),
            sources: (0..w * h).filter(|&at| is_source[at]).collect(),
            is_hole,
            is_source,
            guide: None,
            trust: 1.0,
            sharp: SHARP,
        }
    }

    pub(super) fn any(&self, dice: &mut Dice) -> usize {
        self.sources[dice.below(self.sources.len())]
    }

    /// The source that a place had at half the size.
    pub(super) fn larger(&self, at: usize, before: &Rgb, old: &[usize], dice: &mut Dice) -> usize {
        let (x, y) = (at % self.w, at / self.w);
        let half = (y / 2).min(before.h - 1) * before.w + (x / 2).min(before.w - 1);
        let (sx, sy) = (
            old[half] % before.w * 2 + x % 2,
            old[half] / before.w * 2 + y % 2,
        );
        let wanted = sy.min(self.h - 1) * self.w + sx.min(self.w - 1);
        if self.is_source[wanted] {
            wanted
        } else {
            self.any(dice)
        }
    }

    /// The source that a place had at another size, whatever that was.
    pub(super) fn enlarged(
        &self,
        at: usize,
        before: &Rgb,
        old: &[usize],
        dice: &mut Dice,
    ) -> usize {
        let (w, h) = (before.w, before.h);
        let by = (self.w as f32 / w as f32, self.h as f32 / h as f32);
        let (x, y) = (at % self.w, at / self.w);
        let place = |at: usize, by: f32, limit: usize| {
            ((at as f32 / by) as usize).clamp(HALF, limit - 1 - HALF)
        };
        let (bx, by_) = (place(x, by.0, w), place(y, by.1, h));
        let source = old[by_ * w + bx];
        let moved = |at: usize, from: usize, to: usize, by: f32, limit: usize| {
            let at = at as f32 + (to as f32 - from as f32) * by;
            at.round().clamp(0.0, limit as f32 - 1.0) as usize
        };
        let across = moved(x, bx, source % w, by.0, self.w);
        let wanted = moved(y, by_, source / w, by.1, self.h) * self.w + across;
        if self.is_source[wanted] {
            wanted
        } else {
            self.any(dice)
        }
    }

    /// How far two patches differ; stops at `limit`.
    fn off(&self, now: &Rgb, at: usize, source: usize, limit: f32) -> f32 {
        let corner = HALF * self.w + HALF;
        let guide = self.guide.as_ref();
        let mut sum = guide.map_or(0.0, |guide| PIXELS * guide.off(at, source));
        if sum >= limit {
            return sum;
        }
        for dy in 0..=2 * HALF {
            let (a, b) = (at + dy * self.w - corner, source + dy * self.w - corner);
            let rows = now.data[a..=a + 2 * HALF].iter();
            let pairs = rows.zip(&now.data[b..=b + 2 * HALF]);
            let offs = pairs.map(|(a, b)| distance2(*a, *b));
            sum += if self.trust < 1.0 {
                let open = self.open[a..].iter();
                let trust = |&open: &bool| if open { self.trust } else { 1.0 };
                offs.zip(open).map(|(off, open)| off * trust(open)).sum()
            } else {
                offs.sum::<f32>()
            };
            if sum >= limit {
                return sum;
            }
        }
        sum
    }

    /// Betters the source of every hole: by those of its neighbours and by chance, ever nearer.
    pub(super) fn search(
        &self,
        ctx: &Context<'_>,
        now: &Rgb,
        from: &mut [usize],
        backwards: bool,
        dice: &mut Dice,
    ) -> Result<(), Error> {
        let step = if backwards { -1 } else { 1 };
        for index in 0..self.holes.len() {
            if index % 1024 == 0 {
                ctx.check()?;
            }
            let at = self.holes[if backwards {
                self.holes.len() - 1 - index
            } else {
                index
            }];
            let mut best = (self.off(now, at, from[at], f32::MAX), from[at]);
            let offer = |candidate: Option<usize>, best: &mut (f32, usize)| {
                if let Some(candidate) = candidate
                    && self.is_source.get(candidate) == Some(&true)
                {
                    let off = self.off(now, at, candidate, best.0);
                    if off < best.0 {
                        *best = (off, candidate);
                    }
                }
            };
            for by in [step, step * self.w as isize] {
                let near = at.wrapping_add_signed(-by);
                if self.is_hole.get(near) == Some(&true) {
                    offer(from[near].checked_add_signed(by), &mut best);
                }
            }
            let mut reach = self.w.max(self.h);
            while reach > 0 {
                let (x, y) = (best.1 % self.w, best.1 / self.w);
                let place = |middle: usize, chance: usize, limit: usize| {
                    (middle + chance).saturating_sub(reach).min(limit - 1)
                };
                let across = place(x, dice.below(2 * reach + 1), self.w);
                let down = place(y, dice.below(2 * reach + 1), self.h);
                offer(Some(down * self.w + across), &mut best);
                reach /= 2;
            }
            from[at] = best.1;
        }
        Ok(())
    }

    /// Every open pixel as the mean of what the patches over it say, those that fit better more.
    pub(super) fn blended(&self, seen: &Rgb, now: &Rgb, from: &[usize]) -> Rgb {
        let mut sums = Plane::filled(self.w, self.h, [0.0_f32; 3]);
        let mut weights = Plane::filled(self.w, self.h, 0.0_f32);
        let corner = HALF * self.w + HALF;
        for &at in &self.holes {
            let off = self.off(now, at, from[at], f32::MAX) / PIXELS;
            let weight = (-off / self.sharp).exp().max(1e-6);
            for dy in 0..=2 * HALF {
                for dx in 0..=2 * HALF {
                    let step = dy * self.w + dx;
                    let (to, source) = (at + step - corner, from[at] + step - corner);
                    for c in 0..3 {
                        sums.data[to][c] += weight * seen.data[source][c];
                    }
                    weights.data[to] += weight;
                }
            }
        }
        let mut out = now.clone();
        for at in 0..out.data.len() {
            if self.open[at] && weights.data[at] > 0.0 {
                out.data[at] = sums.data[at].map(|sum| sum / weights.data[at]);
            }
        }
        out
    }

    /// Which pixel each open pixel is a copy of: as that patch over it says that fits best and whose
    /// middle is near. Others are copies of themselves.
    pub(super) fn coherent(&self, now: &Rgb, from: &[usize]) -> Vec<usize> {
        let mut best = vec![f32::MAX; self.w * self.h];
        let mut source: Vec<usize> = (0..self.w * self.h).collect();
        let corner = HALF * self.w + HALF;
        for &at in &self.holes {
            let off = self.off(now, at, from[at], f32::MAX) / PIXELS + EVEN;
            for dy in 0..=2 * HALF {
                for dx in 0..=2 * HALF {
                    let step = dy * self.w + dx;
                    let to = at + step - corner;
                    let away = dx.abs_diff(HALF).pow(2) + dy.abs_diff(HALF).pow(2);
                    let off = off * (1.0 + AWAY * away as f32);
                    if self.open[to] && off < best[to] {
                        best[to] = off;
                        source[to] = from[at] + step - corner;
                    }
                }
            }
        }
        source
    }

    /// How far the patches differ from their sources, in levels: the median.
    pub(super) fn misfit(&self, now: &Rgb, from: &[usize]) -> f32 {
        let off = |&at: &usize| self.off(now, at, from[at], f32::MAX) / PIXELS;
        let mut offs: Vec<f32> = self.holes.iter().map(off).collect();
        if offs.is_empty() {
            return 0.0;
        }
        let middle = offs.len() / 2;
        offs.select_nth_unstable_by(middle, f32::total_cmp).1.sqrt()
    }
}
