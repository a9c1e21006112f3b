//! What a model makes of true layers: smaller, and as a decoder of latents leaves them.

use super::draw::{Picture, random};

/// The longest side of a model's picture; the other one is rounded to a multiple of [`STEP`].
const SIDE: usize = 640;
const STEP: usize = 16;

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    /// Means over areas, rounded to 8 bits.
    Clean,
    /// Blurred a little, noisy, colours and alpha off by some levels, garbage below alpha 0; the source is a JPEG of quality 85.
    Model,
}

impl Kind {
    pub(crate) const ALL: [Self; 2] = [Self::Clean, Self::Model];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::Model => "model",
        }
    }

    /// What the service has of the picture.
    pub(crate) fn source(self, picture: &Picture) -> Picture {
        if self == Self::Clean {
            return picture.clone();
        }
        let rgb: Vec<u8> = picture
            .pixels
            .chunks_exact(4)
            .flat_map(|p| [p[0], p[1], p[2]])
            .collect();
        let mut file = Vec::new();
        let encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut file, 85);
        image::ImageEncoder::write_image(
            encoder,
            &rgb,
            picture.w as u32,
            picture.h as u32,
            image::ExtendedColorType::Rgb8,
        )
        .expect("memory takes it");
        let decoded = image::load_from_memory(&file)
            .expect("it was just written")
            .into_rgba8();
        Picture {
            pixels: decoded.into_raw(),
            ..*picture
        }
    }

    pub(crate) fn layers(self, truth: &[Picture]) -> Vec<Picture> {
        let small: Vec<Picture> = truth.iter().map(shrink).collect();
        if self == Self::Clean {
            small
        } else {
            small
                .iter()
                .zip(1..)
                .map(|(layer, seed)| worn(layer, seed))
                .collect()
        }
    }
}

/// Means over areas, of premultiplied colours.
fn shrink(layer: &Picture) -> Picture {
    let long = layer.w.max(layer.h) as f64;
    let side = |full: usize| {
        ((full as f64 * SIDE as f64 / long / STEP as f64).round() as usize * STEP).max(STEP)
    };
    let (w, h) = (side(layer.w), side(layer.h));
    let mut sums = vec![[0.0_f64; 4]; w * h];
    let mut weights = vec![0.0_f64; w * h];
    let parts = |at: usize, full: usize, small: usize| {
        let (from, to) = (
            at as f64 * small as f64 / full as f64,
            (at + 1) as f64 * small as f64 / full as f64,
        );
        let (first, next) = (from as usize, (from as usize + 1).min(small - 1));
        let over = (to - (first + 1) as f64).max(0.0);
        [(first, to - from - over), (next, over)]
    };
    for y in 0..layer.h {
        for x in 0..layer.w {
            let p = &layer.pixels[(y * layer.w + x) * 4..][..4];
            let a = f64::from(p[3]) / 255.0;
            for (sy, wy) in parts(y, layer.h, h) {
                for (sx, wx) in parts(x, layer.w, w) {
                    let (sum, weight) = (&mut sums[sy * w + sx], wx * wy);
                    for c in 0..3 {
                        sum[c] += weight * a * f64::from(p[c]);
                    }
                    sum[3] += weight * a;
                    weights[sy * w + sx] += weight;
                }
            }
        }
    }
    let pixel = |(sum, weight): (&[f64; 4], &f64)| {
        let colour = |c: usize| {
            if sum[3] > 0.0 {
                (sum[c] / sum[3]).round() as u8
            } else {
                0
            }
        };
        [
            colour(0),
            colour(1),
            colour(2),
            (sum[3] / weight * 255.0).round() as u8,
        ]
    };
    Picture {
        w,
        h,
        pixels: sums.iter().zip(&weights).flat_map(pixel).collect(),
    }
}

/// What decoding latents does to a layer.
fn worn(layer: &Picture, seed: u32) -> Picture {
    let (w, h) = (layer.w, layer.h);
    let get = |x: i64, y: i64| {
        let at = y.clamp(0, h as i64 - 1) as usize * w + x.clamp(0, w as i64 - 1) as usize;
        &layer.pixels[at * 4..][..4]
    };
    let mut pixels = Vec::with_capacity(w * h * 4);
    for y in 0..h as i64 {
        for x in 0..w as i64 {
            let (mut colour, mut alpha) = ([0.0_f32; 3], 0.0_f32);
            for (dy, wy) in [(-1, 0.15), (0, 0.7), (1, 0.15)] {
                for (dx, wx) in [(-1, 0.15), (0, 0.7), (1, 0.15)] {
                    let p = get(x + dx, y + dy);
                    let a = wx * wy * f32::from(p[3]) / 255.0;
                    alpha += a;
                    for c in 0..3 {
                        colour[c] += a * f32::from(p[c]);
                    }
                }
            }
            let dice = |k: i32| random(x as i32 * 4 + k, y as i32, seed);
            for (c, sum) in colour.iter().enumerate() {
                let drift = 5.0 * random(c as i32, 0, seed + 90) + 3.0 * dice(c as i32);
                let garbage = 127.0 + 127.0 * dice(c as i32);
                let value = if alpha > 0.004 {
                    sum / alpha + drift
                } else {
                    garbage
                };
                pixels.push(value.round().clamp(0.0, 255.0) as u8);
            }
            let off = if alpha > 0.02 && alpha < 0.98 {
                0.03 * dice(3)
            } else {
                0.006 * dice(3)
            };
            pixels.push(((alpha + off) * 255.0).round().clamp(0.0, 255.0) as u8);
        }
    }
    Picture { w, h, pixels }
}
