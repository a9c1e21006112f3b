//! Ready-made layers: an opaque gradient at the bottom, discs above it, each on its own part of the
//! canvas. Encoded once per process, size, count and format, then shared by all emulators.
//!
//! Where the configuration wants heavier files, rows get grain in their lowest bits until the file is
//! as large as asked for. They do not show the source. Rows are copied rather than computed pixel by pixel: test builds
//! are not optimised. Invariant: same request, same bytes.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};

use bytes::Bytes;
use image::RgbaImage;

use super::encode::encode;
use crate::shared::lock;

/// Width, height, count, WebP instead of PNG, bytes of each file.
type Key = (u32, u32, u8, bool, Option<usize>);

/// Grain by bits of each colour: as little of it as brings a file to its size.
const GRAINS: [u8; 3] = [0b11, 0b1111, 0xff];

static MADE: LazyLock<Mutex<HashMap<Key, Arc<Vec<Bytes>>>>> = LazyLock::new(Mutex::default);

/// `count` files of this size, bottom first; of about so many bytes each where they are told.
pub(crate) fn files(
    size: (u32, u32),
    count: u8,
    webp: bool,
    bytes: Option<usize>,
) -> Arc<Vec<Bytes>> {
    let key = (size.0, size.1, count, webp, bytes);
    // Held while drawing: two requests for the same set should not draw it twice.
    let mut made = lock(&MADE);
    let files = made.entry(key).or_insert_with(|| {
        let draw_one = |index| {
            let image = draw(size, index, count);
            match bytes {
                None => encode(&image, webp),
                Some(bytes) => heavy(&image, index, webp, bytes),
            }
        };
        Arc::new((0..count).map(draw_one).collect())
    });
    Arc::clone(files)
}

/// The file of `image` with grain on as many rows as bring it to about `bytes`; less when grain on
/// all of them does not.
fn heavy(image: &RgbaImage, seed: u8, webp: bool, bytes: usize) -> Bytes {
    let plain = encode(image, webp);
    if plain.len() >= bytes {
        return plain;
    }
    let mut full = plain.clone();
    for mask in GRAINS {
        full = encode(&grained(image, seed, mask, image.height()), webp);
        if full.len() >= bytes {
            let (missing, most) = (bytes - plain.len(), full.len() - plain.len());
            let rows = u64::from(image.height()) * missing as u64 / most as u64;
            return encode(&grained(image, seed, mask, rows as u32), webp);
        }
    }
    full
}

/// The first `rows` rows with `mask` of each colour's bits at random; alpha stays.
fn grained(image: &RgbaImage, seed: u8, mask: u8, rows: u32) -> RgbaImage {
    let mut image = image.clone();
    let mut state = u64::from(seed) << 32 | 0x9e37_79b9;
    let pixels = (image.width() * rows) as usize;
    for pixel in image.chunks_exact_mut(4).take(pixels) {
        // xorshift64, Marsaglia 2003.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        for (part, noise) in pixel.iter_mut().zip(state.to_le_bytes()).take(3) {
            *part ^= noise & mask;
        }
    }
    image
}

/// One layer of a synthetic stack.
fn draw((width, height): (u32, u32), index: u8, count: u8) -> RgbaImage {
    let mut image = RgbaImage::new(width, height);
    let rows = image.chunks_exact_mut(width as usize * 4);
    if index == 0 {
        let mut row = Vec::new();
        for (y, out) in rows.enumerate() {
            // Bands of 16 rows: a gradient that costs one computed row in sixteen.
            if y % 16 == 0 {
                row = gradient(width, y as u32 * 160 / height);
            }
            out.copy_from_slice(&row);
        }
        return image;
    }
    let turn = f32::from(index) / f32::from(count.max(2)) * std::f32::consts::TAU;
    let (half_width, half_height) = (width as f32 / 2.0, height as f32 / 2.0);
    let center_x = half_width * (1.0 + 0.5 * turn.cos());
    let center_y = half_height * (1.0 + 0.5 * turn.sin());
    let radius = half_width.min(half_height) * 0.4;
    let tone = 40 + index.wrapping_mul(61) % 200;
    let solid = [tone, 255 - tone, 128, 255].repeat(width as usize);
    for (y, out) in rows.enumerate() {
        let square = radius * radius - (y as f32 - center_y).powi(2);
        if square <= 0.0 {
            continue;
        }
        let reach = square.sqrt();
        let left = (center_x - reach).max(0.0) as usize;
        let right = ((center_x + reach) as usize).min(width as usize - 1);
        out[left * 4..=right * 4 + 3].copy_from_slice(&solid[left * 4..=right * 4 + 3]);
        // A half-transparent rim: layers with alpha between 0 and 255 are what clients must expect.
        out[left * 4 + 3] = 128;
        out[right * 4 + 3] = 128;
    }
    image
}

fn gradient(width: u32, down: u32) -> Vec<u8> {
    let down = down.min(160) as u8;
    (0..width)
        .flat_map(|x| [70 + (x * 60 / width) as u8, 60 + down, 200 - down, 255])
        .collect()
}
