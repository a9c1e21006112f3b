//! Uploads, promised and there. A part of [`super::Store`].

use async_trait::async_trait;

use super::{Incoming, NewUpload, StoreError, UploadRecord};
use crate::jobs::{OwnerId, UnixMs, UploadId};

/// Uploads, promised and there.
#[async_trait]
pub trait UploadStore: std::fmt::Debug + Send + Sync {
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
}
