//! Ends what jobs that are gone still have at their engines: the run is cancelled, and its copies are deleted.
//! No run waits for another, and nothing else waits for an engine.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::backlog::Backlog;
use super::erase::{BATCH, BATCHES};
use crate::jobs::JobId;
use crate::store::{Cancellable, StoreError};
use crate::worker::Worker;

/// Ended at once; each is a call over the network that may hang for its own time-out.
const CANCEL_AT_ONCE: usize = 16;
/// An engine has so long to answer all that is asked of it about one run.
const CANCEL_WITHIN: Duration = Duration::from_secs(90);
/// After so many tries a run is left to its own end.
const CANCEL_TRIES: u32 = 6;

/// Runs that are being ended.
#[derive(Debug)]
pub(super) struct Runs {
    worker: Arc<Worker>,
    stop: CancellationToken,
    tasks: TaskTracker,
    ending: Backlog<JobId>,
    /// Notified when there may be a run to end.
    pub(super) wake: Notify,
}

impl Runs {
    /// Nothing is being ended yet; what is begun runs in `tasks`.
    pub(super) fn new(worker: &Arc<Worker>, tasks: &TaskTracker, stop: &CancellationToken) -> Self {
        Self {
            worker: Arc::clone(worker),
            stop: stop.clone(),
            tasks: tasks.clone(),
            ending: Backlog::new(CANCEL_AT_ONCE, worker.settings.storage_pause),
            wake: Notify::new(),
        }
    }

    /// Begins to end what is found. Returns how many were ended since the last round.
    pub(super) async fn round(&self) -> Result<usize, StoreError> {
        let store = &self.worker.parts.store;
        for _ in 0..BATCHES {
            let found = store.job_cancellable(BATCH, &self.ending.busy()).await?;
            let is_last = found.len() < BATCH as usize;
            for run in found {
                let worker = Arc::clone(&self.worker);
                self.ending
                    .begin(run.id, &self.tasks, &self.stop, |failures| async move {
                        end_run(&worker, &run, failures).await
                    });
            }
            if is_last {
                break;
            }
        }
        Ok(self.ending.take_done())
    }
}

/// True when nothing more is to be done about the run, be it that nothing more can be done.
async fn end_run(worker: &Worker, run: &Cancellable, failures: u32) -> bool {
    let (job, parts) = (run.id, &worker.parts);
    parts.forecast.forget(job);
    if let Some(engine) = parts.engines.get(run.engine) {
        engine.release(&run.request);
        let asked = async {
            let cancelled = engine.cancel(&run.request, run.place.as_deref()).await;
            // Copies may be deleted where a run cannot be stopped.
            let erased = engine.erase(&run.request).await;
            cancelled.and(erased)
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
