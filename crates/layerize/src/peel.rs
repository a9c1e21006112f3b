//! Turns the forward model into exact layers at full size, from the top down.
//!
//! At every pixel the layers above the background are taken off one by one. With `I` the picture
//! so far, `B` what the model expects below and `a` the wanted coverage, the colour is
//! `F = (I - (1 - a) B) / a`. What the model's `F` and `B` leave unexplained is shared between
//! both; `B` is rounded to 8 bits, `a` is raised until `F` fits into 0 to 255, and `F` is rounded.
//! Rounding `F` moves the composite by at most half a level, so *over* in 8 bits gives `I` back.
//!
//! Where the source has an alpha of its own below 255, one layer owns the pixel as it is.
//! Works row by row: besides source and layers it needs only a few rows of memory.

use rayon::prelude::*;

use crate::context::Context;
use crate::guided;
use crate::plane::mix;
use crate::scene::{Cut, Edge, Scene};
use crate::{Error, Layer, LayerKind, RgbaImage};

/// Coverage below this many 255ths is left to the layer below.
const FAINT: i32 = 3;
/// How many levels the picture below may be moved to explain a soft edge.
const BELOW_GIVES: f32 = 10.0;
/// Rows between two looks at the stop flag.
const BAND: usize = 64;

/// Peels the cuts of `scene` (bottom first) off the source; `scene.rest` is the background.
pub(crate) fn peel(scene: &Scene<'_>, ctx: &mut Context<'_>) -> Result<Vec<Layer>, Error> {
    let source = scene.source;
    let mut bottom = source.clone();
    let places: Vec<Place> = scene.cuts.iter().map(|cut| Place::of(cut, scene)).collect();
    let mut images: Vec<RgbaImage> = places
        .iter()
        .map(|place| RgbaImage::transparent(place.w as u32, place.h as u32))
        .collect();
    let row_bytes = source.width as usize * 4;
    for (band, rows) in bottom.pixels.chunks_mut(row_bytes * BAND).enumerate() {
        ctx.check()?;
        let mut jobs: Vec<Job<'_>> = rows
            .chunks_exact_mut(row_bytes)
            .enumerate()
            .map(|(row, bottom)| Job {
                y: band * BAND + row,
                bottom,
                layers: Vec::new(),
            })
            .collect();
        hand_out(&mut jobs, &places, &mut images);
        ctx.pool
            .run(|| jobs.par_iter_mut().for_each(|job| job.run(scene, &places)));
    }
    let mut layers = vec![Layer {
        kind: LayerKind::Background,
        name: "background".into(),
        confidence: 1.0,
        x: 0,
        y: 0,
        image: bottom,
    }];
    for ((cut, place), image) in scene.cuts.iter().zip(&places).zip(images) {
        ctx.check()?;
        layers.extend(trimmed(cut, place, &image));
    }
    Ok(layers)
}

/// Gives every row job the rows of the layers that cross it.
fn hand_out<'a>(jobs: &mut [Job<'a>], places: &[Place], images: &'a mut [RgbaImage]) {
    let Some(first) = jobs.first().map(|job| job.y) else {
        return;
    };
    for (index, (place, image)) in places.iter().zip(images).enumerate() {
        let (from, to) = (
            first.max(place.y),
            (first + jobs.len()).min(place.y + place.h),
        );
        if from >= to {
            continue;
        }
        let row_bytes = place.w * 4;
        let rows = &mut image.pixels[(from - place.y) * row_bytes..(to - place.y) * row_bytes];
        for (y, row) in (from..to).zip(rows.chunks_exact_mut(row_bytes)) {
            jobs[y - first].layers.push((index, row));
        }
    }
}

/// The rectangle of a cut at full size.
struct Place {
    x: usize,
    y: usize,
    w: usize,
    h: usize,
}

impl Place {
    fn of(cut: &Cut, scene: &Scene<'_>) -> Self {
        let span = |from: usize, length: usize, small: usize, full: u32| {
            let full = full as usize;
            let start = from * full / small;
            (
                start,
                ((from + length) * full).div_ceil(small).min(full) - start,
            )
        };
        let (x, w) = span(cut.rect.x, cut.rect.w, scene.work.w, scene.source.width);
        let (y, h) = span(cut.rect.y, cut.rect.h, scene.work.h, scene.source.height);
        Self { x, y, w, h }
    }
}

/// One row of the canvas and of every layer that crosses it, bottom first.
struct Job<'a> {
    y: usize,
    bottom: &'a mut [u8],
    layers: Vec<(usize, &'a mut [u8])>,
}

impl Job<'_> {
    fn run(&mut self, scene: &Scene<'_>, places: &[Place]) {
        if self.layers.is_empty() {
            return;
        }
        let (full_w, full_h) = (scene.source.width as usize, scene.source.height as usize);
        let v = Tap::of(self.y, scene.work.h, full_h);
        let left = self
            .layers
            .iter()
            .map(|(index, _)| places[*index].x)
            .min()
            .unwrap_or(0);
        let right = self
            .layers
            .iter()
            .map(|(i, _)| places[*i].x + places[*i].w)
            .max()
            .unwrap_or(0);
        let mut below: Vec<[f32; 3]> = Vec::with_capacity(self.layers.len());
        let mut wanted: Vec<(f32, [f32; 3])> = Vec::with_capacity(self.layers.len());
        for x in left..right {
            let u = Tap::of(x, scene.work.w, full_w);
            let mut picture = pixel(&self.bottom[x * 4..]);
            let mut model = bilinear(&scene.rest, u, v);
            below.clear();
            wanted.clear();
            for (index, _) in &self.layers {
                let place = &places[*index];
                below.push(model);
                if x < place.x || x >= place.x + place.w {
                    wanted.push((0.0, model));
                    continue;
                }
                let (alpha, paint) = want(&scene.cuts[*index], picture, u, v);
                wanted.push((alpha, paint));
                model = mix(model, paint, alpha);
            }
            let enlarged = full_w > scene.work.w;
            for (slot, (index, row)) in self.layers.iter_mut().enumerate().rev() {
                let (mut alpha, paint) = wanted[slot];
                if alpha <= 0.0 {
                    continue;
                }
                if enlarged && alpha < 1.0 && matches!(scene.cuts[*index].edge, Edge::Unmix) {
                    alpha = unmix(picture, paint, below[slot]).unwrap_or(alpha);
                }
                let (top, under) = take_off(picture, alpha, paint, below[slot]);
                let at = (x - places[*index].x) * 4;
                row[at..at + 4].copy_from_slice(&top);
                picture = under;
            }
            self.bottom[x * 4..x * 4 + 4].copy_from_slice(&picture);
        }
    }
}

/// Coverage and colour a cut wants at a full-size pixel.
fn want(cut: &Cut, picture: [u8; 4], u: Tap, v: Tap) -> (f32, [f32; 3]) {
    let (u, v) = (
        u.inside(cut.rect.x, cut.rect.w),
        v.inside(cut.rect.y, cut.rect.h),
    );
    let rough = bilinear(&cut.alpha, u, v);
    let alpha = match &cut.edge {
        Edge::Guided(slope, offset) if u.share + v.share > 0.0 && rough > 0.0 && rough < 1.0 => {
            let colour = [
                f32::from(picture[0]),
                f32::from(picture[1]),
                f32::from(picture[2]),
            ];
            let sharp = guided::evaluate(bilinear(slope, u, v), bilinear(offset, u, v), colour);
            crate::matte::contrast(sharp)
        }
        _ => rough,
    };
    if alpha * 255.0 < FAINT as f32 {
        (0.0, [0.0; 3])
    } else {
        (alpha, bilinear(&cut.paint, u, v))
    }
}

/// Coverage from the colours at both sides; `None` if they are too alike to tell.
fn unmix(picture: [u8; 4], paint: [f32; 3], below: [f32; 3]) -> Option<f32> {
    let (mut along, mut length) = (0.0, 0.0);
    for c in 0..3 {
        let d = paint[c] - below[c];
        along += (f32::from(picture[c]) - below[c]) * d;
        length += d * d;
    }
    (length > 24.0 * 24.0).then(|| (along / length).clamp(0.0, 1.0))
}

/// Splits one pixel into the layer's pixel and the one below, so that *over* gives it back.
fn take_off(picture: [u8; 4], alpha: f32, paint: [f32; 3], below: [f32; 3]) -> ([u8; 4], [u8; 4]) {
    let mut a = (alpha * 255.0).round() as i32;
    if a < FAINT {
        return ([0; 4], picture);
    }
    if picture[3] < 255 {
        return if a >= 128 && picture[3] > 0 {
            (picture, [0; 4])
        } else {
            ([0; 4], picture)
        };
    }
    let share = a as f32 / 255.0;
    let rest = 1.0 - share;
    let mut under = [0_u8, 0, 0, 255];
    for c in 0..3 {
        let seen = f32::from(picture[c]);
        let missing = seen - (share * paint[c] + rest * below[c]);
        let give = rest * missing / (share * share + rest * rest);
        let moved =
            below[c] + give.clamp(-BELOW_GIVES, BELOW_GIVES) * if a < 255 { 1.0 } else { 0.0 };
        under[c] = moved.round().clamp(0.0, 255.0) as u8;
        a = a.max(least_alpha(picture[c], under[c]));
    }
    let mut top = [0, 0, 0, a as u8];
    for c in 0..3 {
        let solved =
            (255 * i32::from(picture[c]) - (255 - a) * i32::from(under[c])) as f32 / a as f32;
        top[c] = solved.round().clamp(0.0, 255.0) as u8;
    }
    (top, under)
}

/// The least coverage, in 255ths, that explains `seen` over `under` with a colour in 0 to 255.
fn least_alpha(seen: u8, under: u8) -> i32 {
    let (seen, under) = (i32::from(seen), i32::from(under));
    match seen.cmp(&under) {
        std::cmp::Ordering::Greater => (255 * (seen - under) + 254 - under) / (255 - under),
        std::cmp::Ordering::Less => (255 * (under - seen) + under - 1) / under,
        std::cmp::Ordering::Equal => 0,
    }
}

/// A place between two neighbours on one axis of the work canvas.
#[derive(Clone, Copy)]
struct Tap {
    near: usize,
    far: usize,
    share: f32,
}

impl Tap {
    fn of(at: usize, small: usize, full: usize) -> Self {
        if small == full {
            return Self {
                near: at,
                far: at,
                share: 0.0,
            };
        }
        let place = ((at as f32 + 0.5) * small as f32 / full as f32 - 0.5).max(0.0);
        let near = (place as usize).min(small - 1);
        Self {
            near,
            far: (near + 1).min(small - 1),
            share: place - near as f32,
        }
    }

    /// The same place on a plane that begins at `from` and is `length` long.
    fn inside(self, from: usize, length: usize) -> Self {
        let clamp = |at: usize| at.saturating_sub(from).min(length - 1);
        Self {
            near: clamp(self.near),
            far: clamp(self.far),
            share: self.share,
        }
    }
}

fn bilinear<T: crate::plane::Sample>(plane: &crate::plane::Plane<T>, u: Tap, v: Tap) -> T {
    if u.share == 0.0 && v.share == 0.0 {
        return plane.at(u.near, v.near);
    }
    T::ZERO
        .add(plane.at(u.near, v.near), (1.0 - u.share) * (1.0 - v.share))
        .add(plane.at(u.far, v.near), u.share * (1.0 - v.share))
        .add(plane.at(u.near, v.far), (1.0 - u.share) * v.share)
        .add(plane.at(u.far, v.far), u.share * v.share)
}

fn pixel(bytes: &[u8]) -> [u8; 4] {
    [bytes[0], bytes[1], bytes[2], bytes[3]]
}

/// The layer cut down to what can be seen of it; nothing if nothing can.
fn trimmed(cut: &Cut, place: &Place, image: &RgbaImage) -> Option<Layer> {
    let row_bytes = image.width as usize * 4;
    let (mut left, mut right, mut top, mut bottom) = (usize::MAX, 0, usize::MAX, 0);
    for (y, row) in image.pixels.chunks_exact(row_bytes).enumerate() {
        let seen = |p: &[u8]| p[3] > 0;
        if let Some(first) = row.chunks_exact(4).position(seen) {
            let last = row.chunks_exact(4).rposition(seen).unwrap_or(first);
            (left, right) = (left.min(first), right.max(last));
            (top, bottom) = (top.min(y), y);
        }
    }
    if top == usize::MAX {
        return None;
    }
    let mut pixels = Vec::with_capacity((right - left + 1) * (bottom - top + 1) * 4);
    for y in top..=bottom {
        pixels.extend_from_slice(
            &image.pixels[y * row_bytes + left * 4..y * row_bytes + right * 4 + 4],
        );
    }
    Some(Layer {
        kind: cut.kind,
        name: cut.name.clone(),
        confidence: cut.confidence,
        x: (place.x + left) as u32,
        y: (place.y + top) as u32,
        image: RgbaImage {
            width: (right - left + 1) as u32,
            height: (bottom - top + 1) as u32,
            pixels,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_colour_over_every_colour_is_given_back() {
        for seen in 0..=255_u8 {
            for below in (0..=255_u8).step_by(5) {
                for alpha in [3, 4, 17, 90, 128, 200, 254, 255] {
                    let model = [f32::from(below); 3];
                    let (top, under) = take_off(
                        [seen, seen, seen, 255],
                        alpha as f32 / 255.0,
                        [40.0; 3],
                        model,
                    );
                    let (a, f, b) = (u32::from(top[3]), u32::from(top[0]), u32::from(under[0]));
                    assert_eq!((f * a + b * (255 - a) + 127) / 255, u32::from(seen));
                }
            }
        }
    }
}
