//! What a caller may ask for, how it watches, and how it stops a split.
//!
//! Nothing here does work. Invariant: `Options::default()` is what a caller without wishes wants.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use crate::net::Networks;

/// The most layers a caller without a wish gets by default, background included: what a person reads in
/// a list without scrolling.
pub const USUAL_LAYERS: u8 = 12;

/// How to split.
#[derive(Clone, Debug)]
pub struct Options {
    /// The most layers to return, background included; `None`, the default, lets the picture
    /// decide up to `usual_layers`, and 0 counts as 1. A limit merges what belongs together. One above
    /// what was found has lesser things of a photo looked for as well.
    pub max_layers: Option<u8>,
    /// The most layers where `max_layers` is `None`: [`USUAL_LAYERS`] by default, and 0 counts as 1.
    /// However high, it has nothing more looked for.
    pub usual_layers: u8,
    /// Threads for inference and filters; `None` uses as many as the machine has cores.
    pub threads: Option<usize>,
    /// How lines of text become layers.
    pub text: TextLayers,
    /// Passes that are left out, by the names [`passes`](crate::passes) gives. Without `order` the
    /// layers come as found: `max_layers` is not kept, and layers of one kind share a name.
    pub skip: Vec<&'static str>,
    /// What runs the networks, and models of the caller's own.
    pub networks: Networks,
    /// What the times of a [`Report`](crate::Report) are measured by; nothing depends on it. The
    /// default is the time that passes. On a busy machine the processor time of the process says
    /// more.
    pub clock: fn() -> Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            max_layers: None,
            usual_layers: USUAL_LAYERS,
            threads: None,
            text: TextLayers::default(),
            skip: Vec::new(),
            networks: Networks::default(),
            clock: passing,
        }
    }
}

/// The time since the first call.
fn passing() -> Duration {
    static FIRST: OnceLock<Instant> = OnceLock::new();
    FIRST.get_or_init(Instant::now).elapsed()
}

impl Options {
    /// The most layers that come out; at least one.
    pub(crate) fn most_layers(&self) -> u8 {
        self.max_layers.unwrap_or(self.usual_layers).max(1)
    }

    /// Whether every thing is wanted by itself, as every line is, and not the list that a person reads.
    pub(crate) fn each_thing(&self) -> bool {
        self.text == TextLayers::Lines && self.most_layers() > USUAL_LAYERS
    }

    /// Whether the list is one that a person reads: text in blocks, and no more layers than usual.
    pub(crate) fn is_list(&self) -> bool {
        self.text == TextLayers::Blocks && self.most_layers() <= USUAL_LAYERS
    }

    /// Refuses the name of a pass that does not exist.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let known = crate::passes();
        match self.skip.iter().find(|name| !known.contains(name)) {
            Some(name) => Err(Error::UnknownPass {
                name: (*name).to_owned(),
                known: known.join(", "),
            }),
            None => Ok(()),
        }
    }
}

/// How lines of text become layers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TextLayers {
    /// One layer a line; with a limit above [`USUAL_LAYERS`] the rules of a list and small icons are layers of their own
    /// too.
    Lines,
    /// Lines that stand under each other in one style share a layer.
    #[default]
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
    /// [`Options::skip`] names a pass that does not exist.
    #[error("there is no pass named {name} to leave out; there are {known}")]
    UnknownPass {
        /// What was asked to be left out.
        name: String,
        /// The passes there are.
        known: String,
    },
    /// The shared library of ONNX Runtime did not open; only with the feature `onnxruntime`.
    #[error("{path} cannot be used as ONNX Runtime: {reason}")]
    Library {
        /// As it was given.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// An embedded model did not load or run; a defect of this crate, not of the picture.
    #[error("the {model} model failed: {reason}")]
    Model {
        /// Which model.
        model: &'static str,
        /// What the runtime said.
        reason: String,
    },
    /// A model that the caller brought does not keep the contract of `docs/engine.md`.
    #[error("the {role} model does not fit ({code}): {reason}")]
    CustomModel {
        /// `subject` or `fill`.
        role: &'static str,
        /// What of the contract: `model_file`, `model_input`, `model_output`, `model_values` or `model_run`.
        code: &'static str,
        /// What was found, and what was expected.
        reason: String,
    },
}
