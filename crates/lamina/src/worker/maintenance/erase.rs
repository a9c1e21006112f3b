//! Keeps the promise that a picture is gone when its time is over: marks what expired, erases bytes
//! until the blob store agrees, ends what still runs at engines, forgets rows last, empties the
//! database's journal; `orphans.rs` sweeps bytes that no row names. Each part can be repeated after a crash.
//!
//! Invariant: no part waits for another, and no thing for another of its kind. Erasing waits neither
//! for an engine nor for a row: on a disk so full that no row can be written, the bytes of what is over
//! go first, and are recorded afterwards.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::backlog::Backlog;
use super::{orphans, periodic};
use crate::blobs::{BlobError, InboxError};
use crate::jobs::{JobId, UnixMs, UploadId};
use crate::store::{Cancellable, StoreError};
use crate::worker::Worker;

const PERIOD: Duration = Duration::from_secs(15);
const ORPHAN_PERIOD: Duration = Duration::from_secs(600);
const BATCH: u32 = 200;
/// Most batches of one round, so that a round ends.
const BATCHES: usize = 50;
/// Erased at once. A bucket's call may take two minutes; a few that hang must leave room for others.
pub(in crate::worker) const ERASE_AT_ONCE: usize = 16;
/// Runs ended at once; each is a call over the network that may hang for its own time-out.
const CANCEL_AT_ONCE: usize = 16;
/// An engine has so long to answer all that is asked of it about one run.
const CANCEL_WITHIN: Duration = Duration::from_secs(90);
/// The journal is tried every 15 s, and at least once in 2⁵ times that.
const JOURNAL_PAUSES: u32 = 5;
/// After so many tries a run is left to its own end.
const CANCEL_TRIES: u32 = 6;

/// What was done since the last round.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
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

/// What is being erased and ended.
#[derive(Debug)]
struct Eraser {
    worker: Arc<Worker>,
    stop: CancellationToken,
    tasks: TaskTracker,
    jobs: Backlog<JobId>,
    uploads: Backlog<UploadId>,
    unused: Backlog<UploadId>,
    runs: Backlog<JobId>,
    /// Notified when there may be a run to end.
    run_ends: Notify,
}

pub(in crate::worker) async fn run(worker: &Arc<Worker>, stop: CancellationToken) {
    let (wake, pause) = (
        worker.parts.store.signal().erase.clone(),
        worker.settings.storage_pause,
    );
    let eraser = Eraser {
        worker: Arc::clone(worker),
        stop: stop.clone(),
        tasks: TaskTracker::new(),
        jobs: Backlog::new(ERASE_AT_ONCE, pause),
        uploads: Backlog::new(ERASE_AT_ONCE, pause),
        unused: Backlog::new(ERASE_AT_ONCE, pause),
        runs: Backlog::new(CANCEL_AT_ONCE, pause),
        run_ends: Notify::new(),
    };
    let (in_vain, journal_round) = (AtomicU32::new(0), AtomicU32::new(0));
    let (marked, mark_period) = (Mutex::new(None), PERIOD);
    tokio::join!(
        periodic::every("erase", PERIOD, Some(&wake), &stop, || eraser.round()),
        periodic::every("runs", PERIOD, Some(&eraser.run_ends), &stop, || {
            eraser.end_runs()
        }),
        periodic::every("journal", PERIOD, None, &stop, || empty_journal(
            worker,
            &in_vain,
            &journal_round
        )),
        periodic::every("orphans", ORPHAN_PERIOD, None, &stop, || orphans::sweep(
            worker
        )),
        periodic::every("mark", mark_period, None, &stop, || orphans::mark(
            worker, &marked
        )),
    );
    orphans::mark_at_stop(worker).await;
    // Whatever is asked may hang; what is left undone is done after the next start.
    eraser.tasks.close();
    eraser.tasks.wait().await;
}

impl Eraser {
    /// One look at everything that is over. What fails does not keep the rest from being done; the
    /// first error is told.
    async fn round(&self) -> Result<Counts, SweepError> {
        let store = &self.worker.parts.store;
        let now = self.worker.expire_by();
        self.run_ends.notify_one();
        let expired = self.expire(now).await;
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

    /// Marks what is over. Where that cannot be written, the bytes go all the same: that is what makes
    /// room on a full disk, and whoever asks for such a job is told by its time that it has expired.
    async fn expire(&self, now: UnixMs) -> Result<usize, StoreError> {
        let (store, mut all, mut freed) = (&self.worker.parts.store, 0, false);
        for _ in 0..BATCHES {
            let expired = match store.job_expire(now, BATCH).await {
                Ok(expired) => expired,
                Err(error) if freed => return Err(error),
                Err(error) => {
                    tracing::error!(%error, "what expired cannot be marked; its bytes are erased all the same");
                    self.erase_overdue(now).await?;
                    freed = true;
                    continue;
                }
            };
            for job in &expired {
                self.worker.record_expired(job);
            }
            all += expired.len();
            if expired.len() < BATCH as usize {
                break;
            }
        }
        Ok(all)
    }

    async fn erase_overdue(&self, now: UnixMs) -> Result<(), StoreError> {
        let overdue = self.worker.parts.store.job_overdue(now, BATCH).await?;
        stream::iter(overdue)
            .for_each_concurrent(ERASE_AT_ONCE, |job| async move {
                if let Err(error) = self.worker.parts.blobs.erase_job(job).await {
                    tracing::error!(%job, %error, "a job's bytes could not be erased yet");
                }
            })
            .await;
        Ok(())
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

    /// Ends what jobs that are gone still have at their engines. Returns how many were ended since the
    /// last round.
    async fn end_runs(&self) -> Result<usize, StoreError> {
        let store = &self.worker.parts.store;
        for run in store.job_cancellable(BATCH, &self.runs.busy()).await? {
            let worker = Arc::clone(&self.worker);
            self.runs
                .begin(run.id, &self.tasks, &self.stop, |failures| async move {
                    end_run(&worker, &run, failures).await
                });
        }
        Ok(self.runs.take_done())
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

/// True when nothing more is to be done about the run, be it that nothing more can be done.
async fn end_run(worker: &Worker, run: &Cancellable, failures: u32) -> bool {
    let (job, parts) = (run.id, &worker.parts);
    if let Some(engine) = parts.engines.get(run.engine) {
        engine.release(&run.request);
        let asked = async {
            engine.cancel(&run.request).await?;
            engine.erase(&run.request).await
        };
        let last = failures + 1 >= CANCEL_TRIES;
        match tokio::time::timeout(CANCEL_WITHIN, asked).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(%job, failures, last, code = error.code.as_str(), "a run of a job that is gone could not be ended at its engine");
                if !last {
                    return false;
                }
            }
            Err(_) => {
                tracing::warn!(%job, failures, last, "the engine did not answer about a run of a job that is gone");
                if !last {
                    return false;
                }
            }
        }
    }
    match parts.store.job_cancelled(job, parts.clock.wall()).await {
        Ok(()) => true,
        Err(error) => {
            tracing::warn!(%job, %error, "the end of a run could not be written");
            false
        }
    }
}

/// Words of jobs that are gone stand in the journal until it is emptied. While somebody reads for
/// long (a backup, a replica's program), it is tried less and less often, since each try holds up writes.
async fn empty_journal(
    worker: &Worker,
    in_vain: &AtomicU32,
    round: &AtomicU32,
) -> Result<(), StoreError> {
    let failures = in_vain.load(Ordering::Relaxed);
    let skipped = 2u32.pow(failures.min(JOURNAL_PAUSES));
    if !round
        .fetch_add(1, Ordering::Relaxed)
        .is_multiple_of(skipped)
    {
        return Ok(());
    }
    if worker.parts.store.journal_empty().await? {
        in_vain.store(0, Ordering::Relaxed);
    } else {
        in_vain.store(failures + 1, Ordering::Relaxed);
        if failures == JOURNAL_PAUSES {
            tracing::warn!(
                "the database is being read by another program, so words of jobs that are gone stay in its journal until that ends"
            );
        }
    }
    Ok(())
}
