//! Where bytes are kept, and what makes links to them, as configured. It opens; it asks a bucket nothing.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use secrecy::ExposeSecret as _;

use super::StartError;
use crate::access::StorageRules;
use crate::blobs::{BlobError, Blobs, LinkSigner, Presigner, RowSources};
use crate::config::{Config, StorageConfig};
use crate::disk::Space;
use crate::jobs::JobId;
use crate::secret;
use crate::store::Store;
use crate::store::sqlite::OpenError;

/// Opens the blob store; of a bucket nothing is asked yet.
///
/// # Errors
/// [`BlobError`]
pub(crate) fn open_blobs(storage: &StorageConfig) -> Result<Blobs, BlobError> {
    match storage {
        StorageConfig::Folder(folder) => Blobs::folder(folder),
        StorageConfig::Bucket { settings, .. } => Blobs::bucket(settings),
    }
}

/// Sources that are rows of the database.
#[derive(Debug)]
pub(crate) struct OfStore(pub(crate) Arc<dyn Store>);

#[async_trait]
impl RowSources for OfStore {
    async fn source(&self, job: JobId) -> Result<Option<Bytes>, BlobError> {
        let found = self.0.source_bytes(job).await;
        found.map_err(|error| BlobError::Unavailable(format!("the source of job {job}: {error}")))
    }
}

/// The disks that pictures and bodies are written to; a bucket is none.
pub(super) fn space(config: &Config, data: &Path) -> Space {
    let mut folders = vec![data.to_owned()];
    if let StorageConfig::Folder(folder) = &config.storage {
        folders.push(folder.clone());
    }
    Space::over(folders, config.min_free_disk)
}

/// Refuses an empty file in the place of a database whose storage says that there was one. (The file
/// beside the database says so too, where it is still there.)
///
/// # Errors
/// [`StartError::Database`]
pub(super) async fn refuse_emptied(config: &Config) -> Result<(), StartError> {
    let path = &config.database_path;
    let is_empty = std::fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.len() == 0);
    if !is_empty {
        return Ok(());
    }
    let Ok(blobs) = open_blobs(&config.storage) else {
        return Ok(());
    };
    // A storage that does not answer is told to whoever asks it next.
    match tokio::time::timeout(MARK_WITHIN, blobs.mark()).await {
        Ok(Ok(Some(mark))) => Err(OpenError::Emptied {
            path: path.clone(),
            deployment: mark.deployment,
        }
        .into()),
        Ok(Ok(None) | Err(_)) | Err(_) => Ok(()),
    }
}

/// How long a start waits for the storage's word.
const MARK_WITHIN: Duration = Duration::from_secs(5);

/// What makes and checks links to the configured storage.
///
/// # Errors
/// [`StartError::Secret`] and [`StartError::Links`]
pub(crate) fn link_signer(config: &Config, data: &Path) -> Result<LinkSigner, StartError> {
    let signer = own_signer(config, data)?;
    match &config.storage {
        StorageConfig::Folder(_) => Ok(signer),
        StorageConfig::Bucket { settings, direct } => {
            let bucket = Presigner::new(settings).map_err(StartError::Links)?;
            Ok(signer.over_bucket(bucket, *direct))
        }
    }
}

/// Bounds what is kept, by what is configured and what the disk has. It is looked at once: what others
/// write to the disk meanwhile does not change a bound that clients run into.
pub(super) async fn bound_storage(store: &dyn Store, rules: StorageRules, folder: Option<&Path>) {
    let kept = match store.storage_usage(0).await {
        Ok(usage) => usage.total(),
        Err(error) => {
            tracing::error!(%error, "what is kept could not be read, so that only owners are bounded");
            return;
        }
    };
    let free = folder.and_then(|folder| rustix::fs::statvfs(folder).ok());
    let caps = rules.caps(kept, free.map(|found| found.f_bavail * found.f_frsize));
    tracing::info!(
        kept_bytes = kept,
        total_bytes = caps.total_bytes,
        owner_bytes = caps.owner_bytes,
        incoming_bytes = caps.incoming_bytes,
        "storage is bounded"
    );
    store.bound_storage(caps);
}

fn own_signer(config: &Config, data: &Path) -> Result<LinkSigner, StartError> {
    if config.signing_secrets.is_empty() {
        let made = secret::load_or_make(data).map_err(StartError::Secret)?;
        return Ok(LinkSigner::new(&[made.expose_secret()]));
    }
    let secrets: Vec<&str> = config
        .signing_secrets
        .iter()
        .map(|secret| secret.expose_secret())
        .collect();
    Ok(LinkSigner::new(&secrets))
}
