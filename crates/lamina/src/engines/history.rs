//! What an engine lists of the requests that it took. What follows from that for a submission is the
//! worker's to say (`worker/steps/resolve.rs`): the list alone proves little.

use crate::jobs::{RequestId, UnixMs};

/// An engine's list of requests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// The requests, in no particular order.
    pub requests: Vec<Listed>,
    /// Whether this is all that the engine lists.
    pub complete: bool,
}

/// One listed request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The engine's name for it.
    pub request: RequestId,
    /// When the engine took it, by lamina's clock.
    pub sent_at: UnixMs,
    /// Whether it is the submission's that was asked about, where the list says so.
    pub ours: Option<bool>,
}
