//! Why a picture was refused: one enum, one stable code each, one sentence for a person.
//!
//! Knows nothing of HTTP statuses. Every sentence says what happened, what was expected and what
//! to do; none holds bytes of the picture. The sentences speak of lamina, whose users read them; a
//! program of another name makes its own from the variants, which carry everything that is in them.

use super::media_type::MediaType;

/// The accepted formats, as a sentence names them.
pub(super) const ACCEPTED: &str = "JPEG, PNG, WebP and GIF";

/// Why a picture cannot be used. [`ImageError::code`] is part of the public contract.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// No bytes at all.
    #[error("the image is empty (0 bytes); send the bytes of a JPEG, PNG, WebP or GIF file")]
    Empty,
    /// The first bytes belong to no known format.
    #[error(
        "the bytes are not an image that lamina recognises; lamina accepts {ACCEPTED}, so check \
         that the file itself was sent and not, for example, a web page about it"
    )]
    Unrecognised,
    /// A known format that is not accepted here.
    #[error("this is {found}; lamina accepts {accepted}: {advice}")]
    FormatUnsupported {
        /// The format found, with its article: `a HEIC image`.
        found: &'static str,
        /// What to do about it: `convert it and send it again`.
        advice: &'static str,
        /// What is accepted in this place.
        accepted: &'static str,
    },
    /// An accepted format, but in a variant that is not decoded.
    #[error(
        "this {} uses {feature}, which lamina does not decode; save it as an ordinary 8-bit {} \
         and send it again", format.name(), format.name()
    )]
    VariantUnsupported {
        /// The accepted format.
        format: MediaType,
        /// The part of it that is not decoded: `arithmetic coding`.
        feature: &'static str,
    },
    /// More bytes than the limit.
    #[error(
        "the image has more than {} bytes{}, the most that lamina accepts; send a \
         smaller file", max_bytes, in_brackets(*max_bytes, 1_000_000, "MB")
    )]
    TooManyBytes {
        /// The limit, in bytes.
        max_bytes: u64,
    },
    /// A side or the area is beyond the limit.
    #[error(
        "the image is {width}×{height} pixels; lamina accepts at most {max_side} on a side and \
         {} in all: scale it down and send it again", area(*max_pixels)
    )]
    TooLarge {
        /// Declared width in pixels.
        width: u32,
        /// Declared height in pixels.
        height: u32,
        /// The limit of either side in pixels.
        max_side: u32,
        /// The limit of width × height.
        max_pixels: u64,
    },
    /// A side is below the limit.
    #[error(
        "the image is {width}×{height} pixels; lamina needs at least {min_side} on each side: \
         send a larger one"
    )]
    TooSmall {
        /// Declared width in pixels.
        width: u32,
        /// Declared height in pixels.
        height: u32,
        /// The lower limit of either side in pixels.
        min_side: u32,
    },
    /// The file ends before its picture does.
    #[error(
        "the {} ends before the picture is complete; the transfer was probably cut: send the \
         whole file again", format.name()
    )]
    Truncated {
        /// The format whose end is missing.
        format: MediaType,
    },
    /// The file is whole but its contents contradict each other.
    #[error(
        "the {} is damaged ({reason}); open it in an image editor, save it anew and send that",
        format.name()
    )]
    Corrupt {
        /// The format that could not be decoded.
        format: MediaType,
        /// What the decoder found wrong; for a person, not stable.
        reason: String,
    },
    /// The file asks for far more work than a picture of its size needs.
    #[error(
        "the {} takes far more work to decode than a picture of its size needs ({reason}); open it \
         in an image editor, save it anew and send that", format.name()
    )]
    TooComplex {
        /// The format that is abused.
        format: MediaType,
        /// What there is too much of.
        reason: &'static str,
    },
    /// Text that should have been base64 is not.
    #[error(
        "the image is not valid base64 ({reason}); send the standard or the URL-safe alphabet, \
         raw or as `data:image/png;base64,…`"
    )]
    Base64Invalid {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A fault of this crate: what it had decoded could not be encoded.
    #[error("lamina failed while it worked on this image; the fault is lamina's: report it")]
    Internal,
}

impl ImageError {
    /// Every code that [`Self::code`] can answer, for the table in the documentation.
    pub const CODES: [&'static str; 12] = [
        "image_empty",
        "image_unrecognised",
        "image_format_unsupported",
        "image_variant_unsupported",
        "image_too_many_bytes",
        "image_too_large",
        "image_too_small",
        "image_truncated",
        "image_corrupt",
        "image_too_complex",
        "image_base64_invalid",
        "image_internal",
    ];

    /// The stable code of this error.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Empty => "image_empty",
            Self::Unrecognised => "image_unrecognised",
            Self::FormatUnsupported { .. } => "image_format_unsupported",
            Self::VariantUnsupported { .. } => "image_variant_unsupported",
            Self::TooManyBytes { .. } => "image_too_many_bytes",
            Self::TooLarge { .. } => "image_too_large",
            Self::TooSmall { .. } => "image_too_small",
            Self::Truncated { .. } => "image_truncated",
            Self::Corrupt { .. } => "image_corrupt",
            Self::TooComplex { .. } => "image_too_complex",
            Self::Base64Invalid { .. } => "image_base64_invalid",
            Self::Internal => "image_internal",
        }
    }

    pub(super) fn corrupt(format: MediaType, reason: impl std::fmt::Display) -> Self {
        // A library's message may quote the file; it is kept short and printable.
        let reason = reason
            .to_string()
            .chars()
            .filter(|letter| !letter.is_control())
            .take(120)
            .collect();
        Self::Corrupt { format, reason }
    }
}

/// A count of pixels for a person, who is never told that a picture has "0.0 megapixels".
fn area(pixels: u64) -> String {
    if pixels < 1_000_000 {
        format!("{pixels} pixels")
    } else {
        format!("{:.1} megapixels", pixels as f64 / 1e6)
    }
}

/// A count in a larger unit behind the exact one, where it is at least one of them.
fn in_brackets(count: u64, unit: u64, name: &str) -> String {
    if count < unit {
        String::new()
    } else {
        format!(" ({:.1} {name})", count as f64 / unit as f64)
    }
}
