//! Pixels to file bytes, quickly rather than small: PNG with the fast setting, or lossless WebP.

use bytes::Bytes;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::codecs::webp::WebPEncoder;
use image::{ExtendedColorType, ImageEncoder, RgbaImage};

/// The bytes of an RGBA file.
pub(crate) fn encode(image: &RgbaImage, webp: bool) -> Bytes {
    let mut file = Vec::new();
    let (width, height) = image.dimensions();
    let color = ExtendedColorType::Rgba8;
    let written = if webp {
        WebPEncoder::new_lossless(&mut file).write_image(image, width, height, color)
    } else {
        PngEncoder::new_with_quality(&mut file, CompressionType::Fast, FilterType::Adaptive)
            .write_image(image, width, height, color)
    };
    written.expect("encoding into memory fails only for a buffer of the wrong length");
    Bytes::from(file)
}
