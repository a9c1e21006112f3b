//! Copies every blob of one store to another and makes sure that it arrived: each is read back from
//! the target and compared by SHA-256. It can be stopped at any moment and run again; what the
//! journal has and the target still has is not touched. The source is only read.

use aws_lc_rs::digest;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};

use super::journal::Entry;
use super::{BlobError, BlobKey, Blobs, Journal, JournalError};

/// Blobs on their way at once; each is in memory meanwhile.
const AT_ONCE: usize = 8;

/// Why a copy ended early. What was done stays done.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// One of the stores.
    #[error("{0}: {1}")]
    Store(&'static str, BlobError),
    /// The target is somebody else's.
    #[error(
        "the target belongs to the deployment {0}, and the source does not; name an empty target"
    )]
    Foreign(String),
    /// The journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// What became of one blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// Copied, read back, the same.
    Copied {
        /// Its size.
        bytes: u64,
    },
    /// It was there already, the same.
    There,
    /// It was erased at the source before it could be read.
    Gone,
    /// The target has other bytes under its name; they were left.
    Different,
}

/// How many of each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Blobs copied.
    pub copied: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Blobs that were there already.
    pub there: u64,
    /// Blobs erased at the source meanwhile.
    pub gone: u64,
    /// Blobs of earlier runs that are erased at the source and were removed at the target too.
    pub removed: u64,
    /// Blobs that the target has with other bytes.
    pub different: Vec<BlobKey>,
    /// Things at the source that are no blobs, and were left.
    pub others: usize,
}

/// What was read of one blob, before it is written down.
struct Step {
    key: BlobKey,
    done: Done,
    entry: Option<Entry>,
}

/// A copy from one store to another.
#[derive(Debug)]
pub struct Transfer {
    /// Read.
    pub from: Blobs,
    /// Written.
    pub to: Blobs,
}

impl Transfer {
    /// Copies what the target does not have. `report` is told how many blobs there are, and then of
    /// each what became of it.
    ///
    /// # Errors
    /// [`TransferError`]; running it again goes on.
    pub async fn run(
        &self,
        journal: &mut Journal,
        mut report: impl FnMut(usize, Option<Done>),
    ) -> Result<Tally, TransferError> {
        let whose = self.from.mark().await.map_err(source)?;
        if let Some(there) = self.to.mark().await.map_err(target)?
            && whose.as_ref().map(|mark| &mark.deployment) != Some(&there.deployment)
        {
            return Err(TransferError::Foreign(there.deployment));
        }
        let (keys, others) = self.from.keys().await.map_err(source)?;
        report(keys.len(), None);
        let mut tally = Tally {
            others,
            ..Tally::default()
        };
        let wanted: Vec<_> = keys
            .iter()
            .map(|(key, size)| (*key, *size, journal.get(key).cloned()))
            .collect();
        let mut steps = stream::iter(wanted)
            .map(|(key, size, known)| self.one(key, size, known))
            .buffer_unordered(AT_ONCE);
        while let Some(step) = steps.next().await {
            let Step { key, done, entry } = step?;
            if let Some(entry) = entry {
                journal.add(&key, entry)?;
            }
            match done {
                Done::Copied { bytes } => {
                    tally.copied += 1;
                    tally.bytes += bytes;
                }
                Done::There => tally.there += 1,
                Done::Gone => tally.gone += 1,
                Done::Different => tally.different.push(key),
            }
            report(keys.len(), Some(done));
        }
        tally.removed = self.follow_erasures(journal).await?;
        if let Some(mark) = whose {
            self.to.set_mark(&mark).await.map_err(target)?;
        }
        Ok(tally)
    }

    async fn one(
        &self,
        key: BlobKey,
        size: u64,
        known: Option<Entry>,
    ) -> Result<Step, TransferError> {
        let step = |done, entry| Step { key, done, entry };
        let there = match self.to.size(&key).await {
            Ok(found) => Some(found),
            Err(BlobError::Missing(_)) => None,
            Err(error) => return Err(target(error)),
        };
        let untouched = known.filter(|known| {
            there.as_ref().is_some_and(|(bytes, version)| {
                *bytes == known.size && version.as_deref().unwrap_or_default() == known.version
            })
        });
        if untouched.as_ref().is_some_and(|known| known.size == size) {
            return Ok(step(Done::There, None));
        }
        let bytes = match self.from.get(&key).await {
            Ok(bytes) => bytes,
            Err(BlobError::Missing(_)) => return Ok(step(Done::Gone, None)),
            Err(error) => return Err(source(error)),
        };
        let sha256 = hash(&bytes);
        let length = bytes.len() as u64;
        // Bytes that no run of this copy put there may be somebody's only ones.
        let mut done = Done::There;
        if there.is_none() || untouched.is_some() {
            self.to.put(&key, bytes).await.map_err(target)?;
            done = Done::Copied { bytes: length };
        }
        let arrived = self.to.get(&key).await.map_err(target)?;
        if hash(&arrived) != sha256 {
            return Ok(step(Done::Different, None));
        }
        let (size, version) = self.to.size(&key).await.map_err(target)?;
        let entry = Entry {
            sha256,
            size,
            version: version.unwrap_or_default(),
        };
        Ok(step(done, Some(entry)))
    }

    /// Removes at the target what an earlier run put there and the source has erased since: a
    /// picture that was deleted must not live on in its copy.
    async fn follow_erasures(&self, journal: &Journal) -> Result<u64, TransferError> {
        let (keys, _) = self.from.keys().await.map_err(source)?;
        let left: std::collections::HashSet<BlobKey> =
            keys.into_iter().map(|(key, _)| key).collect();
        let mut removed = 0;
        for key in journal.keys() {
            if left.contains(&key) || matches!(self.to.size(&key).await, Err(BlobError::Missing(_)))
            {
                continue;
            }
            self.to.remove(&key).await.map_err(target)?;
            removed += 1;
        }
        Ok(removed)
    }
}

fn source(error: BlobError) -> TransferError {
    TransferError::Store("reading the source", error)
}

fn target(error: BlobError) -> TransferError {
    TransferError::Store("writing the target", error)
}

fn hash(bytes: &Bytes) -> String {
    let digest = digest::digest(&digest::SHA256, bytes);
    digest
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
