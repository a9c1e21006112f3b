//! Pictures to a smaller size.
//!
//! Lanczos3, weighted by alpha, so that the invisible colour of transparent pixels never bleeds
//! into an edge. Only `scale_to` enlarges.

use std::borrow::Cow;

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};

use super::rgba::RgbaImage;

/// The picture scaled so that neither side is longer than `max_side`; the same picture when it
/// already fits. Proportions are kept, and no side becomes 0.
#[must_use]
pub fn scale_to_fit(image: &RgbaImage, max_side: u32) -> RgbaImage {
    let longest = image.width().max(image.height());
    let max_side = max_side.max(1);
    if longest <= max_side {
        return image.clone();
    }
    let fitted = |side: u32| {
        let scaled = u64::from(side) * u64::from(max_side) + u64::from(longest) / 2;
        u32::try_from(scaled / u64::from(longest))
            .unwrap_or(max_side)
            .max(1)
    };
    resized(
        image,
        fitted(image.width()),
        fitted(image.height()),
        FilterType::Lanczos3,
    )
    .into_owned()
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
    let mut target = Image::new(width, height, PixelType::U8x4);
    let options = ResizeOptions::new()
        .resize_alg(ResizeAlg::Convolution(filter))
        .use_alpha(!image.is_opaque());
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
    let scaled = RgbaImage::new(width, height, target.into_vec())
        .expect("the target was made with this size");
    Cow::Owned(scaled)
}
