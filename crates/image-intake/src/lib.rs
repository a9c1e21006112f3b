//! Bytes to pixels, safely.
//!
//! Everything that a stranger's picture passes on its way in: recognised by its magic bytes
//! ([`sniff`]), measured before anything is allocated ([`header`]), decoded within [`Limits`],
//! turned into a plain sRGB picture without metadata ([`normalise`]). Layers that a model or an editor
//! made are decoded, measured and compared here too ([`inspect_layer`], [`same_picture`], [`StackProof`]).
//!
//! Plain computations: nothing here opens a file, a socket or a clock, starts a thread, logs, or keeps
//! anything between two calls. Where they run, and how many at once, is the caller's choice
//! ([`Header::cost_megapixels`] says what a picture weighs).
//!
//! Invariants: no input makes these functions panic; no third-party decoder ever sees a byte of
//! metadata or of a second frame; the bytes that [`normalise`] returns hold none.
//!
//! ```
//! use image_intake::{Limits, MediaType, RgbaImage, encode_png, header, normalise};
//!
//! let file = encode_png(&RgbaImage::new(2, 1, vec![9, 9, 9, 255, 0, 0, 0, 0]).expect("2 × 1 pixels"));
//! let limits = Limits { max_pixels: 24_000_000, ..Limits::default() };
//! // Cheap, and decides: nothing was decoded or allocated yet.
//! let header = header(&file, &limits)?;
//! assert_eq!((header.format, header.width, header.height), (MediaType::Png, 2, 1));
//! // Costly: belongs on a thread that may block.
//! let picture = normalise(&file.into(), &limits)?;
//! assert_eq!(picture.format, MediaType::Png);
//!
//! let refused = normalise(&b"<html>".as_slice().into(), &limits).expect_err("no picture");
//! assert_eq!(refused.code(), "image_format_unsupported");
//! # Ok::<(), image_intake::ImageError>(())
//! ```

#![warn(missing_docs)]

mod base64;
mod bleed;
mod colour;
mod container;
mod decode;
mod encode;
mod error;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
#[path = "../fuzz/checks.rs"]
pub mod fuzzing;
mod glance;
mod hdr;
mod header;
mod jpeg;
mod layer;
mod layer_encoder;
mod layer_rows;
mod light;
mod limits;
mod mask_encoder;
mod media_type;
mod normalise;
mod profile;
mod proof;
mod rgba;
mod same;
mod scale;
mod shrink;
mod sniff;
mod spare;
mod stack;
mod thumb_hash;
mod turned;
mod variant;

pub use base64::decode_base64;
pub use decode::decode_rgba;
pub use encode::{encode_layer, encode_png, encode_webp};
pub use error::ImageError;
pub use header::{Header, header};
pub use layer::{
    BoundingBox, LayerMeasures, declared_layer, decode_layer, fit_layer, inspect_layer,
};
pub use layer_encoder::LayerEncoder;
pub use layer_rows::LayerRows;
pub use limits::Limits;
pub use mask_encoder::MaskEncoder;
pub use media_type::MediaType;
pub use normalise::{Normalised, normalise, normalised_already};
pub use proof::{BetterOrder, Duplicate, LayerProof, Proof, StackProof, Tile};
pub use rgba::RgbaImage;
pub use same::{Difference, difference, same_picture};
pub use scale::{scale_to, scale_to_fit};
pub use sniff::{foreign_format, sniff};
pub use stack::inspect_stack;
pub use thumb_hash::ThumbHash;
pub use variant::LayerVariant;

/// The README's examples are compiled with the documentation tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

#[cfg(test)]
mod tests;
