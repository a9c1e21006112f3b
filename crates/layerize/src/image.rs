//! The picture that goes in and comes out: straight-alpha RGBA, 8 bits a channel.
//!
//! No files and no colour management here. Invariant after [`RgbaImage::check`]: both sides are
//! at least 1 and the buffer holds exactly `width * height * 4` bytes.

use std::borrow::Cow;

use crate::Error;

/// A straight-alpha RGBA picture, 8 bits a channel, rows top to bottom without padding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RgbaImage {
    /// Width in pixels, at least 1.
    pub width: u32,
    /// Height in pixels, at least 1.
    pub height: u32,
    /// `width * height * 4` bytes.
    pub pixels: Vec<u8>,
}

/// A picture that is given away.
impl From<RgbaImage> for Cow<'_, RgbaImage> {
    fn from(image: RgbaImage) -> Self {
        Self::Owned(image)
    }
}

/// A picture that is lent.
impl<'a> From<&'a RgbaImage> for Cow<'a, RgbaImage> {
    fn from(image: &'a RgbaImage) -> Self {
        Self::Borrowed(image)
    }
}

impl RgbaImage {
    /// A fully transparent picture, every byte 0.
    #[must_use]
    pub fn transparent(width: u32, height: u32) -> Self {
        let bytes = width as usize * height as usize * 4;
        Self {
            width,
            height,
            pixels: vec![0; bytes],
        }
    }

    /// The four bytes at a place; `x < width`, `y < height`.
    #[must_use]
    pub fn pixel(&self, x: u32, y: u32) -> [u8; 4] {
        let at = (y as usize * self.width as usize + x as usize) * 4;
        [
            self.pixels[at],
            self.pixels[at + 1],
            self.pixels[at + 2],
            self.pixels[at + 3],
        ]
    }

    /// Refuses a buffer that does not fit its declared sides.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let wanted = u64::from(self.width)
            .checked_mul(u64::from(self.height))
            .and_then(|pixels| pixels.checked_mul(4));
        if self.width == 0 || self.height == 0 || wanted != Some(self.pixels.len() as u64) {
            return Err(Error::BadImage {
                width: self.width,
                height: self.height,
                bytes: self.pixels.len(),
            });
        }
        Ok(())
    }
}
