//! Layers that came from an engine: do they decode, and what is on them.
//!
//! Measures and does not change: an engine's own bytes are stored as they are. Only [`fit_layer`]
//! makes new ones, for a layer that is not of its stack's size.

pub(super) mod streamed;

use fast_image_resize::FilterType;
use image::metadata::Orientation;

use super::container::Container;
use super::decode::decode_rgba;
use super::encode::encode_layer;
use super::error::ImageError;
use super::glance::Glance;
use super::header::checked;
use super::limits::Limits;
use super::media_type::MediaType;
use super::rgba::RgbaImage;
use super::scale::resized;
use super::shrink::Shrink;
use super::thumb_hash::ThumbHash;

/// Pixels along the longer side of a layer's likeness, or up to twice as many; its hash is made of it, and stacks are judged by it.
pub(super) const LIKENESS_SIDE: u32 = 128;

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
    /// A small likeness; none of a layer of which no pixel was decoded.
    pub thumbhash: Option<ThumbHash>,
}

/// Decodes a layer completely and measures it.
///
/// # Errors
/// As [`decode_layer`].
pub fn inspect_layer(bytes: &[u8], limits: &Limits) -> Result<LayerMeasures, ImageError> {
    if let Some(measures) = streamed::measured(bytes, limits) {
        return Ok(measures);
    }
    decode_layer(bytes, limits).map(|(measures, _)| measures)
}

/// What a layer's file says of itself, of which no pixel is decoded: that it is whole, by the checksums that a PNG has, and its size. It may still
/// not decode. What shows on it is not known: its box is the whole canvas, its coverage 1, and it has no likeness.
///
/// # Errors
/// Those of [`header`](super::header), and [`ImageError::FormatUnsupported`] for a JPEG or GIF.
pub fn declared_layer(bytes: &[u8], limits: &Limits) -> Result<LayerMeasures, ImageError> {
    let container = checked(bytes, limits)?;
    let format = layer_format(&container)?;
    // It is shown turned, so it has another size than its file.
    if container.orientation != Orientation::NoTransforms {
        return inspect_layer(bytes, limits);
    }
    if !container.is_sound() {
        return Err(ImageError::corrupt(format, "its checksums are wrong"));
    }
    let (width, height) = (container.width, container.height);
    Ok(LayerMeasures {
        width,
        height,
        format,
        bbox: Some(BoundingBox {
            x: 0,
            y: 0,
            width,
            height,
        }),
        coverage: 1.0,
        opaque: false,
        thumbhash: None,
    })
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
    let format = layer_format(&Container::read(bytes)?)?;
    let image = decode_rgba(bytes, limits)?;
    Ok((measures(&image, format)?, image))
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
    Ok((measures(&image, MediaType::Png)?, encode_layer(image)))
}

fn layer_format(container: &Container) -> Result<MediaType, ImageError> {
    match container.format {
        format @ (MediaType::Png | MediaType::WebP) => Ok(format),
        MediaType::Jpeg => Err(not_a_layer("a JPEG image")),
        MediaType::Gif => Err(not_a_layer("a GIF image")),
    }
}

fn not_a_layer(found: &'static str) -> ImageError {
    ImageError::FormatUnsupported {
        found,
        advice: "convert it and send it again",
        accepted: "layers as PNG or WebP",
    }
}

fn measures(image: &RgbaImage, format: MediaType) -> Result<LayerMeasures, ImageError> {
    let row_bytes = image.width() as usize * 4;
    let mut seen = Seen::of(image.width(), image.height());
    for row in image.pixels().chunks_exact(row_bytes) {
        seen.row(0, row);
    }
    seen.measures(format).ok_or(ImageError::Internal)
}

/// What the rows of a layer have shown so far.
pub(super) struct Seen {
    size: (u32, u32),
    rows: u32,
    alpha: u64,
    opaque: u64,
    /// Of the pixels with any alpha: leftmost, behind the rightmost; first and last row.
    columns: Option<(u32, u32)>,
    lines: Option<(u32, u32)>,
    small: Shrink,
}

impl Seen {
    /// Of a canvas in pixels, of which no row came yet.
    pub(super) fn of(width: u32, height: u32) -> Self {
        Self {
            size: (width, height),
            rows: 0,
            alpha: 0,
            opaque: 0,
            columns: None,
            lines: None,
            small: Shrink::to_squares((width, height), LIKENESS_SIDE),
        }
    }

    /// So many rows in which nothing shows.
    pub(super) fn skip(&mut self, rows: u32) {
        self.small.skip(rows);
        self.rows += rows;
    }

    /// The next row of the canvas: RGBA from the column `left` on; beside it nothing shows.
    pub(super) fn row(&mut self, left: u32, pixels: &[u8]) {
        let glance = Glance::of(pixels.as_chunks::<4>().0);
        self.row_of(left, pixels, &glance);
    }

    /// [`Self::row`], of which is known what shows.
    pub(super) fn row_of(&mut self, left: u32, pixels: &[u8], glance: &Glance) {
        self.small.row_of(left as usize, pixels, glance);
        let line = self.rows;
        self.rows += 1;
        if glance.shown.is_empty() {
            return;
        }
        // No side is longer than a u32.
        let (first, end) = (
            left + glance.shown.start as u32,
            left + glance.shown.end as u32,
        );
        let (left, right) = self.columns.unwrap_or((first, end));
        self.columns = Some((left.min(first), right.max(end)));
        self.lines = Some((self.lines.map_or(line, |(top, _)| top), line));
        self.alpha += glance.alpha;
        self.opaque += glance.opaque as u64;
    }

    /// None unless all rows came.
    pub(super) fn measures(self, format: MediaType) -> Option<LayerMeasures> {
        Some(self.with_likeness(format)?.0)
    }

    /// [`Self::measures`], and the likeness.
    pub(super) fn with_likeness(self, format: MediaType) -> Option<(LayerMeasures, RgbaImage)> {
        let (width, height) = self.size;
        let small = self.small.finish_squares()?;
        let likeness = small.image.clone();
        let pixels = u64::from(width) * u64::from(height);
        let shown = self.columns.zip(self.lines);
        let measures = LayerMeasures {
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
            thumbhash: Some(ThumbHash::of_squares(small, self.size)?),
        };
        Some((measures, likeness))
    }
}
