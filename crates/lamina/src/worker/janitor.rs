//! Keeps the promise that a picture is gone when its time is over: marks what expired, cancels
//! what still runs, erases bytes until the blob store agrees, forgets rows last, and sweeps bytes
//! that no row names. Each part can be repeated after a crash.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{Worker, sweeper};
use crate::blobs::{BlobError, InboxError};
use crate::jobs::{JobId, UnixMs, UploadId};
use crate::store::{Erasable, StoreError};

const PERIOD: Duration = Duration::from_secs(15);
const ORPHAN_PERIOD: Duration = Duration::from_secs(600);
/// Bytes are written before their row; younger ones may be about to get theirs.
const ORPHAN_AGE: Duration = Duration::from_secs(3600);
const BATCH: u32 = 200;

/// What one round did.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    expired: usize,
    erased: usize,
    uploads: usize,
    /// Promised uploads that nobody used.
    unused: usize,
    forgotten: u64,
}

#[derive(Debug, thiserror::Error)]
enum SweepError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Blobs(#[from] BlobError),
    #[error(transparent)]
    Inbox(#[from] InboxError),
}

pub(super) async fn run(worker: &Worker, stop: CancellationToken) {
    let bell = worker.parts.store.signal().erase.clone();
    tokio::join!(
        sweeper::every("janitor", PERIOD, Some(&bell), &stop, || run_once(worker)),
        sweeper::every("orphans", ORPHAN_PERIOD, None, &stop, || sweep_orphans(
            worker
        )),
    );
}

async fn run_once(worker: &Worker) -> Result<Counts, SweepError> {
    let (store, now) = (&worker.parts.store, worker.expire_by());
    let expired = store.job_expire(now, BATCH).await?;
    for job in &expired {
        worker.tell_expired(job);
    }
    let mut counts = Counts {
        expired: expired.len(),
        ..Counts::default()
    };
    for job in store.job_erasable(BATCH).await? {
        let erased = erase(worker, &job, now).await?;
        counts.erased += usize::from(erased);
        if !erased {
            // Is it this job, or the whole store? Then the others would fail one by one, slowly.
            worker.parts.blobs.probe_write().await?;
        }
    }
    for upload in store.upload_expired(now, BATCH).await? {
        erase_upload(worker, upload).await?;
        store.upload_forget(upload).await?;
        counts.uploads += 1;
    }
    for upload in store.incoming_expired(now, BATCH).await? {
        erase_upload(worker, upload).await?;
        store.incoming_forget(upload).await?;
        counts.unused += 1;
    }
    counts.forgotten = store
        .job_forget(now.minus(worker.settings.gone_window), BATCH)
        .await?;
    Ok(counts)
}

/// False when the blob store did not agree; the next round tries again.
async fn erase(worker: &Worker, job: &Erasable, now: UnixMs) -> Result<bool, SweepError> {
    if let Some((kind, request)) = &job.running
        && let Some(engine) = worker.parts.engines.get(*kind)
    {
        // A run that cannot be cancelled ends by itself; the picture is erased all the same.
        if let Err(error) = engine.cancel(request).await {
            tracing::warn!(job = %job.id, %error, "a deleted job's run could not be cancelled");
        }
        if let Err(error) = engine.erase(request).await {
            tracing::warn!(job = %job.id, %error, "the engine could not be asked to delete its copies; they go by their lifetime");
        }
    }
    if let Err(error) = worker.parts.blobs.erase_job(job.id).await {
        tracing::error!(job = %job.id, %error, "a job's bytes could not be erased yet");
        return Ok(false);
    }
    worker.parts.store.job_erased(job.id, now).await?;
    Ok(true)
}

/// What was stored of an upload, and what arrived of it.
async fn erase_upload(worker: &Worker, upload: UploadId) -> Result<(), SweepError> {
    worker.parts.inbox.erase(upload).await?;
    Ok(worker.parts.blobs.erase_upload(upload).await?)
}

/// Returns how many jobs and uploads without a row had bytes.
async fn sweep_orphans(worker: &Worker) -> Result<usize, SweepError> {
    let (store, blobs) = (&worker.parts.store, &worker.parts.blobs);
    // A step of the clock makes nothing old that is young.
    let moment = worker.parts.clock.moment();
    let before = moment.now.min(moment.wall).minus(ORPHAN_AGE);
    let owners = blobs.owners().await?;
    let old = |made: Option<UnixMs>| made.is_none_or(|made| made < before);
    let jobs: Vec<JobId> = owners
        .jobs
        .into_iter()
        .filter(|id| old(id.made_at()))
        .collect();
    let arrived = worker.parts.inbox.ids().await.map_err(InboxError::from)?;
    let uploads: BTreeSet<UploadId> = owners
        .uploads
        .into_iter()
        .chain(arrived)
        .filter(|id| old(id.made_at()))
        .collect();
    let uploads = Vec::from_iter(uploads);
    let mut swept = 0;
    for batch in jobs.chunks(500) {
        let known = store.job_with_bytes(batch).await?;
        for orphan in batch.iter().filter(|id| !known.contains(id)) {
            blobs.erase_job(*orphan).await?;
            swept += 1;
        }
    }
    for batch in uploads.chunks(500) {
        let known = store.upload_existing(batch).await?;
        for orphan in batch.iter().filter(|id| !known.contains(id)) {
            erase_upload(worker, *orphan).await?;
            swept += 1;
        }
    }
    Ok(swept)
}
