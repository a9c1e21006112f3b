//! Encoded pictures to pixels.
//!
//! Third-party decoders see only what [`super::container`] kept, within limits checked before, and
//! behind a net: a decoder that panics makes the picture corrupt, not lamina. JPEG is decoded
//! strictly, because a tolerant decoder paints the missing half of a cut file grey and calls it
//! done.

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;
use image::{DynamicImage, ImageDecoder as _, ImageReader};
use moxcms::ColorProfile;
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::colour;
use super::container::Container;
use super::error::ImageError;
use super::format::Format;
use super::header::checked;
use super::limits::Limits;
use super::rgba::RgbaImage;

/// Decodes a picture to sRGB pixels, upright.
///
/// For normalised bytes this is the plain decode; others are brought into the same form first.
///
/// # Errors
/// Everything of [`ImageError`] that a stranger's bytes can be refused for.
pub fn decode_rgba(bytes: &[u8], limits: &Limits) -> Result<RgbaImage, ImageError> {
    let bytes = Bytes::copy_from_slice(bytes);
    let container = checked(&bytes, limits)?;
    let profile = container.colour.profile(container.samples);
    upright(&container, &container.clean(&bytes), profile.as_ref())
}

/// Decodes, converts to sRGB, turns upright.
pub(super) fn upright(
    container: &Container,
    clean: &[u8],
    profile: Option<&ColorProfile>,
) -> Result<RgbaImage, ImageError> {
    let format = container.format;
    let work = || {
        let mut image = match format {
            Format::Jpeg => jpeg(container, clean, profile)?,
            Format::Png | Format::WebP | Format::Gif => raster(container, clean)?,
        };
        if let Some(profile) = profile {
            colour::to_srgb(&mut image, profile);
        }
        Ok(image.oriented(container.orientation))
    };
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(ImageError::corrupt(format, "the decoder gave up on it")))
}

/// PNG, WebP and GIF, through the `image` crate.
fn raster(container: &Container, clean: &[u8]) -> Result<RgbaImage, ImageError> {
    let format = container.format;
    let refused = |error: image::ImageError| refused(format, &error);
    let kind = match format {
        Format::Png => image::ImageFormat::Png,
        Format::WebP => image::ImageFormat::WebP,
        Format::Gif => image::ImageFormat::Gif,
        Format::Jpeg => image::ImageFormat::Jpeg,
    };
    let mut limits = image::Limits::no_limits();
    limits.max_image_width = Some(container.width);
    limits.max_image_height = Some(container.height);
    // 16-bit RGBA takes 8 bytes a pixel and a decoder may hold a second buffer; the rest is for
    // rows and tables.
    let pixels = u64::from(container.width) * u64::from(container.height);
    limits.max_alloc = Some(pixels * 16 + (16 << 20));
    let mut reader = ImageReader::with_format(Cursor::new(clean), kind);
    reader.limits(limits);
    let decoder = reader.into_decoder().map_err(refused)?;
    if decoder.dimensions() != (container.width, container.height) {
        return Err(ImageError::corrupt(
            format,
            "it declares two different sizes",
        ));
    }
    let image = DynamicImage::from_decoder(decoder).map_err(refused)?;
    let (width, height) = (image.width(), image.height());
    // The crate's own conversion goes through floating point.
    let rgba = match image {
        DynamicImage::ImageRgb8(rgb) => {
            widened::<3>(&rgb, |[red, green, blue]| [*red, *green, *blue])
        }
        DynamicImage::ImageLuma8(grey) => widened::<1>(&grey, |[grey]| [*grey; 3]),
        other => other.into_rgba8().into_raw(),
    };
    RgbaImage::new(width, height, rgba)
        .ok_or_else(|| ImageError::corrupt(format, "it has no pixels"))
}

fn refused(format: Format, error: &image::ImageError) -> ImageError {
    use image::ImageError as Cause;
    match error {
        Cause::Unsupported(_) => ImageError::VariantUnsupported {
            format,
            feature: "a feature of the format that is rarely used",
        },
        Cause::IoError(cause) if cause.kind() == std::io::ErrorKind::UnexpectedEof => {
            ImageError::Truncated { format }
        }
        Cause::Decoding(cause) => match std::error::Error::source(cause) {
            Some(source) => ImageError::corrupt(format, source),
            None => ImageError::corrupt(format, "its data cannot be decoded"),
        },
        other => ImageError::corrupt(format, other),
    }
}

fn jpeg(
    container: &Container,
    clean: &[u8],
    profile: Option<&ColorProfile>,
) -> Result<RgbaImage, ImageError> {
    let corrupt =
        |error: &dyn std::fmt::Debug| ImageError::corrupt(Format::Jpeg, format_args!("{error:?}"));
    let options = |out| {
        DecoderOptions::default()
            .set_strict_mode(true)
            .set_max_width(container.width as usize)
            .set_max_height(container.height as usize)
            .jpeg_set_out_colorspace(out)
    };
    // The decoder settles its colour conversion while it reads the headers, so what it will find
    // there has to be asked for first.
    let mut probe = JpegDecoder::new_with_options(ZCursor::new(clean), options(ColorSpace::RGB));
    probe.decode_headers().map_err(|error| corrupt(&error))?;
    let input = probe
        .input_colorspace()
        .ok_or_else(|| corrupt(&"unknown colours"))?;
    let out = match input {
        ColorSpace::YCbCr => ColorSpace::RGBA,
        other => other,
    };
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(clean), options(out));
    decoder.decode_headers().map_err(|error| corrupt(&error))?;
    let pixels = container.width as usize * container.height as usize;
    let expected = pixels * out.num_components();
    if decoder.output_buffer_size() != Some(expected) {
        return Err(corrupt(&"it declares two different sizes"));
    }
    let mut samples = vec![0; expected];
    decoder
        .decode_into(&mut samples)
        .map_err(|error| corrupt(&error))?;
    let rgba = match out {
        ColorSpace::RGBA => samples,
        ColorSpace::RGB => widened::<3>(&samples, |[red, green, blue]| [*red, *green, *blue]),
        ColorSpace::Luma => widened::<1>(&samples, |[grey]| [*grey; 3]),
        ColorSpace::CMYK | ColorSpace::YCCK => {
            inks(&mut samples, out == ColorSpace::YCCK);
            colour::inks_to_srgb(&mut samples, container.width, profile);
            samples
        }
        _ => return Err(corrupt(&"unknown colours")),
    };
    RgbaImage::new(container.width, container.height, rgba)
        .ok_or_else(|| corrupt(&"it has no pixels"))
}

fn widened<const N: usize>(samples: &[u8], rgb: impl Fn(&[u8; N]) -> [u8; 3]) -> Vec<u8> {
    let pixels = samples.as_chunks::<N>().0;
    let mut rgba = Vec::with_capacity(pixels.len() * 4);
    for pixel in pixels {
        let [red, green, blue] = rgb(pixel);
        rgba.extend_from_slice(&[red, green, blue, u8::MAX]);
    }
    rgba
}

/// Stored samples to ink amounts, in place.
///
/// Every program that writes four components stores them inverted, as Adobe does (Adobe TN 5116),
/// so every reader takes them so. In YCCK the first three are YCbCr of the inverted C, M and Y's
/// complement, that is of the ink amounts (ITU-T T.871, section 7, for the conversion).
fn inks(samples: &mut [u8], is_ycck: bool) {
    for pixel in samples.as_chunks_mut::<4>().0 {
        if is_ycck {
            let [y, cb, cr] = [pixel[0], pixel[1], pixel[2]].map(f32::from);
            let (cb, cr) = (cb - 128.0, cr - 128.0);
            // `as` saturates, which is the clamp that the conversion asks for.
            pixel[0] = (y + 1.402 * cr).round() as u8;
            pixel[1] = (y - 0.344_136 * cb - 0.714_136 * cr).round() as u8;
            pixel[2] = (y + 1.772 * cb).round() as u8;
        } else {
            for channel in &mut pixel[..3] {
                *channel = u8::MAX - *channel;
            }
        }
        pixel[3] = u8::MAX - pixel[3];
    }
}
