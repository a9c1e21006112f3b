//! PatchMatch completion for small holes in patterned surroundings: weaves, bricks, regular grain.
//!
//! Patches of 7 by 7 pixels from what is seen around the hole, found by random search and
//! propagation (Barnes et al. 2009) and blended where they overlap, from coarse to fine (Wexler,
//! Shechtman and Irani 2007). It copies colours, so it may only be used where copying is right: it
//! must first win back discs beside the hole, which are known, far better than the smooth fill
//! does, every one of them. Surroundings of several kinds and mere roughness do not pass; for
//! these, and for larger holes, copies are guided by the smooth fill and by place (`guided.rs`). `NOTES.md` has the comparison.
//! Invariant: known pixels stay as they were, and nothing that was found or painted is copied.

mod dice;
mod guide;
mod guided;
mod level;
mod proof;
#[cfg(test)]
mod tests;
mod trial;

use crate::Error;
use crate::context::Context;
use crate::plane::{Gray, Plane, Rect, Rgb};
use dice::Dice;
use level::Level;

pub(crate) use guided::{Texture, texture};

/// Rounds of search and blending at each size.
const ROUNDS: usize = 6;
/// Shortest side at which the completion begins.
const SMALLEST: usize = 32;
/// Most pixels of a hole, and its longest side.
const MOST: usize = 16_000;
const LONGEST: usize = 192;
/// How far around the hole patches are taken from.
const AROUND: usize = 56;

/// The picture completed where `known` is 0; `None` where that was not proven to be right. `smooth`
/// is the smooth fill; where `painted` is 1 the picture is a guess, and nothing is copied.
pub(crate) fn fill(
    ctx: &Context<'_>,
    picture: &Rgb,
    known: &Gray,
    painted: &Gray,
    smooth: &Rgb,
) -> Result<Option<Rgb>, Error> {
    let (w, h) = (picture.w, picture.h);
    let mut holes = (0..w * h).filter(|&at| known.data[at] <= 0.0);
    let Some(first) = holes.next() else {
        return Ok(None);
    };
    let (mut count, mut left, mut right, top, mut bottom) =
        (1_usize, first % w, first % w, first / w, first / w);
    for at in holes {
        count += 1;
        (left, right, bottom) = (left.min(at % w), right.max(at % w), at / w);
        if count > MOST || right - left >= LONGEST || bottom - top >= LONGEST {
            return Ok(None);
        }
    }
    let rect = Rect {
        x: left,
        y: top,
        w: right - left + 1,
        h: bottom - top + 1,
    };
    let may = Plane {
        w,
        h,
        data: known
            .data
            .iter()
            .zip(&painted.data)
            .map(|(&k, &p)| f32::from(u8::from(k > 0.0 && p <= 0.0)))
            .collect(),
    };
    if !proof::wins(ctx, picture, &may, rect)? {
        return Ok(None);
    }
    let room = rect.grow(AROUND, w, h);
    let hole = known.crop(room).map(|k| k <= 0.0);
    let made = complete(ctx, &smooth.crop(room), &hole, &may.crop(room))?;
    let mut filled = smooth.clone();
    for (at, _) in hole.data.iter().enumerate().filter(|(_, hole)| **hole) {
        filled.set(room.x + at % room.w, room.y + at / room.w, made.data[at]);
    }
    Ok(Some(filled))
}

/// The picture with its holes completed from where it `may` be copied; `smooth` is a first guess
/// there, and the picture itself elsewhere.
fn complete(ctx: &Context<'_>, smooth: &Rgb, hole: &Plane<bool>, may: &Gray) -> Result<Rgb, Error> {
    let mut sizes = vec![(smooth.w, smooth.h)];
    while let Some(&(w, h)) = sizes.last()
        && w.min(h) >= 2 * SMALLEST
    {
        sizes.push((w.div_ceil(2), h.div_ceil(2)));
    }
    let mut dice = Dice(7);
    let unknown = hole.map(|hole| f32::from(u8::from(hole)));
    let mut guess: Option<(Rgb, Vec<usize>)> = None;
    for &(w, h) in sizes.iter().rev() {
        let seen = smooth.resize(w, h);
        let level = Level::of(&unknown.resize(w, h), &may.resize(w, h));
        let Some(&first) = level.sources.first() else {
            continue;
        };
        let mut now = seen.clone();
        let mut from = vec![first; w * h];
        for &at in &level.holes {
            from[at] = match &guess {
                None => level.any(&mut dice),
                Some((before, old)) => level.larger(at, before, old, &mut dice),
            };
        }
        if let Some((before, _)) = &guess {
            let large = before.resize(w, h);
            for at in (0..w * h).filter(|&at| level.open[at]) {
                now.data[at] = large.data[at];
            }
        }
        for round in 0..ROUNDS {
            level.search(ctx, &now, &mut from, round % 2 == 1, &mut dice)?;
            now = level.blended(&seen, &now, &from);
        }
        guess = Some((now, from));
    }
    Ok(guess.map_or_else(|| smooth.clone(), |(now, _)| now))
}
