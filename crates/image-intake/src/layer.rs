//! Layers that came from an engine: do they decode, and what is on them.
//!
//! Measures and does not change: an engine's own bytes are stored as they are. Only [`fit_layer`]
//! makes new ones, for a layer that is not of its stack's size.

use fast_image_resize::FilterType;

use super::container::Container;
use super::decode::decode_rgba;
use super::encode::encode_layer;
use super::error::ImageError;
use super::limits::Limits;
use super::media_type::MediaType;
use super::rgba::RgbaImage;
use super::scale::resized;

/// The smallest rectangle that holds every pixel with alpha above 0, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BoundingBox {
    /// Left edge.
    pub x: u32,
    /// Upper edge.
    pub y: u32,
    /// Width, at least 1.
    pub width: u32,
    /// Height, at least 1.
    pub height: u32,
}

/// What is on a layer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LayerMeasures {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// PNG or WebP.
    pub format: MediaType,
    /// Where the layer shows anything; `None` for an empty layer.
    pub bbox: Option<BoundingBox>,
    /// Mean alpha over the whole layer, from 0 to 1.
    pub coverage: f32,
    /// Whether every pixel is fully opaque.
    pub opaque: bool,
}

/// Decodes a layer completely and measures it.
///
/// # Errors
/// As [`decode_layer`].
pub fn inspect_layer(bytes: &[u8], limits: &Limits) -> Result<LayerMeasures, ImageError> {
    decode_layer(bytes, limits).map(|(measures, _)| measures)
}

/// [`inspect_layer`] for whoever needs the pixels too.
///
/// # Errors
/// Those of [`decode_rgba`], and [`ImageError::FormatUnsupported`] for a JPEG or GIF, which cannot
/// hold a layer's alpha.
pub fn decode_layer(
    bytes: &[u8],
    limits: &Limits,
) -> Result<(LayerMeasures, RgbaImage), ImageError> {
    limits.check_bytes(bytes.len() as u64)?;
    let format = match Container::read(bytes)?.format {
        format @ (MediaType::Png | MediaType::WebP) => format,
        MediaType::Jpeg => return Err(not_a_layer("a JPEG image")),
        MediaType::Gif => return Err(not_a_layer("a GIF image")),
    };
    let image = decode_rgba(bytes, limits)?;
    Ok((measures(&image, format), image))
}

/// Scales a layer to a size in pixels: the new layer's measures, and its PNG.
///
/// # Errors
/// As [`decode_layer`].
pub fn fit_layer(
    bytes: &[u8],
    limits: &Limits,
    (width, height): (u32, u32),
) -> Result<(LayerMeasures, Vec<u8>), ImageError> {
    let (_, image) = decode_layer(bytes, limits)?;
    let image = resized(&image, width, height, FilterType::Lanczos3).into_owned();
    Ok((measures(&image, MediaType::Png), encode_layer(image)))
}

fn not_a_layer(found: &'static str) -> ImageError {
    ImageError::FormatUnsupported {
        found,
        advice: "convert it and send it again",
        accepted: "layers as PNG or WebP",
    }
}

fn measures(image: &RgbaImage, format: MediaType) -> LayerMeasures {
    let row_bytes = image.width() as usize * 4;
    let (mut alpha, mut opaque) = (0_u64, 0_u64);
    let (mut left, mut right) = (u32::MAX, 0);
    let (mut top, mut bottom) = (None, 0);
    for (y, row) in (0_u32..).zip(image.pixels().chunks_exact(row_bytes)) {
        for (x, pixel) in (0_u32..).zip(row.as_chunks::<4>().0) {
            if pixel[3] > 0 {
                alpha += u64::from(pixel[3]);
                opaque += u64::from(pixel[3] == u8::MAX);
                left = left.min(x);
                right = right.max(x);
                top = top.or(Some(y));
                bottom = y;
            }
        }
    }
    let pixels = u64::from(image.width()) * u64::from(image.height());
    LayerMeasures {
        width: image.width(),
        height: image.height(),
        format,
        bbox: top.map(|top| BoundingBox {
            x: left,
            y: top,
            width: right - left + 1,
            height: bottom - top + 1,
        }),
        coverage: (alpha as f64 / (pixels * u64::from(u8::MAX)) as f64) as f32,
        opaque: opaque == pixels,
    }
}
