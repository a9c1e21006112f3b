//! What lies under the things that were cut from a photo.
//!
//! Colours are carried on smoothly from around, from nothing that was found. Over that, a small hole in a
//! pattern is completed from it, one of up to 30 % of the picture with copies of what is around where a trial shows that they fit, and where
//! nothing can be copied the grain of the surroundings is laid, where they have one. A model of the caller's
//! own takes the place of all of these. All holes are completed at once. Text and shapes are not filled here: what is under them is
//! the ground they were told apart by, so it is known as soon as they are. Left out, the picture
//! stays under the cuts as it is.
//! What is still seen of a thing beyond its coverage, its outline, goes to the thing ([`left`]).
//! Invariant: what is seen, unshaded and no outline stays as it is, and no hole is open afterwards.

use crate::Error;
use crate::context::Context;
use crate::patch_match::{self, Texture};
use crate::scene::Scene;
use crate::{grain, left, net};

pub(crate) fn run(scene: &mut Scene, ctx: &mut Context<'_>) -> Result<(), Error> {
    let Some(hole) = scene.hole.take() else {
        return Ok(());
    };
    let mut smooth = hole.smooth(ctx, &scene.rest)?;
    ctx.reach(0.2)?;
    let (lit, known) = (&smooth.lit, &smooth.known);
    let mut finer = None;
    if let Some(made) = net::completed(ctx, &smooth.under, known)? {
        smooth.under = made;
    } else if let Some(made) = patch_match::fill(ctx, lit, known, &scene.painted, &smooth.under)? {
        smooth.under = made;
    } else {
        ctx.check()?;
        let painted = &scene.painted;
        match patch_match::texture(ctx, lit, known, painted, &smooth.under)? {
            Texture::Continued(made) => finer = Some(made),
            Texture::Alike => {
                let mut grained = smooth.under.clone();
                grain::lay(ctx, lit, known, painted, &mut grained)?;
                finer = Some(grained);
            }
            Texture::Mixed => {}
        }
    }
    ctx.check()?;
    // Never compared with a texture that is laid over the fill: that differs from what it continues everywhere.
    let left = left::Left::of(&scene.rest, &smooth, &hole, ctx)?;
    for cut in &mut scene.cuts {
        ctx.check()?;
        left.give(cut);
    }
    let left = left.into_places();
    let under = finer.as_ref().unwrap_or(&smooth.under);
    let painted = |at: &usize| hole.cut.data[*at] > 0.0 || left.data[*at] > 0.0;
    for at in (0..scene.rest.data.len()).filter(painted) {
        scene.rest.data[at] = under.data[at];
        scene.painted.data[at] = 1.0;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hole::Hole;
    use crate::plane::{Plane, distance2};
    use crate::{Cancel, Options, RgbaImage};

    const SIDE: usize = 240;
    const GROUND: [f32; 3] = [90.0, 120.0, 80.0];

    fn inside(at: usize, middle: (f32, f32), radius: f32) -> bool {
        let (x, y) = ((at % SIDE) as f32, (at / SIDE) as f32);
        (x - middle.0).hypot(y - middle.1) < radius
    }

    #[test]
    fn no_hole_is_filled_from_another_thing() {
        // Two discs that all but touch, a red and a blue one, each noted as a thing of its own.
        let discs = [
            ((80.0, 120.0), [230.0, 20.0, 20.0]),
            ((163.0, 120.0), [20.0, 20.0, 230.0]),
        ];
        let colour = |at: usize| {
            let disc = discs.iter().find(|(middle, _)| inside(at, *middle, 40.0));
            disc.map_or(GROUND, |(_, colour)| *colour)
        };
        let bytes = (0..SIDE * SIDE).flat_map(|at| {
            let [r, g, b] = colour(at).map(|v| v as u8);
            [r, g, b, 255]
        });
        let image = RgbaImage {
            width: SIDE as u32,
            height: SIDE as u32,
            pixels: bytes.collect(),
        };
        let (options, cancel) = (Options::default(), Cancel::default());
        let mut heard = |_| {};
        let mut ctx = Context::new(&options, &mut heard, &cancel);
        let mut scene = Scene::new(&image, &ctx).expect("not cancelled");
        let mut hole = Hole::new(SIDE, SIDE);
        for (middle, _) in discs {
            let alpha = Plane {
                w: SIDE,
                h: SIDE,
                data: (0..SIDE * SIDE)
                    .map(|at| f32::from(u8::from(inside(at, middle, 40.0))))
                    .collect(),
            };
            hole.add_thing(&alpha, &alpha);
        }
        scene.hole = Some(hole);
        run(&mut scene, &mut ctx).expect("not cancelled");
        assert!(scene.hole.is_none(), "it is closed");
        for (at, &seen) in scene.rest.data.iter().enumerate() {
            assert!(distance2(seen, GROUND) < 4.0, "{seen:?} at {at}");
            assert_eq!(scene.painted.data[at] > 0.0, colour(at) != GROUND);
        }
    }
}
