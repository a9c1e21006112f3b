//! Calls to an engine, recorded before they are made.

use std::time::Duration;

use crate::jobs::{EngineKind, JobId, LayersAsked, Nonce, OwnerId, RequestId, UnixMs};

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

/// What a call to an engine is recorded with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// What it costs, in millionths of a US dollar.
    pub price_microusd: u64,
    /// Whether it may simply be made again.
    pub repeatable: bool,
    /// Where it goes, as the engine names it: only there it can be asked for.
    pub place: Option<String>,
}

impl Call {
    /// A call at this price to an engine that has one place only.
    #[must_use]
    pub fn at(price_microusd: u64) -> Self {
        Self {
            price_microusd,
            repeatable: false,
            place: None,
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
    /// The same by the machine's clock, as an engine would see it.
    pub called_at: UnixMs,
    /// How often the engine's list was asked for it, since its answer was lost.
    pub asked: u32,
    /// The request that the last list pointed to, or an empty id where it showed that there is none;
    /// `None` where it showed neither.
    pub found: Option<RequestId>,
    /// Where the call went, as the engine names it; `None` where that was not written down.
    pub place: Option<String>,
    /// Whether the layers of its run are stored.
    pub collected: bool,
}

/// A submission that nobody will close any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Abandoned {
    /// The job it was for.
    pub job: JobId,
    pub owner: OwnerId,
    /// The engine that may have taken it.
    pub engine: EngineKind,
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

/// A run of an engine that ended well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PastRun {
    /// Width and height of the picture.
    pub size: (u32, u32),
    pub layers: LayersAsked,
    /// Without what it waited in the engine's queue.
    pub took: Duration,
}
