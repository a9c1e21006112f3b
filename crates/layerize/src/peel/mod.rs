//! Turns the forward model into exact layers at full size, from the top down.
//!
//! At every pixel the layers above the background are taken off one by one (see [`pixel`]); what is
//! left is the background. A picture that is given away becomes the background itself, so that no
//! second copy of it is held. Works row by row: besides picture and layers it needs only a few rows
//! of memory. Invariant: *over* in 8 bits of all layers gives the picture back.

mod pixel;
mod place;
mod row;
mod tap;

use std::borrow::Cow;

use rayon::prelude::*;

use crate::context::Context;
use crate::plane::{Gray, Plane};
use crate::scene::Scene;
use crate::{Error, Layer, LayerKind, RgbaImage, matte, push_pull};
use place::Place;
use row::Row;

/// Pixels of all layers between two looks at the stop flag.
const BAND: usize = 1 << 18;
/// Bytes of the picture copied between two looks.
const LOOK: usize = 16 << 20;

/// Peels the cuts of `scene` (bottom first) off the picture; `scene.rest` is the background.
pub(crate) fn peel(
    source: Cow<'_, RgbaImage>,
    scene: &Scene,
    ctx: &mut Context<'_>,
) -> Result<Vec<Layer>, Error> {
    let mut bottom = match source {
        Cow::Owned(picture) => picture,
        Cow::Borrowed(picture) => copied(picture, ctx)?,
    };
    let ground = ground(scene, ctx)?;
    let places: Vec<Place> = scene.cuts.iter().map(|cut| Place::of(cut, scene)).collect();
    let mut images: Vec<RgbaImage> = places
        .iter()
        .map(|place| RgbaImage::transparent(place.w as u32, place.h as u32))
        .collect();
    let row_bytes = bottom.width as usize * 4;
    let per_row: usize = places.iter().map(|place| place.w).sum();
    let tall = (BAND / (per_row + scene.size.0)).clamp(1, 64);
    for (band, rows) in bottom.pixels.chunks_mut(row_bytes * tall).enumerate() {
        ctx.check()?;
        let mut rows: Vec<Row<'_>> = rows
            .chunks_exact_mut(row_bytes)
            .enumerate()
            .map(|(row, bottom)| Row {
                y: band * tall + row,
                bottom,
                layers: Vec::new(),
            })
            .collect();
        hand_out(&mut rows, &places, &mut images);
        let work = |row: &mut Row<'_>| row.run(scene, &places, ground.as_ref());
        ctx.pool.run(|| rows.par_iter_mut().for_each(work));
    }
    let mut layers = vec![Layer {
        kind: LayerKind::Background,
        name: "background".into(),
        text: None,
        text_confidence: None,
        confidence: 1.0,
        x: 0,
        y: 0,
        image: bottom,
    }];
    for ((cut, place), image) in scene.cuts.iter().zip(&places).zip(images) {
        layers.extend(place::trimmed(cut, place, image, ctx)?);
    }
    Ok(layers)
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

/// Gives every row the rows of the layers that cross it.
fn hand_out<'a>(rows: &mut [Row<'a>], places: &[Place], images: &'a mut [RgbaImage]) {
    let Some(first) = rows.first().map(|row| row.y) else {
        return;
    };
    for (index, (place, image)) in places.iter().zip(images).enumerate() {
        let (from, to) = (
            first.max(place.y),
            (first + rows.len()).min(place.y + place.h),
        );
        if from >= to {
            continue;
        }
        let row_bytes = place.w * 4;
        let own = &mut image.pixels[(from - place.y) * row_bytes..(to - place.y) * row_bytes];
        for (y, row) in (from..to).zip(own.chunks_exact_mut(row_bytes)) {
            rows[y - first].layers.push((index, row));
        }
    }
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
