//! How large a picture may be.
//!
//! Pure numbers and their check; the numbers themselves come from the configuration.

use super::error::ImageError;

/// Bounds on one picture. A header is checked against them before anything is allocated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Most bytes of the encoded file. Default 20 MiB.
    pub max_bytes: u64,
    /// Most pixels on either side. Default 16,384.
    pub max_side: u32,
    /// Most pixels in all. Default 50 million; decoding holds 4 bytes for each.
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
