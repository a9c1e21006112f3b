//! The source: a PNG of 640 x 640 and about 30 kB, the same in every run.

use std::io::Cursor;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use image::{ImageFormat, Rgb, RgbImage};
use serde_json::{Value, json};

const SIDE: u32 = 640;
const BYTES: usize = 30_000;

/// The file. Flat blocks, and as many rows of noise as bring it to its size.
pub(crate) fn png() -> anyhow::Result<Vec<u8>> {
    for noisy_rows in (0..SIDE).step_by(2) {
        let mut random = fastrand::Rng::with_seed(640);
        let blocks: Vec<[u8; 3]> = (0..400)
            .map(|_| random.u32(..).to_le_bytes())
            .map(|[r, g, b, _]| [r, g, b])
            .collect();
        let picture = RgbImage::from_fn(SIDE, SIDE, |x, y| {
            let noise = if y < noisy_rows { random.u8(..) } else { 0 };
            let block = blocks[(y / 32 * 20 + x / 32) as usize];
            Rgb(block.map(|part| part ^ noise))
        });
        let mut file = Cursor::new(Vec::new());
        picture.write_to(&mut file, ImageFormat::Png)?;
        if file.get_ref().len() >= BYTES {
            return Ok(file.into_inner());
        }
    }
    anyhow::bail!("noise alone does not make {BYTES} bytes")
}

/// A file of about so many bytes: noise, which no compression makes smaller.
pub(crate) fn noise(bytes: usize) -> anyhow::Result<Vec<u8>> {
    let side = (bytes as f64 / 3.0).sqrt() as u32;
    let mut random = fastrand::Rng::with_seed(10);
    let picture = RgbImage::from_fn(side, side, |_, _| Rgb([0; 3].map(|_: u8| random.u8(..))));
    let mut file = Cursor::new(Vec::new());
    picture.write_to(&mut file, ImageFormat::Png)?;
    Ok(file.into_inner())
}

/// The body of a create with it, for four layers.
pub(crate) fn create_body(png: &[u8]) -> Value {
    json!({ "image_base64": STANDARD.encode(png), "num_layers": 4 })
}
