//! Pixels to PNG, and to lossless WebP.
//!
//! One format and one setting: `Fast`, which on layers costs a ninth of the default's time for
//! files about two thirds larger. Nothing but pixels is written: no text, no time, no profile.

use std::io::Write as _;

use image::metadata::Orientation;
use png::{BitDepth, ColorType, Compression, Encoder};

use super::bleed::bleed;
use super::error::ImageError;
use super::rgba::RgbaImage;
use super::turned::Turned;

/// Rows that are turned and written at once.
const ROWS: usize = 32;
/// Bytes of one chunk of compressed rows.
pub(super) const IDAT_BYTES: usize = 256 << 10;

/// The picture as an 8-bit RGBA PNG without metadata; untagged, so sRGB.
///
/// # Panics
/// Never: writing to memory does not fail and an [`RgbaImage`] always fits its size.
#[must_use]
pub fn encode_png(image: &RgbaImage) -> Vec<u8> {
    encoded(image, ColorType::Rgba, image.pixels())
        .expect("memory takes every byte and the buffer has the declared size")
}

/// The picture as a lossless WebP with its alpha; none where a side is longer than the format has it (16,383 pixels).
#[must_use]
pub fn encode_webp(image: &RgbaImage) -> Option<Vec<u8>> {
    let mut file = Vec::new();
    let encoder = image::codecs::webp::WebPEncoder::new_lossless(&mut file);
    let kind = image::ExtendedColorType::Rgba8;
    let encoded = encoder.encode(image.pixels(), image.width(), image.height(), kind);
    encoded.ok().map(|()| file)
}

/// [`encode_png`] for a layer: the colour of what shows goes on under what does not, so that nothing dark shows at its edge
/// wherever it is scaled with its alpha apart. What shows, and so the sum of a stack, is the same.
#[must_use]
pub fn encode_layer(mut layer: RgbaImage) -> Vec<u8> {
    bleed(&mut layer);
    encode_png(&layer)
}

/// The picture turned as an orientation asks, without the alpha channel where it says nothing. Rows are turned and written
/// a few at a time: a second picture in memory would be the largest cost of all.
pub(super) fn encode_compact(
    image: &RgbaImage,
    orientation: Orientation,
) -> Result<Vec<u8>, ImageError> {
    compact(image, orientation).map_err(|_| ImageError::Internal)
}

fn compact(image: &RgbaImage, orientation: Orientation) -> Result<Vec<u8>, png::EncodingError> {
    let turned = Turned::new(image, orientation);
    let ((width, height), opaque) = (turned.size(), image.is_opaque());
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, width, height);
    encoder.set_color(if opaque {
        ColorType::Rgb
    } else {
        ColorType::Rgba
    });
    encoder.set_depth(BitDepth::Eight);
    encoder.set_compression(Compression::Fast);
    let mut writer = encoder.write_header()?;
    let mut stream = writer.stream_writer_with_size(IDAT_BYTES)?;
    let mut rows = Vec::new();
    for first in (0..height as usize).step_by(ROWS) {
        turned.read(first, ROWS.min(height as usize - first), &mut rows);
        if opaque {
            without_alpha(&mut rows);
        }
        stream.write_all(&rows)?;
    }
    stream.finish()?;
    writer.finish()?;
    Ok(file)
}

/// R, G, B, A to R, G, B, in place.
fn without_alpha(rows: &mut Vec<u8>) {
    let pixels = rows.len() / 4;
    for pixel in 0..pixels {
        rows.copy_within(pixel * 4..pixel * 4 + 3, pixel * 3);
    }
    rows.truncate(pixels * 3);
}

fn encoded(
    image: &RgbaImage,
    colour: ColorType,
    samples: &[u8],
) -> Result<Vec<u8>, png::EncodingError> {
    let mut file = Vec::with_capacity(samples.len() / 4 + 1024);
    let mut encoder = Encoder::new(&mut file, image.width(), image.height());
    encoder.set_color(colour);
    encoder.set_depth(BitDepth::Eight);
    encoder.set_compression(Compression::Fast);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(samples)?;
    writer.finish()?;
    Ok(file)
}
