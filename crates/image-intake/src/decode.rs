//! Encoded pictures to pixels.
//!
//! Third-party decoders see only what [`super::container`] kept, within limits checked before, and
//! behind a net: a decoder that panics makes the picture corrupt and harms nothing else. JPEG has a file of its
//! own ([`super::jpeg`]).

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::colour;
use super::container::Container;
use super::error::ImageError;
use super::header::checked;
use super::jpeg;
use super::limits::Limits;
use super::media_type::MediaType;
use super::profile::Conversion;
use super::rgba::RgbaImage;
use bytes::Bytes;
use image::{DynamicImage, ImageDecoder as _, ImageReader};

/// Decodes a picture to sRGB pixels, upright.
///
/// For normalised bytes this is the plain decode; others are brought into the same form first.
///
/// # Errors
/// Everything of [`ImageError`] that a stranger's bytes can be refused for.
pub fn decode_rgba(bytes: &[u8], limits: &Limits) -> Result<RgbaImage, ImageError> {
    let bytes = Bytes::copy_from_slice(bytes);
    let container = checked(&bytes, limits)?;
    let conversion = container.colour.conversion(container.samples);
    let clean = container.clean(&bytes)?;
    let image = as_stored(&container, &clean.bytes, conversion.as_ref())?;
    Ok(image.oriented(container.orientation))
}

/// Decodes and converts to sRGB; the picture lies as it is stored.
pub(super) fn as_stored(
    container: &Container,
    clean: &[u8],
    conversion: Option<&Conversion>,
) -> Result<RgbaImage, ImageError> {
    let format = container.format;
    behind_a_net(format, || match format {
        MediaType::Jpeg => jpeg::decode(container, clean, conversion),
        MediaType::Png | MediaType::WebP | MediaType::Gif => raster(container, clean, conversion),
    })
}

/// Decodes as [`as_stored`] does and refuses what it refuses, but makes no RGBA of the samples.
pub(super) fn whole(container: &Container, clean: &[u8]) -> Result<(), ImageError> {
    let format = container.format;
    behind_a_net(format, || match format {
        MediaType::Jpeg => jpeg::whole(container, clean),
        MediaType::Png | MediaType::WebP | MediaType::Gif => samples(container, clean).map(drop),
    })
}

/// A decoder that panics makes the picture corrupt.
fn behind_a_net<T>(
    format: MediaType,
    work: impl FnOnce() -> Result<T, ImageError>,
) -> Result<T, ImageError> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(ImageError::corrupt(format, "the decoder gave up on it")))
}

/// PNG, WebP and GIF, through the `image` crate.
fn raster(
    container: &Container,
    clean: &[u8],
    conversion: Option<&Conversion>,
) -> Result<RgbaImage, ImageError> {
    let image = samples(container, clean)?;
    let (width, height) = (image.width(), image.height());
    let no_pixels = || no_pixels(container.format);
    // The crate's own conversion goes through floating point.
    let rgba = match image {
        DynamicImage::ImageRgb8(rgb) => {
            widened::<3>(&rgb, |[red, green, blue]| [*red, *green, *blue])
        }
        DynamicImage::ImageLuma8(grey) => widened::<1>(&grey, |[grey]| [*grey; 3]),
        DynamicImage::ImageLuma16(_)
        | DynamicImage::ImageLumaA16(_)
        | DynamicImage::ImageRgb16(_)
        | DynamicImage::ImageRgba16(_) => {
            let deep = image.into_rgba16();
            let rgba = colour::deep_to_srgb(&deep, width, conversion);
            return RgbaImage::new(width, height, rgba).ok_or_else(no_pixels);
        }
        other => other.into_rgba8().into_raw(),
    };
    let mut image = RgbaImage::new(width, height, rgba).ok_or_else(no_pixels)?;
    if let Some(conversion) = conversion {
        colour::to_srgb(&mut image, conversion);
    }
    Ok(image)
}

/// The samples as the file has them; there is at least one pixel.
fn samples(container: &Container, clean: &[u8]) -> Result<DynamicImage, ImageError> {
    let format = container.format;
    let refused = |error: image::ImageError| refused(format, &error);
    let kind = match format {
        MediaType::Png => image::ImageFormat::Png,
        MediaType::WebP => image::ImageFormat::WebP,
        MediaType::Gif => image::ImageFormat::Gif,
        MediaType::Jpeg => image::ImageFormat::Jpeg,
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
    if image.width() == 0 || image.height() == 0 {
        return Err(no_pixels(format));
    }
    Ok(image)
}

fn no_pixels(format: MediaType) -> ImageError {
    ImageError::corrupt(format, "it has no pixels")
}

fn refused(format: MediaType, error: &image::ImageError) -> ImageError {
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

fn widened<const N: usize>(samples: &[u8], rgb: impl Fn(&[u8; N]) -> [u8; 3]) -> Vec<u8> {
    let pixels = samples.as_chunks::<N>().0;
    // Written in place: to append pixel by pixel takes several times as long.
    let mut rgba = vec![u8::MAX; pixels.len() * 4];
    for (wide, pixel) in rgba.as_chunks_mut::<4>().0.iter_mut().zip(pixels) {
        let [red, green, blue] = rgb(pixel);
        *wide = [red, green, blue, u8::MAX];
    }
    rgba
}
