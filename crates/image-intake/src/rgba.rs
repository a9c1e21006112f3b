//! A decoded picture.
//!
//! Holds pixels and nothing else: straight (not premultiplied) alpha, sRGB, rows from top to
//! bottom without padding. Invariant: `pixels.len() == width * height * 4` and no side is 0.

use image::metadata::Orientation;

/// An 8-bit RGBA picture in memory.
#[derive(Clone, PartialEq, Eq)]
pub struct RgbaImage {
    width: u32,
    height: u32,
    pixels: Vec<u8>,
}

impl RgbaImage {
    /// Takes pixels in R, G, B, A order; `None` unless there are exactly `width * height * 4`
    /// bytes and neither side is 0.
    #[must_use]
    pub fn new(width: u32, height: u32, pixels: Vec<u8>) -> Option<Self> {
        let expected = u64::from(width) * u64::from(height) * 4;
        (expected > 0 && pixels.len() as u64 == expected).then_some(Self {
            width,
            height,
            pixels,
        })
    }

    /// Width in pixels.
    #[must_use]
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Height in pixels.
    #[must_use]
    pub fn height(&self) -> u32 {
        self.height
    }

    /// The pixels, R, G, B, A, row after row.
    #[must_use]
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// The pixels, without a copy.
    #[must_use]
    pub fn into_pixels(self) -> Vec<u8> {
        self.pixels
    }

    /// Whether every pixel is fully opaque.
    #[must_use]
    pub fn is_opaque(&self) -> bool {
        // In blocks, because a loop that may end at each pixel is not vectorised.
        self.pixels.chunks(4096).all(|block| {
            let pixels = block.as_chunks::<4>().0;
            pixels.iter().fold(u8::MAX, |least, pixel| least & pixel[3]) == u8::MAX
        })
    }

    /// The picture turned or mirrored as an Exif orientation asks.
    pub(super) fn oriented(self, orientation: Orientation) -> Self {
        if orientation == Orientation::NoTransforms {
            return self;
        }
        let Some(buffer) = image::RgbaImage::from_raw(self.width, self.height, self.pixels) else {
            unreachable!("the invariant of this type is that of the buffer");
        };
        let mut image = image::DynamicImage::ImageRgba8(buffer);
        image.apply_orientation(orientation);
        Self {
            width: image.width(),
            height: image.height(),
            pixels: image.into_rgba8().into_raw(),
        }
    }

    pub(super) fn pixels_mut(&mut self) -> &mut [u8] {
        &mut self.pixels
    }
}

impl std::fmt::Debug for RgbaImage {
    // Pixels never reach a log, not even by accident.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RgbaImage({}×{})", self.width, self.height)
    }
}
