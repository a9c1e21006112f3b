//! JPEG to pixels, by libjpeg-turbo.
//!
//! Of all decoders that were held against the conformance set it alone sees what browsers see in every legal file
//! (NOTES.md has the numbers). It is C, and tolerant: it paints the missing half of a cut file grey and calls it
//! done. So it is given nothing but what [`super::container`] rebuilt: known segments in their right lengths, and scans of
//! which every code was followed to the last block. What it cannot decode even so unwinds into the net of
//! [`super::decode`].

use mozjpeg::decompress::DecompressStarted;
use mozjpeg::{ColorSpace, Decompress};

use super::colour;
use super::container::{Container, Samples};
use super::error::ImageError;
use super::media_type::MediaType;
use super::profile::Conversion;
use super::rgba::RgbaImage;

/// Rows that are decoded at once where nobody looks at them: the rows of blocks of the highest sampling.
const ROWS: usize = 32;

/// Decodes a cleaned file to sRGB pixels.
pub(super) fn decode(
    container: &Container,
    clean: &[u8],
    conversion: Option<&Conversion>,
) -> Result<RgbaImage, ImageError> {
    let is_inks = container.samples == Samples::Cmyk;
    let mut started = begun(container, clean)?;
    let mut samples: Vec<u8> = started.read_scanlines().map_err(corrupt)?;
    started.finish().map_err(corrupt)?;
    if is_inks {
        // Every program that writes four components stores them inverted, as Adobe does (Adobe TN 5116), so every
        // reader takes them so.
        for sample in &mut samples {
            *sample = u8::MAX - *sample;
        }
        let profile = match conversion {
            Some(Conversion::Profile(profile)) => Some(&**profile),
            Some(Conversion::HighRange(_)) | None => None,
        };
        colour::inks_to_srgb(&mut samples, container.width, profile);
    }
    let mut image = RgbaImage::new(container.width, container.height, samples)
        .ok_or_else(|| corrupt("it has no pixels"))?;
    if let Some(conversion) = conversion.filter(|_| !is_inks) {
        colour::to_srgb(&mut image, conversion);
    }
    Ok(image)
}

/// Decodes a cleaned file as [`decode`] does, and keeps none of its rows.
pub(super) fn whole(container: &Container, clean: &[u8]) -> Result<(), ImageError> {
    let mut started = begun(container, clean)?;
    let (width, height) = (container.width as usize, container.height as usize);
    let mut rows = vec![0_u8; ROWS * width * 4];
    for first in (0..height).step_by(ROWS) {
        let count = ROWS.min(height - first);
        let read = started.read_scanlines_into(&mut rows[..count * width * 4]);
        read.map_err(corrupt)?;
    }
    started.finish().map_err(corrupt)
}

fn begun<'a>(
    container: &Container,
    clean: &'a [u8],
) -> Result<DecompressStarted<&'a [u8]>, ImageError> {
    let out = if container.samples == Samples::Cmyk {
        ColorSpace::JCS_CMYK
    } else {
        ColorSpace::JCS_EXT_RGBA
    };
    let decoder = Decompress::new_mem(clean).map_err(corrupt)?;
    if decoder.size() != (container.width as usize, container.height as usize) {
        return Err(corrupt("it declares two different sizes"));
    }
    decoder.to_colorspace(out).map_err(corrupt)
}

fn corrupt(reason: impl std::fmt::Display) -> ImageError {
    ImageError::corrupt(MediaType::Jpeg, reason)
}
