//! Layers from the picture itself: the embedded engine on the source at canvas size, each cut
//! placed on a full canvas, as the model returns them.
//!
//! Invariant: exactly as many layers as asked for, all of canvas size; what the engine did not
//! find comes as an empty layer, which the model does too.

use image::imageops::{FilterType, overlay, resize};
use image::{Rgba, RgbaImage};
use layerize::{Cancel, Options};

/// Splits a source into `count` canvases, bottom first. Runs long: keep it off the async threads.
pub(crate) fn split(
    source: &RgbaImage,
    size: (u32, u32),
    count: u8,
    cancel: &Cancel,
) -> Result<Vec<RgbaImage>, layerize::Error> {
    let scaled = flattened(source, size);
    let (width, height) = size;
    let image = layerize::RgbaImage {
        width,
        height,
        pixels: scaled.into_raw(),
    };
    let options = Options {
        max_layers: Some(count),
        ..Options::default()
    };
    let found = layerize::split(&image, &options, &mut |_| {}, cancel)?;
    let mut canvases: Vec<RgbaImage> = found
        .into_iter()
        .take(usize::from(count))
        .filter_map(|layer| {
            let cut = layer.image;
            let cut = RgbaImage::from_raw(cut.width, cut.height, cut.pixels)?;
            let mut canvas = RgbaImage::new(width, height);
            place(&mut canvas, &cut, layer.x, layer.y);
            Some(canvas)
        })
        .collect();
    canvases.resize_with(usize::from(count), || RgbaImage::new(width, height));
    Ok(canvases)
}

/// The source at canvas size, on white: the model loses alpha.
pub(crate) fn flattened(source: &RgbaImage, (width, height): (u32, u32)) -> RgbaImage {
    let mut flat = RgbaImage::from_pixel(source.width(), source.height(), Rgba([255; 4]));
    overlay(&mut flat, source, 0, 0);
    resize(&flat, width, height, FilterType::Triangle)
}

/// Copies without blending: alpha must arrive as it is.
fn place(canvas: &mut RgbaImage, cut: &RgbaImage, left: u32, top: u32) {
    image::imageops::replace(canvas, cut, i64::from(left), i64::from(top));
}
