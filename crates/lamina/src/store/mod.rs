//! All that lamina remembers besides bytes, behind one trait. SQL lives below this folder and
//! nowhere else. Every write that follows a claim is fenced by the job's lease: it changes nothing
//! when another worker has taken over, and says so.

mod admin;
#[cfg(test)]
mod conformance;
mod deployment;
mod error;
mod expiry;
mod feed;
mod jobs;
mod kept;
mod layer_variants;
mod overview;
mod owners;
mod queue;
mod records;
mod signal;
pub mod sqlite;
mod submissions;
mod uploads;
mod webhooks;

use async_trait::async_trait;

pub use admin::{
    AdminStore, DeliveryDetail, JobDetail, JobFilter, JobOverview, Retrial, SpendingLine,
    StepDetail, SubmissionDetail, UsageStats,
};
pub use deployment::{Deployment, DeploymentStore};
pub use error::StoreError;
pub use expiry::ExpiryStore;
pub use feed::{ChangeFeed, Changed, JobWatch, OwnerNews, OwnerWatch};
pub use jobs::JobStore;
pub use kept::KeptBytes;
pub use layer_variants::{LayerVariantStore, VariantOf};
pub use overview::{
    FailureLine, LATELY, LOOKED_THROUGH, Overview, OverviewStore, UnknownSubmission,
};
pub use owners::{KeyRecord, OwnerStore, OwnerUsage};
pub use queue::QueueStore;
pub use records::{
    Abandoned, Arrival, Call, Cancellable, Claimed, ClockSeen, Created, Deletion, Ended,
    FencedWrite, FirstStack, Gone, IdempotencyKey, Incoming, JobRecord, JobVersion, KeptInput,
    KeptKind, LAYERS_BYTES, Lease, Ledger, LedgerLine, Lookup, NewJob, NewUpload, Opening, PastRun,
    PhaseStats, QueueStats, QuotaExceeded, SourceInfo, StepOutput, StorageBound, StorageUsage,
    StoredSource, Submission, SubmissionState, UploadRecord, WaitCounts, Want,
};
pub use signal::Signal;
pub use submissions::SubmissionStore;
pub use uploads::UploadStore;
pub use webhooks::{Attempt, Delivery, DeliveryState, HookSettings, HookStore, HooksWaiting};

use crate::jobs::UnixMs;

/// What a store must do. One conformance suite runs against every implementation.
#[async_trait]
pub trait Store:
    JobStore
    + QueueStore
    + SubmissionStore
    + ExpiryStore
    + UploadStore
    + KeptBytes
    + LayerVariantStore
    + OwnerStore
    + DeploymentStore
    + AdminStore
    + OverviewStore
    + HookStore
{
    /// The queue as it stands, for metrics: cheap however many jobs there are.
    async fn queue_stats(&self, now: UnixMs) -> Result<QueueStats, StoreError>;
    /// Every submission ever made, by engine and state, with what it cost.
    async fn ledger(&self, now: UnixMs) -> Result<Ledger, StoreError>;

    /// Whether it answers a read and takes a write; for readiness. Changes nothing.
    async fn ping(&self) -> Result<(), StoreError>;
    /// Notified after every commit that gave a worker or maintenance something to do.
    fn signal(&self) -> &Signal;
    /// Told after every commit that wrote a job.
    fn changes(&self) -> &ChangeFeed;
    /// Finishes queued writes and closes. Later calls answer [`StoreError::Closed`].
    async fn close(&self);
}
