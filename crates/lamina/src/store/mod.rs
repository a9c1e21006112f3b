//! All that lamina remembers besides bytes, behind one trait. SQL lives below this folder and
//! nowhere else. Every write that follows a claim is fenced by the job's lease: it changes nothing
//! when another worker has taken over, and says so.

mod admin;
#[cfg(test)]
mod conformance;
mod deployment;
mod error;
mod kept;
mod owners;
mod records;
mod signal;
pub mod sqlite;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

pub use admin::{
    AdminStore, JobDetail, JobFilter, JobOverview, Retrial, SpendingLine, SubmissionDetail,
    UsageStats,
};
pub use deployment::{Deployment, DeploymentStore};
pub use error::StoreError;
pub use kept::KeptBytes;
pub use owners::{KeyRecord, OwnerStore, OwnerUsage};
pub use records::{
    Abandoned, Arrival, Call, Cancellable, Claimed, ClockSeen, Created, Deletion, Ended,
    FencedWrite, Gone, IdempotencyKey, Incoming, JobRecord, KeptInput, KeptKind, LAYERS_BYTES,
    Lease, Ledger, LedgerLine, Lookup, NewJob, NewUpload, Opening, PhaseStats, QueueStats,
    QuotaExceeded, SourceInfo, StepOutput, StorageBound, StorageUsage, StoredSource, Submission,
    SubmissionState, UploadRecord, WaitCounts, Want,
};
pub use signal::Signal;

use crate::access::SpendCaps;
use crate::jobs::{
    Change, EngineKind, JobId, Moment, Nonce, OwnerId, Phase, RequestId, Stage, UnixMs, UploadId,
};

/// What a store must do. One conformance suite runs against every implementation.
#[async_trait]
pub trait Store: OwnerStore + DeploymentStore + KeptBytes + AdminStore {
    // ---- jobs, as the edge sees them ----

    /// Writes a job and its idempotency record in one durable transaction and wakes the worker.
    async fn job_create(
        &self,
        job: NewJob,
        key: Option<IdempotencyKey>,
    ) -> Result<Created, StoreError>;
    /// The file of a job's source, if it was kept beside the row and the job is neither deleted nor expired.
    async fn source_bytes(&self, id: JobId) -> Result<Option<Bytes>, StoreError>;
    /// The job an idempotency key names, if any; for a cheap answer before the body is decoded.
    async fn job_by_key(
        &self,
        owner: &OwnerId,
        key: &IdempotencyKey,
    ) -> Result<Option<Created>, StoreError>;
    /// A job of `owner` that was read a moment ago and did not change, from memory; `None` says nothing about it.
    fn job_recent(&self, owner: &OwnerId, id: JobId) -> Option<Arc<JobRecord>>;
    /// One job of `owner`, with its layers when completed.
    async fn job_get(&self, owner: &OwnerId, id: JobId) -> Result<Lookup, StoreError>;
    /// The owner's jobs that are neither deleted nor expired, newest first, after `cursor`.
    async fn job_list(
        &self,
        owner: &OwnerId,
        cursor: Option<JobId>,
        limit: u32,
    ) -> Result<Vec<JobRecord>, StoreError>;
    /// Deletes a job of `owner`; its worker loses the lease at once and its bytes become erasable.
    async fn job_delete(
        &self,
        owner: &OwnerId,
        id: JobId,
        now: UnixMs,
    ) -> Result<Deletion, StoreError>;

    // ---- jobs, as the worker sees them ----

    /// Claims due jobs for `worker`, as many as it wants of each stage and fair by owner: from those
    /// who hold fewest first, in turn, each owner's oldest `run_at` first. Jobs of another worker
    /// whose lease ran out are taken over.
    async fn job_claim(
        &self,
        worker: &str,
        wants: Vec<Want>,
        now: UnixMs,
        lease: Duration,
    ) -> Result<Vec<Claimed>, StoreError>;
    /// How many jobs of each stage could be claimed now, in the order of [`Stage::ALL`], counted up
    /// to `most`.
    async fn job_due(&self, now: UnixMs, most: u32) -> Result<[u32; Stage::ALL.len()], StoreError>;
    /// When the next job becomes due, if any is not yet.
    async fn job_next_due(&self, now: UnixMs) -> Result<Option<UnixMs>, StoreError>;
    /// Extends a lease. [`FencedWrite::LostLease`] tells the step to stop.
    async fn lease_renew(&self, lease: &Lease, until: UnixMs) -> Result<FencedWrite, StoreError>;
    /// Gives a lease back untouched: the attempt is not counted, the job is due as before.
    async fn lease_release(&self, lease: &Lease) -> Result<FencedWrite, StoreError>;
    /// Ends leases of workers that cannot be alive, because this process owns the store alone, and
    /// returns how many. `computed` are the jobs whose pictures were being computed when the last
    /// process died: they are suspects, and a single one is counted (see
    /// [`Store::job_fail_poisoned`]). Jobs that wait for an engine are due at once, since a callback
    /// may have come while nobody listened.
    async fn lease_end_all_others(
        &self,
        worker: &str,
        computed: &[JobId],
        now: UnixMs,
    ) -> Result<u64, StoreError>;
    /// Applies a step's change and output in one fenced transaction. With `keep` the lease stays.
    async fn job_apply(
        &self,
        lease: &Lease,
        change: Change,
        output: StepOutput,
        keep: bool,
        moment: Moment,
    ) -> Result<FencedWrite, StoreError>;
    /// Makes a waiting job due now, if `nonce` is one of its submissions. A wake-up during a step
    /// is kept. False when nothing matched.
    async fn job_wake(&self, id: JobId, nonce: &Nonce, now: UnixMs) -> Result<bool, StoreError>;
    /// Fails jobs that nothing is done for and that were alone being computed when a process died,
    /// `max_rescues` times since they last got through. Returns them.
    async fn job_fail_poisoned(
        &self,
        max_rescues: u32,
        wall: UnixMs,
    ) -> Result<Vec<Ended>, StoreError>;
    /// What the last process saw of the clock, if one did.
    async fn clock_seen(&self) -> Result<Option<ClockSeen>, StoreError>;
    /// Remembers it for the next process.
    async fn clock_see(&self, seen: ClockSeen) -> Result<(), StoreError>;
    /// Moves every time that the queue waits by, because the clock they were read from is another
    /// one now. Nothing becomes due later by that.
    async fn queue_shift(&self, millis: i64) -> Result<(), StoreError>;

    // ---- submissions ----

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
    /// one is opened; [`Store::submission_open`] decides.
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
    /// A webhook's proof that an open submission was accepted: records the request id and makes
    /// the job due now. False when the nonce is not open.
    async fn submission_adopt(
        &self,
        id: JobId,
        nonce: &Nonce,
        request: &RequestId,
        now: UnixMs,
    ) -> Result<bool, StoreError>;
    /// Whether this is a submission of this job, in whatever state; the job may be gone.
    async fn submission_exists(&self, id: JobId, nonce: &Nonce) -> Result<bool, StoreError>;
    /// Submissions whose fate was never learnt, over all time.
    async fn submission_unknown_count(&self) -> Result<u64, StoreError>;
    /// How long the last `limit` completed runs of an engine took, newest first.
    async fn engine_durations(
        &self,
        engine: EngineKind,
        limit: u32,
    ) -> Result<Vec<Duration>, StoreError>;

    // ---- expiry and erasure ----

    /// Marks jobs whose time is over as expired; their workers lose their leases. Returns them.
    async fn job_expire(&self, now: UnixMs, limit: u32) -> Result<Vec<Ended>, StoreError>;
    /// Jobs whose time is over and that are not marked, oldest first; for when marking fails.
    async fn job_overdue(&self, now: UnixMs, limit: u32) -> Result<Vec<JobId>, StoreError>;
    /// Deleted and expired jobs whose bytes may still exist, but for those in `except`.
    async fn job_erasable(&self, limit: u32, except: &[JobId]) -> Result<Vec<JobId>, StoreError>;
    /// Deleted and expired jobs that may still have something at their engines, but for those in
    /// `except`.
    async fn job_cancellable(
        &self,
        limit: u32,
        except: &[JobId],
    ) -> Result<Vec<Cancellable>, StoreError>;
    /// Nothing of the job is left at its engine, as far as that can be brought about.
    async fn job_cancelled(&self, id: JobId, now: UnixMs) -> Result<(), StoreError>;
    /// Whether links to a job's files still lead somewhere: it is neither deleted nor expired.
    async fn job_is_live(&self, id: JobId, now: UnixMs) -> Result<bool, StoreError>;
    /// Whether links to an upload still lead somewhere.
    async fn upload_is_live(&self, id: UploadId, now: UnixMs) -> Result<bool, StoreError>;
    /// The blob store agreed that nothing of the job is left.
    async fn job_erased(&self, id: JobId, now: UnixMs) -> Result<(), StoreError>;
    /// Forgets rows whose bytes were erased and that ended before `before`.
    async fn job_forget(&self, before: UnixMs, limit: u32) -> Result<u64, StoreError>;
    /// Which of these jobs may still have bytes.
    async fn job_with_bytes(&self, ids: &[JobId]) -> Result<Vec<JobId>, StoreError>;
    /// The phase of any job, whoever owns it; `None` when no row is left.
    async fn job_phase(&self, id: JobId) -> Result<Option<Phase>, StoreError>;
    /// Jobs by phase, for metrics and for waiting until nothing is left to do.
    async fn job_counts(&self) -> Result<WaitCounts, StoreError>;

    // ---- uploads ----

    /// Records an upload whose bytes are stored.
    async fn upload_create(&self, upload: NewUpload) -> Result<(), StoreError>;
    /// One upload of `owner` that has not expired.
    async fn upload_get(
        &self,
        owner: &OwnerId,
        id: UploadId,
        now: UnixMs,
    ) -> Result<Option<UploadRecord>, StoreError>;
    /// Uploads whose time is over and whose bytes may still exist, but for those in `except`.
    async fn upload_expired(
        &self,
        now: UnixMs,
        limit: u32,
        except: &[UploadId],
    ) -> Result<Vec<UploadId>, StoreError>;
    /// Forgets an upload whose bytes are gone.
    async fn upload_forget(&self, id: UploadId) -> Result<(), StoreError>;
    /// Promises an upload whose bytes are still to come.
    async fn incoming_create(&self, incoming: Incoming) -> Result<(), StoreError>;
    /// A promised upload that is neither checked nor expired, whoever owns it.
    async fn incoming_get(&self, id: UploadId, now: UnixMs)
    -> Result<Option<Incoming>, StoreError>;
    /// Declares the size of the whole, once. False when it was declared before, or nothing is
    /// promised any more.
    async fn incoming_declare(&self, id: UploadId, bytes: u64) -> Result<bool, StoreError>;
    /// The promised upload was checked and stored: it is an upload like any other from now on.
    /// When two checked the same one, the first stays. False when it is gone.
    async fn incoming_check(&self, upload: NewUpload) -> Result<bool, StoreError>;
    /// Promised uploads whose time is over and whose bytes may still exist, but for those in `except`.
    async fn incoming_expired(
        &self,
        now: UnixMs,
        limit: u32,
        except: &[UploadId],
    ) -> Result<Vec<UploadId>, StoreError>;
    /// Forgets a promised upload whose bytes are gone.
    async fn incoming_forget(&self, id: UploadId) -> Result<(), StoreError>;
    /// Which of these uploads exist, promised ones too.
    async fn upload_existing(&self, ids: &[UploadId]) -> Result<Vec<UploadId>, StoreError>;

    // ---- looks at the whole ----

    /// The queue as it stands, for metrics: cheap however many jobs there are.
    async fn queue_stats(&self, now: UnixMs) -> Result<QueueStats, StoreError>;
    /// Every submission ever made, by engine and state, with what it cost.
    async fn ledger(&self, now: UnixMs) -> Result<Ledger, StoreError>;

    // ---- the store itself ----

    /// Whether it answers a read and takes a write; for readiness. Changes nothing.
    async fn ping(&self) -> Result<(), StoreError>;
    /// Notified after every commit that gave a worker or maintenance something to do.
    fn signal(&self) -> &Signal;
    /// Finishes queued writes and closes. Later calls answer [`StoreError::Closed`].
    async fn close(&self);
}
