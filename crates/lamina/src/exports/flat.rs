//! An arrangement as one picture without layers.

use std::io::{self, Write};

use image_intake::{RgbaImage, encode_png, encode_webp, scale_to_fit};
use layer_formats::{ExportError, Pictures, Stack, composite, encode_jpeg, write_png};

use crate::jobs::FlatFormat;

/// Draws the stack and writes it, at most `max_side` pixels wide and high. A PNG of its own size is written as it is drawn;
/// else the whole picture is held.
pub(super) fn write(
    stack: &Stack,
    pictures: &dyn Pictures,
    format: FlatFormat,
    max_side: Option<u32>,
    out: &mut dyn Write,
) -> Result<(), ExportError> {
    let max_side = max_side.filter(|side| *side < stack.width.max(stack.height));
    if format == FlatFormat::Png && max_side.is_none() {
        return write_png(stack, pictures, out);
    }
    let mut pixels = Vec::with_capacity(stack.width as usize * stack.height as usize * 4);
    composite(stack, pictures, &mut |rows| {
        pixels.extend_from_slice(rows);
        Ok(())
    })?;
    let whole = RgbaImage::new(stack.width, stack.height, pixels);
    let mut image = whole.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))?;
    if let Some(side) = max_side {
        image = scale_to_fit(&image, side);
    }
    let file = match format {
        FlatFormat::Png => encode_png(&image),
        FlatFormat::WebP => encode_webp(&image).ok_or(ExportError::TooLarge("WebP"))?,
        FlatFormat::Jpeg => encode_jpeg(image.width(), image.height(), image.pixels())?,
    };
    out.write_all(&file)?;
    Ok(())
}
