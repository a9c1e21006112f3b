//! PatchMatch completion for holes of any size in a textured photo, guided by the smooth fill and by place.
//!
//! The whole picture is completed at three small sizes, the smooth fill being the first guess. Sources are
//! patches alike, whose surroundings have the colour of the smooth fill, at about the same height
//! ([`super::guide`]). It ends with coherent copies rather than means, and what is finer than the largest
//! of these sizes is copied from the picture itself along with them.
//! It may only be used where [`super::trial`] shows that copying is right. Invariant: known pixels stay as they were, and nothing
//! that was found or painted is copied.

use super::dice::Dice;
use super::guide::Guide;
use super::level::Level;
use super::trial::Trial;
use crate::Error;
use crate::context::Context;
use crate::plane::{Gray, Plane, Rgb};

/// Longest sides of the picture, and rounds of search and blending at each.
const SIDES: [usize; 3] = [96, 176, 320];
const ROUNDS: [usize; 3] = [6, 3, 2];
/// Shortest side.
const LEAST: usize = 16;
/// How much what is not yet known counts in the first rounds, when it is the smooth fill: too much and
/// the flattest patches win.
const TRUST: [f32; 2] = [0.05, 0.4];
/// Mean squared difference of a patch by which its weight falls to a third.
const SHARP: f32 = 150.0;
/// Sources without which there is nothing to choose from.
const FEW: usize = 100;
/// Largest share of the picture a hole may have: the rest must be able to stand for it.
const LARGEST: f32 = 0.3;
/// How much worse the patches of the hole may fit than those of the trial, as a factor and in levels.
const WORSE: (f32, f32) = (1.3, 6.0);
/// Rows made between two looks at the stop flag.
const BAND: usize = 64;

/// What the surroundings of a hole allow.
pub(crate) enum Texture {
    /// A smooth fill alone.
    Mixed,
    /// Grain of one kind, though nothing can be copied.
    Alike,
    /// Copies: the picture with its holes completed.
    Continued(Rgb),
}

/// A completed picture at one size.
pub(super) struct Completed {
    pub(super) picture: Rgb,
    /// For each pixel the one it is a copy of.
    source: Vec<usize>,
    /// How far the patches differ from their sources, in levels: the median.
    pub(super) misfit: f32,
}

/// What can be laid over `smooth`, the smooth fill of `picture` where `known` is 0; where `painted` is 1 the picture is
/// a guess, and nothing is copied.
pub(crate) fn texture(
    ctx: &Context<'_>,
    picture: &Rgb,
    known: &Gray,
    painted: &Gray,
    smooth: &Rgb,
) -> Result<Texture, Error> {
    let (w, h) = (picture.w, picture.h);
    let pairs = known.data.iter().zip(&painted.data);
    let may = Plane {
        w,
        h,
        data: pairs
            .map(|(&k, &p)| f32::from(u8::from(k > 0.0 && p <= 0.0)))
            .collect(),
    };
    ctx.check()?;
    let (lw, lh) = size(w, h, SIDES[2]);
    let unknown = known.map(|k| 1.0 - k).resize(lw, lh);
    let hole = unknown.map(|u| f32::from(u8::from(u > 1e-3)));
    ctx.check()?;
    let free = may.resize(lw, lh).map(|m| f32::from(u8::from(m > 0.999)));
    ctx.check()?;
    let small = smooth.resize(lw, lh);
    ctx.check()?;
    let open = hole.data.iter().sum::<f32>();
    if open <= 0.0 {
        return Ok(Texture::Mixed);
    }
    let Some(trial) = Trial::of(ctx, &small, &hole, &free)? else {
        return Ok(Texture::Mixed);
    };
    let refused = if trial.is_plain() {
        Texture::Alike
    } else {
        Texture::Mixed
    };
    if !trial.is_enough() || open > LARGEST * (lw * lh) as f32 {
        return Ok(refused);
    }
    let Some(made) = complete(ctx, &small, &hole, &free)? else {
        return Ok(refused);
    };
    if made.misfit > WORSE.0 * trial.misfit + WORSE.1 {
        return Ok(refused);
    }
    let finished = enlarged(ctx, picture, known, &may, smooth, &small, &made)?;
    Ok(Texture::Continued(finished))
}

/// The size of a picture whose longest side is `side`, or its own if that is less.
fn size(w: usize, h: usize, side: usize) -> (usize, usize) {
    let by = (side as f32 / w.max(h) as f32).min(1.0);
    let of = |length: usize| ((length as f32 * by).round() as usize).max(LEAST);
    (of(w), of(h))
}

/// The picture completed where `hole` is 1 from where it is `free`; `smooth` is a first guess there.
/// `None` if there is too little to copy from.
pub(super) fn complete(
    ctx: &Context<'_>,
    smooth: &Rgb,
    hole: &Gray,
    free: &Gray,
) -> Result<Option<Completed>, Error> {
    let mut dice = Dice(7);
    let mut guess: Option<(Rgb, Vec<usize>)> = None;
    for (index, &side) in SIDES.iter().enumerate() {
        let (w, h) = size(smooth.w, smooth.h, side);
        let seen = smooth.resize(w, h);
        let mut level = Level::of(&hole.resize(w, h), &free.resize(w, h));
        if level.sources.len() < FEW {
            return Ok(None);
        }
        let known: Vec<f32> = level
            .open
            .iter()
            .map(|&o| f32::from(u8::from(!o)))
            .collect();
        level.guide = Some(Guide::of(&seen, &Plane { w, h, data: known }));
        level.sharp = SHARP;
        ctx.check()?;
        let mut now = seen.clone();
        let mut from = vec![level.sources[0]; w * h];
        for &at in &level.holes {
            from[at] = match &guess {
                None => level.any(&mut dice),
                Some((before, old)) => level.enlarged(at, before, old, &mut dice),
            };
        }
        if let Some((before, _)) = &guess {
            let large = before.resize(w, h);
            for at in (0..w * h).filter(|&at| level.open[at]) {
                now.data[at] = large.data[at];
            }
        }
        for round in 0..ROUNDS[index] {
            let first = TRUST.get(round).filter(|_| index == 0);
            level.trust = first.copied().unwrap_or(1.0);
            level.search(ctx, &now, &mut from, round % 2 == 1, &mut dice)?;
            now = level.blended(&seen, &now, &from);
            ctx.check()?;
        }
        if index + 1 < SIDES.len() {
            guess = Some((now, from));
            continue;
        }
        level.search(ctx, &now, &mut from, false, &mut dice)?;
        let source = level.coherent(&now, &from);
        ctx.check()?;
        for at in (0..w * h).filter(|&at| level.open[at]) {
            now.data[at] = seen.data[source[at]];
        }
        let misfit = level.misfit(&now, &from);
        return Ok(Some(Completed {
            picture: now,
            source,
            misfit,
        }));
    }
    Ok(None)
}

/// What was made at a small size, at the size of the picture: enlarged, with what is finer in the
/// picture itself where it was copied from. `small` is the picture at the small size.
fn enlarged(
    ctx: &Context<'_>,
    picture: &Rgb,
    known: &Gray,
    may: &Gray,
    smooth: &Rgb,
    small: &Rgb,
    made: &Completed,
) -> Result<Rgb, Error> {
    let (w, h) = (picture.w, picture.h);
    let (lw, lh) = (small.w, small.h);
    let (across, down) = (w as f32 / lw as f32, h as f32 / lh as f32);
    let coarse = |plane: &Rgb, x: usize, y: usize| {
        let place = |at: usize, by: f32| (at as f32 + 0.5) / by - 0.5;
        plane.between(place(x, across), place(y, down))
    };
    let mut out = smooth.clone();
    for y in 0..h {
        if y % BAND == 0 {
            ctx.check()?;
        }
        for x in (0..w).filter(|&x| known.at(x, y) <= 0.0) {
            let (lx, ly) = ((x * lw / w).min(lw - 1), (y * lh / h).min(lh - 1));
            let source = made.source[ly * lw + lx];
            let moved = |at: usize, from: usize, to: usize, by: f32, limit: usize| {
                let at = at as f32 + (to as f32 - from as f32) * by;
                at.round().clamp(0.0, limit as f32 - 1.0) as usize
            };
            let sx = moved(x, lx, source % lw, across, w);
            let sy = moved(y, ly, source / lw, down, h);
            let mut colour = coarse(&made.picture, x, y);
            if may.at(sx, sy) > 0.0 {
                let (seen, low) = (picture.at(sx, sy), coarse(small, sx, sy));
                colour = [0, 1, 2].map(|c| (colour[c] + seen[c] - low[c]).clamp(0.0, 255.0));
            }
            out.set(x, y, colour);
        }
    }
    Ok(out)
}
