//! Any decoded samples to sRGB.
//!
//! Works a row at a time, so that converting costs no second picture. Alpha is never touched.
//! A conversion that the profile does not allow leaves the samples as sRGB.

use moxcms::{ColorProfile, DataColorSpace, Layout, TransformOptions};

use super::rgba::RgbaImage;

/// Converts RGB or grey samples in place from `profile` to sRGB.
pub(super) fn to_srgb(image: &mut RgbaImage, profile: &ColorProfile) {
    match profile.color_space {
        DataColorSpace::Gray => grey_to_srgb(image, profile),
        DataColorSpace::Rgb => rgb_to_srgb(image, profile),
        _ => {}
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
