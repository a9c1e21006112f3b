//! Glows and soft shadows around letters: light or shade of one colour that fades away from them.
//!
//! What is seen beside the letters is compared with a ground carried on from beyond. If it goes over from one colour to that
//! ground as a blurred picture of the letters does, there or a little aside, that is a glow. Its coverage is a function of the
//! blurred letters alone, so that what the ground shows through it stays in the ground. Invariant: coverage is 0 further from the
//! letters than the glow reaches, and without a glow nothing is returned.

mod fit;
mod shape;

use crate::box_blur::{box_blur, weighted_mean};
use crate::components;
use crate::context::Context;
use crate::distance_transform::distance_transform;
use crate::plane::{Gray, Plane, Rect, Rgb, distance2, mix};
use crate::{Error, push_pull};
use fit::Fit;

/// A glow: one colour, and how much of it lies where.
pub(crate) struct Glow {
    /// Place of what follows.
    pub(crate) rect: Rect,
    pub(crate) alpha: Gray,
    pub(crate) colour: [f32; 3],
    /// The ground under glow and letters.
    pub(crate) under: Rgb,
}

/// What is asked for: letters that were cut.
pub(crate) struct Letters<'a> {
    pub(crate) rect: Rect,
    pub(crate) alpha: &'a Gray,
    /// Height of a line, in pixels.
    pub(crate) tall: usize,
}

/// What the letters lie on.
pub(crate) struct Ground<'a> {
    pub(crate) picture: &'a Rgb,
    /// 1 where something was painted out.
    pub(crate) painted: &'a Gray,
    /// Other lettering.
    pub(crate) others: &'a [Rect],
}

/// Least height of a line that is looked at.
pub(crate) const LEAST: usize = 18;
/// How far a glow reaches at most, as a part of the line's height, and in pixels.
const REACH: f32 = 0.8;
const FARTHEST: usize = 56;
/// Pixels beside a letter that are its own soft edge.
const EDGE: f32 = 2.0;
/// Pixels from which on all is tried at half the size; at half of that again where the farthest glow is some pixels wide even then.
const LARGE: usize = 50_000;
const COARSEST: f32 = 4.0;
const WIDE: f32 = 8.0;
/// Coverage up to which what shows through a glow is brought back, and from which nothing of it is.
const SHOWS: f32 = 0.2;
const HIDDEN: f32 = 0.6;
/// Least share of the view, and pixels of it, that must be beyond a glow for it to be told from the ground.
const BEYOND: f32 = 0.05;
const LEAST_BEYOND: usize = 100;
/// Coverage from which nothing is carried on from, and how far off it may be.
const SURE: f32 = 0.2;
const DOUBT: f32 = 0.08;

/// The glow around `letters` on a ground.
pub(crate) fn around(
    on: &Ground<'_>,
    letters: &Letters<'_>,
    ctx: &Context<'_>,
) -> Result<Option<Glow>, Error> {
    if letters.tall < LEAST {
        return Ok(None);
    }
    let solid = letters.alpha.map(|a| f32::from(u8::from(a > 0.3)));
    let Some(own) = components::bounds(&solid) else {
        return Ok(None);
    };
    ctx.check()?;
    let reach = (letters.tall as f32 * REACH) as usize;
    let reach = reach.clamp(8, FARTHEST);
    let place = Rect {
        x: letters.rect.x + own.x,
        y: letters.rect.y + own.y,
        ..own
    };
    let rect = place.grow(reach + reach / 2 + 4, on.picture.w, on.picture.h);
    let mut view = View::of(on, rect, letters, ctx)?;
    ctx.check()?;
    let (mut scale, mut shrunk) = (1.0, None::<View>);
    let coarsest = if reach as f32 / COARSEST < WIDE {
        COARSEST / 2.0
    } else {
        COARSEST
    };
    while scale < coarsest && shrunk.as_ref().unwrap_or(&view).rect.area() > LARGE {
        (scale, shrunk) = (2.0 * scale, Some(shrunk.as_ref().unwrap_or(&view).half()));
        ctx.check()?;
    }
    let trial = shrunk.as_mut().unwrap_or(&mut view);
    let Some(found) = shape::best(trial, reach as f32 / scale, scale, ctx)? else {
        return Ok(None);
    };
    drop(shrunk);
    let found = found.enlarged(scale);
    ctx.check()?;
    if !view.see_beyond(found.ends) {
        return Ok(None);
    }
    ctx.check()?;
    view.measure(found.ends);
    ctx.check()?;
    let blurred = view.blurred(found);
    let fit = view.fitted(found, &blurred, EDGE);
    ctx.check()?;
    if !shape::is_glow(&view, &fit, found.ends) {
        return Ok(None);
    }
    view.take(&fit, found.ends, ctx).map(Some)
}

/// Letters and what is around them.
struct View {
    rect: Rect,
    part: Rgb,
    /// Coverage of the letters.
    letters: Gray,
    /// How far each pixel is from them.
    far: Gray,
    free: Vec<bool>,
    /// What is beyond some distance, carried on, and how far off it what is seen there is: the mean square.
    ground: Rgb,
    noise: f32,
}

impl View {
    fn of(
        on: &Ground<'_>,
        rect: Rect,
        cut: &Letters<'_>,
        ctx: &Context<'_>,
    ) -> Result<Self, Error> {
        let part = on.picture.crop(rect);
        let place = |at: usize| (rect.x + at % rect.w, rect.y + at / rect.w);
        let mut letters = Plane::filled(rect.w, rect.h, 0.0_f32);
        for (at, a) in letters.data.iter_mut().enumerate() {
            let (x, y) = place(at);
            if cut.rect.contains(x, y) {
                *a = cut.alpha.at(x - cut.rect.x, y - cut.rect.y);
            }
        }
        ctx.check()?;
        let far = distance_transform(rect.w, rect.h, |at| letters.data[at] > 0.05);
        ctx.check()?;
        let near = |other: &&Rect| rect.overlaps(**other);
        let others: Vec<Rect> = on.others.iter().filter(near).copied().collect();
        let free = |at: usize| {
            let (x, y) = place(at);
            letters.data[at] > 0.0
                || (on.painted.at(x, y) <= 0.0 && !others.iter().any(|other| other.contains(x, y)))
        };
        Ok(Self {
            rect,
            ground: part.clone(),
            noise: 0.0,
            free: (0..part.data.len()).map(free).collect(),
            part,
            letters,
            far,
        })
    }

    /// The same at half the size.
    fn half(&self) -> Self {
        let (w, h) = (self.rect.w.div_ceil(2), self.rect.h.div_ceil(2));
        let letters = self.letters.resize(w, h);
        let far = distance_transform(w, h, |at| letters.data[at] > 0.05);
        let free = (0..w * h)
            .map(|at| self.free[at / w * 2 * self.rect.w + at % w * 2])
            .collect();
        let part = self.part.resize(w, h);
        Self {
            rect: Rect { w, h, ..self.rect },
            ground: part.clone(),
            noise: 0.0,
            part,
            letters,
            far,
            free,
        }
    }

    /// Carries the ground on from what is further than `reach`; says no, and leaves it, where there is too little of that.
    #[must_use]
    fn see_beyond(&mut self, reach: f32) -> bool {
        let all = self.part.data.len();
        let mut known = Plane::filled(self.rect.w, self.rect.h, 0.0_f32);
        let mut count = 0;
        for at in self.between(reach, f32::MAX) {
            known.data[at] = 1.0;
            count += 1;
        }
        if count < LEAST_BEYOND.max((BEYOND * all as f32) as usize) {
            return false;
        }
        self.ground = push_pull::fill(&self.part, &known);
        true
    }

    /// Measures how rough what is further than `reach` is.
    fn measure(&mut self, reach: f32) {
        let smooth = box_blur(&self.ground, (reach / 2.0) as usize + 1);
        let (mut sum, mut count) = (0.0_f32, 1e-6_f32);
        for at in self.between(reach, f32::MAX) {
            sum += distance2(self.part.data[at], smooth.data[at]);
            count += 1.0;
        }
        self.noise = sum / count;
    }

    fn off(&self, at: usize) -> [f32; 3] {
        let (seen, ground) = (self.part.data[at], self.ground.data[at]);
        [0, 1, 2].map(|c| seen[c] - ground[c])
    }

    /// Pixels from `from` to `to` away from the letters.
    fn between(&self, from: f32, to: f32) -> impl Iterator<Item = usize> + '_ {
        (0..self.part.data.len()).filter(move |&at| {
            let far = self.far.data[at];
            far > from && far <= to && self.free[at]
        })
    }

    /// Glow and ground apart.
    fn take(&self, fit: &Fit<'_>, ends: f32, ctx: &Context<'_>) -> Result<Glow, Error> {
        ctx.check()?;
        let (w, h) = (self.rect.w, self.rect.h);
        let mut alpha = Plane::filled(w, h, 0.0_f32);
        let mut lit = self.part.clone();
        // What the smooth ground is carried on from, and what is a part of the ground.
        let (mut sure, mut shown) = (alpha.clone(), alpha.clone());
        for at in 0..w * h {
            let far = self.far.data[at];
            let a = fit.fading(at, far, ends);
            alpha.data[at] = a;
            if far > EDGE && self.free[at] {
                sure.data[at] = (1.0 - a / SURE).clamp(0.0, 1.0);
                shown.data[at] = ((HIDDEN - a) / (HIDDEN - SHOWS)).clamp(0.0, 1.0);
                lit.data[at] = fit.taken_off(self.part.data[at], at, far, ends);
            }
        }
        ctx.check()?;
        let mut under = push_pull::fill(&lit, &sure);
        ctx.check()?;
        let coarse = weighted_mean(&lit, &shown, (ends / 8.0) as usize + 2);
        ctx.check()?;
        for (at, under) in under.data.iter_mut().enumerate() {
            let (a, shown) = (alpha.data[at], shown.data[at]);
            if a <= 0.0 || shown <= 0.0 {
                continue;
            }
            // Fine detail is the ground's; of what is coarse, what the coverage may be off by is not.
            let doubt = DOUBT * distance2(fit.colour, *under).sqrt() / (1.0 - a).max(0.1);
            let off = distance2(coarse.data[at], *under).sqrt();
            let kept = (1.0 - doubt / off.max(1e-3)).max(0.0);
            let ground = [0, 1, 2].map(|c| {
                let fine = lit.data[at][c] - coarse.data[at][c];
                (mix(*under, coarse.data[at], kept)[c] + fine).clamp(0.0, 255.0)
            });
            *under = mix(*under, ground, shown);
        }
        Ok(Glow {
            rect: self.rect,
            alpha,
            colour: fit.colour,
            under,
        })
    }
}

fn mean(colours: impl Iterator<Item = [f32; 3]>) -> [f32; 3] {
    let (mut sum, mut count) = ([0.0_f32; 3], 0.0_f32);
    for colour in colours {
        for c in 0..3 {
            sum[c] += colour[c];
        }
        count += 1.0;
    }
    sum.map(|s| s / count.max(1.0))
}

#[cfg(test)]
mod tests;
