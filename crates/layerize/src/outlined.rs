//! Letters whose fill was cut and whose outlines were not: white ones with a black outline on a photo.
//!
//! Rings around the letters are looked at, one pixel after the other: an outline is of one colour, which is far from what
//! lies beyond it, and ends. Invariant: without an outline nothing is returned, and the letters themselves stay letters.

use crate::Error;
use crate::context::Context;
use crate::inks::{self, Inks};
use crate::matte;
use crate::plane::{Gray, Rect, Rgb, distance2};

/// Coverage from which a pixel is a letter.
const LETTER: f32 = 0.45;
/// Thickest outline, as a part of the line's height, and in pixels.
const THICK: usize = 8;
const MOST: usize = 12;
/// Distance of colours, in levels, up to which they are one outline, and from which outline and ground, and outline and
/// letters, are two.
const ONE: f32 = 55.0;
const TWO: f32 = 60.0;
/// Share of a ring that has the outline's colour while it goes on, and where it has ended.
const GOES_ON: f32 = 0.55;
const ENDED: f32 = 0.4;
/// How much less of the outline's colour there must be beyond, on a ground that has much of it.
const LESS: f32 = 0.25;
/// How far what is left of the outline is followed, in pixels: rings are square, and outlines round.
const LEFT: usize = 2;

/// The letters of the coverage `alpha` over `rect` together with their outlines; `None` if they have none.
pub(crate) fn outlined(
    picture: &Rgb,
    rect: Rect,
    alpha: &Gray,
    ctx: &Context<'_>,
) -> Result<Option<Inks>, Error> {
    let part = picture.crop(rect);
    let solid = alpha.map(|a| f32::from(u8::from(a > LETTER)));
    let most = (rect.w.min(rect.h) / THICK).clamp(3, MOST);
    // Beyond the soft edge of the letters.
    let begin = matte::dilate(&solid, 1);
    let near = matte::dilate(&solid, 2);
    let ring = |inner: &Gray, outer: &Gray| -> Vec<[f32; 3]> {
        let each = part.data.iter().zip(inner.data.iter().zip(&outer.data));
        each.filter(|(_, (inner, outer))| **inner == 0.0 && **outer > 0.0)
            .map(|(colour, _)| *colour)
            .collect()
    };
    let letters: Vec<[f32; 3]> = (0..part.data.len())
        .filter(|&at| solid.data[at] > 0.0)
        .map(|at| part.data[at])
        .collect();
    ctx.check()?;
    let first = ring(&begin, &near);
    let Some((outline, letter)) = median(&first).zip(median(&letters)) else {
        return Ok(None);
    };
    let first = share(&first, outline, ONE);
    let far = matte::dilate(&solid, most + 2);
    ctx.check()?;
    let beyond = ring(&matte::dilate(&solid, most + 1), &far);
    let beyond = share(&beyond, outline, TWO);
    if beyond > ENDED.max(first - LESS) || distance2(outline, letter) < TWO * TWO {
        return Ok(None);
    }
    let goes_on = GOES_ON.max((first + beyond) / 2.0);
    let (mut inner, mut thick) = (begin, 0);
    for by in 2..=most {
        ctx.check()?;
        let outer = matte::dilate(&solid, by);
        if share(&ring(&inner, &outer), outline, ONE) < goes_on {
            break;
        }
        (inner, thick) = (outer, by);
    }
    if thick == 0 {
        return Ok(None);
    }
    ctx.check()?;
    // Further, as far as it has the outline's colour.
    let mut whole = inner;
    for _ in 0..LEFT {
        ctx.check()?;
        let outer = matte::dilate(&whole, 1);
        for (at, within) in whole.data.iter_mut().enumerate() {
            let own = distance2(part.data[at], outline) < ONE * ONE;
            *within = within.max(if own { outer.data[at] } else { 0.0 });
        }
    }
    inks::edged(&part, rect, &whole, ctx).map(Some)
}

fn share(colours: &[[f32; 3]], of: [f32; 3], within: f32) -> f32 {
    let like = colours
        .iter()
        .filter(|colour| distance2(**colour, of) < within * within);
    like.count() as f32 / colours.len().max(1) as f32
}

/// The median of each channel.
fn median(colours: &[[f32; 3]]) -> Option<[f32; 3]> {
    let middle = colours.len() / 2;
    (!colours.is_empty()).then(|| {
        [0, 1, 2].map(|c| {
            let mut values: Vec<f32> = colours.iter().map(|colour| colour[c]).collect();
            *values.select_nth_unstable_by(middle, f32::total_cmp).1
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plane::Plane;
    use crate::{Cancel, Options};

    #[test]
    fn white_bars_take_their_black_outlines_with_them_and_bars_on_black_take_nothing() {
        let (w, h) = (220, 80);
        let (options, cancel) = (Options::default(), Cancel::default());
        let mut heard = |_| {};
        let ctx = Context::new(&options, &mut heard, &cancel);
        let bar = |x: i64, y: i64, by: i64| {
            (30 - by..50 + by).contains(&y)
                && (40..180).any(|at| (at - 40) % 40 < 12 && (at - by..=at + by).contains(&x))
        };
        for (ground, comes) in [([90.0, 160.0, 70.0], true), ([12.0; 3], false)] {
            let mut picture = Plane::filled(w, h, ground);
            let mut alpha = Plane::filled(w, h, 0.0_f32);
            for y in 0..h {
                for x in 0..w {
                    let at = (x as i64, y as i64);
                    if bar(at.0, at.1, 0) {
                        picture.set(x, y, [250.0; 3]);
                        alpha.set(x, y, 1.0);
                    } else if bar(at.0, at.1, 4) {
                        picture.set(x, y, [10.0; 3]);
                    }
                }
            }
            let rect = Rect { x: 0, y: 0, w, h };
            let found = outlined(&picture, rect, &alpha, &ctx).expect("not cancelled");
            assert_eq!(found.is_some(), comes);
            if let Some(found) = found {
                assert!(found.alpha.at(37, 40) > 0.9, "the outline");
                assert!(found.alpha.at(45, 40) > 0.9, "the letter");
                assert!(found.alpha.at(20, 40) < 0.1, "the ground");
                assert!(distance2(found.under.at(37, 40), ground) < 30.0);
            }
        }
    }
}
