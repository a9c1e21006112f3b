//! Calls to an engine, recorded before they are made.

use crate::jobs::{Nonce, RequestId, UnixMs};

/// What became of one call to an engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubmissionState {
    /// Written before the call; the answer is not known (yet).
    Open,
    /// The engine took it.
    Accepted,
    /// The engine took it and its run failed; another submission may follow.
    Failed,
    /// The engine did not take it; nothing is owed.
    Refused,
    /// Given up on without ever learning.
    Unknown,
}

impl SubmissionState {
    /// Every state.
    pub const ALL: [Self; 5] = [
        Self::Open,
        Self::Accepted,
        Self::Failed,
        Self::Refused,
        Self::Unknown,
    ];

    /// The word in the store.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Accepted => "accepted",
            Self::Failed => "failed",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
        }
    }
}

/// One call to an engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submission {
    /// Ties it to its webhook.
    pub nonce: Nonce,
    /// What became of it.
    pub state: SubmissionState,
    /// The engine's name for it, once accepted.
    pub request: Option<RequestId>,
    /// When the intent was written.
    pub opened_at: UnixMs,
}

/// What became of the intent to submit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Opening {
    /// It is recorded, and counted as spent.
    Opened,
    /// Another worker, a delete or the expiry took the job; nothing was changed.
    LostLease,
    /// It would cost more than the day's caps leave; nothing was changed.
    CapReached,
}
