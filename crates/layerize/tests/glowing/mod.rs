//! Pictures of a title that glows, for tests of several programs.

use ab_glyph::{Font, FontRef, PxScale, ScaleFont, point};
use layerize::RgbaImage;

/// Width and height of a picture.
pub(crate) const SIZE: (usize, usize) = (640, 400);
const LINE: &str = "WINTER TALES";

/// How much of each pixel the letters of a line cover.
fn lettering(line: &str) -> Vec<f32> {
    let face = include_bytes!("../../examples/score/fonts/Oswald_600SemiBold.ttf");
    let face = FontRef::try_from_slice(face).expect("a face");
    let scaled = face.as_scaled(PxScale::from(110.0));
    let mut cover = vec![0.0_f32; SIZE.0 * SIZE.1];
    let mut pen = 70.0;
    for letter in line.chars() {
        let mut glyph = scaled.scaled_glyph(letter);
        glyph.position = point(pen, 190.0);
        pen += scaled.h_advance(glyph.id);
        let Some(outline) = face.outline_glyph(glyph) else {
            continue;
        };
        let place = outline.px_bounds().min;
        outline.draw(|x, y, share| {
            let (x, y) = (place.x as usize + x as usize, place.y as usize + y as usize);
            if x < SIZE.0 && y < SIZE.1 {
                let at = &mut cover[y * SIZE.0 + x];
                *at = at.max(share.min(1.0));
            }
        });
    }
    cover
}

/// A Gaussian of this deviation over it, moved by `by` pixels down and right.
pub(crate) fn blurred(cover: &[f32], deviation: f32, by: usize) -> Vec<f32> {
    let reach = (3.0 * deviation) as i64;
    let weight = |off: i64| (-(off * off) as f32 / (2.0 * deviation * deviation)).exp();
    let all: f32 = (-reach..=reach).map(weight).sum();
    let along = |from: &[f32], step: (i64, i64)| -> Vec<f32> {
        (0..SIZE.0 * SIZE.1)
            .map(|at| {
                let (x, y) = ((at % SIZE.0) as i64, (at / SIZE.0) as i64);
                let each = (-reach..=reach).map(|off| {
                    let x = (x + off * step.0).clamp(0, SIZE.0 as i64 - 1) as usize;
                    let y = (y + off * step.1).clamp(0, SIZE.1 as i64 - 1) as usize;
                    from[y * SIZE.0 + x] * weight(off) / all
                });
                each.sum()
            })
            .collect()
    };
    let soft = along(&along(cover, (1, 0)), (0, 1));
    (0..SIZE.0 * SIZE.1)
        .map(|at| {
            let (x, y) = (at % SIZE.0, at / SIZE.0);
            if x >= by && y >= by {
                soft[(y - by) * SIZE.0 + x - by]
            } else {
                0.0
            }
        })
        .collect()
}

/// The colour of each pixel below a title.
pub(crate) type Ground = fn(usize, usize) -> [f32; 3];

/// A sky that goes over into a dusk, both ways.
pub(crate) fn dusk(x: usize, y: usize) -> [f32; 3] {
    let (u, v) = (x as f32 / SIZE.0 as f32, y as f32 / SIZE.1 as f32);
    let wave = 12.0 * (5.0 * u + 3.0 * v).sin();
    [
        120.0 + 90.0 * v * u + wave,
        110.0 + 60.0 * u - 30.0 * v,
        170.0 - 80.0 * v + wave,
    ]
}

/// The same with the grain of sand.
pub(crate) fn sand(x: usize, y: usize) -> [f32; 3] {
    let hash = |x: usize, y: usize| {
        let mixed = (x as u32).wrapping_mul(374_761_393) ^ (y as u32).wrapping_mul(668_265_263);
        let mixed = (mixed ^ (mixed >> 13)).wrapping_mul(1_274_126_177);
        ((mixed >> 16) & 255) as f32 / 255.0 - 0.5
    };
    let grain = hash(x / 2, y / 2) * 20.0 + hash(x / 5, y / 3) * 22.0;
    dusk(x, y).map(|v| v + grain)
}

/// A picture, and what it was made of.
pub(crate) struct Drawn {
    pub(crate) image: RgbaImage,
    /// How much of each pixel the glow covers, and the letters.
    pub(crate) glow: Vec<f32>,
    pub(crate) letters: Vec<f32>,
}

/// Letters of `ink` before a glow.
pub(crate) fn drawn(ground: Ground, ink: [f32; 3], glow: Option<Glow>) -> Drawn {
    written(LINE, ground, ink, glow)
}

/// The same with letters of another line.
pub(crate) fn written(line: &str, ground: Ground, ink: [f32; 3], glow: Option<Glow>) -> Drawn {
    let letters = lettering(line);
    let (light, deviation, gain, by) = glow.unwrap_or(([0.0; 3], 1.0, 0.0, 0));
    let soft = blurred(&letters, deviation, by);
    let glow: Vec<f32> = soft.iter().map(|g| (g * gain).min(1.0)).collect();
    let mut pixels = Vec::new();
    for at in 0..SIZE.0 * SIZE.1 {
        let ground = ground(at % SIZE.0, at / SIZE.0);
        for c in 0..3 {
            let lit = ground[c] + (light[c] - ground[c]) * glow[at];
            pixels.push((lit + (ink[c] - lit) * letters[at]).round() as u8);
        }
        pixels.push(255);
    }
    Drawn {
        image: RgbaImage {
            width: SIZE.0 as u32,
            height: SIZE.1 as u32,
            pixels,
        },
        glow,
        letters,
    }
}

/// The colour of a glow, its deviation in pixels, its gain and how far it is moved down and right.
pub(crate) type Glow = ([f32; 3], f32, f32, usize);

pub(crate) const PINK: Glow = ([255.0, 60.0, 160.0], 10.0, 2.0, 0);
pub(crate) const BLACK: Glow = ([0.0; 3], 5.0, 2.0, 0);
pub(crate) const WHITE: Glow = ([255.0; 3], 7.0, 1.2, 0);
pub(crate) const SHADOW: Glow = ([0.0; 3], 6.0, 0.9, 5);
