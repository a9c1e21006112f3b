//! Erasing, which can be repeated until it is done.

use std::time::Instant;

use futures_util::{StreamExt, TryStreamExt};
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, ObjectStoreExt as _};

use super::{Blobs, CALL, Place, WHOLE, object_path};
use crate::blobs::{BlobError, BlobKey, folder};
use crate::jobs::{JobId, UploadId};
use crate::metrics::BlobOperation;

impl Blobs {
    /// Removes every byte of a job. Repeatable; a job without bytes is no error.
    ///
    /// # Errors
    /// [`BlobError`], never [`BlobError::Missing`].
    pub async fn erase_job(&self, job: JobId) -> Result<(), BlobError> {
        self.erase(&format!("jobs/{job}")).await
    }

    /// Removes every byte of an upload. Repeatable.
    ///
    /// # Errors
    /// [`BlobError`], never [`BlobError::Missing`].
    pub async fn erase_upload(&self, upload: UploadId) -> Result<(), BlobError> {
        self.erase(&format!("uploads/{upload}")).await
    }

    /// `prefix` is made of ids only.
    async fn erase(&self, prefix: &str) -> Result<(), BlobError> {
        let what = format!("erasing {prefix}");
        if let Place::Folder(root) = &self.place {
            let since = Instant::now();
            let removed = folder::remove(&root.join(prefix)).await;
            let took = since.elapsed();
            self.metrics
                .called(BlobOperation::Erase, removed.is_err(), took);
            return removed.map_err(|error| BlobError::Unavailable(format!("{what}: {error}")));
        }
        let path = ObjectPath::from(prefix);
        let listed = self.store.list(Some(&path));
        let listed = listed.map_ok(|meta| meta.location).boxed();
        let erased = self.store.delete_stream(listed).try_collect::<Vec<_>>();
        self.bounded(BlobOperation::Erase, &what, WHOLE, false, erased)
            .await
            .map(|_| ())
    }

    /// Removes one blob; one that is not there is no error.
    ///
    /// # Errors
    /// [`BlobError`], never [`BlobError::Missing`].
    pub async fn remove(&self, key: &BlobKey) -> Result<(), BlobError> {
        let (path, name) = (object_path(key), key.path());
        let removed = self.store.delete(&path);
        let removed = self.bounded(BlobOperation::Erase, &name, CALL, true, removed);
        match removed.await {
            Err(BlobError::Missing(_)) => Ok(()),
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::jobs::{MediaType, UnixMs};

    #[tokio::test]
    async fn erasing_a_job_removes_unfinished_writes_too() {
        let root = tempfile::tempdir().unwrap();
        let blobs = Blobs::folder(root.path()).unwrap();
        let job = JobId::new(UnixMs(1));
        blobs
            .put(
                &BlobKey::Source(job, MediaType::Png),
                Bytes::from_static(b"x"),
            )
            .await
            .unwrap();
        let folder = root.path().join(format!("jobs/{job}"));
        std::fs::write(folder.join("layer_0.png#1"), b"half").unwrap();
        blobs.erase_job(job).await.unwrap();
        assert!(!folder.exists());
    }
}
