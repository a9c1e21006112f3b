//! Pictures to send and to compare.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use image::{Rgba, RgbaImage};

/// A light ground with a dark disc, opaque.
pub(crate) fn picture(width: u32, height: u32) -> RgbaImage {
    let (cx, cy, radius) = (width as f32 / 2.0, height as f32 / 2.0, height as f32 / 3.0);
    RgbaImage::from_fn(width, height, |x, y| {
        let inside = (x as f32 - cx).hypot(y as f32 - cy) < radius;
        if inside {
            Rgba([200, 30, (x % 50) as u8, 255])
        } else {
            Rgba([240, 240, 230, 255])
        }
    })
}

pub(crate) fn png_bytes(image: &RgbaImage) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    image.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

pub(crate) fn png_base64(image: &RgbaImage) -> String {
    STANDARD.encode(png_bytes(image))
}

/// Straight-alpha *over*, bottom first, rounded to 8 bits after every layer as a viewer would.
pub(crate) fn composite(layers: &[RgbaImage]) -> RgbaImage {
    let mut canvas = layers[0].clone();
    for layer in &layers[1..] {
        for (below, above) in canvas.pixels_mut().zip(layer.pixels()) {
            let (alpha, under) = (f32::from(above[3]) / 255.0, f32::from(below[3]) / 255.0);
            let out = alpha + under * (1.0 - alpha);
            for channel in 0..3 {
                let (top, bottom) = (f32::from(above[channel]), f32::from(below[channel]));
                let mixed = if out > 0.0 {
                    (top * alpha + bottom * under * (1.0 - alpha)) / out
                } else {
                    0.0
                };
                below[channel] = mixed.round() as u8;
            }
            below[3] = (out * 255.0).round() as u8;
        }
    }
    canvas
}

pub(crate) fn largest_difference(a: &RgbaImage, b: &RgbaImage) -> u8 {
    assert_eq!(a.dimensions(), b.dimensions());
    a.as_raw()
        .iter()
        .zip(b.as_raw())
        .map(|(a, b)| a.abs_diff(*b))
        .max()
        .unwrap_or(0)
}
