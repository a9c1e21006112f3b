//! Small sources, which are written with their job's row and not as a file: a file of its own costs a folder and
//! several syncs, and a source of 30 kB is there for one read. Whoever reads a key does not see the difference.
//!
//! Only where pictures are in a folder. In a bucket they are all in the bucket, where an engine may fetch them.

use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream;

use super::{Blobs, OpenBlob, Place};
use crate::blobs::{BlobError, BlobKey};
use crate::disk::{Need, Room};
use crate::jobs::JobId;

/// The most bytes of a source beside its row. There they are written twice (journal and database), and once more as
/// zeros when they are erased, so that a large one is better a file.
const SMALL: u64 = 100_000;

/// Reads sources that are kept beside their jobs' rows.
#[async_trait]
pub trait RowSources: std::fmt::Debug + Send + Sync {
    /// The file of a job's source; `None` if it is not there.
    async fn source(&self, job: JobId) -> Result<Option<Bytes>, BlobError>;
}

impl Blobs {
    /// The same store, which looks for a source in `rows` first.
    #[must_use]
    pub fn with_rows(self, rows: std::sync::Arc<dyn RowSources>) -> Self {
        Self {
            rows: Some(rows),
            ..self
        }
    }

    /// Room on the disk for a source of so many bytes beside its row, to be held until the row is written;
    /// `None` if it has to be a blob.
    ///
    /// # Errors
    /// [`BlobError::Full`]
    pub fn room_in_row(&self, bytes: u64) -> Result<Option<Room>, BlobError> {
        let small = bytes <= SMALL && self.rows.is_some() && matches!(self.place, Place::Folder(_));
        if !small {
            return Ok(None);
        }
        Ok(Some(self.space.room(bytes, Need::Accepted)?))
    }

    /// Makes sure that a presigned link of `key` leads to its bytes: a source that came beside its row, as by
    /// restoring the backup of a folder, is not in the bucket yet.
    ///
    /// # Errors
    /// [`BlobError`]
    pub async fn publish(&self, key: &BlobKey) -> Result<(), BlobError> {
        match self.in_row(key).await? {
            Some(bytes) => self.put(key, bytes).await,
            None => self.size(key).await.map(drop),
        }
    }

    pub(super) async fn in_row(&self, key: &BlobKey) -> Result<Option<Bytes>, BlobError> {
        match (&self.rows, key) {
            (Some(rows), BlobKey::Source(job, _)) => rows.source(*job).await,
            _ => Ok(None),
        }
    }
}

impl OpenBlob {
    /// Bytes that are in memory.
    #[must_use]
    pub fn of(bytes: &Bytes, range: Option<Range<u64>>) -> Self {
        let size = bytes.len() as u64;
        let range = range.map_or(0..size, |range| range.start.min(size)..range.end.min(size));
        // Not above the length of something in memory.
        let [start, end] = [range.start, range.end].map(|at| usize::try_from(at).unwrap_or(0));
        Self {
            size,
            range,
            etag: None,
            stream: stream::iter([Ok(bytes.slice(start..end))]).boxed(),
        }
    }
}
