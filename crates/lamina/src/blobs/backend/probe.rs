//! Whether the store can be used now.

use std::time::Duration;

use object_store::path::Path as ObjectPath;
use object_store::{ObjectStoreExt as _, PutPayload};

use super::{Blobs, Place};
use crate::blobs::BlobError;
use crate::metrics::BlobOperation;

/// Readiness is asked by machines that want an answer soon.
const PROBE: Duration = Duration::from_secs(5);

impl Blobs {
    /// Whether the store can be read and written now; for readiness. A bucket that took a write a
    /// while ago is only read from.
    ///
    /// # Errors
    /// [`BlobError`]
    pub async fn probe(&self) -> Result<(), BlobError> {
        if !matches!(self.place, Place::Bucket) || !self.pulse.writes() {
            return self.probe_write().await;
        }
        let path = ObjectPath::from("probe");
        let read = async { self.store.get(&path).await?.bytes().await };
        let probed = self.bounded(BlobOperation::Probe, "probe", PROBE, true, read);
        match probed.await {
            Ok(_) => Ok(()),
            // Nobody has written it yet, or somebody cleans up.
            Err(BlobError::Missing(_)) => self.probe_write().await,
            Err(error) => Err(error),
        }
    }

    /// Writes a small object and, in a folder, removes it again; for `lamina check`.
    ///
    /// # Errors
    /// [`BlobError`], never [`BlobError::Missing`].
    pub async fn probe_write(&self) -> Result<(), BlobError> {
        let path = ObjectPath::from("probe");
        let work = async {
            let payload = PutPayload::from_static(b"lamina");
            self.store.put(&path, payload).await?;
            match self.place {
                Place::Bucket => Ok(()),
                Place::Folder(_) | Place::Other => self.store.delete(&path).await,
            }
        };
        let probe = self.bounded(BlobOperation::Probe, "probe", PROBE, false, work);
        let written = probe.await;
        self.pulse.wrote(written.is_ok());
        written
    }
}
