//! Where bytes are kept, and what makes links to them, as configured. It opens; it asks a bucket nothing.

use std::path::Path;

use secrecy::ExposeSecret as _;

use super::StartError;
use crate::blobs::{BlobError, Blobs, LinkSigner, Presigner};
use crate::config::{Config, StorageConfig};
use crate::secret;

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
