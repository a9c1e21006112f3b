//! Soft shadows: where a ground is darker than its fitted surface without a hard edge.
//!
//! A shadow is black ink of small coverage: `seen = (1 - a) * ground`. Under the thing that casts
//! it nothing can be seen, so its coverage is carried on smoothly. Invariant: only pixels of the
//! ground's own smooth region count, so a hard-edged shape is never taken for a shadow.

use crate::blob::Blob;
use crate::components::{self, Components};
use crate::context::Context;
use crate::plane::{Gray, Plane, Rect, Rgb, max_difference};
use crate::scene::{Cut, Edge};
use crate::{Error, LayerKind, push_pull};

/// Coverage from which a darkening is more than an error of the fitted ground.
const FAINT: f32 = 0.012;
/// Coverage a shadow must reach somewhere.
const PLAIN: f32 = 0.05;
/// Coverage at which a shadow may end on the ground.
const SOFT: f32 = 0.045;
/// How many times larger than the frames of the things it touches a shadow may be.
const WIDER: usize = 2;

/// Darkening of the ground over the rectangle of `area`; `None` if there is none.
pub(crate) fn find(
    area: &Blob,
    smooth: &Rgb,
    below: &Rgb,
    is_ground: impl Fn(usize, usize) -> bool,
    alike: f32,
) -> Option<Gray> {
    let rect = area.rect;
    let mut shade = Plane::filled(rect.w, rect.h, -1.0_f32);
    let mut plain = 0_usize;
    for y in 0..rect.h {
        for x in 0..rect.w {
            let (cx, cy) = (rect.x + x, rect.y + y);
            if !area.has(cx, cy) || !is_ground(cx, cy) {
                continue;
            }
            let (seen, ground) = (smooth.at(cx, cy), below.at(cx, cy));
            let bright: f32 = ground.iter().map(|g| g * g).sum();
            let alike_part: f32 = seen.iter().zip(&ground).map(|(s, g)| s * g).sum();
            let dark = if bright > 300.0 {
                1.0 - alike_part / bright
            } else {
                0.0
            };
            let model = ground.map(|g| g * (1.0 - dark));
            let fits = max_difference(seen, model) <= alike;
            let a = if dark > FAINT && fits { dark } else { 0.0 };
            plain += usize::from(a > PLAIN);
            shade.set(x, y, a);
        }
    }
    (plain >= 200).then_some(shade)
}

/// The shadow as a cut, if it lies against one of the things on the ground.
pub(crate) fn cut(
    shade: &Gray,
    things: &[Blob],
    rect: Rect,
    ctx: &Context<'_>,
) -> Result<Option<Cut>, Error> {
    let found = components::label(shade.w, shade.h, |at| shade.data[at] > FAINT);
    ctx.check()?;
    let mut keep = vec![false; found.pieces.len()];
    for (index, piece) in found.pieces.iter().enumerate() {
        let place = Rect {
            x: piece.rect.x + rect.x,
            y: piece.rect.y + rect.y,
            ..piece.rect
        }
        .grow(6, usize::MAX / 2, usize::MAX / 2);
        let touched = things.iter().filter(|thing| place.overlaps(thing.rect));
        let cast_by: usize = touched.map(|thing| thing.rect.area()).sum();
        keep[index] = piece.area >= 120
            && cast_by > 0
            && piece.area <= WIDER * cast_by
            && rim(shade, &found, index) <= SOFT;
    }
    let mut known = Plane::filled(shade.w, shade.h, 0.0_f32);
    let mut values = Plane::filled(shade.w, shade.h, [0.0_f32; 3]);
    let mut any = false;
    for at in 0..shade.data.len() {
        let label = found.labels.data[at];
        let kept = label > 0 && keep[label as usize - 1];
        any |= kept && shade.data[at] > PLAIN;
        if shade.data[at] >= 0.0 {
            known.data[at] = 1.0;
            values.data[at] = [if kept { shade.data[at] } else { 0.0 }; 3];
        }
    }
    if !any {
        return Ok(None);
    }
    ctx.check()?;
    let carried = push_pull::fill(&values, &known);
    let reach: Vec<Rect> = (0..keep.len())
        .filter(|&k| keep[k])
        .map(|k| found.pieces[k].rect)
        .collect();
    ctx.check()?;
    let Some(bounds) = reach.iter().copied().reduce(Rect::union) else {
        return Ok(None);
    };
    let alpha = Plane {
        w: bounds.w,
        h: bounds.h,
        data: (0..bounds.area())
            .map(|at| {
                let (x, y) = (bounds.x + at % bounds.w, bounds.y + at / bounds.w);
                let a = carried.at(x, y)[0];
                if a > FAINT { a.min(1.0) } else { 0.0 }
            })
            .collect(),
    };
    let place = Rect {
        x: bounds.x + rect.x,
        y: bounds.y + rect.y,
        ..bounds
    };
    Ok(Some(Cut {
        kind: LayerKind::Shadow,
        confidence: 0.8,
        name: String::new(),
        words: None,
        rect: place,
        alpha,
        paint: Plane::filled(place.w, place.h, [0.0; 3]),
        edge: Edge::Soft,
    }))
}

/// The median coverage where a piece ends on the ground: next to nothing for a soft shadow, much for a
/// darker part of the ground with an edge of its own.
fn rim(shade: &Gray, found: &Components, index: usize) -> f32 {
    let (rect, own, w) = (found.pieces[index].rect, index as u32 + 1, shade.w);
    let mut ends = Vec::new();
    for y in rect.y..rect.y + rect.h {
        for x in rect.x..rect.x + rect.w {
            if found.labels.at(x, y) != own {
                continue;
            }
            let near = [
                (x > 0).then(|| y * w + x - 1),
                (x + 1 < w).then_some(y * w + x + 1),
                (y > 0).then(|| (y - 1) * w + x),
                (y + 1 < shade.h).then_some((y + 1) * w + x),
            ];
            // Beyond a pixel of the ground that is not shaded; under a thing nothing is known.
            let open = |at: &usize| found.labels.data[*at] == 0 && shade.data[*at] >= 0.0;
            if near.iter().flatten().any(open) {
                ends.push(shade.at(x, y));
            }
        }
    }
    ends.sort_by(f32::total_cmp);
    ends.get(ends.len() / 2).copied().unwrap_or(0.0)
}
