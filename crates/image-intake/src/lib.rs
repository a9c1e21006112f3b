//! Bytes to pixels, safely.
//!
//! Everything a stranger's picture passes on its way into lamina: recognised by its magic bytes
//! ([`sniff`]), measured before anything is allocated ([`header`]), decoded within [`Limits`],
//! turned into a plain sRGB picture without metadata ([`normalise`]). What comes back from an
//! engine is decoded and measured here too ([`inspect_layer`], [`same_picture`]).
//!
//! Nothing here opens a file, a socket or a clock, and only [`Pool`] is asynchronous: the other
//! functions are plain computations, to be run on it. Invariants: no input makes these functions
//! panic; no third-party decoder ever sees a byte of metadata or of a second frame; the bytes that
//! [`normalise`] returns hold none.

mod base64;
mod bleed;
mod colour;
mod container;
mod decode;
mod encode;
mod error;
mod format;
#[cfg(any(test, fuzzing))]
#[path = "../../fuzz/checks/images.rs"]
pub(crate) mod fuzzing;
mod hdr;
mod header;
mod jpeg;
mod layer;
mod light;
mod limits;
mod normalise;
mod pool;
mod profile;
mod rgba;
mod same;
mod scale;
mod sniff;
mod spare;

pub use base64::decode_base64;
pub use decode::decode_rgba;
pub use encode::{encode_layer, encode_png};
pub use error::ImageError;
pub use format::Format;
pub use header::{Header, header};
pub use layer::{BoundingBox, LayerMeasures, decode_layer, fit_layer, inspect_layer};
pub use limits::Limits;
pub use normalise::{Normalised, normalise};
pub use pool::{Pool, PoolError, PoolLoad, PoolSize};
pub use rgba::RgbaImage;
pub use same::{Difference, difference, same_picture};
pub use scale::scale_to_fit;
pub use sniff::{foreign_format, sniff};

#[cfg(test)]
mod tests;
