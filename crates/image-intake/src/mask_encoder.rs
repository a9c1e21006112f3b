//! A grey mask to PNG as its rows come: what is held is its file and a few rows.

use std::io::Write;

use png::{BitDepth, ColorType, Compression, Encoder, StreamWriter};

use super::encode::IDAT_BYTES;
use super::error::ImageError;
use super::layer_encoder::Shared;

/// Writes one mask of 8 bits a pixel.
///
/// ```
/// use image_intake::{Limits, MaskEncoder, decode_rgba};
///
/// let mut encoder = MaskEncoder::new(2, 2)?;
/// encoder.rows(&[0, 255])?;
/// encoder.rows(&[7, 0])?;
/// let mask = decode_rgba(&encoder.finish()?, &Limits::default())?;
/// assert_eq!(mask.pixels()[8..12], [7, 7, 7, 255]);
/// # Ok::<(), image_intake::ImageError>(())
/// ```
pub struct MaskEncoder {
    stream: StreamWriter<'static, Shared>,
    file: Shared,
    missing: u64,
}

impl MaskEncoder {
    /// Begins a mask of `width` by `height` pixels.
    ///
    /// # Errors
    /// [`ImageError::Internal`] where a side is 0.
    pub fn new(width: u32, height: u32) -> Result<Self, ImageError> {
        let file = Shared::default();
        let mut encoder = Encoder::new(file.clone(), width, height);
        encoder.set_color(ColorType::Grayscale);
        encoder.set_depth(BitDepth::Eight);
        encoder.set_compression(Compression::Fast);
        let writer = encoder.write_header().map_err(internal)?;
        let stream = writer.into_stream_writer_with_size(IDAT_BYTES);
        Ok(Self {
            stream: stream.map_err(internal)?,
            file,
            missing: u64::from(width) * u64::from(height),
        })
    }

    /// The next pixels, row after row.
    ///
    /// # Errors
    /// [`ImageError::Internal`] where they are more than are missing.
    pub fn rows(&mut self, rows: &[u8]) -> Result<(), ImageError> {
        let missing = self.missing.checked_sub(rows.len() as u64);
        self.missing = missing.ok_or(ImageError::Internal)?;
        self.stream
            .write_all(rows)
            .map_err(|_| ImageError::Internal)
    }

    /// The file.
    ///
    /// # Errors
    /// [`ImageError::Internal`] where pixels are missing.
    pub fn finish(self) -> Result<Vec<u8>, ImageError> {
        if self.missing > 0 {
            return Err(ImageError::Internal);
        }
        self.stream.finish().map_err(internal)?;
        Ok(self.file.take())
    }
}

fn internal(_: png::EncodingError) -> ImageError {
    ImageError::Internal
}
