//! The store's side of bounds on storage. A part of [`super::Store`]. Every write that makes more be
//! kept is held against the bounds in its own transaction and answers [`StoreError::QuotaExceeded`],
//! so that no number of requests at once gets past them. Layers are not: they are paid, and the jobs
//! that make them were counted before.

use async_trait::async_trait;

use super::{StorageUsage, StoreError};
use crate::access::StorageCaps;
use crate::jobs::{OwnerId, UploadId};

/// Bytes that are kept.
#[async_trait]
pub trait KeptBytes: std::fmt::Debug + Send + Sync {
    /// The bounds from now on; none before. What is kept already stays.
    fn bound_storage(&self, caps: StorageCaps);
    /// The bounds.
    fn storage_caps(&self) -> StorageCaps;
    /// Whether `owner` may keep so many more bytes now. Reserves nothing; for an answer before the
    /// work is done.
    async fn storage_room(&self, owner: &OwnerId, bytes: u64) -> Result<(), StoreError>;
    /// What is kept, with at most so many owners.
    async fn storage_usage(&self, owners: u32) -> Result<StorageUsage, StoreError>;
    /// A promised upload takes up to so many bytes from now on, or has come to so many. False when it
    /// is not promised any more.
    async fn incoming_reserve(&self, id: UploadId, bytes: u64) -> Result<bool, StoreError>;
}
