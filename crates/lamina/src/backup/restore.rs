//! Puts a backup in the place of a deployment's data, or a database alone (one that was replicated).
//! Everything is checked before anything is touched, the database comes last, and what cannot be
//! known of the time since the backup is decided here: see [`Restore::resume`].

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;

use super::archive::{self, ArchiveError, Index};
use super::contents::{Found, blobs, fits, look, unpack};
use super::needed::Needed;
use crate::access::SpendCaps;
use crate::blobs::{BlobError, BlobKey, Blobs, Mark};
use crate::jobs::{
    Backoff, EngineKind, FailureCode, Nonce, Outcome, Stage, Step, UnixMs, change_after,
};
use crate::secret;
use crate::store::sqlite::{
    OpenError, Replacement, SqliteStore, copy_whole, deployment_of, living,
};
use crate::store::{
    Claimed, Deployment, ExpiryStore as _, JobStore as _, QueueStore as _, StepOutput, Store as _,
    StoreError, SubmissionState, SubmissionStore as _, Want,
};

/// Jobs that are looked at under one claim; longer than a look takes.
const BATCH: u32 = 200;
const LEASE: Duration = Duration::from_secs(600);

/// What is put where.
#[derive(Debug)]
pub struct Restore {
    /// The database's place.
    pub database: PathBuf,
    /// Where pictures are kept.
    pub pictures: Blobs,
    /// Where the signing secret is kept; `None` when one is configured, so that it is not used.
    pub secret_to: Option<PathBuf>,
    /// Replace a database that is there.
    pub force: bool,
    /// Jobs that had not been handed to a paid engine when the backup was made go on as if nothing
    /// had been since. That is right when the original was stopped before the backup. Otherwise
    /// the original may have handed them over, and been charged, afterwards; then they fail, and each is
    /// counted as a submission of unknown fate.
    pub resume: bool,
    /// Whether an engine may simply be called again: its jobs always go on.
    pub repeatable: fn(EngineKind) -> bool,
    /// What such a submission may have cost, in millionths of a US dollar.
    pub price_microusd: u64,
}

/// What was put back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// Milliseconds since 1970 at which the backup was made; `None` for a database alone.
    pub made_at: Option<UnixMs>,
    /// Jobs that are neither deleted nor expired.
    pub jobs: usize,
    /// Uploads whose time is not over.
    pub uploads: usize,
    pub pictures: u64,
    /// Jobs whose time was over.
    pub expired: usize,
    /// Jobs whose pictures were erased while the backup was made: they are deleted.
    pub deleted: usize,
    /// Jobs that failed because they may have been handed over since.
    pub unknown: usize,
    /// Whether the signing secret was put back.
    pub secret: bool,
    /// Whether the storage is another database's, or holds what this one does not know: then nothing is
    /// swept from it.
    pub holds_more: bool,
}

/// Why nothing, or not everything, was put back. The database is in its place only when all is.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The backup.
    #[error("{} cannot be restored: {source}", path.display())]
    Backup {
        /// The file.
        path: PathBuf,
        /// Why.
        source: ArchiveError,
    },
    /// Something would be lost.
    #[error("there is a database at {}; give another DATABASE_PATH, or --force to replace it and lose what it has", .0.display())]
    Exists(PathBuf),
    /// The database.
    #[error(transparent)]
    Database(#[from] OpenError),
    /// The database, once it was open.
    #[error("the restored database cannot be brought up to date: {0}")]
    Store(#[from] StoreError),
    /// The pictures.
    #[error("the pictures cannot be written: {0}; run the same command again")]
    Pictures(#[from] BlobError),
    /// A folder or file.
    #[error("{0}: {1}")]
    Io(String, io::Error),
}

impl Restore {
    /// Puts `file` back.
    ///
    /// # Errors
    /// [`RestoreError`]
    pub async fn run(&self, file: &Path, now: UnixMs) -> Result<Restored, RestoreError> {
        let found = look(file).map_err(|source| backup(file, source))?;
        let data = self
            .database
            .parent()
            .filter(|path| !path.as_os_str().is_empty());
        let data = data.unwrap_or_else(|| Path::new("."));
        let at = |error| RestoreError::Io(data.display().to_string(), error);
        std::fs::create_dir_all(data).map_err(at)?;
        let place = Replacement::begin(&self.database)?;
        if place.exists() && !self.force {
            return Err(RestoreError::Exists(self.database.clone()));
        }
        let aside = place.stage().map_err(at)?;
        let staged = aside.path().join(archive::DATABASE);
        if matches!(found, Found::Database) {
            // What its journal holds belongs to it.
            copy_whole(file, &staged)?;
        }
        let secret = unpack(file, &found, &staged).map_err(|source| backup(file, source))?;
        let index = match &found {
            Found::Archive { index, .. } => index.as_ref(),
            Found::Database => None,
        };
        // Checked before it is opened for writing; an older schema is brought up to date there.
        living(&staged, now)?;
        let mut restored = self.bring_up(&staged, index, now).await?;
        if let Found::Archive { made_at, .. } = found {
            restored.made_at = Some(made_at);
        }
        let needed = Needed::of(living(&staged, now)?);
        (restored.jobs, restored.uploads) = (needed.jobs(), needed.uploads());
        if let Some(index) = index {
            fits(index, &needed).map_err(|source| backup(file, source))?;
            restored.pictures = self.put_pictures(file, index, &needed).await?;
        }
        if let (Some(secret), Some(folder)) = (secret, &self.secret_to) {
            let at = |error| RestoreError::Io(folder.display().to_string(), error);
            secret::keep(folder, &secret).map_err(at)?;
            restored.secret = true;
        }
        let own = deployment_of(&staged)?;
        place.finish(&staged)?;
        restored.holds_more = !self.claim(own, &needed).await?;
        Ok(restored)
    }

    /// Marks the storage as the restored database's, unless it holds what that does not know; a start
    /// looks more closely.
    async fn claim(&self, own: Option<Deployment>, needed: &Needed) -> Result<bool, RestoreError> {
        let owners = self.pictures.owners().await?;
        let jobs = owners.jobs.iter().all(|job| needed.has_job(job));
        let known = jobs
            && owners
                .uploads
                .iter()
                .all(|upload| needed.has_upload(upload));
        if let Some(own) = own.filter(|_| known) {
            let mark = Mark::new(&own.id, own.seen_at);
            self.pictures.set_mark(&mark).await?;
        }
        Ok(known)
    }

    /// Migrates the database, ends what is over, and decides about what is not known.
    async fn bring_up(
        &self,
        staged: &Path,
        index: Option<&Index>,
        now: UnixMs,
    ) -> Result<Restored, RestoreError> {
        let store = SqliteStore::open(staged)?;
        let worked = self.reconcile(&store, staged, index, now).await;
        store.close().await;
        worked
    }

    async fn reconcile(
        &self,
        store: &SqliteStore,
        staged: &Path,
        index: Option<&Index>,
        now: UnixMs,
    ) -> Result<Restored, RestoreError> {
        let mut restored = Restored::default();
        loop {
            let expired = store.job_expire(now, BATCH).await?;
            restored.expired += expired.len();
            if expired.is_empty() {
                break;
            }
        }
        if let Some(index) = index {
            let there = blobs(index).map(|(key, _)| key).collect();
            for job in Needed::of(living(staged, now)?).without(&there) {
                store.job_delete(&job.owner, job.id, now).await?;
                restored.deleted += 1;
            }
        }
        if !self.resume {
            restored.unknown = self.fail_unknown(store, now).await?;
        }
        Ok(restored)
    }

    /// Fails the jobs that the original may have handed over after the backup. The file is this
    /// process's alone, so no lease is lost on the way.
    async fn fail_unknown(&self, store: &SqliteStore, now: UnixMs) -> Result<usize, RestoreError> {
        store.lease_end_all_others(NAME, &[], now).await?;
        // Whatever is due at any time; the claim is how a job is written to.
        let ever = now.plus(Duration::from_secs(100 * 365 * 24 * 3600));
        let mut failed = 0;
        for stage in [Stage::Fetch, Stage::Prepare, Stage::Submit] {
            let mut kept = Vec::new();
            loop {
                let wants = vec![Want::any(stage, BATCH)];
                let claimed = store.job_claim(NAME, wants, ever, LEASE).await?;
                if claimed.is_empty() {
                    break;
                }
                for job in claimed {
                    if !(self.repeatable)(job.engine) && may_have_been_handed_over(&job) {
                        self.fail(store, &job, now).await?;
                        failed += 1;
                    } else {
                        // Its lease keeps it out of the next claim.
                        kept.push(job.lease);
                    }
                }
            }
            for lease in &kept {
                let _ours = store.lease_release(lease).await?;
            }
        }
        Ok(failed)
    }

    async fn fail(
        &self,
        store: &SqliteStore,
        job: &Claimed,
        now: UnixMs,
    ) -> Result<(), RestoreError> {
        // The ledger entry of what may have been paid.
        let nonce = Nonce::random();
        let no_cap = SpendCaps::default();
        // An owner's own cap may refuse the entry; the job fails all the same.
        let _opened = store
            .submission_open(
                &job.lease,
                &nonce,
                crate::store::Call::at(self.price_microusd),
                no_cap,
                now.into(),
            )
            .await?;
        store
            .submission_close(&nonce, SubmissionState::Unknown, None, now)
            .await?;
        let outcome = Outcome::GiveUp(FailureCode::SubmissionUnknown.into());
        let step = Step {
            phase: job.phase,
            attempt: job.attempt,
            took: Duration::ZERO,
        };
        let change = change_after(step, outcome, &Backoff::default(), now, 0.0);
        if let Ok(Some(change)) = change {
            let _ours = store
                .job_apply(&job.lease, change, StepOutput::None, false, now.into())
                .await?;
        }
        Ok(())
    }

    async fn put_pictures(
        &self,
        file: &Path,
        index: &Index,
        needed: &Needed,
    ) -> Result<u64, RestoreError> {
        let wanted: HashSet<BlobKey> = blobs(index)
            .map(|(key, _)| key)
            .filter(|key| needed.owns(key))
            .collect();
        // One after the other, each whole in memory, on the way to an async store.
        let (sender, mut pictures) = tokio::sync::mpsc::channel::<(BlobKey, Bytes)>(2);
        let source = file.to_owned();
        let reader = tokio::task::spawn_blocking(move || {
            archive::each(&source, |name, mut entry| {
                let Some(key) = archive::blob(name).filter(|key| wanted.contains(key)) else {
                    return Ok(());
                };
                let bytes = archive::text(&mut entry)?.into();
                // Nobody takes them when writing has failed; that error is the one to tell.
                let _ = sender.blocking_send((key, bytes));
                Ok(())
            })
        });
        let mut put = 0;
        while let Some((key, bytes)) = pictures.recv().await {
            self.pictures.put(&key, bytes).await?;
            put += 1;
        }
        let read = reader
            .await
            .map_err(|error| ArchiveError::Io(io::Error::other(error)));
        read.and_then(|read| read)
            .map_err(|source| backup(file, source))?;
        Ok(put)
    }
}

/// Holds the leases of a restore.
const NAME: &str = "restore";

/// A call that the backup knows of is resolved as after any crash: by its answer, its webhook, or
/// `SUBMIT_UNKNOWN`.
fn may_have_been_handed_over(job: &Claimed) -> bool {
    !job.submission.as_ref().is_some_and(|submission| {
        matches!(
            submission.state,
            SubmissionState::Open | SubmissionState::Accepted
        )
    })
}

fn backup(file: &Path, source: ArchiveError) -> RestoreError {
    RestoreError::Backup {
        path: file.to_owned(),
        source,
    }
}
