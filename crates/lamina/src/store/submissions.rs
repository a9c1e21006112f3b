//! Calls to engines: written before they are made, and what became of them. A part of [`super::Store`].

use async_trait::async_trait;

use super::{
    Abandoned, Call, FencedWrite, KeptInput, Lease, Opening, PastRun, StoreError, SubmissionState,
};
use crate::access::SpendCaps;
use crate::jobs::{EngineKind, JobId, Moment, Nonce, OwnerId, RequestId, UnixMs};

/// Calls to engines: written before they are made, and what became of them.
#[async_trait]
pub trait SubmissionStore: std::fmt::Debug + Send + Sync {
    /// Records the intent to submit, fenced, before the engine is called. In the same transaction
    /// the day's ledger is held against `caps` and the owner's own cap, so that no number of
    /// workers can exceed one. What costs nothing is never refused. `repeatable`: whether the call may simply be
    /// made again, as its engine says; a retry asks for it.
    async fn submission_open(
        &self,
        lease: &Lease,
        nonce: &Nonce,
        call: Call,
        caps: SpendCaps,
        moment: Moment,
    ) -> Result<Opening, StoreError>;
    /// Whether the day's caps leave room for such a submission now. A hint, for what is done before
    /// one is opened; [`SubmissionStore::submission_open`] decides.
    async fn submission_affordable(
        &self,
        owner: &OwnerId,
        price_microusd: u64,
        caps: SpendCaps,
        wall: UnixMs,
    ) -> Result<bool, StoreError>;
    /// Notes, fenced, where the engine keeps a copy of the job's source. It is forgotten when the
    /// job leaves the phase that needs it.
    async fn input_keep(&self, lease: &Lease, input: KeptInput) -> Result<FencedWrite, StoreError>;
    /// Records that the engine's list was asked for an open submission, and what it pointed to.
    async fn submission_asked(
        &self,
        nonce: &Nonce,
        found: Option<&RequestId>,
    ) -> Result<(), StoreError>;
    /// Which of these requests belong to a submission of any job.
    async fn submission_known(&self, requests: &[RequestId]) -> Result<Vec<RequestId>, StoreError>;
    /// How many other submissions to the engine, opened between these times of the machine's clock, have no request yet
    /// and may have one.
    async fn submission_rivals(
        &self,
        engine: EngineKind,
        nonce: &Nonce,
        from: UnixMs,
        to: UnixMs,
    ) -> Result<u64, StoreError>;
    /// Closes as unknown, at `wall`, what is open, was opened before then, and belongs to a job that has ended
    /// or is forgotten. Returns at most `limit`.
    async fn submission_abandon(
        &self,
        before: UnixMs,
        wall: UnixMs,
        limit: u32,
    ) -> Result<Vec<Abandoned>, StoreError>;
    /// Records what became of a submission whose answer is known. Not fenced: a fact stays a fact
    /// when the lease is lost. An accepted one is never overwritten.
    async fn submission_close(
        &self,
        nonce: &Nonce,
        state: SubmissionState,
        request: Option<&RequestId>,
        now: UnixMs,
    ) -> Result<(), StoreError>;
    /// A webhook for a submission: records the request id, where the engine's answer never came, and makes its job due now,
    /// where it waits for its engine, as [`QueueStore::job_wake`](super::QueueStore::job_wake) does; where the id was recorded,
    /// after tries that failed as well. True if the request id was recorded.
    async fn submission_called_back(
        &self,
        id: JobId,
        nonce: &Nonce,
        request: &RequestId,
        moment: Moment,
    ) -> Result<bool, StoreError>;
    /// Whether this is a submission of this job, in whatever state; the job may be gone.
    async fn submission_exists(&self, id: JobId, nonce: &Nonce) -> Result<bool, StoreError>;
    /// Submissions whose fate was never learnt, over all time.
    async fn submission_unknown_count(&self) -> Result<u64, StoreError>;
    /// The last `limit` runs of an engine whose length is known, oldest first.
    async fn past_runs(&self, engine: EngineKind, limit: u32) -> Result<Vec<PastRun>, StoreError>;
}
