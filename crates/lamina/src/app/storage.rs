//! Where bytes are kept, and what makes links to them, as configured. It opens; it asks a bucket nothing.

use std::path::Path;

use secrecy::ExposeSecret as _;

use super::StartError;
use crate::access::StorageRules;
use crate::blobs::{BlobError, Blobs, LinkSigner, Presigner};
use crate::config::{Config, StorageConfig};
use crate::secret;
use crate::store::Store;

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
    let kept = match store.storage_standing(0).await {
        Ok(standing) => standing.total(),
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
