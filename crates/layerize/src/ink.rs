//! One ink over a ground: finds both inside a box and how much of the ink covers each pixel.
//!
//! The ground is taken from around the box and from between the letters; the ink is the colour
//! that stands off most. Nothing is returned where one ink does not explain the pixels.
//! Invariant: coverage is 0 outside the grown box and wherever no solid stroke is near.

use crate::components;
use crate::context::Context;
use crate::passes::text::TextBox;
use crate::plane::{Gray, Plane, Rect, Rgb, distance2, mix};
use crate::{Error, matte, push_pull};

/// What lies in a box.
pub(crate) struct Ink {
    /// Place of `alpha` and `under`.
    pub(crate) rect: Rect,
    pub(crate) alpha: Gray,
    pub(crate) under: Rgb,
    pub(crate) colour: [f32; 3],
    /// Share of the marked pixels that the ink explains.
    pub(crate) fit: f32,
}

/// Least distance of ink and ground, in levels.
const CONTRAST: f32 = 28.0;
/// Coverage from which a pixel counts as part of a stroke.
const STROKE: f32 = 0.45;

/// Least share of the inside of the strokes that has the ink's colour, times the share explained:
/// in a line, and in a box that is not much longer than high, where less speaks for letters.
const EVEN: f32 = 0.7;
const EVEN_ALONE: f32 = 0.9;
/// Largest share of the strokes that may be thicker than a quarter of the line.
const THICK: f32 = 0.08;

/// Cuts the letters of `boxes[index]` out of `picture`.
pub(crate) fn extract(
    picture: &Rgb,
    boxes: &[TextBox],
    index: usize,
    ctx: &Context<'_>,
) -> Result<Option<Ink>, Error> {
    let own = boxes[index].rect;
    let short = own.w.min(own.h);
    let rect = own.grow((short / 3).max(4), picture.w, picture.h);
    let part = picture.crop(rect);
    let inner = |at: usize, grown: usize| {
        let (x, y) = (at % rect.w + rect.x, at / rect.w + rect.y);
        own.grow(grown, picture.w, picture.h).contains(x, y)
    };
    let foreign: Vec<bool> = (0..part.data.len())
        .map(|at| {
            let (x, y) = (at % rect.w + rect.x, at / rect.w + rect.y);
            !own.contains(x, y)
                && boxes
                    .iter()
                    .enumerate()
                    .any(|(i, b)| i != index && b.rect.contains(x, y))
        })
        .collect();
    ctx.check()?;
    let ring = mask(&part, |at| !inner(at, 1) && !foreign[at]);
    let ground = push_pull::fill(&part, &ring);
    ctx.check()?;
    let Some((colour, _)) = strongest(&part, &ground, |at| inner(at, 0)) else {
        return Ok(None);
    };
    ctx.check()?;
    let clear = mask(&part, |at| {
        !foreign[at]
            && cover(part.data[at], colour, ground.data[at]) < 0.12
            && distance2(part.data[at], ground.data[at]) < 45.0 * 45.0
    });
    let ground = push_pull::fill(&part, &clear);
    ctx.check()?;
    let Some((colour, contrast)) = strongest(&part, &ground, |at| inner(at, 0)) else {
        return Ok(None);
    };
    ctx.check()?;
    let raw: Vec<f32> = (0..part.data.len())
        .map(|at| cover(part.data[at], colour, ground.data[at]))
        .collect();
    let fit = explained(&part, &ground, &raw, colour, contrast, |at| inner(at, 0));
    ctx.check()?;
    let (solid, letters) = strokes(&raw, &rect, &inner);
    if letters < 3 && own.w < 2 * own.h && own.h < 2 * own.w {
        return Ok(None);
    }
    ctx.check()?;
    let (even, thick) = strokes_are(&part, &solid, colour, own);
    let line = own.w >= 2 * own.h || own.h >= 2 * own.w;
    if even * fit < if line { EVEN } else { EVEN_ALONE } || thick > THICK {
        return Ok(None);
    }
    ctx.check()?;
    let alpha = gate(&raw, &solid, rect, contrast);
    let covered = alpha.data.iter().filter(|&&a| a > STROKE).count() as f32 / own.area() as f32;
    if fit < 0.72 || !(0.02..0.75).contains(&covered) {
        return Ok(None);
    }
    ctx.check()?;
    let free = matte::dilate(&alpha, 1).map(|a| if a > 0.0 { 0.0 } else { 1.0 });
    let under = push_pull::fill(&part, &free);
    Ok(Some(Ink {
        rect,
        alpha,
        under,
        colour,
        fit,
    }))
}

fn mask(part: &Rgb, inside: impl Fn(usize) -> bool) -> Gray {
    let data = (0..part.data.len())
        .map(|at| if inside(at) { 1.0 } else { 0.0 })
        .collect();
    Plane {
        w: part.w,
        h: part.h,
        data,
    }
}

/// How much of `ink` over `ground` explains `seen`.
pub(crate) fn cover(seen: [f32; 3], ink: [f32; 3], ground: [f32; 3]) -> f32 {
    let (mut along, mut length) = (0.0, 0.0);
    for c in 0..3 {
        let d = ink[c] - ground[c];
        along += (seen[c] - ground[c]) * d;
        length += d * d;
    }
    if length < 1.0 {
        0.0
    } else {
        (along / length).clamp(0.0, 1.0)
    }
}

/// The colour that stands off most from the ground, and by how much: the mean of the strongest
/// third of what clearly differs, after the outliers among them are dropped.
fn strongest(part: &Rgb, ground: &Rgb, inside: impl Fn(usize) -> bool) -> Option<([f32; 3], f32)> {
    let mut far: Vec<(f32, usize)> = (0..part.data.len())
        .filter(|&at| inside(at))
        .map(|at| (distance2(part.data[at], ground.data[at]).sqrt(), at))
        .filter(|(distance, _)| *distance > CONTRAST * 0.6)
        .collect();
    if far.len() < 8 {
        return None;
    }
    far.sort_by(|a, b| b.0.total_cmp(&a.0));
    let strong = &far[far.len() / 50..(far.len() / 3).max(far.len() / 50 + 4)];
    let mut colour = [0.0; 3];
    for (c, value) in colour.iter_mut().enumerate() {
        let mut values: Vec<f32> = strong.iter().map(|&(_, at)| part.data[at][c]).collect();
        values.sort_by(f32::total_cmp);
        *value = values[values.len() / 2];
    }
    let contrast = strong[strong.len() / 2].0;
    (contrast > CONTRAST).then_some((colour, contrast))
}

/// Share of the clearly differing pixels that lie on the line from ground to ink.
fn explained(
    part: &Rgb,
    ground: &Rgb,
    raw: &[f32],
    colour: [f32; 3],
    contrast: f32,
    inside: impl Fn(usize) -> bool,
) -> f32 {
    let (mut good, mut all) = (0.0_f32, 0.0_f32);
    for at in (0..raw.len()).filter(|&at| inside(at)) {
        let off = distance2(part.data[at], ground.data[at]).sqrt();
        if off > 0.3 * contrast {
            let model = mix(ground.data[at], colour, raw[at]);
            all += 1.0;
            if distance2(part.data[at], model).sqrt() < (0.25 * contrast).max(20.0) {
                good += 1.0;
            }
        }
    }
    if all == 0.0 { 0.0 } else { good / all }
}

/// Pieces of strokes that lie mostly in the box, and how many they are; what merely reaches into
/// the box is something else.
fn strokes(raw: &[f32], rect: &Rect, inner: &impl Fn(usize, usize) -> bool) -> (Vec<bool>, usize) {
    let found = components::label(rect.w, rect.h, |at| raw[at] > STROKE);
    let mut within = vec![0_usize; found.pieces.len()];
    for (at, &label) in found.labels.data.iter().enumerate() {
        if label > 0 && inner(at, 2) {
            within[label as usize - 1] += 1;
        }
    }
    let mostly = |(piece, &within): (&components::Piece, &usize)| within * 10 >= piece.area * 7;
    let keep: Vec<bool> = found.pieces.iter().zip(&within).map(mostly).collect();
    let labels = found.labels.data.iter();
    let solid = labels.map(|&l| l > 0 && keep[l as usize - 1]).collect();
    (solid, keep.iter().filter(|&&kept| kept).count())
}

/// What tells letters from dark parts of a picture: the share of the inside of the strokes that
/// has the colour of the ink (1 if they are too thin to have an inside), and the share of them
/// that is thicker than a quarter of the line.
fn strokes_are(part: &Rgb, solid: &[bool], colour: [f32; 3], line: Rect) -> (f32, f32) {
    let rest = Plane {
        w: part.w,
        h: part.h,
        data: solid.iter().map(|&s| if s { 0.0 } else { 1.0 }).collect(),
    };
    let inside = matte::dilate(&rest, 1);
    let (mut even, mut all) = (0_usize, 0_usize);
    for (seen, _) in part
        .data
        .iter()
        .zip(&inside.data)
        .filter(|(_, r)| **r <= 0.0)
    {
        all += 1;
        even += usize::from(distance2(*seen, colour) < 32.0 * 32.0);
    }
    let deep = matte::dilate(&rest, (line.w.min(line.h) / 8).max(2));
    let thick = deep.data.iter().filter(|&&r| r <= 0.0).count();
    let count = solid.iter().filter(|&&s| s).count().max(1);
    let share = if all * 10 < count {
        1.0
    } else {
        even as f32 / all as f32
    };
    (share, thick as f32 / count as f32)
}

/// Coverage within two pixels of a solid stroke, the noise floor taken off.
fn gate(raw: &[f32], solid: &[bool], rect: Rect, contrast: f32) -> Gray {
    let near = Plane {
        w: rect.w,
        h: rect.h,
        data: solid.iter().map(|&s| if s { 1.0 } else { 0.0 }).collect(),
    };
    let near = matte::dilate(&near, 2);
    let floor = (6.0 / contrast).min(0.15);
    let data = raw
        .iter()
        .zip(&near.data)
        .map(|(&a, &n)| {
            if n == 0.0 || a < floor {
                0.0
            } else if a > 0.94 {
                1.0
            } else {
                a
            }
        })
        .collect();
    Plane {
        w: rect.w,
        h: rect.h,
        data,
    }
}
