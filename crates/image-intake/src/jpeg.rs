//! JPEG to pixels, by libjpeg-turbo.
//!
//! Of all decoders that were held against the conformance set it alone sees what browsers see in every legal file
//! (docs/images.md has the numbers). It is C, and tolerant: it paints the missing half of a cut file grey and calls it
//! done. So it is given nothing but what [`super::container`] rebuilt: known segments in their right lengths, and scans of
//! which every code was followed to the last block. What it cannot decode even so unwinds into the net of
//! [`super::decode`].

use mozjpeg::{ColorSpace, Decompress};

use super::colour;
use super::container::{Container, Samples};
use super::error::ImageError;
use super::media_type::MediaType;
use super::profile::Conversion;
use super::rgba::RgbaImage;

/// Decodes a cleaned file to sRGB pixels.
pub(super) fn decode(
    container: &Container,
    clean: &[u8],
    conversion: Option<&Conversion>,
) -> Result<RgbaImage, ImageError> {
    let corrupt = |reason: &dyn std::fmt::Display| ImageError::corrupt(MediaType::Jpeg, reason);
    let is_inks = container.samples == Samples::Cmyk;
    let out = if is_inks {
        ColorSpace::JCS_CMYK
    } else {
        ColorSpace::JCS_EXT_RGBA
    };
    let decoder = Decompress::new_mem(clean).map_err(|error| corrupt(&error))?;
    if decoder.size() != (container.width as usize, container.height as usize) {
        return Err(corrupt(&"it declares two different sizes"));
    }
    let mut started = decoder
        .to_colorspace(out)
        .map_err(|error| corrupt(&error))?;
    let mut samples: Vec<u8> = started.read_scanlines().map_err(|error| corrupt(&error))?;
    started.finish().map_err(|error| corrupt(&error))?;
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
        .ok_or_else(|| corrupt(&"it has no pixels"))?;
    if let Some(conversion) = conversion.filter(|_| !is_inks) {
        colour::to_srgb(&mut image, conversion);
    }
    Ok(image)
}
