//! Jobs: as they are made, read, and ended by something else than a step of their own.

use std::fmt;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use bytes::Bytes;
use url::Url;

use crate::jobs::{
    EngineKind, Estimate, Failure, JobId, Layer, MediaType, OwnerId, Params, Phase, Quality,
    RequestId, Status, UnixMs,
};

/// What is known of a stored, normalised source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceInfo {
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
    /// Checked and kept, in the blob store or beside the row.
    Stored(SourceInfo),
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
    pub source: StoredSource,
    /// The source's file, if it is kept beside the row and not in the blob store.
    pub source_bytes: Option<Bytes>,
    /// Whether the source is ready for its engine, so that the job begins with its submission.
    pub prepared: bool,
    /// Now, for people.
    pub created_at: UnixMs,
    /// Now, for the queue.
    pub due_at: UnixMs,
    /// When it and its bytes go.
    pub expires_at: UnixMs,
    /// Most jobs of the owner that may be at work, this one included; `None` is no bound.
    pub max_active: Option<u32>,
    /// Where its end is told; the owner's own address without it.
    pub webhook_url: Option<String>,
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
        id: JobId,
        phase: Phase,
        /// Whether it was submitted before; see [`Phase::status`].
        resubmitted: bool,
    },
    /// The key was seen with another body.
    KeyConflict,
    /// The owner has as many jobs at work as it may; nothing was written.
    TooManyJobs { limit: u32 },
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
    pub id: JobId,
    /// Who owns it.
    pub owner: OwnerId,
    /// The engine it was for.
    pub engine: EngineKind,
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
    pub source: Option<SourceInfo>,
    /// What progress is derived from.
    pub estimate: Estimate,
    /// Requests ahead of it at the engine, while it queues there.
    pub queue_position: Option<u32>,
    /// Set exactly when failed.
    pub failure: Option<Failure>,
    pub created_at: UnixMs,
    /// When it and its bytes go.
    pub expires_at: UnixMs,
    /// Bottom first; empty until completed.
    pub layers: Vec<Layer>,
    /// How well they give the picture back, where that was measured.
    pub quality: Option<Quality>,
}

impl JobRecord {
    /// What the API shows; `None` when the answer is 410.
    #[must_use]
    pub fn status(&self) -> Option<Status> {
        self.phase.status(self.estimate.is_resubmitted())
    }

    /// Which of its versions this is. Another one says that something was written that its owner sees; that time
    /// passes, or that a worker holds it, makes no new one.
    #[must_use]
    pub fn version(&self) -> JobVersion {
        let mut hasher = DefaultHasher::new();
        self.phase.as_str().hash(&mut hasher);
        self.estimate.reported.to_bits().hash(&mut hasher);
        self.estimate.floor.to_bits().hash(&mut hasher);
        self.queue_position.hash(&mut hasher);
        let code = self.failure.as_ref().map(|failure| &*failure.code);
        code.hash(&mut hasher);
        JobVersion(hasher.finish())
    }
}

/// Tells the versions of one job apart, in every process of one build. Another build may number them anew, which
/// costs a client one answer that it has seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobVersion(u64);

impl fmt::Display for JobVersion {
    /// 16 hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// What a job that is gone may still have at its engine: a run, or the result of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cancellable {
    pub id: JobId,
    pub engine: EngineKind,
    /// The engine's name for the run.
    pub request: RequestId,
    /// Where it was handed over, as far as that was written down.
    pub place: Option<String>,
}
