//! What lies under a thing lifted off a photo, its shadow taken off as well.
//!
//! Colours are carried on smoothly from around (never from other things). A small hole in a pattern
//! is completed from that; else the grain of the surroundings is laid over where they have one. Invariant: what is seen and unshaded comes
//! back as it is.

use crate::components;
use crate::context::Context;
use crate::plane::{Gray, Plane, Rgb};
use crate::scene::{Cut, Edge, Scene};
use crate::{Error, LayerKind, grain, matte, patch_match, push_pull};

/// Coverage of a shadow above which too little of the ground shows to be brought back.
const GUESSED: f32 = 0.4;

/// The rest of `scene` without what is `covered` and without `shade`.
pub(crate) fn fill(
    scene: &Scene,
    ctx: &Context<'_>,
    covered: &Gray,
    shade: Option<&Gray>,
) -> Result<Rgb, Error> {
    let (w, h) = (covered.w, covered.h);
    let lit = match shade {
        Some(shade) => lifted(&scene.rest, shade),
        None => scene.rest.clone(),
    };
    ctx.check()?;
    // The rim of a thing still holds some of its colour.
    let near = matte::dilate(covered, 2 + w.max(h) / 200);
    let known = Plane {
        w,
        h,
        data: (0..w * h)
            .map(|at| {
                let deep = shade.is_some_and(|s| s.data[at] > GUESSED);
                f32::from(u8::from(near.data[at] <= 0.0 && !deep))
            })
            .collect(),
    };
    ctx.check()?;
    let mut under = push_pull::fill(&lit, &known);
    ctx.check()?;
    if let Some(made) = patch_match::fill(ctx, &lit, &known, &scene.painted, &under)? {
        return Ok(made);
    }
    ctx.check()?;
    grain::lay(ctx, &lit, &known, &scene.painted, &mut under)?;
    Ok(under)
}

/// A shadow as a cut: black of the given coverage.
pub(crate) fn shadow(shade: &Gray, sure: f32) -> Option<Cut> {
    let rect = components::bounds(shade)?;
    Some(Cut {
        kind: LayerKind::Shadow,
        confidence: sure * 0.8,
        name: String::new(),
        rect,
        alpha: shade.crop(rect),
        paint: Plane::filled(rect.w, rect.h, [0.0; 3]),
        edge: Edge::Soft,
    })
}

/// The picture with the shadow taken off.
fn lifted(picture: &Rgb, shade: &Gray) -> Rgb {
    Plane {
        w: picture.w,
        h: picture.h,
        data: picture
            .data
            .iter()
            .zip(&shade.data)
            .map(|(colour, &a)| colour.map(|value| (value / (1.0 - a)).min(255.0)))
            .collect(),
    }
}
