//! The model behind the queue: input schema, source image, layers, output.
//!
//! It knows nothing of queues and HTTP answers; it turns an input into an output or a failure.

mod bucket;
mod encode;
mod input;
mod layers;
mod output;
mod source;
mod synthetic;

pub(crate) use input::Input;
pub(crate) use output::{draw, publish};
pub(crate) use source::load_source;
