//! Bytes that no row names: those of a request or a step that died between the two, which are swept
//! once they are old, and those of a database that is not the one in use, which are not ours to erase.
//! The two are told apart by what the storage says of itself (`blobs/mark.rs`), and by this: bytes of a
//! layer are only ever written for a job that has a row, and the row goes after them.
//!
//! Invariant: nothing is swept of a storage that is not known to be the database's own, and as it was last.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::{StreamExt as _, stream};

use super::erase::{ERASE_AT_ONCE, SweepError, erase_upload, log_failure};
use crate::blobs::{InboxError, Mark, Ownership};
use crate::jobs::{JobId, UnixMs, UploadId};
use crate::store::Deployment;
use crate::worker::Worker;

/// Bytes are written before their row; younger ones may be about to get theirs.
const ORPHAN_AGE: Duration = Duration::from_secs(3600);
/// The longest that `JOB_TTL` can be, and a day: what is older is over, whoever's it was.
const OVER: Duration = Duration::from_secs(8 * 24 * 3600);
/// Ids asked for at once.
const BATCH: usize = 500;
/// How long a stop waits for the storage to be told.
const LAST_WORD: Duration = Duration::from_secs(2);

/// What has bytes and no row.
struct Orphans {
    jobs: Vec<JobId>,
    uploads: Vec<UploadId>,
    /// Whether the storage has anything at all.
    is_empty: bool,
}

/// Returns how many jobs and uploads without a row had bytes.
pub(in crate::worker) async fn sweep(worker: &Worker) -> Result<usize, SweepError> {
    let own = worker.parts.store.deployment().await?;
    let orphans = find(worker).await?;
    let ownership = judge(worker, &own, &orphans).await?;
    log_ownership(worker, &own, &ownership);
    worker.parts.ownership.send_replace(ownership.clone());
    if ownership != Ownership::Own {
        return Ok(0);
    }
    say_seen(worker, &own).await?;
    // A step of the clock makes nothing old that is young.
    let moment = worker.parts.clock.moment();
    let before = moment.now.min(moment.wall).minus(ORPHAN_AGE);
    let old = |made: Option<UnixMs>| made.is_none_or(|made| made < before);
    let jobs = orphans.jobs.into_iter().filter(|id| old(id.made_at()));
    let jobs = stream::iter(jobs).map(|job| async move {
        let erased = worker.parts.blobs.erase_job(job).await;
        let what = format_args!("the bytes of job {job}, which has no row");
        log_failure(erased.map_err(SweepError::from), 0, &what)
    });
    let uploads = orphans.uploads.into_iter();
    let uploads = uploads.filter(|id| old(id.made_at()));
    let uploads = stream::iter(uploads).map(|upload| async move {
        let erased = erase_upload(worker, upload).await;
        log_failure(
            erased,
            0,
            &format_args!("upload {upload}, which has no row"),
        )
    });
    let jobs = jobs.buffer_unordered(ERASE_AT_ONCE).map(usize::from);
    let uploads = uploads.buffer_unordered(ERASE_AT_ONCE).map(usize::from);
    let sum = |all, one| std::future::ready(all + one);
    let (jobs, uploads) = tokio::join!(jobs.fold(0, sum), uploads.fold(0, sum));
    Ok(jobs + uploads)
}

/// Tells the storage how far this database has come, when jobs or uploads were made since it was told
/// last; `told` is the newest of them then. So a copy of the database from before is known as one.
pub(in crate::worker) async fn mark(
    worker: &Worker,
    written: &parking_lot::Mutex<Option<String>>,
) -> Result<(), SweepError> {
    if *worker.parts.ownership.borrow() != Ownership::Own {
        return Ok(());
    }
    let own = worker.parts.store.deployment().await?;
    let lock = || written.lock();
    if *lock() != own.newest {
        say_seen(worker, &own).await?;
        *lock() = own.newest;
    }
    Ok(())
}

/// The storage's last word at a stop.
pub(in crate::worker) async fn mark_at_stop(worker: &Worker) {
    if *worker.parts.ownership.borrow() != Ownership::Own {
        return;
    }
    let said = async {
        let own = worker.parts.store.deployment().await?;
        say_seen(worker, &own).await
    };
    match tokio::time::timeout(LAST_WORD, said).await {
        Ok(Err(error)) => tracing::warn!(%error, "the storage was not told of the stop"),
        Err(_) => tracing::warn!("the storage did not answer at the stop"),
        Ok(Ok(())) => {}
    }
}

/// The database first: what the storage says must be known to it.
async fn say_seen(worker: &Worker, own: &Deployment) -> Result<(), SweepError> {
    let now = worker.parts.clock.wall().max(own.seen_at);
    worker.parts.store.deployment_seen(now).await?;
    let mark = Mark::new(&own.id, now);
    Ok(worker.parts.blobs.set_mark(&mark).await?)
}

async fn find(worker: &Worker) -> Result<Orphans, SweepError> {
    let (store, blobs) = (&worker.parts.store, &worker.parts.blobs);
    let owners = blobs.owners().await?;
    let is_empty = owners.jobs.is_empty() && owners.uploads.is_empty();
    let arrived = worker.parts.inbox.ids().await.map_err(InboxError::from)?;
    let uploads: BTreeSet<UploadId> = owners.uploads.into_iter().chain(arrived).collect();
    let uploads = Vec::from_iter(uploads);
    let mut orphans = Orphans {
        jobs: Vec::new(),
        uploads: Vec::new(),
        is_empty,
    };
    for batch in owners.jobs.chunks(BATCH) {
        let known = store.job_with_bytes(batch).await?;
        let unknown = batch.iter().filter(|id| !known.contains(id));
        orphans.jobs.extend(unknown);
    }
    for batch in uploads.chunks(BATCH) {
        let known = store.upload_existing(batch).await?;
        let unknown = batch.iter().filter(|id| !known.contains(id));
        orphans.uploads.extend(unknown);
    }
    Ok(orphans)
}

async fn judge(
    worker: &Worker,
    own: &Deployment,
    orphans: &Orphans,
) -> Result<Ownership, SweepError> {
    let nothing_unknown = orphans.jobs.is_empty() && orphans.uploads.is_empty();
    // Bytes come before their row, so the first picture of all may be there without one.
    let new = |made: Option<UnixMs>| made.is_some_and(|made| made >= worker.started_at);
    let only_new = orphans.jobs.iter().all(|id| new(id.made_at()))
        && orphans.uploads.iter().all(|id| new(id.made_at()));
    let may_claim = own.has_rows || orphans.is_empty || only_new;
    let mark = worker.parts.blobs.mark().await?;
    let mut ownership = Ownership::of(mark, &own.id, own.seen_at, may_claim);
    // An older copy that knows everything all the same does no harm.
    if ownership == Ownership::Newer && nothing_unknown {
        ownership = Ownership::Own;
    }
    if ownership == Ownership::Own && shows_another_database(worker, own, orphans).await? {
        return Ok(Ownership::Newer);
    }
    Ok(ownership)
}

/// Whether there is a layer of a job that this database never had, or has forgotten it had.
async fn shows_another_database(
    worker: &Worker,
    own: &Deployment,
    orphans: &Orphans,
) -> Result<bool, SweepError> {
    let moment = worker.parts.clock.moment();
    let over = moment.now.min(moment.wall).minus(OVER);
    for job in &orphans.jobs {
        let made = job.made_at();
        if made.is_none_or(|made| made < over || made < own.adopted_at) {
            continue;
        }
        let has_row = worker.parts.store.job_phase(*job).await?.is_some();
        if !has_row && worker.parts.blobs.has_layers(*job).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Says what keeps the sweep from running, when that changes.
fn log_ownership(worker: &Worker, own: &Deployment, now: &Ownership) {
    if *worker.parts.ownership.borrow() == *now {
        return;
    }
    let (database, advice) = (
        &own.id,
        "if the storage is this database's all the same, stop the service and run lamina blobs adopt; docs/storage.md#whose-storage-it-is",
    );
    match now {
        Ownership::Own => tracing::info!(database, "the storage is this database's"),
        Ownership::Foreign { deployment } => {
            tracing::error!(
                database,
                storage = deployment,
                advice,
                "the storage belongs to another database: nothing is swept from it; check DATABASE_PATH and STORAGE_URL"
            );
        }
        Ownership::Newer => {
            tracing::error!(
                database,
                advice,
                "the storage holds pictures of jobs that this database does not know, as after an older copy of it was put back: nothing is swept"
            );
        }
        Ownership::Unmarked => {
            tracing::error!(
                database,
                advice,
                "the database is new and the storage is not empty: nothing is swept from it; check DATABASE_PATH and STORAGE_URL"
            );
        }
        Ownership::Unknown => {}
    }
}
