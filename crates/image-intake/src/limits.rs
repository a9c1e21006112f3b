//! How large a picture may be.
//!
//! Pure numbers and their check; the numbers themselves come from the configuration.

use super::error::ImageError;

/// Memory for one picture: so many tenths of a bit for each pixel of the limit, 7.2 bytes, 360 MB by default. With 46 MB of an
/// idle process and the file that is decoded, twice, that is less than the 450 MB that a whole service may have.
const TENTHS_OF_BITS: u64 = 576;

/// Bounds on one picture. A header is checked against them before anything is allocated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Most bytes of the encoded file. Default 20 MiB.
    pub max_bytes: u64,
    /// Most pixels on either side. Default 16,384.
    pub max_side: u32,
    /// Most pixels in all. Default 50 million; less of kinds that hold more than 7.2 bytes for each.
    pub max_pixels: u64,
    /// Fewest pixels on either side. Default 1.
    pub min_side: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_bytes: 20 * 1024 * 1024,
            max_side: 16_384,
            max_pixels: 50_000_000,
            min_side: 1,
        }
    }
}

impl Limits {
    /// # Errors
    /// [`ImageError::TooManyBytes`] when `bytes` is above the limit.
    pub fn check_bytes(&self, bytes: u64) -> Result<(), ImageError> {
        if bytes > self.max_bytes {
            return Err(ImageError::TooManyBytes {
                max_bytes: self.max_bytes,
            });
        }
        Ok(())
    }

    /// Whether a picture that holds so many bits a pixel while it is decoded fits the memory that is meant for the largest
    /// of an ordinary kind.
    ///
    /// # Errors
    /// [`ImageError::TooLarge`] with the lower limit of pixels of such a kind.
    pub(super) fn check_memory(
        &self,
        width: u32,
        height: u32,
        pixel_bits: u64,
    ) -> Result<(), ImageError> {
        let most = self.max_pixels.saturating_mul(TENTHS_OF_BITS) / (pixel_bits * 10).max(1);
        if u64::from(width) * u64::from(height) <= most.min(self.max_pixels) {
            return Ok(());
        }
        Err(ImageError::TooLarge {
            width,
            height,
            max_side: self.max_side,
            max_pixels: most,
        })
    }

    /// # Errors
    /// [`ImageError::TooLarge`] or [`ImageError::TooSmall`]; a side of 0 is always too small.
    pub fn check_size(&self, width: u32, height: u32) -> Result<(), ImageError> {
        let pixels = u64::from(width) * u64::from(height);
        if width > self.max_side || height > self.max_side || pixels > self.max_pixels {
            return Err(ImageError::TooLarge {
                width,
                height,
                max_side: self.max_side,
                max_pixels: self.max_pixels,
            });
        }
        let min_side = self.min_side.max(1);
        if width < min_side || height < min_side {
            return Err(ImageError::TooSmall {
                width,
                height,
                min_side,
            });
        }
        Ok(())
    }
}
