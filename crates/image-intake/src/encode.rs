//! Pixels to PNG.
//!
//! One format and one setting: `Fast`, which on layers costs a ninth of the default's time for
//! files about two thirds larger. Nothing but pixels is written: no text, no time, no profile.

use png::{BitDepth, ColorType, Compression, Encoder};

use super::bleed::bleed;
use super::error::ImageError;
use super::rgba::RgbaImage;

/// The picture as an 8-bit RGBA PNG without metadata; untagged, so sRGB.
///
/// # Panics
/// Never: writing to memory does not fail and an [`RgbaImage`] always fits its size.
#[must_use]
pub fn encode_png(image: &RgbaImage) -> Vec<u8> {
    encoded(image, ColorType::Rgba, image.pixels())
        .expect("memory takes every byte and the buffer has the declared size")
}

/// [`encode_png`] for a layer: the colour of what shows goes on under what does not, so that nothing dark shows at its edge
/// wherever it is scaled with its alpha apart. What shows, and so the sum of a stack, is the same.
#[must_use]
pub fn encode_layer(mut layer: RgbaImage) -> Vec<u8> {
    bleed(&mut layer);
    encode_png(&layer)
}

/// [`encode_png`], without the alpha channel where it says nothing.
pub(super) fn encode_compact(image: &RgbaImage) -> Result<Vec<u8>, ImageError> {
    let result = if image.is_opaque() {
        let rgb: Vec<u8> = image
            .pixels()
            .as_chunks::<4>()
            .0
            .iter()
            .flat_map(|[red, green, blue, _]| [*red, *green, *blue])
            .collect();
        encoded(image, ColorType::Rgb, &rgb)
    } else {
        encoded(image, ColorType::Rgba, image.pixels())
    };
    result.map_err(|_| ImageError::Internal)
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
