//! Pictures to a smaller size.
//!
//! Lanczos3, weighted by alpha, so that the invisible colour of transparent pixels never bleeds
//! into an edge. Only `scale_to` enlarges.

use std::borrow::Cow;

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};

use super::rgba::RgbaImage;
use super::shrink::within;

/// The picture scaled so that neither side is longer than `max_side`; the same picture when it
/// already fits. Proportions are kept, and no side becomes 0.
#[must_use]
pub fn scale_to_fit(image: &RgbaImage, max_side: u32) -> RgbaImage {
    let (width, height) = within((image.width(), image.height()), max_side);
    resized(image, width, height, FilterType::Lanczos3).into_owned()
}

/// The picture in another size, in pixels, larger ones too; no side may be 0.
#[must_use]
pub fn scale_to(image: &RgbaImage, width: u32, height: u32) -> RgbaImage {
    resized(image, width.max(1), height.max(1), FilterType::Lanczos3).into_owned()
}

/// Scales to an exact size; borrows when the size is already right.
pub(super) fn resized(
    image: &RgbaImage,
    width: u32,
    height: u32,
    filter: FilterType,
) -> Cow<'_, RgbaImage> {
    if (width, height) == (image.width(), image.height()) || width == 0 || height == 0 {
        return Cow::Borrowed(image);
    }
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(filter));
    Cow::Owned(convolved(image, &options, (width, height)))
}

/// Scales the left upper part of a picture, whose sides may end within a pixel, to an exact size.
pub(super) fn resized_part(image: RgbaImage, part: (f64, f64), size: (u32, u32)) -> RgbaImage {
    if size == (image.width(), image.height()) {
        return image;
    }
    let options = ResizeOptions::new()
        .resize_alg(ResizeAlg::Convolution(FilterType::Lanczos3))
        .crop(0.0, 0.0, part.0, part.1);
    convolved(&image, &options, size)
}

/// No side of `size` may be 0.
fn convolved(image: &RgbaImage, options: &ResizeOptions, (width, height): (u32, u32)) -> RgbaImage {
    let mut target = Image::new(width, height, PixelType::U8x4);
    let options = options.use_alpha(!image.is_opaque());
    let source = ImageRef::new(
        image.width(),
        image.height(),
        image.pixels(),
        PixelType::U8x4,
    )
    .expect("an RgbaImage has four bytes for each of its pixels");
    Resizer::new()
        .resize(&source, &mut target, &options)
        .expect("source and target have the same pixel type");
    RgbaImage::new(width, height, target.into_vec()).expect("the target was made with this size")
}
