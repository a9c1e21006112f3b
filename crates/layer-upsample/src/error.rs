//! Why a stack could not be raised.

use std::io;

use super::source::MAX_LAYERS;

/// Why a stack could not be raised. All but the last two are found before the first pixel.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The source's buffer is not its picture.
    #[error(
        "a picture of {width} × {height} pixels cannot have {bytes} bytes; give width × height × 4"
    )]
    Source {
        /// In pixels.
        width: u32,
        /// In pixels.
        height: u32,
        /// What was given.
        bytes: usize,
    },
    /// A layer's buffer is not its picture.
    #[error(
        "a layer of {width} × {height} pixels cannot have {bytes} bytes; give width × height × 4"
    )]
    Layer {
        /// In pixels.
        width: u32,
        /// In pixels.
        height: u32,
        /// What was given.
        bytes: usize,
    },
    /// No layers, or too many.
    #[error("{0} layers cannot be raised; give 1 to {MAX_LAYERS}")]
    Count(usize),
    /// Layers of different sizes.
    #[error("the layers have different sizes; scale them to one first")]
    Sizes,
    /// Layers that have more pixels than the source.
    #[error("the layers are larger than the source; there is nothing to raise")]
    Larger,
    /// The caller's flag was raised.
    #[error("raising the layers was cancelled")]
    Cancelled,
    /// The sink refused rows.
    #[error("the raised layers could not be written: {0}")]
    Sink(#[from] io::Error),
}
