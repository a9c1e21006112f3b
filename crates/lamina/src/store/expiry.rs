//! What is over: marked, erased, cancelled, forgotten. A part of [`super::Store`].

use async_trait::async_trait;

use super::{Cancellable, Ended, StoreError, WaitCounts};
use crate::jobs::{JobId, Phase, UnixMs, UploadId};

/// What is over: marked, erased, cancelled, forgotten.
#[async_trait]
pub trait ExpiryStore: std::fmt::Debug + Send + Sync {
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
}
