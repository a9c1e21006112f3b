//! What the store holds, as its callers see it. Row layouts stay in the implementations; API
//! types stay in `http/`.

use std::sync::Arc;
use std::time::Duration;

use url::Url;

use crate::jobs::{
    EngineKind, Estimate, Failure, JobId, Layer, MediaType, Nonce, OwnerId, Params, Phase,
    RequestId, Status, UnixMs, UploadId,
};

/// What is known of a stored, normalised source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceFacts {
    /// Format of the stored bytes.
    pub media_type: MediaType,
    /// Width in pixels, orientation applied.
    pub width: u32,
    /// Height in pixels, orientation applied.
    pub height: u32,
    /// Size of the stored file.
    pub bytes: u64,
}

/// Where a job's source is.
#[derive(Clone, Debug, PartialEq)]
pub enum StoredSource {
    /// Still to be fetched.
    Url(Url),
    /// In the blob store.
    Stored(SourceFacts),
}

/// A job about to be created.
#[derive(Clone, Debug)]
pub struct NewJob {
    /// Its id, made by the caller because the source's blob is named after it.
    pub id: JobId,
    /// Who asks.
    pub owner: OwnerId,
    /// The engine it will run on.
    pub engine: EngineKind,
    /// Its parameters.
    pub params: Params,
    /// Its source.
    pub source: StoredSource,
    /// Now.
    pub created_at: UnixMs,
    /// When it and its bytes go.
    pub expires_at: UnixMs,
    /// Most jobs of the owner that may be at work, this one included; `None` is no bound.
    pub max_active: Option<u32>,
}

/// A client's promise that a repeated create means the same job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// The header's value.
    pub key: String,
    /// SHA-256 of the body.
    pub body_sha256: [u8; 32],
}

/// What a create came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Created {
    /// A new job.
    New,
    /// The key and body were seen before; this is that job.
    Existing {
        /// Its id.
        id: JobId,
        /// Where it is.
        phase: Phase,
        /// Whether it was submitted before; see [`Phase::status`].
        resubmitted: bool,
    },
    /// The key was seen with another body.
    KeyConflict,
    /// The owner has as many jobs at work as it may; nothing was written.
    TooManyJobs {
        /// As many.
        limit: u32,
    },
}

/// Why a job is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gone {
    /// Its owner deleted it.
    Deleted,
    /// Its time was over.
    Expired,
}

/// What a look for a job came to.
#[derive(Clone, Debug, PartialEq)]
pub enum Lookup {
    /// It is there.
    Found(Arc<JobRecord>),
    /// It was there.
    Gone(Gone),
    /// No job of this owner has this id.
    Missing,
}

/// A job that was ended by something else than a step of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Its id.
    pub id: JobId,
    /// Who owns it.
    pub owner: OwnerId,
    /// The engine it was for.
    pub engine: EngineKind,
    /// When it was created.
    pub created_at: UnixMs,
    /// Whether it had completed or failed before.
    pub was_finished: bool,
}

/// What a delete came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deletion {
    /// It is deleted now.
    Done(Ended),
    /// It was gone already.
    Gone(Gone),
    /// No job of this owner has this id.
    Missing,
}

/// One job as a reader sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct JobRecord {
    /// Its id.
    pub id: JobId,
    /// Who owns it.
    pub owner: OwnerId,
    /// Inner phase.
    pub phase: Phase,
    /// The engine it runs on.
    pub engine: EngineKind,
    /// Its parameters.
    pub params: Params,
    /// The stored source, once there is one.
    pub source: Option<SourceFacts>,
    /// What progress is derived from.
    pub estimate: Estimate,
    /// Requests ahead of it at the engine, while it queues there.
    pub queue_position: Option<u32>,
    /// Set exactly when failed.
    pub failure: Option<Failure>,
    /// When it was created.
    pub created_at: UnixMs,
    /// When it and its bytes go.
    pub expires_at: UnixMs,
    /// Bottom first; empty until completed.
    pub layers: Vec<Layer>,
}

impl JobRecord {
    /// What the API shows; `None` when the answer is 410.
    #[must_use]
    pub fn status(&self) -> Option<Status> {
        self.phase.status(self.estimate.is_resubmitted())
    }
}

/// A worker's right to run the next step of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The job.
    pub job: JobId,
    /// Rises with every claim; a write with an old token changes nothing.
    pub token: i64,
}

/// A claimed job, with all that a step needs to know.
#[derive(Clone, Debug)]
pub struct Claimed {
    /// The right to work on it.
    pub lease: Lease,
    /// Who owns it.
    pub owner: OwnerId,
    /// Which step is next.
    pub phase: Phase,
    /// The engine it runs on.
    pub engine: EngineKind,
    /// Its parameters.
    pub params: Params,
    /// Where its source is.
    pub source: StoredSource,
    /// When it became due for this claim.
    pub due_at: UnixMs,
    /// Failed attempts of this phase.
    pub attempt: u32,
    /// When it was created.
    pub created_at: UnixMs,
    /// When it and its bytes go.
    pub expires_at: UnixMs,
    /// When the engine accepted it.
    pub accepted_at: Option<UnixMs>,
    /// The latest submission.
    pub submission: Option<Submission>,
    /// How many submissions the engine took.
    pub runs: u32,
}

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

/// What a step learnt and wants written with its change.
#[derive(Clone, Debug)]
pub enum Facts {
    /// Nothing.
    None,
    /// The source is stored.
    Source(SourceFacts),
    /// The engine accepted; also closes the submission.
    Accepted {
        /// Which submission.
        nonce: Nonce,
        /// The engine's name for it.
        request: RequestId,
        /// Requests ahead of it.
        queue_position: Option<u32>,
        /// How long runs of this engine take of late.
        expected: Duration,
    },
    /// The engine is at work.
    Waiting {
        /// What it reported, 0.0 to 1.0; never lowers what is stored.
        fraction: Option<f32>,
        /// Requests ahead of it.
        queue_position: Option<u32>,
    },
    /// The run of this submission failed, and the job is submitted anew.
    RunFailed(Nonce),
    /// Every layer is stored, bottom first.
    Layers(Vec<Layer>),
}

/// Whether a fenced write took effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Settled {
    /// It did.
    Applied,
    /// Another worker, a delete or the expiry took the job; nothing was changed.
    LostLease,
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

/// A job whose bytes are to be erased.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erasable {
    /// The job.
    pub id: JobId,
    /// The engine's request that may still run and should be cancelled.
    pub running: Option<(EngineKind, RequestId)>,
}

/// Jobs by what they wait for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WaitCounts {
    /// In prepare, submit, wait or collect.
    pub active: u64,
    /// Of those, leased to a worker.
    pub leased: u64,
    /// Completed.
    pub completed: u64,
    /// Failed.
    pub failed: u64,
    /// Deleted or expired with bytes left.
    pub erasable: u64,
}

/// The queue at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueStanding {
    /// Each active phase, in order.
    pub phases: Vec<PhaseStanding>,
    /// Jobs that are gone and whose bytes may still exist, counted up to 100,000.
    pub erasable: u64,
}

/// The jobs of one phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PhaseStanding {
    /// Which phase.
    pub phase: Phase,
    /// Due now, those at work included; counted up to 100,000.
    pub due: u64,
    /// Due later; counted up to 100,000.
    pub later: u64,
    /// How long the oldest that is due and not at work has been due; zero when none is.
    pub oldest_due: Duration,
}

/// Every submission ever made, and what of it counts today.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// By engine and state; what never occurred has no line.
    pub lines: Vec<AccountLine>,
    /// What counts against the caps of this UTC day, in millionths of a US dollar: all but refused
    /// submissions.
    pub today_microusd: u64,
}

/// All submissions to one engine that are in one state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountLine {
    /// The engine.
    pub engine: EngineKind,
    /// The state.
    pub state: SubmissionState,
    /// How many.
    pub submissions: u64,
    /// Their price, in millionths of a US dollar.
    pub microusd: u64,
}

/// An upload about to be recorded.
#[derive(Clone, Debug)]
pub struct NewUpload {
    /// Its id.
    pub id: UploadId,
    /// Who uploaded.
    pub owner: OwnerId,
    /// What was stored.
    pub facts: SourceFacts,
    /// Now.
    pub created_at: UnixMs,
    /// When it goes.
    pub expires_at: UnixMs,
}

/// A stored upload.
#[derive(Clone, Debug, PartialEq)]
pub struct UploadRecord {
    /// Its id.
    pub id: UploadId,
    /// What is stored.
    pub facts: SourceFacts,
    /// When it goes.
    pub expires_at: UnixMs,
}

/// How the bytes of an upload come that is not checked yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// One body, through a link of lamina, to this machine's disk.
    Link,
    /// One body, through a presigned link, to the bucket.
    Bucket,
    /// In as many parts as it takes, to this machine's disk.
    Resumable,
}

impl Arrival {
    /// Every way.
    pub const ALL: [Self; 3] = [Self::Link, Self::Bucket, Self::Resumable];

    /// The word in the store.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Link => "link",
            Self::Bucket => "bucket",
            Self::Resumable => "resumable",
        }
    }
}

/// An upload that was promised and is not checked yet; its bytes may be there in part, whole or
/// not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incoming {
    /// Its id; the upload keeps it.
    pub id: UploadId,
    /// Whose it is.
    pub owner: OwnerId,
    /// How its bytes come.
    pub arrival: Arrival,
    /// Size of the whole, as far as it was declared.
    pub bytes: Option<u64>,
    /// What a resumable upload said of itself, as it was sent.
    pub metadata: Option<String>,
    /// When it was promised.
    pub created_at: UnixMs,
    /// When it goes, unless it was checked before.
    pub expires_at: UnixMs,
}
