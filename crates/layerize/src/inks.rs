//! Lettering of more than one ink over a ground: outlines, gradients, two colours in a line.
//!
//! The colours in and around a box fall into a few groups; those that are seen in the box and hardly
//! around it are inks, whatever their number, and what they draw is the lettering. It keeps the
//! picture's own colours. Whether it is lettering at all the caller has to find out.
//! Invariant: coverage is 0 outside the box grown by the width of an outline.

use crate::blob::Blob;
use crate::components::{self, Components};
use crate::context::Context;
use crate::ink::cover;
use crate::plane::{Gray, Plane, Rect, Rgb, distance2};
use crate::{Error, box_blur, matte, push_pull};

/// What the inks of a box draw.
pub(crate) struct Inks {
    /// Place of what follows.
    pub(crate) rect: Rect,
    pub(crate) alpha: Gray,
    pub(crate) paint: Rgb,
    pub(crate) under: Rgb,
}

/// Pixels of rims between two looks at the stop flag.
const LOOKED_AT: usize = 4096;
/// Groups that colours fall into, and how often their middles are moved.
const GROUPS: usize = 6;
const ROUNDS: usize = 8;
/// How many times denser than around it an ink is in the box.
const DENSER: f32 = 4.0;
/// Least share of its box that lettering covers, and the most.
const COVERS: std::ops::Range<f32> = 0.04..0.8;
/// Difference from the ground, in levels, of what outlines enclose where it is a second ink, and how
/// many times more than the outlines both are then.
const ENCLOSED: f32 = 16.0;
const HOLLOW: f32 = 1.25;
/// Part of the line's height that a stroke is at most thick on each side of its middle.
const THICK: usize = 6;
/// Distance from the ground, in levels, below which nothing is drawn.
const OFF: f32 = 22.0;

/// The lettering of `own`, a box in `picture`.
pub(crate) fn extract(picture: &Rgb, own: Rect, ctx: &Context<'_>) -> Result<Option<Inks>, Error> {
    let short = own.w.min(own.h);
    let rect = own.grow((short / 2).max(8), picture.w, picture.h);
    let part = picture.crop(rect);
    let place = |at: usize| (at % rect.w + rect.x, at / rect.w + rect.y);
    let by = (short / 12).max(1);
    let inner = own.grow(by, picture.w, picture.h);
    let inside: Vec<bool> = (0..part.data.len())
        .map(|at| inner.contains(place(at).0, place(at).1))
        .collect();
    if inside.iter().all(|&i| i) {
        return Ok(None);
    }
    ctx.check()?;
    let ring = plane(&part, |at| !inside[at]);
    let ground = push_pull::fill(&part, &ring);
    ctx.check()?;
    let groups = groups(&part, ctx)?;
    let mut counts = [[0_usize; 2]; GROUPS];
    let mut totals = [0_usize; 2];
    for (at, &group) in groups.iter().enumerate() {
        counts[group][usize::from(inside[at])] += 1;
        totals[usize::from(inside[at])] += 1;
    }
    let share =
        |group: usize, place: usize| counts[group][place] as f32 / totals[place].max(1) as f32;
    let ink: Vec<bool> = (0..GROUPS)
        .map(|group| share(group, 1) > DENSER * share(group, 0) && counts[group][1] > 0)
        .collect();
    let drawn =
        |at: usize| ink[groups[at]] && distance2(part.data[at], ground.data[at]) > OFF * OFF;
    let found = components::label(rect.w, rect.h, drawn);
    ctx.check()?;
    let Some(solid) = lettering(&part, &found, &inside, short) else {
        return Ok(None);
    };
    ctx.check()?;
    let covered = solid.data.iter().sum::<f32>() / own.area() as f32;
    if !COVERS.contains(&covered) {
        return Ok(None);
    }
    ctx.check()?;
    edged(&part, rect, &solid, ctx).map(Some)
}

/// Lettering whose outlines alone were cut, by one ink of the coverage `alpha` over `rect`, together with
/// what they enclose; `None` if they enclose nothing but the ground.
pub(crate) fn enclosed(
    picture: &Rgb,
    rect: Rect,
    alpha: &Gray,
    ctx: &Context<'_>,
) -> Result<Option<Inks>, Error> {
    let part = picture.crop(rect);
    let place = Rect { x: 0, y: 0, ..rect };
    let outlines = Blob::from_fn(place, |x, y| alpha.at(x, y) > 0.45);
    let filled = outlines.filled();
    ctx.check()?;
    let near = matte::dilate(&filled.mask(place), 2);
    let ground = push_pull::fill(&part, &near.map(|n| if n > 0.0 { 0.0 } else { 1.0 }));
    ctx.check()?;
    let inside = |at: usize| filled.bits[at] && !outlines.bits[at];
    let found = components::label(rect.w, rect.h, inside);
    let mut sums = vec![([0.0_f32; 3], [0.0_f32; 3]); found.pieces.len()];
    for (at, &label) in found
        .labels
        .data
        .iter()
        .enumerate()
        .filter(|(_, l)| **l > 0)
    {
        let (own, under) = &mut sums[label as usize - 1];
        for c in 0..3 {
            own[c] += part.data[at][c];
            under[c] += ground.data[at][c];
        }
    }
    let other: Vec<bool> = found
        .pieces
        .iter()
        .zip(&sums)
        .map(|(piece, (own, under))| {
            let count = piece.area as f32;
            distance2(own.map(|v| v / count), under.map(|v| v / count)) > ENCLOSED * ENCLOSED
        })
        .collect();
    let ink = |at: usize| {
        let label = found.labels.data[at];
        outlines.bits[at] || (label > 0 && other[label as usize - 1])
    };
    let solid = plane(&part, ink);
    let (all, own) = (solid.data.iter().sum::<f32>(), outlines.area() as f32);
    if all < own * HOLLOW {
        return Ok(None);
    }
    ctx.check()?;
    edged(&part, rect, &solid, ctx).map(Some)
}

/// The pieces that lie mostly in the box and are drawn with strokes; `None` if there are none.
pub(crate) fn lettering(
    part: &Rgb,
    found: &Components,
    inside: &[bool],
    short: usize,
) -> Option<Gray> {
    let mut within = vec![0_usize; found.pieces.len()];
    for (at, &label) in found.labels.data.iter().enumerate() {
        if label > 0 && inside[at] {
            within[label as usize - 1] += 1;
        }
    }
    let least = (short * short / 200).max(4);
    let mostly = |(piece, &within): (&components::Piece, &usize)| {
        piece.area >= least && within * 10 >= piece.area * 8
    };
    let keep: Vec<bool> = found.pieces.iter().zip(&within).map(mostly).collect();
    let keep = strokes(found, keep, short);
    let letters = |at: usize| {
        let label = found.labels.data[at];
        label > 0 && keep[label as usize - 1]
    };
    keep.contains(&true).then(|| plane(part, letters))
}

/// Those of the pieces to `keep` that are drawn with strokes: what remains of the others when a part of
/// the line's height is taken off all around is a plate or a picture behind the letters.
fn strokes(found: &Components, keep: Vec<bool>, short: usize) -> Vec<bool> {
    let (w, h) = (found.labels.w, found.labels.h);
    let mask = Plane {
        w,
        h,
        data: found
            .labels
            .data
            .iter()
            .map(|&label| f32::from(u8::from(label > 0 && keep[label as usize - 1])))
            .collect(),
    };
    let deep = matte::erode(&mask, (short / THICK).max(2));
    let mut left = vec![0_usize; keep.len()];
    for (&label, _) in found
        .labels
        .data
        .iter()
        .zip(&deep.data)
        .filter(|(_, d)| **d > 0.0)
    {
        if label > 0 {
            left[label as usize - 1] += 1;
        }
    }
    let thin =
        |((keep, piece), left): ((bool, &components::Piece), usize)| keep && left * 8 < piece.area;
    keep.into_iter()
        .zip(&found.pieces)
        .zip(left)
        .map(thin)
        .collect()
}

/// Solid letters with soft edges, their colours, and what lies under them.
pub(crate) fn edged(
    part: &Rgb,
    rect: Rect,
    solid: &Gray,
    ctx: &Context<'_>,
) -> Result<Inks, Error> {
    let core = matte::erode(solid, 1);
    let known = if core.data.iter().any(|&c| c > 0.0) {
        &core
    } else {
        solid
    };
    let mut paint = push_pull::fill(part, known);
    ctx.check()?;
    let near = matte::dilate(solid, 2);
    let under = push_pull::fill(part, &near.map(|n| if n > 0.0 { 0.0 } else { 1.0 }));
    ctx.check()?;
    let soft = box_blur::box_blur(solid, 1);
    let inked = Inked(core.clone());
    let (mut alpha, mut looked) = (core, 0_usize);
    for (at, a) in alpha.data.iter_mut().enumerate() {
        if *a > 0.0 || near.data[at] <= 0.0 {
            continue;
        }
        // Where two inks are near, what was carried on is a mixture that neither of them is.
        let inks = inked.near(at, part);
        looked += 1;
        if looked.is_multiple_of(LOOKED_AT) {
            ctx.check()?;
        }
        let told = |ink: [f32; 3]| cover(part.data[at], ink, under.data[at]);
        let covers = inks.map(|ink| (told(ink), ink));
        if let Some((_, ink)) = covers.max_by(|(a, _), (b, _)| a.total_cmp(b)) {
            paint.data[at] = ink;
        }
        let far = distance2(paint.data[at], under.data[at]) > 30.0 * 30.0;
        let own = if far {
            told(paint.data[at])
        } else {
            soft.data[at]
        };
        let least = 0.5 * solid.data[at];
        *a = if own < 0.06 { least } else { own.max(least) };
    }
    Ok(Inks {
        rect,
        alpha,
        paint,
        under,
    })
}

/// Where a pixel is an ink and nothing else.
struct Inked(Gray);

impl Inked {
    /// How far a soft edge reaches.
    const REACH: usize = 2;

    /// The colours of the inks near a place.
    fn near<'a>(&'a self, at: usize, part: &'a Rgb) -> impl Iterator<Item = [f32; 3]> + 'a {
        let (w, h) = (part.w, part.h);
        let around = |at: usize, limit: usize| {
            at.saturating_sub(Self::REACH)..(at + Self::REACH + 1).min(limit)
        };
        let rows = around(at / w, h).flat_map(move |y| around(at % w, w).map(move |x| y * w + x));
        rows.filter(|&near| self.0.data[near] > 0.0)
            .map(|near| part.data[near])
    }
}

fn plane(part: &Rgb, inside: impl Fn(usize) -> bool) -> Gray {
    Plane {
        w: part.w,
        h: part.h,
        data: (0..part.data.len())
            .map(|at| f32::from(u8::from(inside(at))))
            .collect(),
    }
}

/// The group of every pixel (k-means, begun far apart).
fn groups(part: &Rgb, ctx: &Context<'_>) -> Result<Vec<usize>, Error> {
    let step = (part.data.len() / 6_000).max(1);
    let sample: Vec<[f32; 3]> = part.data.iter().step_by(step).copied().collect();
    let mut middles = vec![sample[0]];
    while middles.len() < GROUPS {
        let off = |colour: &[f32; 3]| {
            let each = middles.iter().map(|middle| distance2(*colour, *middle));
            each.fold(f32::MAX, f32::min)
        };
        let next = sample.iter().max_by(|a, b| off(a).total_cmp(&off(b)));
        middles.push(next.copied().unwrap_or(sample[0]));
    }
    let nearest = |middles: &[[f32; 3]], colour: [f32; 3]| {
        let mut best = (f32::MAX, 0);
        for (k, middle) in middles.iter().enumerate() {
            let off = distance2(colour, *middle);
            if off < best.0 {
                best = (off, k);
            }
        }
        best.1
    };
    for _ in 0..ROUNDS {
        ctx.check()?;
        let mut sums = vec![([0.0_f32; 3], 0.0_f32); GROUPS];
        for &colour in &sample {
            let (sum, count) = &mut sums[nearest(&middles, colour)];
            for c in 0..3 {
                sum[c] += colour[c];
            }
            *count += 1.0;
        }
        for (middle, (sum, count)) in middles.iter_mut().zip(sums) {
            if count > 0.0 {
                *middle = sum.map(|value| value / count);
            }
        }
    }
    ctx.check()?;
    Ok(part
        .data
        .iter()
        .map(|&colour| nearest(&middles, colour))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Cancel, Options};

    #[test]
    fn what_outlines_enclose_is_lettering_unless_it_is_the_ground() {
        let (w, h) = (160, 80);
        let ground = [240.0, 235.0, 225.0];
        let (options, cancel) = (Options::default(), Cancel::default());
        let mut heard = |_| {};
        let ctx = Context::new(&options, &mut heard, &cancel);
        for (fill, comes) in [([255.0; 3], true), (ground, false)] {
            let mut picture = Plane::filled(w, h, ground);
            let mut alpha = Plane::filled(w, h, 0.0_f32);
            for (x0, y0) in [(20, 20), (90, 20)] {
                for y in y0..y0 + 40 {
                    for x in x0..x0 + 40 {
                        let edge = x < x0 + 4 || x >= x0 + 36 || y < y0 + 4 || y >= y0 + 36;
                        picture.set(x, y, if edge { [10.0; 3] } else { fill });
                        alpha.set(x, y, f32::from(u8::from(edge)));
                    }
                }
            }
            let rect = Rect { x: 0, y: 0, w, h };
            let found = enclosed(&picture, rect, &alpha, &ctx).expect("not cancelled");
            assert_eq!(found.is_some(), comes);
            if let Some(found) = found {
                assert!(found.alpha.at(40, 40) > 0.99 && found.alpha.at(75, 40) < 0.01);
                assert!(distance2(found.paint.at(40, 40), fill) < 4.0);
                assert!(distance2(found.under.at(40, 40), ground) < 30.0);
            }
        }
    }

    #[test]
    fn a_thin_outline_that_leans_leaves_nothing_behind() {
        // A white bar aslant with a dark outline; the ground is as light as a mixture of both.
        let side = 90;
        let ground = [130.0; 3];
        let off = |x: usize, y: usize| (x as f32 - 0.7 * y as f32 - 15.0).abs() / 1.22;
        let mut picture = Plane::filled(side, side, ground);
        let mut solid = Plane::filled(side, side, 0.0_f32);
        for y in 10..80 {
            for x in 0..side {
                let (letter, outline) = (6.5 - off(x, y), 9.0 - off(x, y));
                let shade = [10.0 + 240.0 * letter.clamp(0.0, 1.0); 3];
                let colour = crate::plane::mix(ground, shade, outline.clamp(0.0, 1.0));
                picture.set(x, y, colour);
                solid.set(x, y, f32::from(u8::from(outline > 0.5)));
            }
        }
        let (options, cancel) = (Options::default(), Cancel::default());
        let mut heard = |_| {};
        let ctx = Context::new(&options, &mut heard, &cancel);
        let (w, h) = (side, side);
        let found = edged(&picture, Rect { x: 0, y: 0, w, h }, &solid, &ctx);
        let found = found.expect("not cancelled");
        for y in 14..76 {
            for x in 0..side {
                let dark = picture.at(x, y)[0] < 60.0;
                assert!(!dark || found.alpha.at(x, y) > 0.5, "{x} {y}");
            }
        }
    }

    #[test]
    fn outlined_bars_of_two_colours_come_off_with_their_outlines() {
        let (w, h) = (260, 90);
        let ground = [230.0, 225.0, 210.0];
        let bar = |x: usize, y: usize| {
            (40..220).contains(&x) && (30..60).contains(&y) && (x - 40) % 30 < 12
        };
        let mut picture = Plane::filled(w, h, ground);
        let mut truth = Plane::filled(w, h, 0.0_f32);
        for y in 0..h {
            for x in 0..w {
                if !bar(x, y) {
                    continue;
                }
                let edge = !(bar(x - 2, y) && bar(x + 2, y) && bar(x, y - 2) && bar(x, y + 2));
                let fill = if x < 130 {
                    [220.0, 40.0, 50.0]
                } else {
                    [40.0, 80.0, 200.0]
                };
                picture.set(x, y, if edge { [15.0; 3] } else { fill });
                truth.set(x, y, 1.0);
            }
        }
        let (options, cancel) = (Options::default(), Cancel::default());
        let mut heard = |_| {};
        let ctx = Context::new(&options, &mut heard, &cancel);
        let own = Rect {
            x: 36,
            y: 26,
            w: 188,
            h: 38,
        };
        let found = extract(&picture, own, &ctx).expect("not cancelled");
        let found = found.expect("lettering");
        for y in 0..found.rect.h {
            for x in 0..found.rect.w {
                let wanted = truth.at(found.rect.x + x, found.rect.y + y);
                assert!((found.alpha.at(x, y) - wanted).abs() < 0.2, "{x} {y}");
                assert!(distance2(found.under.at(x, y), ground) < 30.0, "{x} {y}");
            }
        }
    }
}
