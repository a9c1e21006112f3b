//! How far a glow reaches, how wide its blur is, whether it lies aside, and whether it is one at all.
//!
//! Shapes are tried one after the other. A good one leaves a ground that does not change with the distance from the letters, and
//! explains what is seen pixel by pixel. Invariant: what ends in a step (an outline, a plate, a button), and what goes on
//! beyond it on two sides, is no glow.

use super::fit::{Fit, STEPS};
use super::{EDGE, View, mean};
use crate::Error;
use crate::components;
use crate::context::Context;
use crate::plane::{Gray, distance2};

/// Reaches and widths that are tried, in pixels and as parts of the reach.
const REACHES: [f32; 7] = [6.0, 9.0, 13.0, 19.0, 27.0, 38.0, 54.0];
const WIDTHS: [f32; 2] = [0.33, 0.48];
/// How far aside a shadow may lie, in pixels, and by how much that is refined, as parts of the reach.
const ASIDE: [f32; 2] = [4.0, 9.0];
const REFINED: f32 = 0.12;
/// Asymmetry of what differs beside the letters from which something may lie aside.
const LEANS: f32 = 0.2;
/// Pixels beside the soft edge of a letter where a glow is plain.
const PLAIN: f32 = 3.0;
/// Difference of glow and ground, in levels, that is seen.
const CONTRAST: f32 = 24.0;
/// Share of the difference beside the letters beyond which what the ground shows is compared.
const COMPARED: f32 = 0.6;
/// Share of the change of the ground with the distance from the letters that may be left without the glow.
const CALMER: f32 = 0.8;
/// How much what the glow leaves unexplained counts beside that, and the most of it.
const RESIDUAL: f32 = 0.75;
const MOST: f32 = 0.25;
/// Rings of one distance that a change is told by, at least.
const RINGS: usize = 3;
/// Least pixels at which the middle of a glow's way is crossed; of fewer no softness is told.
const CROSSED: f32 = 8.0;
/// Pixels beyond the end of a glow in which is looked whether it goes on, at least.
const BEHIND: f32 = 4.0;
/// Pixels over which a glow takes the middle half of its way to the ground; a step takes one.
const SOFT: f32 = 1.6;

/// How far a glow reaches, how wide the blur is, as a part of that, and how far it lies right of and below the letters.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    pub(super) ends: f32,
    pub(super) width: f32,
    pub(super) by: (f32, f32),
}

impl Shape {
    /// The same in a picture that is larger by `scale`.
    pub(super) fn enlarged(self, scale: f32) -> Self {
        Self {
            ends: self.ends * scale,
            by: (self.by.0 * scale, self.by.1 * scale),
            ..self
        }
    }
}

/// The shape that leaves the ground calmest; `None` if nothing stands off beside the letters or nothing helps. The picture was
/// made smaller by `scale`.
pub(super) fn best(
    view: &mut View,
    reach: f32,
    scale: f32,
    ctx: &Context<'_>,
) -> Result<Option<Shape>, Error> {
    let edge = EDGE / scale;
    if !view.see_beyond(reach) {
        return Ok(None);
    }
    ctx.check()?;
    let Some(near) = near(view, edge, PLAIN / scale) else {
        return Ok(None);
    };
    let span = (compared_from(view, near, edge, reach), reach);
    let Some(before) = change(view, None, span) else {
        return Ok(None);
    };
    let cost = |view: &View, shape: Shape, blurred: &Gray| {
        let fit = view.fitted(shape, blurred, edge);
        let change = change(view, Some((&fit, shape.ends)), span)? / before.max(1e-3);
        (change <= CALMER).then_some(change + RESIDUAL * fit.residual)
    };
    let mut places = vec![(0.0, 0.0)];
    if let Some((x, y)) = leans(view, near, edge, 2.0 * PLAIN / scale) {
        let by = |far: f32| ((x * far / scale).round(), (y * far / scale).round());
        places.extend(ASIDE.map(by));
    }
    let mut best: Option<(f32, Shape)> = None;
    for ends in REACHES.map(|ends| ends / scale) {
        if ends > reach {
            break;
        }
        // What is beyond this reach is less beyond the next.
        if !view.see_beyond(ends) {
            break;
        }
        ctx.check()?;
        view.measure(ends);
        for width in WIDTHS {
            ctx.check()?;
            let middle = Shape {
                ends,
                width,
                by: places[0],
            };
            let blurred = view.blurred(middle);
            for &by in &places {
                ctx.check()?;
                keep(&mut best, Shape { by, ..middle }, |shape| {
                    cost(view, shape, &blurred)
                });
            }
        }
    }
    let Some((_, found)) = best else {
        return Ok(None);
    };
    if found.by != (0.0, 0.0) && view.see_beyond(found.ends) {
        ctx.check()?;
        view.measure(found.ends);
        let blurred = view.blurred(found);
        let step = (REFINED * found.ends).round().max(1.0);
        for (x, y) in [(-step, 0.0), (step, 0.0), (0.0, -step), (0.0, step)] {
            ctx.check()?;
            let by = best.map_or(found.by, |(_, best)| best.by);
            let by = (by.0 + x, by.1 + y);
            keep(&mut best, Shape { by, ..found }, |shape| {
                cost(view, shape, &blurred)
            });
        }
    }
    Ok(best.map(|(_, shape)| shape))
}

/// Keeps a shape if it costs less than the best.
fn keep(best: &mut Option<(f32, Shape)>, shape: Shape, cost: impl Fn(Shape) -> Option<f32>) {
    if let Some(cost) = cost(shape)
        && best.is_none_or(|(least, _)| cost < least)
    {
        *best = Some((cost, shape));
    }
}

/// By what the picture differs from the ground beside the letters; `None` if that is little.
fn near(view: &View, edge: f32, plain: f32) -> Option<[f32; 3]> {
    let near: Vec<usize> = view.between(edge, edge + plain).collect();
    let mean = mean(near.iter().map(|&at| view.off(at)));
    let length = distance2(mean, [0.0; 3]).sqrt();
    (near.len() >= 30 && length >= 0.6 * CONTRAST).then_some(mean)
}

/// How far a pixel is off the ground in the direction of `near`.
fn along(view: &View, at: usize, near: [f32; 3]) -> f32 {
    let (off, length) = (view.off(at), distance2(near, [0.0; 3]).sqrt());
    (0..3).map(|c| off[c] * near[c]).sum::<f32>() / length
}

/// From how far on the ground shows through a glow.
fn compared_from(view: &View, near: [f32; 3], edge: f32, reach: f32) -> f32 {
    let mut rings = vec![(0.0_f32, 1e-6_f32); reach as usize + 1];
    for at in view.between(edge, reach) {
        let ring = &mut rings[view.far.data[at] as usize];
        ring.0 += along(view, at, near);
        ring.1 += 1.0;
    }
    let least = COMPARED * distance2(near, [0.0; 3]).sqrt();
    let from = rings.iter().skip((edge + 1.0) as usize);
    let from = from.take_while(|(sum, count)| sum / count >= least);
    edge + from.count() as f32
}

/// The direction in which more differs from the ground than in the others, if there is one.
fn leans(view: &View, near: [f32; 3], edge: f32, reach: f32) -> Option<(f32, f32)> {
    let (w, h) = (view.rect.w, view.rect.h);
    let (mut x_sum, mut y_sum, mut all) = (0.0_f32, 0.0_f32, 1e-6_f32);
    for at in view.between(edge, edge + reach) {
        let (x, y) = (at % w, at / w);
        if x == 0 || y == 0 || x + 1 == w || y + 1 == h {
            continue;
        }
        let off = along(view, at, near).max(0.0);
        let far = |at: usize| view.far.data[at];
        x_sum += off * (far(at + 1) - far(at - 1)) / 2.0;
        y_sum += off * (far(at + w) - far(at - w)) / 2.0;
        all += off;
    }
    let length = x_sum.hypot(y_sum);
    (length > LEANS * all).then(|| (x_sum / length, y_sum / length))
}

/// How much the ground, a glow taken off, changes with the distance from the letters, over the distances of `span`; `None` if it is
/// seen at too few of them.
fn change(view: &View, fit: Option<(&Fit<'_>, f32)>, (from, to): (f32, f32)) -> Option<f32> {
    let mut rings = vec![([0.0_f32; 3], 0.0_f32); to as usize + 1];
    for at in view.between(from, to) {
        let (seen, far) = (view.part.data[at], view.far.data[at]);
        let lit = fit.map_or(seen, |(fit, ends)| fit.taken_off(seen, at, far, ends));
        let (sum, count) = &mut rings[far as usize];
        for c in 0..3 {
            sum[c] += lit[c];
        }
        *count += 1.0;
    }
    let seen = rings.iter().filter(|(_, count)| *count > 0.0);
    let means: Vec<[f32; 3]> = seen.map(|(sum, n)| sum.map(|v| v / n)).collect();
    let steps = means.windows(2);
    let steps = steps.map(|pair| distance2(pair[0], pair[1]).sqrt());
    (means.len() >= RINGS).then(|| steps.sum())
}

/// Whether a glow is seen, explains what is seen, and fades.
pub(super) fn is_glow(view: &View, fit: &Fit<'_>, ends: f32) -> bool {
    let ground = mean(view.between(EDGE, ends).map(|at| view.ground.data[at]));
    let contrast = fit.steps[STEPS] * distance2(fit.colour, ground).sqrt();
    fit.residual <= MOST
        && contrast >= CONTRAST
        && softness(view, fit, ends) >= SOFT
        && !goes_on(view, ground, fit.colour, ends)
}

/// Whether what is like the glow goes on beyond its end on two opposite sides of the letters: a band of light that they lie on.
fn goes_on(view: &View, ground: [f32; 3], colour: [f32; 3], ends: f32) -> bool {
    let Some(own) = components::bounds(&view.letters) else {
        return false;
    };
    let mut sides = [(0_usize, 0_usize); 4];
    for at in view.between(ends, ends + (ends / 4.0).max(BEHIND)) {
        let (x, y) = (at % view.rect.w, at / view.rect.w);
        let across = (own.x..own.x + own.w).contains(&x);
        let beside = (own.y..own.y + own.h).contains(&y);
        let side = match (across, beside) {
            (false, true) => usize::from(x >= own.x),
            (true, false) => 2 + usize::from(y >= own.y),
            _ => continue,
        };
        let seen = view.part.data[at];
        let like = distance2(seen, colour) < distance2(seen, ground);
        sides[side].0 += 1;
        sides[side].1 += usize::from(like);
    }
    let most = |(all, like): (usize, usize)| 2 * like > all;
    (most(sides[0]) && most(sides[1])) || (most(sides[2]) && most(sides[3]))
}

/// Pixels over which what is seen takes the middle half of its way from glow to ground: those on it, by those where its middle is
/// crossed.
fn softness(view: &View, fit: &Fit<'_>, ends: f32) -> f32 {
    let w = view.rect.w;
    let most = fit.steps[STEPS].max(1e-3);
    let share = |at: usize| {
        let (ground, off) = (view.ground.data[at], view.off(at));
        let (mut along, mut length) = (0.0_f32, 1e-3_f32);
        for c in 0..3 {
            let whole = fit.colour[c] - ground[c];
            along += off[c] * whole;
            length += whole * whole;
        }
        along / length / most
    };
    let (mut middle, mut crossed) = (0.0_f32, 0.0_f32);
    for at in view.between(EDGE, ends) {
        let own = share(at);
        middle += f32::from(u8::from((0.25..0.75).contains(&own)));
        let next = [at + 1, at + w];
        let next = next.iter().filter(|&&next| {
            let far = view.far.data.get(next);
            far.is_some_and(|far| *far > EDGE && *far <= ends) && view.free[next]
        });
        let steps = next.filter(|&&next| (share(next) < 0.5) != (own < 0.5));
        crossed += f32::from(u8::from(steps.count() > 0));
    }
    if crossed < CROSSED {
        return 0.0;
    }
    middle / crossed
}
