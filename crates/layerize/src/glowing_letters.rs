//! Letters of one even colour in front of a glow.
//!
//! Where a glow lies between letters and ground, the ground around a box says nothing about what the letters stand off from.
//! They are found by their colour alone: the one of which much in the box is even, and around it nothing. Invariant: what
//! is returned is drawn with strokes and has a glow around it; whether it is lettering at all the caller has to find out.

use crate::Error;
use crate::components;
use crate::context::Context;
use crate::glow::{self, Ground, Letters};
use crate::inks::{self, Inks};
use crate::plane::{Rect, Rgb, distance2, max_difference};

/// Difference of neighbours, in levels, up to which a place is even.
const EVEN: f32 = 12.0;
/// Levels of a cell of colours, and cells a channel.
const CELL: f32 = 16.0;
const CELLS: usize = 16;
/// How many times denser than around it a colour is in the box.
const DENSER: f32 = 4.0;
/// Distance from the colour of the letters, in levels, up to which a place is a letter, and of two colours.
const ONE: f32 = 48.0;
const TWO: f32 = 64.0;
/// Colours that are tried.
const TRIED: usize = 2;
/// Least share of the box that is even and of the letters' colour.
const MUCH: f32 = 0.03;
/// Share of the box's longer side that lettering takes at least: else it is a part of a line.
const SPANS: f32 = 0.75;
/// Share of its box that lettering covers.
const COVERS: std::ops::Range<f32> = 0.04..0.8;

/// The letters in front of a glow in the box `own`.
pub(crate) fn extract(
    on: &Ground<'_>,
    own: Rect,
    ctx: &Context<'_>,
) -> Result<Option<Inks>, Error> {
    let (picture, short) = (on.picture, own.w.min(own.h));
    if short < glow::LEAST {
        return Ok(None);
    }
    let rect = own.grow((short / 2).max(8), picture.w, picture.h);
    let inner = own.grow((short / 12).max(1), picture.w, picture.h);
    let part = picture.crop(rect);
    let inside: Vec<bool> = (0..part.data.len())
        .map(|at| inner.contains(at % rect.w + rect.x, at / rect.w + rect.y))
        .collect();
    ctx.check()?;
    for colour in colours(&part, &inside, own.area()) {
        ctx.check()?;
        let like = |at: usize| distance2(part.data[at], colour) < ONE * ONE;
        let found = components::label(rect.w, rect.h, like);
        ctx.check()?;
        let Some(solid) = inks::lettering(&part, &found, &inside, short) else {
            continue;
        };
        let covered = solid.data.iter().sum::<f32>() / own.area() as f32;
        if !COVERS.contains(&covered) {
            continue;
        }
        let drawn = components::bounds(&solid).unwrap_or(Rect { w: 0, h: 0, ..own });
        let long = drawn.w.max(drawn.h) as f32;
        if long < SPANS * own.w.max(own.h) as f32 {
            continue;
        }
        ctx.check()?;
        let inks = inks::edged(&part, rect, &solid, ctx)?;
        let letters = Letters {
            rect,
            alpha: &inks.alpha,
            tall: drawn.w.min(drawn.h),
        };
        // What encloses another ink is that one's outline.
        let is_outline = inks::enclosed(picture, rect, &inks.alpha, ctx)?.is_some();
        if !is_outline && glow::around(on, &letters, ctx)?.is_some() {
            return Ok(Some(inks));
        }
    }
    Ok(None)
}

/// Colours of which much is even in the box and little around it, those with most first.
fn colours(part: &Rgb, inside: &[bool], area: usize) -> Vec<[f32; 3]> {
    let (w, h) = (part.w, part.h);
    let cell = |colour: [f32; 3]| {
        let [r, g, b] = colour.map(|v| ((v / CELL) as usize).min(CELLS - 1));
        (r * CELLS + g) * CELLS + b
    };
    let mut counts = vec![[0_usize; 2]; CELLS * CELLS * CELLS];
    let mut totals = [1_usize; 2];
    for y in 1..h.max(2) - 1 {
        for x in 1..w.max(2) - 1 {
            let (at, own) = (y * w + x, part.at(x, y));
            let near = [at - 1, at + 1, at - w, at + w];
            let even = near
                .iter()
                .all(|&near| max_difference(own, part.data[near]) <= EVEN);
            let place = usize::from(inside[at]);
            totals[place] += 1;
            if even {
                counts[cell(own)][place] += 1;
            }
        }
    }
    let scale = totals[1] as f32 / totals[0] as f32;
    let mut found: Vec<[f32; 3]> = Vec::new();
    while found.len() < TRIED {
        let middle = |cell: usize| {
            let split = [cell / CELLS / CELLS, cell / CELLS % CELLS, cell % CELLS];
            split.map(|v| (v as f32 + 0.5) * CELL)
        };
        let score = |cell: usize| {
            let [around, own] = counts[cell];
            let new = found
                .iter()
                .all(|&other| distance2(middle(cell), other) > TWO * TWO);
            let dense = own as f32 > DENSER * scale * around as f32;
            if new && dense { own } else { 0 }
        };
        let best = (0..counts.len()).max_by_key(|&cell| score(cell));
        let Some(best) = best.filter(|&best| score(best) as f32 > MUCH * area as f32) else {
            break;
        };
        found.push(mean_about(part, inside, middle(best)));
    }
    found
}

/// The mean of what is about a colour in the box.
fn mean_about(part: &Rgb, inside: &[bool], colour: [f32; 3]) -> [f32; 3] {
    let (mut sum, mut count) = ([0.0_f32; 3], 0.0_f32);
    for (seen, _) in part.data.iter().zip(inside).filter(|(_, inside)| **inside) {
        if max_difference(*seen, colour) <= CELL {
            for c in 0..3 {
                sum[c] += seen[c];
            }
            count += 1.0;
        }
    }
    if count == 0.0 {
        colour
    } else {
        sum.map(|v| v / count)
    }
}
