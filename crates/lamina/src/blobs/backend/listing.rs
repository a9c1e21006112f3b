//! What is in the store, for those who look at all of it.

use futures_util::TryStreamExt;
use object_store::ObjectStore;
use object_store::path::Path as ObjectPath;

use super::{Blobs, Place, WHOLE};
use crate::blobs::{BlobError, BlobKey, folder, mark};
use crate::jobs::{JobId, UploadId};
use crate::metrics::BlobOperation;

/// Jobs and uploads that have bytes in the store.
#[derive(Clone, Debug, Default)]
pub struct Owners {
    pub jobs: Vec<JobId>,
    pub uploads: Vec<UploadId>,
}

impl Blobs {
    /// Who has bytes in the store, for the sweep of orphans.
    ///
    /// # Errors
    /// [`BlobError`], never [`BlobError::Missing`].
    pub async fn owners(&self) -> Result<Owners, BlobError> {
        Ok(Owners {
            jobs: self.ids_under("jobs").await?,
            uploads: self.ids_under("uploads").await?,
        })
    }

    async fn ids_under<T: std::str::FromStr>(&self, top: &str) -> Result<Vec<T>, BlobError> {
        let names: Vec<String> = if let Place::Folder(root) = &self.place {
            folder::names(&root.join(top))
                .await
                .map_err(|error| BlobError::Unavailable(format!("listing {top}: {error}")))?
        } else {
            let (path, what) = (ObjectPath::from(top), format!("listing {top}"));
            let listed = self.store.list_with_delimiter(Some(&path));
            let listed = self
                .bounded(BlobOperation::List, &what, WHOLE, false, listed)
                .await?;
            let prefixes = listed.common_prefixes.iter();
            prefixes
                .filter_map(|path| path.filename().map(str::to_owned))
                .collect()
        };
        Ok(names.iter().filter_map(|name| name.parse().ok()).collect())
    }

    /// Every blob, with its size in bytes, and how many other things lie between them.
    ///
    /// # Errors
    /// [`BlobError`], never [`BlobError::Missing`].
    pub async fn keys(&self) -> Result<(Vec<(BlobKey, u64)>, usize), BlobError> {
        let listing = self.store.list(None).try_fold(
            (Vec::new(), 0),
            |(mut keys, mut others), meta| async move {
                match BlobKey::parse(meta.location.as_ref()) {
                    Some(key) => keys.push((key, meta.size)),
                    None if meta.location.as_ref() == mark::NAME => {}
                    None => others += 1,
                }
                Ok((keys, others))
            },
        );
        let (operation, limit) = (BlobOperation::List, WHOLE * 30);
        self.bounded(operation, "listing everything", limit, false, listing)
            .await
    }
}
