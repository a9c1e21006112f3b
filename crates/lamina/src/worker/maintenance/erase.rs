//! Keeps the promise that a picture is gone when its time is over: marks what expired (`expire.rs`), erases
//! bytes until the blob store agrees, and forgets rows last. Each part can be repeated after a crash.
//!
//! Invariant: no thing waits for another of its kind. Erasing waits neither for an engine nor for a row: on a
//! disk so full that no row can be written, the bytes of what is over go first, and are recorded afterwards.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::backlog::Backlog;
use super::expire::expire;
use crate::blobs::{BlobError, InboxError};
use crate::jobs::{JobId, UnixMs, UploadId};
use crate::store::StoreError;
use crate::worker::Worker;

pub(super) const BATCH: u32 = 200;
/// Most batches of one round, so that a round ends.
pub(super) const BATCHES: usize = 50;
/// Erased at once. A bucket's call may take two minutes; a few that hang must leave room for others.
pub(in crate::worker) const ERASE_AT_ONCE: usize = 16;
/// What was done since the last round.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    expired: usize,
    erased: usize,
    uploads: usize,
    /// Promised uploads that nobody used.
    unused: usize,
    forgotten: u64,
}

/// Why something could not be swept.
#[derive(Debug, thiserror::Error)]
pub(in crate::worker) enum SweepError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Blobs(#[from] BlobError),
    #[error(transparent)]
    Inbox(#[from] InboxError),
}

/// What is being erased.
#[derive(Debug)]
pub(super) struct Eraser {
    worker: Arc<Worker>,
    stop: CancellationToken,
    tasks: TaskTracker,
    jobs: Backlog<JobId>,
    uploads: Backlog<UploadId>,
    unused: Backlog<UploadId>,
}

impl Eraser {
    /// Nothing is being erased yet; what is begun runs in `tasks`.
    pub(super) fn new(worker: &Arc<Worker>, tasks: &TaskTracker, stop: &CancellationToken) -> Self {
        Self {
            worker: Arc::clone(worker),
            stop: stop.clone(),
            tasks: tasks.clone(),
            jobs: Backlog::new(ERASE_AT_ONCE, worker.settings.storage_pause),
            uploads: Backlog::new(ERASE_AT_ONCE, worker.settings.storage_pause),
            unused: Backlog::new(ERASE_AT_ONCE, worker.settings.storage_pause),
        }
    }

    /// One look at everything that is over. What fails does not keep the rest from being done; the
    /// first error is told.
    pub(super) async fn round(&self) -> Result<Counts, SweepError> {
        let store = &self.worker.parts.store;
        let now = self.worker.expire_by();
        let expired = expire(&self.worker, now).await;
        let begun = [
            self.erase_jobs(now).await,
            self.erase_uploads(now).await,
            self.erase_unused(now).await,
        ];
        let before = now.minus(self.worker.settings.gone_window);
        let forgotten = store.job_forget(before, BATCH).await;
        let counts = Counts {
            expired: *expired.as_ref().unwrap_or(&0),
            erased: self.jobs.take_done(),
            uploads: self.uploads.take_done(),
            unused: self.unused.take_done(),
            forgotten: *forgotten.as_ref().unwrap_or(&0),
        };
        let failed = expired.err().or(forgotten.err());
        match begun.into_iter().filter_map(Result::err).next().or(failed) {
            Some(error) => Err(error.into()),
            None => Ok(counts),
        }
    }

    async fn erase_jobs(&self, now: UnixMs) -> Result<(), StoreError> {
        let store = &self.worker.parts.store;
        for _ in 0..BATCHES {
            let found = store.job_erasable(BATCH, &self.jobs.busy()).await?;
            for job in &found {
                let (worker, job) = (Arc::clone(&self.worker), *job);
                self.jobs
                    .begin(job, &self.tasks, &self.stop, |failures| async move {
                        let erased = erase_job(&worker, job, now).await;
                        log_failure(erased, failures, &format_args!("the bytes of job {job}"))
                    });
            }
            if found.len() < BATCH as usize {
                break;
            }
        }
        Ok(())
    }

    async fn erase_uploads(&self, now: UnixMs) -> Result<(), StoreError> {
        let store = &self.worker.parts.store;
        for _ in 0..BATCHES {
            let found = store
                .upload_expired(now, BATCH, &self.uploads.busy())
                .await?;
            for upload in &found {
                let (worker, upload) = (Arc::clone(&self.worker), *upload);
                self.uploads
                    .begin(upload, &self.tasks, &self.stop, |failures| async move {
                        let erased = forget_upload(&worker, upload).await;
                        log_failure(erased, failures, &format_args!("upload {upload}"))
                    });
            }
            if found.len() < BATCH as usize {
                break;
            }
        }
        Ok(())
    }

    async fn erase_unused(&self, now: UnixMs) -> Result<(), StoreError> {
        let store = &self.worker.parts.store;
        for _ in 0..BATCHES {
            let found = store
                .incoming_expired(now, BATCH, &self.unused.busy())
                .await?;
            for upload in &found {
                let (worker, upload) = (Arc::clone(&self.worker), *upload);
                self.unused
                    .begin(upload, &self.tasks, &self.stop, |failures| async move {
                        let erased = forget_unused(&worker, upload).await;
                        log_failure(erased, failures, &format_args!("promised upload {upload}"))
                    });
            }
            if found.len() < BATCH as usize {
                break;
            }
        }
        Ok(())
    }
}

/// Whether it was done; tells of the first failure and of every tenth.
#[expect(
    clippy::needless_pass_by_value,
    reason = "whoever asks has no more use for it"
)]
pub(in crate::worker) fn log_failure(
    done: Result<(), SweepError>,
    failures: u32,
    what: &std::fmt::Arguments<'_>,
) -> bool {
    if let Err(error) = &done
        && failures.is_multiple_of(10)
    {
        tracing::error!(%what, failures, %error, "something that is over could not be erased yet");
    }
    done.is_ok()
}

async fn erase_job(worker: &Worker, job: JobId, now: UnixMs) -> Result<(), SweepError> {
    worker.parts.blobs.erase_job(job).await?;
    Ok(worker.parts.store.job_erased(job, now).await?)
}

async fn forget_upload(worker: &Worker, upload: UploadId) -> Result<(), SweepError> {
    erase_upload(worker, upload).await?;
    Ok(worker.parts.store.upload_forget(upload).await?)
}

async fn forget_unused(worker: &Worker, upload: UploadId) -> Result<(), SweepError> {
    erase_upload(worker, upload).await?;
    Ok(worker.parts.store.incoming_forget(upload).await?)
}

/// What was stored of an upload, and what arrived of it; neither keeps the other.
pub(in crate::worker) async fn erase_upload(
    worker: &Worker,
    upload: UploadId,
) -> Result<(), SweepError> {
    let (arrived, stored) = tokio::join!(
        worker.parts.inbox.erase(upload),
        worker.parts.blobs.erase_upload(upload)
    );
    arrived?;
    Ok(stored?)
}
