//! Layers that came from an engine: do they decode, and what is on them.
//!
//! Measures and does not change: an engine's own bytes are stored as they are. Only [`fit_layer`]
//! makes new ones, for a layer that is not of its stack's size.

mod alpha;

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
    if let Some(measures) = alpha::measured(bytes, limits) {
        return Ok(measures);
    }
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
    let mut seen = Seen::default();
    for row in image.pixels().chunks_exact(row_bytes) {
        seen.row(row.as_chunks::<4>().0.iter().map(|pixel| pixel[3]));
    }
    seen.measures(image.width(), image.height(), format)
}

/// What the rows seen so far have shown of their alpha.
#[derive(Debug, Default)]
pub(super) struct Seen {
    rows: u32,
    alpha: u64,
    opaque: u64,
    /// Of the pixels with any alpha: leftmost, behind the rightmost; first and last row.
    columns: Option<(u32, u32)>,
    lines: Option<(u32, u32)>,
}

impl Seen {
    /// The alpha of the next row, from left to right.
    pub(super) fn row(
        &mut self,
        alpha: impl DoubleEndedIterator<Item = u8> + ExactSizeIterator + Clone,
    ) {
        let line = self.rows;
        self.rows += 1;
        let mut visible = |value: u8| value > 0;
        let Some(first) = alpha.clone().position(&mut visible) else {
            return;
        };
        let end = alpha
            .clone()
            .rposition(&mut visible)
            .map_or(0, |last| last + 1);
        // No side is longer than a u32.
        let (first, end) = (first as u32, end as u32);
        let (left, right) = self.columns.unwrap_or((first, end));
        self.columns = Some((left.min(first), right.max(end)));
        self.lines = Some((self.lines.map_or(line, |(top, _)| top), line));
        let (mut sum, mut opaque) = (0_u64, 0_u64);
        for value in alpha {
            sum += u64::from(value);
            opaque += u64::from(value == u8::MAX);
        }
        self.alpha += sum;
        self.opaque += opaque;
    }

    pub(super) fn measures(&self, width: u32, height: u32, format: MediaType) -> LayerMeasures {
        let pixels = u64::from(width) * u64::from(height);
        let shown = self.columns.zip(self.lines);
        LayerMeasures {
            width,
            height,
            format,
            bbox: shown.map(|((left, right), (top, bottom))| BoundingBox {
                x: left,
                y: top,
                width: right - left,
                height: bottom - top + 1,
            }),
            coverage: (self.alpha as f64 / (pixels * u64::from(u8::MAX)) as f64) as f32,
            opaque: self.opaque == pixels,
        }
    }
}
