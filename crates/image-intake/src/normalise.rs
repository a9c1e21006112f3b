//! A stranger's picture to the one form in which it is kept.
//!
//! Upright, sRGB, 8 bits a sample, without metadata, in a file that is known to decode. It does
//! not scale. The cheapest way that reaches the form is taken: a file that already has it is kept
//! untouched; one that only carries too much is copied without it, its compressed picture intact;
//! only the rest is encoded anew.
//!
//! Invariant: normalising the result again changes nothing.

use bytes::Bytes;
use image::metadata::Orientation;

use super::container::{Container, Rows};
use super::decode;
use super::encode;
use super::error::ImageError;
use super::header::checked;
use super::limits::Limits;
use super::media_type::MediaType;
use super::spare;
use super::turned::Turned;

/// A picture in its stored form.
#[derive(Clone, PartialEq, Eq)]
pub struct Normalised {
    /// The file: JPEG, PNG or WebP, never GIF.
    pub bytes: Bytes,
    /// What `bytes` are; the picture that was given may have been another.
    pub format: MediaType,
    /// Width in pixels, upright.
    pub width: u32,
    /// Height in pixels, upright.
    pub height: u32,
    /// Whether `bytes` differ from what was given.
    pub changed: bool,
}

/// [`normalise`] of a picture whose rows, inflated and not kept, show that its file decodes and may stay as it is: no more than
/// `most_raw_bytes` of them, before they are compressed. `None` says nothing of the picture; [`normalise`] tells then.
///
/// Takes no longer than to inflate its file, to so many bytes, twice, and a fixed memory whatever the picture.
#[must_use]
pub fn normalised_already(
    bytes: &Bytes,
    limits: &Limits,
    most_raw_bytes: u64,
) -> Option<Normalised> {
    let container = checked(bytes, limits).ok()?;
    let is_small = container
        .plain_raw_bytes()
        .is_some_and(|raw| raw <= most_raw_bytes);
    let stays = !container.must_encode
        && container.orientation == Orientation::NoTransforms
        && container.colour.conversion(container.samples).is_none();
    if !is_small || !stays {
        return None;
    }
    let clean = container.clean(bytes).ok()?;
    if clean.loose || container.rows(bytes) != Rows::Proven {
        return None;
    }
    Some(as_it_is(&container, clean.bytes, bytes))
}

/// Decodes the whole picture and brings it into its stored form.
///
/// # Errors
/// Everything of [`ImageError`] that a stranger's bytes can be refused for.
pub fn normalise(bytes: &Bytes, limits: &Limits) -> Result<Normalised, ImageError> {
    let container = checked(bytes, limits)?;
    let conversion = container.colour.conversion(container.samples);
    let clean = container.clean(bytes)?;
    let keep = !container.must_encode
        && !clean.loose
        && conversion.is_none()
        && container.orientation == Orientation::NoTransforms;
    // Asked only where it decides, since it costs as much as inflating a PNG.
    let rows = if keep {
        container.rows(bytes)
    } else {
        Rows::Loose
    };
    if rows != Rows::Loose {
        if rows == Rows::Unproven {
            // Only decoding shows that it can be decoded. The pixels are not looked at.
            decode::whole(&container, &clean.bytes)?;
        }
        let bare = match container.format {
            MediaType::Png => spare::emptied(&clean.bytes),
            MediaType::Jpeg | MediaType::WebP | MediaType::Gif => Some(clean.bytes.clone()),
        };
        if let Some(bytes_kept) = bare {
            return Ok(as_it_is(&container, bytes_kept, bytes));
        }
    }
    let image = decode::as_stored(&container, &clean.bytes, conversion.as_ref())?;
    let (width, height) = Turned::new(&image, container.orientation).size();
    let stored = encode::encode_compact(&image, container.orientation)?.into();
    Ok(Normalised {
        changed: stored != *bytes,
        bytes: stored,
        format: MediaType::Png,
        width,
        height,
    })
}

fn as_it_is(container: &Container, kept: Bytes, given: &Bytes) -> Normalised {
    Normalised {
        changed: kept != *given,
        bytes: kept,
        format: container.format,
        width: container.width,
        height: container.height,
    }
}

impl std::fmt::Debug for Normalised {
    // Image bytes never reach a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Normalised")
            .field("bytes", &self.bytes.len())
            .field("format", &self.format)
            .field("width", &self.width)
            .field("height", &self.height)
            .field("changed", &self.changed)
            .finish()
    }
}
