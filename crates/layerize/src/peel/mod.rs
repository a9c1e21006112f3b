//! Turns the forward model into exact layers at full size, from the top down.
//!
//! The layers are taken off the picture one after the other, the top one first (see [`pixel`]); what is
//! left is the background. A picture that is given away becomes the background itself, so that no
//! second copy of it is held. Works row by row, and gives every row away: besides the picture it needs only
//! a few rows of memory, however many layers there are. Invariant: *over* in 8 bits of all layers gives the
//! picture back.

mod pixel;
mod place;
mod row;
mod tap;

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, Ordering};

use rayon::prelude::*;

use crate::context::Context;
use crate::plane::{Gray, Plane};
use crate::scene::Scene;
use crate::sink::{LayerInfo, LayerSink};
use crate::{Error, RgbaImage, matte, push_pull};
use row::Peeling;

/// Pixels of a layer and of the picture between two looks at the stop flag.
const BAND: usize = 1 << 18;
/// Bytes of the picture copied between two looks.
const LOOK: usize = 16 << 20;

/// Peels the cuts of `scene` (bottom first) off the picture; `scene.rest` is the background. Returns how many
/// layers `sink` was given of which something is seen, the background included.
pub(crate) fn peel(
    source: Cow<'_, RgbaImage>,
    scene: &Scene,
    ctx: &mut Context<'_>,
    sink: &mut dyn LayerSink,
) -> Result<usize, Error> {
    let mut picture = match source {
        Cow::Owned(picture) => picture,
        Cow::Borrowed(picture) => copied(picture, ctx)?,
    };
    let ground = ground(scene, ctx)?;
    let places = scene.cuts.iter().map(|cut| place::place(cut, scene));
    let peeling = Peeling {
        scene,
        places: places.collect(),
        ground: ground.as_ref(),
    };
    let (mut found, count) = (1, scene.cuts.len());
    for index in (0..count).rev() {
        ctx.reach((count - 1 - index) as f32 / (count + 1) as f32)?;
        sink.begin(LayerInfo::of(&scene.cuts[index], peeling.places[index]));
        let seen = take_off(&peeling, index, &mut picture, ctx, sink)?;
        sink.end(seen);
        found += usize::from(seen);
    }
    ctx.reach(count as f32 / (count + 1) as f32)?;
    sink.background(LayerInfo::of_background(&picture), picture);
    Ok(found)
}

/// Takes one layer off the picture, band by band. Whether anything of it is seen.
fn take_off(
    peeling: &Peeling<'_>,
    index: usize,
    picture: &mut RgbaImage,
    ctx: &Context<'_>,
    sink: &mut dyn LayerSink,
) -> Result<bool, Error> {
    let (place, seen) = (peeling.places[index], AtomicBool::new(false));
    let row_bytes = picture.width as usize * 4;
    let tall = (BAND / (place.w + picture.width as usize)).clamp(1, 64);
    let mut own = vec![0; tall * place.w * 4];
    let under = &mut picture.pixels[place.y * row_bytes..(place.y + place.h) * row_bytes];
    for (band, under) in under.chunks_mut(row_bytes * tall).enumerate() {
        ctx.check()?;
        let own = &mut own[..under.len() / row_bytes * place.w * 4];
        own.fill(0);
        let first = place.y + band * tall;
        let rows = own.par_chunks_exact_mut(place.w * 4);
        let rows = rows.zip(under.par_chunks_exact_mut(row_bytes)).enumerate();
        ctx.pool.run(|| {
            rows.for_each(|(row, (own, under))| {
                if peeling.row(index, first + row, own, under) {
                    seen.store(true, Ordering::Relaxed);
                }
            });
        });
        sink.rows(own);
    }
    Ok(seen.into_inner())
}

/// A copy of the picture, made piece by piece.
fn copied(picture: &RgbaImage, ctx: &Context<'_>) -> Result<RgbaImage, Error> {
    let mut pixels = Vec::with_capacity(picture.pixels.len());
    for piece in picture.pixels.chunks(LOOK) {
        ctx.check()?;
        pixels.extend_from_slice(piece);
    }
    Ok(RgbaImage { pixels, ..*picture })
}

/// How opaque the background is at work size, carried on under what was cut; `None` if it is so
/// everywhere.
fn ground(scene: &Scene, ctx: &Context<'_>) -> Result<Option<Gray>, Error> {
    let Some(opacity) = &scene.opacity else {
        return Ok(None);
    };
    ctx.check()?;
    let known = matte::dilate(&scene.painted, 2).map(|p| if p > 0.0 { 0.0 } else { 1.0 });
    // Where nothing is known the fill answers 128: opaque, as a picture usually is.
    let levels = Plane {
        w: opacity.w,
        h: opacity.h,
        data: opacity.data.iter().map(|&a| [a * 255.0; 3]).collect(),
    };
    let filled = push_pull::fill(&levels, &known);
    Ok(Some(filled.map(|[a, ..]| a / 255.0)))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    use super::*;
    use crate::{Cancel, Options};

    static LOOKS: AtomicU64 = AtomicU64::new(0);

    #[test]
    fn a_copy_is_made_in_pieces_with_a_look_at_the_flag_before_each() {
        let clock = || Duration::from_nanos(LOOKS.fetch_add(1, Ordering::Relaxed));
        let (options, cancel) = (
            Options {
                clock,
                ..Options::default()
            },
            Cancel::default(),
        );
        let mut heard = |_| {};
        let ctx = Context::new(&options, &mut heard, &cancel);
        let side = 3000;
        let picture = RgbaImage {
            width: side,
            height: side,
            pixels: (0..side * side * 4).map(|at| (at % 251) as u8).collect(),
        };
        let before = LOOKS.load(Ordering::Relaxed);
        assert_eq!(copied(&picture, &ctx).expect("not cancelled"), picture);
        let looks = LOOKS.load(Ordering::Relaxed) - before;
        assert_eq!(looks, picture.pixels.len().div_ceil(LOOK) as u64);
    }
}
