//! A layer in about 25 bytes: [ThumbHash](https://evanw.github.io/thumbhash/), which apps show until the picture is there.

use super::rgba::RgbaImage;
use super::shrink::{Squares, within};

/// The format has no more than seven waves along a side, which this many pixels show well, and takes 100 at most; it costs as the square of them.
const SIDE: u32 = 32;
/// Header, and 14 + 5 + 5 + 14 coefficients of 4 bits; without alpha 5 + (27 + 5 + 5) / 2.
const MOST_BYTES: usize = 25;

/// A small blurred likeness of a picture with its proportions and its alpha.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ThumbHash {
    bytes: [u8; MOST_BYTES],
    length: u8,
}

impl ThumbHash {
    /// The bytes of the format, which its readers take; usually as base64.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }

    /// Of a picture of this size, in pixels.
    pub(super) fn of_squares(squares: Squares, size: (u32, u32)) -> Option<Self> {
        Self::of_small(&squares.resized(within(size, SIDE)))
    }

    fn of_small(image: &RgbaImage) -> Option<Self> {
        let (width, height) = (image.width() as usize, image.height() as usize);
        let hash = thumbhash::rgba_to_thumb_hash(width, height, image.pixels());
        let mut bytes = [0; MOST_BYTES];
        bytes.get_mut(..hash.len())?.copy_from_slice(&hash);
        Some(Self {
            bytes,
            length: hash.len() as u8,
        })
    }
}

impl std::fmt::Debug for ThumbHash {
    // A likeness of somebody's picture.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ThumbHash({} bytes)", self.length)
    }
}
