//! The blob store: a folder (every write synced) or, by the same trait, a bucket or memory.
//! It does not sign links and does not know which blobs should exist.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt};
use object_store::local::LocalFileSystem;
use object_store::path::Path as ObjectPath;
use object_store::{GetOptions, GetRange, ObjectStore, ObjectStoreExt as _, PutPayload};

use super::BlobKey;
use crate::jobs::{JobId, UploadId};

/// Why bytes could not be read or written.
#[derive(Clone, Debug, thiserror::Error)]
pub enum BlobError {
    /// There is no such blob.
    #[error("the blob {0} does not exist")]
    Missing(String),
    /// The disk is full, the folder is read-only, the bucket is down; it may pass.
    #[error("the blob store failed: {0}")]
    Unavailable(String),
}

/// A blob opened for reading.
pub struct OpenBlob {
    /// Size of the whole blob in bytes.
    pub size: u64,
    /// The part that `stream` gives.
    pub range: Range<u64>,
    /// Names this version of the bytes.
    pub etag: Option<String>,
    /// The bytes of `range`.
    pub stream: BoxStream<'static, Result<Bytes, BlobError>>,
}

/// Jobs and uploads that have bytes in the store.
#[derive(Clone, Debug, Default)]
pub struct Owners {
    /// Jobs.
    pub jobs: Vec<JobId>,
    /// Uploads.
    pub uploads: Vec<UploadId>,
}

/// The blob store. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Blobs {
    store: Arc<dyn ObjectStore>,
    /// The folder, when it is one: erasing then removes unfinished temporary files too, which a
    /// listing does not show.
    folder: Option<Arc<PathBuf>>,
}

impl Blobs {
    /// A folder, made if it is missing and readable by its owner alone. A write is answered after
    /// file and directory were synced.
    ///
    /// # Errors
    /// [`BlobError::Unavailable`] when the folder cannot be made or opened.
    pub fn folder(root: &Path) -> Result<Self, BlobError> {
        let unavailable =
            |error: std::io::Error| BlobError::Unavailable(format!("{}: {error}", root.display()));
        let mut builder = std::fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.recursive(true).create(root).map_err(unavailable)?;
        let root = root.canonicalize().map_err(unavailable)?;
        let store = LocalFileSystem::new_with_prefix(&root)
            .map_err(|error| BlobError::Unavailable(error.to_string()))?
            .with_automatic_cleanup(true)
            .with_fsync(true);
        Ok(Self {
            store: Arc::new(store),
            folder: Some(Arc::new(root)),
        })
    }

    /// Any other object store.
    #[must_use]
    pub fn over(store: Arc<dyn ObjectStore>) -> Self {
        Self {
            store,
            folder: None,
        }
    }

    /// Writes a blob; it can be read, and survives power loss, when this returns.
    ///
    /// # Errors
    /// [`BlobError::Unavailable`]
    pub async fn put(&self, key: &BlobKey, bytes: Bytes) -> Result<(), BlobError> {
        let path = object_path(key);
        self.store
            .put(&path, PutPayload::from_bytes(bytes))
            .await
            .map_err(|error| classify(key, &error))?;
        Ok(())
    }

    /// Reads a whole blob.
    ///
    /// # Errors
    /// [`BlobError`]
    pub async fn get(&self, key: &BlobKey) -> Result<Bytes, BlobError> {
        let found = self
            .store
            .get(&object_path(key))
            .await
            .map_err(|error| classify(key, &error))?;
        found.bytes().await.map_err(|error| classify(key, &error))
    }

    /// Opens a blob for streaming, whole or a part of it. A range past the end is clipped by the
    /// caller, who learns the size from [`Blobs::size`].
    ///
    /// # Errors
    /// [`BlobError`]
    pub async fn open(
        &self,
        key: &BlobKey,
        range: Option<Range<u64>>,
    ) -> Result<OpenBlob, BlobError> {
        let options = GetOptions {
            range: range.map(GetRange::Bounded),
            ..GetOptions::default()
        };
        let found = self
            .store
            .get_opts(&object_path(key), options)
            .await
            .map_err(|error| classify(key, &error))?;
        let (size, etag, range, key) = (
            found.meta.size,
            found.meta.e_tag.clone(),
            found.range.clone(),
            *key,
        );
        let stream = found
            .into_stream()
            .map_err(move |error| classify(&key, &error))
            .boxed();
        Ok(OpenBlob {
            size,
            range,
            etag,
            stream,
        })
    }

    /// Size and version name of a blob.
    ///
    /// # Errors
    /// [`BlobError`]
    pub async fn size(&self, key: &BlobKey) -> Result<(u64, Option<String>), BlobError> {
        let meta = self
            .store
            .head(&object_path(key))
            .await
            .map_err(|error| classify(key, &error))?;
        Ok((meta.size, meta.e_tag))
    }

    /// Copies a blob under another key.
    ///
    /// # Errors
    /// [`BlobError`]
    pub async fn copy(&self, from: &BlobKey, to: &BlobKey) -> Result<(), BlobError> {
        self.put(to, self.get(from).await?).await
    }

    /// Removes every byte of a job. Repeatable; a job without bytes is no error.
    ///
    /// # Errors
    /// [`BlobError::Unavailable`]
    pub async fn erase_job(&self, job: JobId) -> Result<(), BlobError> {
        self.erase(&format!("jobs/{job}")).await
    }

    /// Removes every byte of an upload. Repeatable.
    ///
    /// # Errors
    /// [`BlobError::Unavailable`]
    pub async fn erase_upload(&self, upload: UploadId) -> Result<(), BlobError> {
        self.erase(&format!("uploads/{upload}")).await
    }

    /// `prefix` is made of ids only.
    async fn erase(&self, prefix: &str) -> Result<(), BlobError> {
        let failed = |error: &dyn std::fmt::Display| {
            BlobError::Unavailable(format!("erasing {prefix}: {error}"))
        };
        if let Some(root) = &self.folder {
            return match tokio::fs::remove_dir_all(root.join(prefix)).await {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(failed(&error)),
                _ => Ok(()),
            };
        }
        let listed = self
            .store
            .list(Some(&ObjectPath::from(prefix)))
            .map_ok(|meta| meta.location)
            .boxed();
        self.store
            .delete_stream(listed)
            .try_collect::<Vec<_>>()
            .await
            .map_err(|error| failed(&error))?;
        Ok(())
    }

    /// Who has bytes in the store, for the sweep of orphans.
    ///
    /// # Errors
    /// [`BlobError::Unavailable`]
    pub async fn owners(&self) -> Result<Owners, BlobError> {
        Ok(Owners {
            jobs: self.ids_under("jobs").await?,
            uploads: self.ids_under("uploads").await?,
        })
    }

    async fn ids_under<T: std::str::FromStr>(&self, top: &str) -> Result<Vec<T>, BlobError> {
        let names: Vec<String> = if let Some(root) = &self.folder {
            folder_names(&root.join(top))
                .await
                .map_err(|error| BlobError::Unavailable(error.to_string()))?
        } else {
            let listed = self
                .store
                .list_with_delimiter(Some(&ObjectPath::from(top)))
                .await;
            let listed = listed.map_err(|error| BlobError::Unavailable(error.to_string()))?;
            listed
                .common_prefixes
                .iter()
                .filter_map(|path| path.filename().map(str::to_owned))
                .collect()
        };
        Ok(names.iter().filter_map(|name| name.parse().ok()).collect())
    }

    /// Writes, reads and removes a small blob; for readiness and `lamina check`.
    ///
    /// # Errors
    /// [`BlobError::Unavailable`]
    pub async fn probe(&self) -> Result<(), BlobError> {
        let path = ObjectPath::from("probe");
        let failed = |error: object_store::Error| BlobError::Unavailable(error.to_string());
        self.store
            .put(&path, PutPayload::from_static(b"lamina"))
            .await
            .map_err(failed)?;
        self.store.delete(&path).await.map_err(failed)
    }
}

async fn folder_names(folder: &Path) -> std::io::Result<Vec<String>> {
    let mut entries = match tokio::fs::read_dir(folder).await {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut names = Vec::new();
    while let Some(entry) = entries.next_entry().await? {
        names.extend(entry.file_name().into_string());
    }
    Ok(names)
}

fn object_path(key: &BlobKey) -> ObjectPath {
    ObjectPath::from(key.path())
}

fn classify(key: &BlobKey, error: &object_store::Error) -> BlobError {
    match error {
        object_store::Error::NotFound { .. } => BlobError::Missing(key.path()),
        other => BlobError::Unavailable(format!("{key}: {other}")),
    }
}

#[cfg(test)]
mod tests {
    use object_store::memory::InMemory;

    use super::*;
    use crate::jobs::{MediaType, UnixMs};

    async fn keeps_the_contract(blobs: Blobs) {
        let (job, upload) = (JobId::new(UnixMs(1)), UploadId::new(UnixMs(1)));
        let layer = BlobKey::Layer(job, 0, MediaType::Png);
        assert!(matches!(
            blobs.get(&layer).await,
            Err(BlobError::Missing(_))
        ));

        blobs
            .put(&layer, Bytes::from_static(b"0123456789"))
            .await
            .unwrap();
        blobs
            .put(&layer, Bytes::from_static(b"9876543210"))
            .await
            .unwrap();
        assert_eq!(blobs.get(&layer).await.unwrap(), "9876543210");
        assert_eq!(blobs.size(&layer).await.unwrap().0, 10);

        let part = blobs.open(&layer, Some(2..5)).await.unwrap();
        assert_eq!((part.size, part.range.clone()), (10, 2..5));
        let bytes: Vec<Bytes> = part.stream.try_collect().await.unwrap();
        assert_eq!(bytes.concat(), b"765");

        let source = BlobKey::Source(job, MediaType::Png);
        blobs.copy(&layer, &source).await.unwrap();
        blobs
            .put(
                &BlobKey::Upload(upload, MediaType::Png),
                Bytes::from_static(b"u"),
            )
            .await
            .unwrap();
        let owners = blobs.owners().await.unwrap();
        assert_eq!((owners.jobs, owners.uploads), (vec![job], vec![upload]));

        blobs.erase_job(job).await.unwrap();
        blobs.erase_job(job).await.unwrap();
        assert!(matches!(
            blobs.get(&source).await,
            Err(BlobError::Missing(_))
        ));
        assert!(blobs.owners().await.unwrap().jobs.is_empty());
        blobs.erase_upload(upload).await.unwrap();
        assert!(blobs.owners().await.unwrap().uploads.is_empty());
        blobs.probe().await.unwrap();
    }

    #[tokio::test]
    async fn a_folder_keeps_the_contract() {
        let root = tempfile::tempdir().unwrap();
        keeps_the_contract(Blobs::folder(&root.path().join("blobs")).unwrap()).await;
    }

    #[tokio::test]
    async fn memory_keeps_the_contract() {
        keeps_the_contract(Blobs::over(Arc::new(InMemory::new()))).await;
    }

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
