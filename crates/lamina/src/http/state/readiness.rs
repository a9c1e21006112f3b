//! Whether the service can take work, part by part: the database reads and writes, the blob store
//! answers, the worker claims. What was found counts for a moment, and one finding runs at a time,
//! to its end whoever has stopped waiting: so however many ask, asking costs the same.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, OwnedMutexGuard, watch};
use tokio::time::timeout;

use super::ApiState;
use crate::blobs::Ownership;
use crate::http::answer::checks::{Checks, Part};
use crate::jobs::whole_ms;

/// How long a finding counts.
const COUNTS_FOR: Duration = Duration::from_secs(1);
/// How long the blob store's answer counts; a probe of a folder writes, one of a bucket is billed.
const STORAGE_COUNTS_FOR: Duration = Duration::from_secs(5);
/// A database that takes longer for an empty write has its writer stuck, or its file locked.
const DATABASE_ANSWERS_WITHIN: Duration = Duration::from_secs(2);
/// A disk that takes longer hangs; a bucket's probe ends by itself.
const STORAGE_ANSWERS_WITHIN: Duration = Duration::from_secs(6);
/// The worker looks for jobs every five seconds; one that has not for so long hangs.
const WORKER_LOOKED_WITHIN: Duration = Duration::from_secs(20);

/// When the worker last looked for jobs; `None` before the first time.
pub type WorkerPulse = watch::Receiver<Option<Instant>>;

/// The last findings. Cheap to clone; clones share them.
#[derive(Clone, Debug, Default)]
pub(in crate::http) struct Readiness(Arc<Mutex<Found>>);

#[derive(Debug, Default)]
struct Found {
    checks: Option<(Instant, Checks)>,
    storage: Option<(Instant, Part)>,
}

impl Readiness {
    /// How each part is, or was a moment ago.
    pub(in crate::http) async fn look(&self, state: &Arc<ApiState>) -> Checks {
        let found = Arc::clone(&self.0).lock_owned().await;
        if let Some((when, checks)) = found.checks
            && when.elapsed() < COUNTS_FOR
        {
            return now(checks, state);
        }
        let storage = found
            .storage
            .filter(|(when, _)| when.elapsed() < STORAGE_COUNTS_FOR)
            .map(|(_, part)| part);
        // Whoever asks and hangs up must not have the same question begin again and again.
        let finding = tokio::spawn(find(storage, found, Arc::clone(state)));
        finding.await.unwrap_or(Checks {
            draining: state.draining.is_cancelled(),
            database: Part::Failed,
            storage: Part::Failed,
            worker: Part::Failed,
            space: Part::Failed,
            ownership: ownership(state),
        })
    }
}

/// What can be known without asking anybody is never a moment old.
fn now(checks: Checks, state: &ApiState) -> Checks {
    Checks {
        draining: state.draining.is_cancelled(),
        worker: worker(state),
        ownership: ownership(state),
        ..checks
    }
}

async fn find(
    storage: Option<Part>,
    mut found: OwnedMutexGuard<Found>,
    state: Arc<ApiState>,
) -> Checks {
    let (database, probed, space) = tokio::join!(
        part("the database", DATABASE_ANSWERS_WITHIN, state.store.ping()),
        async {
            if let Some(known) = storage {
                return known;
            }
            part(
                "the blob store",
                STORAGE_ANSWERS_WITHIN,
                state.blobs.probe(),
            )
            .await
        },
        space(&state),
    );
    let checks = Checks {
        draining: state.draining.is_cancelled(),
        database,
        storage: probed,
        worker: worker(&state),
        space,
        ownership: ownership(&state),
    };
    let now = Instant::now();
    found.checks = Some((now, checks));
    if storage.is_none() {
        found.storage = Some((now, probed));
    }
    checks
}

async fn part<E: std::fmt::Display>(
    name: &str,
    within: Duration,
    asked: impl Future<Output = Result<(), E>>,
) -> Part {
    match timeout(within, asked).await {
        Ok(Ok(())) => Part::Ok,
        Ok(Err(error)) => {
            tracing::error!(%error, "{name} does not answer");
            Part::Failed
        }
        Err(_) => {
            let waited_ms = whole_ms(within);
            tracing::error!(waited_ms, "{name} does not answer in time");
            Part::Failed
        }
    }
}

async fn space(state: &ApiState) -> Part {
    let space = state.space.clone();
    // A disk that hangs hangs here too.
    let look = tokio::task::spawn_blocking(move || space.above_floor());
    match timeout(STORAGE_ANSWERS_WITHIN, look).await {
        Ok(Ok(Ok(()))) => Part::Ok,
        Ok(Ok(Err(full))) => {
            let (free_bytes, floor_bytes) = (full.free, full.floor);
            tracing::error!(
                free_bytes,
                floor_bytes,
                "the disk is nearly full: no pictures are taken"
            );
            Part::Failed
        }
        Ok(Err(_)) | Err(_) => {
            tracing::error!("it cannot be learnt how full the disk is");
            Part::Failed
        }
    }
}

/// Until it was looked at, nothing is wrong.
fn ownership(state: &ApiState) -> Part {
    match *state.ownership.borrow() {
        Ownership::Own | Ownership::Unknown => Part::Ok,
        Ownership::Foreign { .. } | Ownership::Newer | Ownership::Unmarked => Part::Failed,
    }
}

fn worker(state: &ApiState) -> Part {
    let looked = *state.worker.borrow();
    match looked {
        Some(when) if when.elapsed() < WORKER_LOOKED_WITHIN => Part::Ok,
        Some(when) => {
            let silent_ms = whole_ms(when.elapsed());
            tracing::error!(silent_ms, "the worker does not look for jobs");
            Part::Failed
        }
        // It is starting.
        None => Part::Failed,
    }
}
