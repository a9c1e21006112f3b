//! Why a file could not be written.

use std::io;

use super::stack::{Bounds, MAX_DEPTH, MAX_NODES, MAX_SIDE};

/// Why a file could not be written. All but [`Self::Io`] are found before the first byte.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The pixels could not be read, or the file could not be written.
    #[error("the export could not be read or written: {0}")]
    Io(#[from] io::Error),
    /// The canvas has no pixel, or too many in one direction.
    #[error(
        "a canvas of {width} × {height} pixels cannot be written; both sides have to be 1 to {MAX_SIDE}"
    )]
    Canvas {
        /// In pixels.
        width: u32,
        /// In pixels.
        height: u32,
    },
    /// Too many layers, or groups too deep in each other.
    #[error(
        "at most {MAX_NODES} layers and groups can be written, at most {MAX_DEPTH} groups in each other"
    )]
    Nodes,
    /// A layer is too large or too far outside.
    #[error(
        "a layer at {0:?} cannot be written; its sides and its distance from the canvas's corner have to be below {MAX_SIDE}"
    )]
    Bounds(Bounds),
    /// No sensible resolution.
    #[error("{0} pixels per inch cannot be written; it has to be 1 to 30,000")]
    Resolution(f64),
    /// The format counts its bytes in too few bits for this stack.
    #[error("this stack is too large for {0}; take another format, or fewer pixels")]
    TooLarge(&'static str),
}
