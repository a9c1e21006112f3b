//! A variant of a stored layer: cut to a part of its canvas, smaller, as WebP. Read row by row, so what is held follows the
//! variant that is made and not the canvas. For layers that [`inspect_layer`](super::inspect_layer) has taken before.

use std::io::{self, Cursor, Write as _};

use png::{BitDepth, ColorType, Compression, Encoder};

use super::bleed::bleed;
use super::encode::{IDAT_BYTES, encode_png, encode_webp};
use super::layer::BoundingBox;
use super::layer_rows::LayerRows;
use super::limits::Limits;
use super::media_type::MediaType;
use super::rgba::RgbaImage;
use super::shrink::Shrink;

const PIXEL: usize = 4;
/// Side of the longest WebP.
const WEBP_SIDE: u32 = 16_383;

/// What a layer becomes.
///
/// ```
/// use image_intake::{BoundingBox, LayerVariant, Limits, MediaType, RgbaImage, decode_rgba, encode_layer};
///
/// let layer = encode_layer(RgbaImage::new(2, 2, [[0; 12].as_slice(), &[9, 8, 7, 255]].concat()).expect("2 × 2 pixels"));
/// let part = BoundingBox { x: 1, y: 1, width: 1, height: 1 };
/// let variant = LayerVariant { part, size: (1, 1), format: MediaType::WebP };
/// let file = variant.of(&layer, &Limits::default())?;
/// assert_eq!(decode_rgba(&file, &Limits::default()).expect("a WebP").pixels(), [9, 8, 7, 255]);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LayerVariant {
    /// The part of the canvas that is shown; it has to be on it.
    pub part: BoundingBox,
    /// Width and height of the picture, not above those of the part.
    pub size: (u32, u32),
    /// PNG, or WebP without loss.
    pub format: MediaType,
}

impl LayerVariant {
    fn is_scaled(&self) -> bool {
        self.size != (self.part.width, self.part.height)
    }

    /// Pixels that are held at once, beside some rows.
    #[must_use]
    pub fn held_pixels(&self) -> u64 {
        let pixels = |(width, height): (u32, u32)| u64::from(width) * u64::from(height);
        let part = (self.part.width, self.part.height);
        match (self.is_scaled(), self.format) {
            // Twice while they are scaled, as alpha is multiplied in; then the picture, and what the encoder has.
            (true, _) => 2 * Shrink::held_pixels(part, self.size) + 3 * pixels(self.size),
            (false, MediaType::WebP) => 3 * pixels(part),
            (false, _) => 0,
        }
    }

    /// Whether its format has pictures of this size.
    #[must_use]
    pub fn fits_format(&self) -> bool {
        self.format != MediaType::WebP || self.size.0.max(self.size.1) <= WEBP_SIDE
    }

    /// The file of the variant, made of the layer's.
    ///
    /// # Errors
    /// What reading the layer comes to, and [`io::ErrorKind::InvalidInput`] where the part is not on the canvas or the format cannot have
    /// the picture.
    pub fn of(&self, layer: &[u8], limits: &Limits) -> io::Result<Vec<u8>> {
        if !matches!(self.format, MediaType::Png | MediaType::WebP) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let mut rows = LayerRows::open(|| Ok(Cursor::new(layer)), limits)?;
        let (width, height) = rows.size();
        let part = self.part;
        let ends = |from: u32, length: u32, all: u32| {
            length > 0 && from.checked_add(length).is_some_and(|end| end <= all)
        };
        if !ends(part.x, part.width, width) || !ends(part.y, part.height, height) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let mut row = vec![0; width as usize * PIXEL];
        for _ in 0..part.y {
            rows.read(&mut row)?;
        }
        let columns = part.x as usize * PIXEL..(part.x + part.width) as usize * PIXEL;
        let each = |take: &mut dyn FnMut(&[u8]) -> io::Result<()>| {
            (0..part.height).try_for_each(|_| {
                rows.read(&mut row)?;
                take(&row[columns.clone()])
            })
        };
        self.written(each)
    }

    fn written(
        &self,
        each_row: impl FnOnce(&mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<()>,
    ) -> io::Result<Vec<u8>> {
        let part = (self.part.width, self.part.height);
        if !self.is_scaled() && self.format != MediaType::WebP {
            return streamed_png(part, each_row);
        }
        let image = if self.is_scaled() {
            let mut shrink = Shrink::new(part, self.size);
            each_row(&mut |row| {
                shrink.row(0, row);
                Ok(())
            })?;
            let small = shrink.finish().ok_or(io::ErrorKind::InvalidData);
            let mut small = small?;
            bleed(&mut small);
            small
        } else {
            let mut pixels = Vec::with_capacity(part.0 as usize * part.1 as usize * PIXEL);
            each_row(&mut |row| {
                pixels.extend_from_slice(row);
                Ok(())
            })?;
            RgbaImage::new(part.0, part.1, pixels).ok_or(io::ErrorKind::InvalidData)?
        };
        match self.format {
            MediaType::WebP => Ok(encode_webp(&image).ok_or(io::ErrorKind::InvalidInput)?),
            _ => Ok(encode_png(&image)),
        }
    }
}

fn streamed_png(
    (width, height): (u32, u32),
    each_row: impl FnOnce(&mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<()>,
) -> io::Result<Vec<u8>> {
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, width, height);
    encoder.set_color(ColorType::Rgba);
    encoder.set_depth(BitDepth::Eight);
    encoder.set_compression(Compression::Fast);
    let mut writer = encoder.write_header()?;
    let mut stream = writer.stream_writer_with_size(IDAT_BYTES)?;
    each_row(&mut |row| stream.write_all(row))?;
    stream.finish()?;
    writer.finish()?;
    Ok(file)
}
