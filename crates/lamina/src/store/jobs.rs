//! Jobs as their owners see them. A part of [`super::Store`].

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use super::{Created, Deletion, IdempotencyKey, JobRecord, Lookup, NewJob, StoreError};
use crate::jobs::{JobId, OwnerId, UnixMs};

/// Jobs as their owners see them.
#[async_trait]
pub trait JobStore: std::fmt::Debug + Send + Sync {
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
    /// The owner's jobs that have not ended, oldest first, after `after`.
    async fn job_open_list(
        &self,
        owner: &OwnerId,
        after: Option<JobId>,
        limit: u32,
    ) -> Result<Vec<JobId>, StoreError>;
    /// The owner's jobs that ended or went after the place `after`, in that order, each with its place.
    async fn job_ended_list(
        &self,
        owner: &OwnerId,
        after: i64,
        limit: u32,
    ) -> Result<Vec<(JobId, i64)>, StoreError>;
    /// The place of the owner's last end; 0 before the first.
    async fn job_ended_last(&self, owner: &OwnerId) -> Result<i64, StoreError>;
    /// Deletes a job of `owner`; its worker loses the lease at once and its bytes become erasable.
    async fn job_delete(
        &self,
        owner: &OwnerId,
        id: JobId,
        now: UnixMs,
    ) -> Result<Deletion, StoreError>;
}
