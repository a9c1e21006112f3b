//! Any decoded samples to sRGB.
//!
//! Works a row at a time, so that converting costs no second picture. Alpha is never touched.
//! A conversion that the profile does not allow leaves the samples as sRGB.

use moxcms::{ColorProfile, DataColorSpace, Layout, TransformOptions};

use super::light::{Shaper, is_by_curves};
use super::profile::Conversion;
use super::rgba::RgbaImage;

/// Converts RGB or grey samples of 8 bits in place.
pub(super) fn to_srgb(image: &mut RgbaImage, conversion: &Conversion) {
    match conversion {
        Conversion::HighRange(range) => {
            let mapping = range.mapping(u16::from(u8::MAX));
            for [red, green, blue, _] in image.pixels_mut().as_chunks_mut::<4>().0 {
                let samples = [*red, *green, *blue].map(u16::from);
                [*red, *green, *blue] = mapping.map(samples);
            }
        }
        Conversion::Profile(profile) if is_by_curves(profile) && shaped(image, profile) => {}
        Conversion::Profile(profile) => match profile.color_space {
            DataColorSpace::Gray => grey_to_srgb(image, profile),
            DataColorSpace::Rgb => rgb_to_srgb(image, profile),
            _ => {}
        },
    }
}

/// Converts by curves and a matrix; whether the profile is one of these.
fn shaped(image: &mut RgbaImage, profile: &ColorProfile) -> bool {
    let Some(shaper) = Shaper::new(profile, u16::from(u8::MAX)) else {
        return false;
    };
    for [red, green, blue, _] in image.pixels_mut().as_chunks_mut::<4>().0 {
        let samples = [*red, *green, *blue].map(u16::from);
        [*red, *green, *blue] = shaper.map(samples);
    }
    true
}

/// Converts RGBA samples of 16 bits, and rounds to 8 bits only then: rounding linear light or HDR first would leave a
/// handful of steps in the shadows.
pub(super) fn deep_to_srgb(
    samples: &[u16],
    width: u32,
    conversion: Option<&Conversion>,
) -> Vec<u8> {
    let mut pixels = Vec::with_capacity(samples.len());
    match conversion {
        Some(Conversion::HighRange(range)) => {
            let mapping = range.mapping(u16::MAX);
            for [red, green, blue, alpha] in samples.as_chunks::<4>().0 {
                pixels.extend_from_slice(&mapping.map([*red, *green, *blue]));
                pixels.push(rounded(*alpha));
            }
        }
        Some(Conversion::Profile(profile)) => match Shaper::new(profile, u16::MAX) {
            Some(shaper) => {
                for [red, green, blue, alpha] in samples.as_chunks::<4>().0 {
                    pixels.extend_from_slice(&shaper.map([*red, *green, *blue]));
                    pixels.push(rounded(*alpha));
                }
            }
            None => deep_by_engine(samples, width, profile, &mut pixels),
        },
        None => pixels.extend(samples.iter().map(|sample| rounded(*sample))),
    }
    pixels
}

fn rounded(sample: u16) -> u8 {
    ((u32::from(sample) + 128) / 257) as u8
}

/// Converts by the colour engine, which alone knows profiles of tables.
fn deep_by_engine(samples: &[u16], width: u32, profile: &ColorProfile, pixels: &mut Vec<u8>) {
    let is_grey = profile.color_space == DataColorSpace::Gray;
    let layout = if is_grey {
        Layout::GrayAlpha
    } else {
        Layout::Rgba
    };
    let transform = profile.create_transform_16bit(
        layout,
        &ColorProfile::new_srgb(),
        Layout::Rgba,
        TransformOptions::default(),
    );
    let row_samples = width as usize * 4;
    let mut converted = vec![0; row_samples];
    for row in samples.chunks_exact(row_samples) {
        let done = transform.as_ref().is_ok_and(|transform| {
            if is_grey {
                let grey = row.as_chunks::<4>().0.iter();
                let grey: Vec<u16> = grey
                    .flat_map(|[grey, _, _, alpha]| [*grey, *alpha])
                    .collect();
                transform.transform(&grey, &mut converted).is_ok()
            } else {
                transform.transform(row, &mut converted).is_ok()
            }
        });
        let row = if done { &converted } else { row };
        pixels.extend(row.iter().map(|sample| rounded(*sample)));
    }
}

fn rgb_to_srgb(image: &mut RgbaImage, profile: &ColorProfile) {
    let Ok(transform) = profile.create_transform_8bit(
        Layout::Rgba,
        &ColorProfile::new_srgb(),
        Layout::Rgba,
        TransformOptions::default(),
    ) else {
        return;
    };
    let row_bytes = image.width() as usize * 4;
    let mut converted = vec![0; row_bytes];
    for row in image.pixels_mut().chunks_exact_mut(row_bytes) {
        if transform.transform(row, &mut converted).is_ok() {
            row.copy_from_slice(&converted);
        }
    }
}

/// Grey has 256 values, so a table of them is the whole conversion.
fn grey_to_srgb(image: &mut RgbaImage, profile: &ColorProfile) {
    let Ok(transform) = profile.create_transform_8bit(
        Layout::Gray,
        &ColorProfile::new_srgb(),
        Layout::Rgb,
        TransformOptions::default(),
    ) else {
        return;
    };
    let greys: Vec<u8> = (0..=u8::MAX).collect();
    let mut table = vec![0; greys.len() * 3];
    if transform.transform(&greys, &mut table).is_err() {
        return;
    }
    for pixel in image.pixels_mut().as_chunks_mut::<4>().0 {
        let at = usize::from(pixel[0]) * 3;
        pixel[..3].copy_from_slice(&table[at..at + 3]);
    }
}

/// Ink amounts (255 is full ink) in C, M, Y, K order to opaque sRGB, in place.
///
/// Without a usable profile this is the plain product of what each ink leaves of the light.
pub(super) fn inks_to_srgb(pixels: &mut [u8], width: u32, profile: Option<&ColorProfile>) {
    let transform = profile
        .filter(|profile| profile.color_space == DataColorSpace::Cmyk)
        .and_then(|profile| {
            // CMYK has four channels and so shares the layout of RGBA.
            profile
                .create_transform_8bit(
                    Layout::Rgba,
                    &ColorProfile::new_srgb(),
                    Layout::Rgba,
                    TransformOptions::default(),
                )
                .ok()
        });
    let row_bytes = width as usize * 4;
    let mut converted = vec![0; row_bytes];
    for row in pixels.chunks_exact_mut(row_bytes) {
        let done = transform
            .as_ref()
            .is_some_and(|transform| transform.transform(row, &mut converted).is_ok());
        if done {
            row.copy_from_slice(&converted);
            for pixel in row.as_chunks_mut::<4>().0 {
                pixel[3] = u8::MAX;
            }
        } else {
            row.as_chunks_mut::<4>().0.iter_mut().for_each(plain_inks);
        }
    }
}

fn plain_inks(pixel: &mut [u8; 4]) {
    let light = u32::from(u8::MAX - pixel[3]);
    for channel in &mut pixel[..3] {
        *channel = ((u32::from(u8::MAX - *channel) * light + 127) / 255) as u8;
    }
    pixel[3] = u8::MAX;
}
