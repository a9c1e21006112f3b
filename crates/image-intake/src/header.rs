//! What a picture is, before anything is decoded or allocated for it.
//!
//! The cheap first look for whoever accepts a picture: format, size, limits, and what its
//! decoding will weigh. It reads the file's structure only; that the pixels
//! themselves decode is [`super::normalise`]'s finding.

use super::container::Container;
use super::error::ImageError;
use super::limits::Limits;
use super::media_type::MediaType;

/// What the file declares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// By magic bytes.
    pub format: MediaType,
    /// Stored width in pixels, before any Exif orientation is applied.
    pub width: u32,
    /// Stored height in pixels, before any Exif orientation is applied.
    pub height: u32,
    /// What decoding weighs, for callers that bound what is decoded at once: the megapixels of four
    /// bytes, rounded up, that it holds at its peak.
    pub cost_megapixels: u32,
}

/// Reads and checks the structure of a file.
///
/// # Errors
/// Everything of [`ImageError`] that shows without decoding: empty, unrecognised, unsupported, too
/// many bytes, too large or small, truncated, and a corrupt structure.
pub fn header(bytes: &[u8], limits: &Limits) -> Result<Header, ImageError> {
    checked(bytes, limits).map(|container| container.header())
}

/// Walks a file and holds it against the limits.
pub(super) fn checked(bytes: &[u8], limits: &Limits) -> Result<Container, ImageError> {
    limits.check_bytes(bytes.len() as u64)?;
    let container = Container::read(bytes)?;
    limits.check_size(container.width, container.height)?;
    limits.check_memory(container.width, container.height, container.pixel_bits)?;
    match container.unfit {
        Some(error) => Err(error),
        None => Ok(container),
    }
}

impl Container {
    pub(super) fn header(&self) -> Header {
        let pixels = u64::from(self.width) * u64::from(self.height);
        Header {
            format: self.format,
            width: self.width,
            height: self.height,
            cost_megapixels: u32::try_from((pixels * self.pixel_bits).div_ceil(32_000_000))
                .unwrap_or(u32::MAX),
        }
    }
}
