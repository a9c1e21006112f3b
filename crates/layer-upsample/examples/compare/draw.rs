//! Drawing designs with known layers: shapes by signed distance, strokes, text, noise.

use ab_glyph::{Font, FontRef, PxScale, ScaleFont};

/// Straight-alpha RGBA.
#[derive(Clone)]
pub(crate) struct Picture {
    pub(crate) w: usize,
    pub(crate) h: usize,
    pub(crate) pixels: Vec<u8>,
}

impl Picture {
    /// A layer of the colour and coverage that `each` says of a pixel's centre; levels and 0 to 1.
    pub(crate) fn of(w: usize, h: usize, each: impl Fn(f32, f32) -> ([f32; 3], f32)) -> Self {
        let mut pixels = Vec::with_capacity(w * h * 4);
        for y in 0..h {
            for x in 0..w {
                let ([r, g, b], a) = each(x as f32 + 0.5, y as f32 + 0.5);
                let level = |v: f32| v.round().clamp(0.0, 255.0) as u8;
                pixels.extend([level(r), level(g), level(b), level(a * 255.0)]);
            }
        }
        Self { w, h, pixels }
    }

    pub(crate) fn alpha(&self) -> Vec<f32> {
        self.pixels
            .chunks_exact(4)
            .map(|p| f32::from(p[3]) / 255.0)
            .collect()
    }
}

/// The stack, rounded once.
pub(crate) fn composite(layers: &[Picture]) -> Picture {
    let mut out = layers[0].clone();
    for at in 0..out.w * out.h {
        let mut so_far = [0.0_f32; 3];
        for layer in layers {
            let p = &layer.pixels[at * 4..][..4];
            let a = f32::from(p[3]) / 255.0;
            for (so_far, own) in so_far.iter_mut().zip(p) {
                *so_far += (f32::from(*own) - *so_far) * a;
            }
        }
        let [r, g, b] = so_far.map(|value| value.round() as u8);
        out.pixels[at * 4..][..4].copy_from_slice(&[r, g, b, 255]);
    }
    out
}

/// Coverage of what lies within a signed distance, with an edge this soft.
pub(crate) fn inside(distance: f32, soft: f32) -> f32 {
    (0.5 - distance / soft).clamp(0.0, 1.0)
}

/// Distance to a box with round corners.
pub(crate) fn round_box(x: f32, y: f32, frame: [f32; 4], radius: f32) -> f32 {
    let [left, top, w, h] = frame;
    let dx = (x - left - w / 2.0).abs() - w / 2.0 + radius;
    let dy = (y - top - h / 2.0).abs() - h / 2.0 + radius;
    dx.max(0.0).hypot(dy.max(0.0)) + dx.max(dy).min(0.0) - radius
}

/// Smooth noise, about -1 to 1, of a grain in pixels.
pub(crate) fn noise(x: f32, y: f32, grain: f32, seed: u32) -> f32 {
    let (u, v) = (x / grain, y / grain);
    let (u0, v0) = (u.floor(), v.floor());
    let ease = |t: f32| t * t * (3.0 - 2.0 * t);
    let (s, t) = (ease(u - u0), ease(v - v0));
    let at = |i: f32, j: f32| random((u0 + i) as i32, (v0 + j) as i32, seed);
    let (top, bottom) = (
        at(0.0, 0.0) + (at(1.0, 0.0) - at(0.0, 0.0)) * s,
        at(0.0, 1.0) + (at(1.0, 1.0) - at(0.0, 1.0)) * s,
    );
    top + (bottom - top) * t
}

/// Noise of several grains, the coarsest strongest.
pub(crate) fn clouds(x: f32, y: f32, grain: f32, seed: u32) -> f32 {
    let of = |nth: u32| {
        noise(x, y, grain / 2.0_f32.powi(nth as i32), seed + nth) * 0.55_f32.powi(nth as i32)
    };
    (0..6).map(of).sum::<f32>() * 0.6
}

pub(crate) fn random(x: i32, y: i32, seed: u32) -> f32 {
    let mut z = (x as u32).wrapping_mul(0x9E37_79B1)
        ^ (y as u32).wrapping_mul(0x85EB_CA77)
        ^ seed.wrapping_mul(0xC2B2_AE3D);
    z = (z ^ (z >> 15)).wrapping_mul(0x2C1B_3C6D);
    z = (z ^ (z >> 12)).wrapping_mul(0x297A_2D39);
    (z ^ (z >> 15)) as f32 / u32::MAX as f32 * 2.0 - 1.0
}

/// Coverage of a line of text whose baseline begins at `at`, painted into `cover`.
pub(crate) fn text(
    cover: &mut [f32],
    w: usize,
    font: &[u8],
    size: f32,
    at: (f32, f32),
    words: &str,
) {
    let font = FontRef::try_from_slice(font).expect("a font");
    let scaled = font.as_scaled(PxScale::from(size));
    let mut x = at.0;
    for letter in words.chars() {
        let id = scaled.glyph_id(letter);
        let glyph = id.with_scale_and_position(size, ab_glyph::point(x, at.1));
        x += scaled.h_advance(id);
        let Some(outline) = font.outline_glyph(glyph) else {
            continue;
        };
        let corner = outline.px_bounds().min;
        outline.draw(|gx, gy, share| {
            let (px, py) = (
                corner.x as i64 + i64::from(gx),
                corner.y as i64 + i64::from(gy),
            );
            if px >= 0 && py >= 0 && (px as usize) < w && (py as usize) < cover.len() / w {
                let own = &mut cover[py as usize * w + px as usize];
                *own = own.max(share.clamp(0.0, 1.0));
            }
        });
    }
}

/// Coverage of a curved stroke from `from`, by its direction, bend, length and width; it thins out to its end.
pub(crate) fn stroke(
    cover: &mut [f32],
    w: usize,
    from: (f32, f32),
    (mut turn, bend): (f32, f32),
    length: f32,
    width: f32,
) {
    let h = cover.len() / w;
    let ((mut x, mut y), steps) = (from, (length * 2.0) as usize);
    for step in 0..steps {
        let half = width / 2.0 * (1.0 - step as f32 / steps as f32).sqrt();
        let reach = half.ceil() + 1.0;
        for py in (y - reach).max(0.0) as usize..((y + reach) as usize + 1).min(h) {
            for px in (x - reach).max(0.0) as usize..((x + reach) as usize + 1).min(w) {
                let far = (px as f32 + 0.5 - x).hypot(py as f32 + 0.5 - y);
                let share = (half + 0.5 - far).clamp(0.0, (2.0 * half).min(1.0));
                let own = &mut cover[py * w + px];
                *own = own.max(share);
            }
        }
        turn += bend / length / 2.0;
        x += turn.cos() * 0.5;
        y += turn.sin() * 0.5;
    }
}
