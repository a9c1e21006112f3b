//! The shadow a photo's subject throws on what it stands on.
//!
//! Beside the thing the ground is compared with the ground further off. A part is a shadow if it
//! begins at the thing, lies low beside it and along it, keeps the ground's hue, and fades: a dark table or a wall behind the
//! thing ends in an edge, and branches, rocks or water are no longer than wide. Panels on a photo throw theirs with less to
//! hold, for these lie around them. Works on a small copy, for shadows are soft. Invariant: coverage is 0 wherever no shadow was found, and never
//! above `DEEPEST`.

use crate::box_blur::box_blur;
use crate::components;
use crate::context::Context;
use crate::hole::Hole;
use crate::plane::{Gray, Plane, Rgb, lightness};
use crate::scene::{Cut, Edge, Scene};
use crate::{Error, LayerKind, matte, push_pull};

/// Longest side of the copy.
const SIDE: usize = 192;
/// How far from the thing a shadow may reach, in pixels of the copy.
const REACH: usize = 20;
/// Darkening from which the ground counts as shaded.
const SHADED: f32 = 0.18;
/// Coverage that hides the ground; where a shadow is this deep the ground is guessed.
pub(crate) const DEEPEST: f32 = 0.85;
/// Least share of the rim of the thing that one part of its shadow lies along.
const HUGS: f32 = 0.12;
/// Least share of the copy that a shadow covers.
const LEAST: f32 = 0.002;

/// What must hold of a shadow.
pub(crate) struct Kind {
    /// Least share of it that lies below the middle of what throws it.
    low: f32,
    /// How many times longer it must be along that than wide: the square of its contact, by its area.
    long: f32,
    /// Median step across its outer rim, over three pixels of the copy, above which that is the edge of a thing.
    edge: f32,
}

/// Of a thing that stands on its ground, and of panels that float over it.
pub(crate) const STANDING: Kind = Kind {
    low: 0.9,
    long: 10.0,
    edge: 0.4,
};
pub(crate) const FLOATING: Kind = Kind {
    low: 0.5,
    long: 0.25,
    edge: 0.55,
};

/// Coverage of the shadow of what `alpha` covers, at the size of `picture` and carried on under
/// the thing; `None` if it throws none. What lies where `others` is above 0 is no ground.
pub(crate) fn find(picture: &Rgb, alpha: &Gray, others: &Gray, kind: &Kind) -> Option<Gray> {
    let longest = picture.w.max(picture.h).max(SIDE);
    let fit = |side: usize| (side * SIDE).div_ceil(longest).max(1);
    let (w, h) = (fit(picture.w), fit(picture.h));
    let there = |mask: &Gray| {
        let small = mask.resize(w, h);
        matte::dilate(&small.map(|a| f32::from(u8::from(a > 0.05))), 1)
    };
    let (thing, others) = (there(alpha), there(others));
    let beside = matte::dilate(&thing, REACH);
    let outside = |mask: &Gray| {
        let pairs = mask.data.iter().zip(&others.data);
        let data = pairs.map(|(&own, &other)| 1.0 - own.max(other)).collect();
        Plane { w, h, data }
    };
    let (free, far) = (outside(&thing), outside(&beside));
    if far.data.iter().sum::<f32>() < 0.1 * (w * h) as f32 {
        return None;
    }
    let small = picture.resize(w, h);
    let seen = box_blur(&push_pull::fill(&small, &free), 1);
    let lit = box_blur(&push_pull::fill(&small, &far), 4);
    let dark = Plane {
        w,
        h,
        data: (0..w * h)
            .map(|at| {
                if free.data[at] > 0.0 && beside.data[at] > 0.0 {
                    darkening(seen.data[at], lit.data[at])
                } else {
                    0.0
                }
            })
            .collect(),
    };
    let shaded = shadows(&dark, &thing, kind)?;
    let values = Plane {
        w,
        h,
        data: (0..w * h)
            .map(|at| {
                [if shaded[at] {
                    dark.data[at].min(DEEPEST)
                } else {
                    0.0
                }; 3]
            })
            .collect(),
    };
    let carried = push_pull::fill(&values, &free).map(|v| v[0]);
    let soft = box_blur(&carried, 1).map(|a| if a < 0.03 { 0.0 } else { a.min(DEEPEST) });
    Some(soft.resize(picture.w, picture.h))
}

/// A shadow as a cut: black of the given coverage.
pub(crate) fn cut(shade: &Gray, sure: f32) -> Option<Cut> {
    let rect = components::bounds(shade)?;
    Some(Cut {
        kind: LayerKind::Shadow,
        confidence: sure * 0.8,
        name: String::new(),
        words: None,
        rect,
        alpha: shade.crop(rect),
        paint: Plane::filled(rect.w, rect.h, [0.0; 3]),
        edge: Edge::Soft,
    })
}

/// The shadow that the panels on a picture throw becomes a cut, and is taken off the rest at once,
/// under the panels too: it would be taken for a part of whatever is looked for in the rest.
pub(crate) fn take_off_panels(scene: &mut Scene, ctx: &Context<'_>) -> Result<(), Error> {
    let (w, h) = (scene.rest.w, scene.rest.h);
    let mut covered = Plane::filled(w, h, 0.0);
    let panels = scene.cuts.iter().filter(|cut| cut.kind == LayerKind::Panel);
    for cut in panels {
        for y in 0..cut.rect.h {
            for x in 0..cut.rect.w {
                if cut.alpha.at(x, y) > 0.0 {
                    covered.set(cut.rect.x + x, cut.rect.y + y, 1.0);
                }
            }
        }
    }
    if covered.data.iter().all(|&c| c <= 0.0) {
        return Ok(());
    }
    ctx.check()?;
    let none = covered.map(|_| 0.0);
    let shade = find(&scene.rest, &covered, &none, &FLOATING);
    let Some((cut, shade)) = shade.and_then(|shade| Some((cut(&shade, 1.0)?, shade))) else {
        return Ok(());
    };
    ctx.check()?;
    let mut hole = Hole::new(w, h);
    hole.add_thing(&covered, &covered);
    hole.add_shadow(&shade);
    let smooth = hole.smooth(ctx, &scene.rest)?;
    // What was guessed is open to a better guess; what was lifted out of the shade is not.
    let mut guessed = smooth.known.map(|known| 1.0 - known);
    for (guess, &cut) in guessed.data.iter_mut().zip(&hole.cut.data) {
        *guess = if cut > 0.0 { *guess } else { 0.0 };
    }
    for (at, _) in hole.cut.data.iter().enumerate().filter(|(_, c)| **c > 0.0) {
        scene.rest.data[at] = smooth.under.data[at];
        scene.painted.data[at] = 1.0;
    }
    scene.put(cut);
    scene.hole().add_thing(&guessed, &guessed);
    Ok(())
}

/// How much darker than `lit` a place is; 0 if its hue is another.
fn darkening(seen: [f32; 3], lit: [f32; 3]) -> f32 {
    let (own, full) = (lightness(seen), lightness(lit).max(1.0));
    let dark = 1.0 - own / full;
    let tinted =
        (0..3).any(|c| seen[c] > lit[c] * (1.0 - dark) + 14.0 + 0.25 * lit[c] * (1.0 - dark));
    if dark <= 0.0 || full < 30.0 || tinted {
        0.0
    } else {
        dark
    }
}

/// Which pixels are shaded: the dark parts that lie along the thing and fade at their outer rim.
fn shadows(dark: &Gray, thing: &Gray, kind: &Kind) -> Option<Vec<bool>> {
    let (w, h) = (dark.w, dark.h);
    let touching = matte::dilate(thing, 1);
    let found = components::label(w, h, |at| dark.data[at] > SHADED);
    let rim = (0..w * h)
        .filter(|&at| touching.data[at] > 0.0 && thing.data[at] <= 0.0)
        .count() as f32;
    let middle = middle(thing);
    let mut good = vec![false; found.pieces.len()];
    for (index, piece) in found.pieces.iter().enumerate() {
        let own = index as u32 + 1;
        let (mut contact, mut low, mut steps) = (0_usize, 0_usize, Vec::new());
        for y in piece.rect.y..piece.rect.y + piece.rect.h {
            for x in piece.rect.x..piece.rect.x + piece.rect.w {
                if found.labels.at(x, y) != own {
                    continue;
                }
                low += usize::from(y > middle);
                contact += usize::from(touching.at(x, y) > 0.0);
                for (dx, dy) in [(3, 0), (-3, 0), (0, 3), (0, -3)] {
                    let (nx, ny) = (x as i64 + dx, y as i64 + dy);
                    if nx < 0 || ny < 0 || nx >= w as i64 || ny >= h as i64 {
                        continue;
                    }
                    let near = ny as usize * w + nx as usize;
                    if found.labels.data[near] != own && thing.data[near] <= 0.0 {
                        steps.push(dark.at(x, y) - dark.data[near]);
                    }
                }
            }
        }
        steps.sort_by(f32::total_cmp);
        let step = steps.get(steps.len() / 2).copied().unwrap_or(1.0);
        let large = piece.area as f32 >= LEAST * (w * h) as f32;
        let (contact, area) = (contact as f32, piece.area as f32);
        let hugs = contact > HUGS * rim && contact * contact >= kind.long * area;
        good[index] = large && hugs && low as f32 > kind.low * area && step < kind.edge;
    }
    let shaded: Vec<bool> = found
        .labels
        .data
        .iter()
        .map(|&label| label > 0 && good[label as usize - 1])
        .collect();
    // The faint outskirts of a shadow belong to it.
    let any = shaded.iter().any(|&is| is);
    let mask = Plane {
        w,
        h,
        data: shaded.iter().map(|&is| f32::from(u8::from(is))).collect(),
    };
    let near = matte::dilate(&mask, 4);
    any.then(|| near.data.iter().map(|&n| n > 0.0).collect())
}

/// The row that has as much of the thing above as below it.
fn middle(thing: &Gray) -> usize {
    let rows: Vec<f32> = thing
        .data
        .chunks_exact(thing.w)
        .map(|row| row.iter().sum())
        .collect();
    let all: f32 = rows.iter().sum();
    let mut above = 0.0;
    rows.iter()
        .position(|row| {
            above += row;
            above * 2.0 >= all
        })
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shade of a ground of one tone around an ellipse that is as wide as high by three to two, by the place right of and below
    /// its middle and the distance from it in its own size.
    fn shade_of(dark: impl Fn(f32, f32, f32) -> f32) -> Option<f32> {
        let (w, h) = (192, 192);
        let (mut picture, mut thing) = (Plane::filled(w, h, [0.0; 3]), Plane::filled(w, h, 0.0));
        for (x, y) in (0..h).flat_map(|y| (0..w).map(move |x| (x, y))) {
            let (dx, dy) = (x as f32 - 96.0, y as f32 - 80.0);
            let away = (dx / 54.0).hypot(dy / 36.0);
            let light = 190.0 * (1.0 - dark(dx, dy, away));
            thing.set(x, y, f32::from(u8::from(away < 1.0)));
            picture.set(x, y, [light, light * 0.95, light * 0.9]);
        }
        let shade = find(&picture, &thing, &thing.map(|_| 0.0), &STANDING)?;
        Some(shade.data.iter().copied().fold(0.0, f32::max))
    }

    #[test]
    fn what_lies_along_the_foot_of_a_thing_is_its_shadow() {
        let depth = shade_of(|_, dy, away| {
            let below = (dy / 20.0).clamp(0.0, 1.0);
            0.6 * below * (-((away - 1.0) / 0.18).powi(2)).exp()
        });
        assert!(depth.is_some_and(|depth| depth > 0.3), "{depth:?}");
    }

    #[test]
    fn a_dark_patch_behind_a_thing_is_no_shadow() {
        let patch = |x: f32, y: f32| {
            move |dx: f32, dy: f32, _: f32| {
                0.5 * (-((dx - x) / 26.0).powi(2) - ((dy - y) / 20.0).powi(2)).exp()
            }
        };
        assert_eq!(shade_of(patch(0.0, 44.0)), None, "below it");
        assert_eq!(shade_of(patch(-40.0, 28.0)), None, "to one side");
    }
}
