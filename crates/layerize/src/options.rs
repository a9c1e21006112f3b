//! What a caller may ask for, how it watches, and how it stops a split.
//!
//! Nothing here does work. Invariant: `Options::default()` is what a caller without wishes wants.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// How to split.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The most layers to return, background included; `None` lets the picture decide.
    pub max_layers: Option<u8>,
    /// Threads for inference and filters; `None` uses as many as the machine has cores.
    pub threads: Option<usize>,
    /// How lines of text become layers.
    pub text: TextLayers,
    /// Passes that are left out, by name: `text`, `shapes`, `subject`.
    pub skip: Vec<&'static str>,
}

/// How lines of text become layers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TextLayers {
    /// One layer a line.
    #[default]
    Lines,
    /// Lines that stand under each other in one style share a layer.
    Blocks,
}

/// A flag that another thread raises to stop a split within 100 ms.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Raises the flag.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether the flag is up.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// How far a split has come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// 0.0 to 1.0, never falling within one split.
    pub fraction: f32,
    /// The pass at work, such as `text`.
    pub pass: &'static str,
}

/// Why there are no layers.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The flag was raised.
    #[error("the split was cancelled")]
    Cancelled,
    /// `pixels` does not hold `width * height * 4` bytes, or a side is 0.
    #[error("the image is not {width} x {height} RGBA pixels: {bytes} bytes")]
    BadImage {
        /// Declared width.
        width: u32,
        /// Declared height.
        height: u32,
        /// Bytes given.
        bytes: usize,
    },
    /// An embedded model did not load or run; a defect of this crate, not of the picture.
    #[error("the {model} model failed: {reason}")]
    Model {
        /// Which model.
        model: &'static str,
        /// What the runtime said.
        reason: String,
    },
}
