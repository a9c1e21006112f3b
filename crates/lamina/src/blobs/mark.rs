//! The storage's own word on whose it is: a small object at its root with the id of the deployment, and
//! a time that its database wrote down before the storage was told. A database that does not find its own id
//! here, or knows an earlier time than the storage, does not know what the storage holds.

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore as _, ObjectStoreExt as _, PutPayload};
use serde::{Deserialize, Serialize};

use super::{BlobError, Blobs};
use crate::jobs::{JobId, UnixMs};
use crate::metrics::BlobOperation;

/// Its name; no blob has it.
pub(super) const NAME: &str = "deployment.json";

/// What stands in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    pub deployment: String,
    /// What its database had written of itself by then.
    pub seen_at_ms: i64,
}

impl Mark {
    /// The mark of a deployment.
    #[must_use]
    pub fn new(deployment: &str, seen_at: UnixMs) -> Self {
        Self {
            deployment: deployment.to_owned(),
            seen_at_ms: seen_at.0,
        }
    }
}

/// Whose a storage is, seen from the database in use. Only what is its own is swept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Ownership {
    /// Nobody has looked yet, or the storage does not answer.
    #[default]
    Unknown,
    /// The database's.
    Own,
    /// Another database's.
    Foreign {
        /// The other's id.
        deployment: String,
    },
    /// The database's, as it was later: the storage knows more than the database.
    Newer,
    /// Nobody's that is known, and it holds what the database does not know.
    Unmarked,
}

impl Ownership {
    /// Whose a storage with `mark` is, seen from the database of `deployment` that was last written at
    /// `seen_at`. `may_claim`: whether it is the database's where nobody has marked it.
    #[must_use]
    pub fn of(mark: Option<Mark>, deployment: &str, seen_at: UnixMs, may_claim: bool) -> Self {
        match mark {
            None if may_claim => Self::Own,
            None => Self::Unmarked,
            Some(mark) if mark.deployment != deployment => Self::Foreign {
                deployment: mark.deployment,
            },
            Some(mark) if mark.seen_at_ms > seen_at.0 => Self::Newer,
            Some(_) => Self::Own,
        }
    }
}

impl Blobs {
    /// Whose the storage is; `None` where it has no mark.
    ///
    /// # Errors
    /// [`BlobError`], never [`BlobError::Missing`].
    pub async fn mark(&self) -> Result<Option<Mark>, BlobError> {
        let path = ObjectPath::from(NAME);
        let read = async { self.store.get(&path).await?.bytes().await };
        let read = self.bounded(BlobOperation::Get, NAME, super::backend::CALL, true, read);
        match read.await {
            // What cannot be read is somebody's all the same.
            Ok(bytes) => {
                Ok(Some(serde_json::from_slice(&bytes).unwrap_or_else(|_| {
                    Mark::new("(its mark cannot be read)", UnixMs(0))
                })))
            }
            Err(BlobError::Missing(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Says whose the storage is.
    ///
    /// # Errors
    /// [`BlobError`], never [`BlobError::Missing`].
    pub async fn set_mark(&self, mark: &Mark) -> Result<(), BlobError> {
        let text = serde_json::to_vec(mark)
            .map_err(|error| BlobError::Unavailable(format!("{NAME}: {error}")))?;
        let (path, payload) = (ObjectPath::from(NAME), PutPayload::from(Bytes::from(text)));
        let written = self.store.put(&path, payload);
        self.bounded(
            BlobOperation::Put,
            NAME,
            super::backend::CALL,
            false,
            written,
        )
        .await
        .map(|_| ())
    }

    /// Whether there is a layer of a job: such a job had a row.
    ///
    /// # Errors
    /// [`BlobError`], never [`BlobError::Missing`].
    pub async fn has_layers(&self, job: JobId) -> Result<bool, BlobError> {
        let folder = ObjectPath::from(format!("jobs/{job}"));
        let listed = self.store.list(Some(&folder));
        let layers = listed.try_any(|meta| {
            let is_layer = meta.location.filename();
            std::future::ready(is_layer.is_some_and(|name| name.starts_with("layer_")))
        });
        let what = format!("listing {folder}");
        self.bounded(
            BlobOperation::List,
            &what,
            super::backend::CALL,
            false,
            layers,
        )
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blobs::BlobKey;
    use crate::jobs::MediaType;

    #[test]
    fn only_its_own_storage_as_it_was_last_is_a_databases() {
        let of = |mark: Option<(&str, i64)>, may_claim| {
            let mark = mark.map(|(name, at)| Mark::new(name, UnixMs(at)));
            Ownership::of(mark, "a", UnixMs(7), may_claim)
        };
        for may_claim in [true, false] {
            for earlier_or_later in [6, 7, 8] {
                let foreign = of(Some(("b", earlier_or_later)), may_claim);
                let deployment = "b".to_owned();
                assert_eq!(foreign, Ownership::Foreign { deployment });
            }
            assert_eq!(of(Some(("a", 6)), may_claim), Ownership::Own);
            assert_eq!(of(Some(("a", 7)), may_claim), Ownership::Own);
            assert_eq!(of(Some(("a", 8)), may_claim), Ownership::Newer);
        }
        assert_eq!(of(None, true), Ownership::Own);
        assert_eq!(of(None, false), Ownership::Unmarked);
    }

    #[tokio::test]
    async fn a_storage_says_whose_it_is_and_the_mark_is_no_blob() {
        let folder = tempfile::tempdir().unwrap();
        let blobs = Blobs::folder(folder.path()).unwrap();
        assert_eq!(blobs.mark().await.unwrap(), None);
        let mark = Mark::new("a", UnixMs(7));
        blobs.set_mark(&mark).await.unwrap();
        assert_eq!(blobs.mark().await.unwrap(), Some(mark));
        assert_eq!(blobs.keys().await.unwrap(), (Vec::new(), 0));
        std::fs::write(folder.path().join(NAME), "{").unwrap();
        assert_ne!(blobs.mark().await.unwrap(), None);
        let job = JobId::new(UnixMs(7));
        let put = |key| {
            let blobs = blobs.clone();
            async move { blobs.put(&key, Bytes::from_static(b"x")).await.unwrap() }
        };
        assert!(!blobs.has_layers(job).await.unwrap());
        put(BlobKey::Source(job, MediaType::Png)).await;
        assert!(!blobs.has_layers(job).await.unwrap());
        put(BlobKey::Layer(job, 1, MediaType::Png)).await;
        assert!(blobs.has_layers(job).await.unwrap());
    }
}
