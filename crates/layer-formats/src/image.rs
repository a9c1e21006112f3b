//! Pictures inside the files: PNG of one layer, of the whole stack, and small ones.

use std::io::{self, Write};

use png::{BitDepth, ColorType, Compression, Encoder};

use super::composite::{composite, whole_layer};
use super::error::ExportError;
use super::pictures::Pictures;
use super::stack::{Layer, Stack};
use super::thumbnail::{Thumbnail, on_white};

/// Hardly visible, at a tenth of a PNG's bytes.
const JPEG_QUALITY: u8 = 90;
/// Bytes of a chunk of picture data.
const IDAT_BYTES: usize = 1 << 16;

/// The layer's bounds as PNG. There is at least one pixel.
pub(crate) fn layer_png(layer: &Layer, pictures: &dyn Pictures) -> io::Result<Vec<u8>> {
    let (width, height) = (layer.bounds.width, layer.bounds.height);
    let mut file = Vec::new();
    png(width, height, &mut file, |stream| {
        whole_layer(layer, pictures, &mut |rows| stream.write_all(rows))
    })?;
    Ok(file)
}

/// The whole stack as PNG of RGBA, 8 bits a sample, written as its rows are drawn.
///
/// # Errors
/// As [`composite`].
pub fn write_png(
    stack: &Stack,
    pictures: &dyn Pictures,
    out: &mut dyn Write,
) -> Result<(), ExportError> {
    stack.check()?;
    png(stack.width, stack.height, out, |stream| {
        composite(stack, pictures, &mut |rows| stream.write_all(rows))
    })
}

/// RGBA as JPEG, on white where it is clear.
///
/// # Errors
/// [`ExportError::TooLarge`] where a side is longer than the format has it (65,535 pixels).
pub fn encode_jpeg(width: u32, height: u32, pixels: &[u8]) -> Result<Vec<u8>, ExportError> {
    let side = |length: u32| u16::try_from(length).map_err(|_| ExportError::TooLarge("JPEG"));
    let (width, height) = (side(width)?, side(height)?);
    let mut rgb = Vec::with_capacity(pixels.len() / 4 * 3);
    for [red, green, blue, alpha] in pixels.as_chunks::<4>().0 {
        rgb.extend([red, green, blue].map(|value| on_white(*value, *alpha)));
    }
    let mut file = Vec::new();
    let encoder = jpeg_encoder::Encoder::new(&mut file, JPEG_QUALITY);
    let encoded = encoder.encode(&rgb, width, height, jpeg_encoder::ColorType::Rgb);
    encoded.map_err(io::Error::other)?;
    Ok(file)
}

/// The whole stack as PNG, and small, at most `side` pixels wide and high.
pub(crate) fn merged_png(
    stack: &Stack,
    pictures: &dyn Pictures,
    side: u32,
) -> Result<(Vec<u8>, Vec<u8>), ExportError> {
    let mut thumbnail = Thumbnail::new(stack.width, stack.height, side);
    let mut file = Vec::new();
    png(stack.width, stack.height, &mut file, |stream| {
        composite(stack, pictures, &mut |rows| {
            thumbnail.rows(rows);
            stream.write_all(rows)
        })
    })?;
    let (width, height) = thumbnail.size();
    let mut small = Vec::new();
    let pixels = thumbnail.pixels();
    png::<io::Error>(width, height, &mut small, |stream| {
        stream.write_all(&pixels)
    })?;
    Ok((file, small))
}

fn png<E: From<io::Error>>(
    width: u32,
    height: u32,
    out: &mut dyn Write,
    rows: impl FnOnce(&mut dyn Write) -> Result<(), E>,
) -> Result<(), E> {
    let mut encoder = Encoder::new(out, width, height);
    encoder.set_color(ColorType::Rgba);
    encoder.set_depth(BitDepth::Eight);
    encoder.set_compression(Compression::Fast);
    let mut writer = encoder.write_header().map_err(io::Error::from)?;
    let stream = writer.stream_writer_with_size(IDAT_BYTES);
    let mut stream = stream.map_err(io::Error::from)?;
    rows(&mut stream)?;
    stream.finish().map_err(io::Error::from)?;
    Ok(())
}
