//! Closes submissions that nobody will close any more: their job was deleted, expired or set aside
//! while the answer to a call was open, and the process that made the call is gone. They may have
//! been paid, so they are counted as unknown; a late callback still proves them.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::periodic;
use crate::store::StoreError;
use crate::worker::Worker;

const PERIOD: Duration = Duration::from_secs(60);
/// A call of this process that is older than this has ended, however it went.
const OLD: Duration = Duration::from_secs(15 * 60);
const BATCH: u32 = 500;

pub(in crate::worker) async fn run(worker: &Worker, stop: CancellationToken) {
    periodic::every("abandoned", PERIOD, None, &stop, || run_once(worker)).await;
}

/// Returns how many were closed.
async fn run_once(worker: &Worker) -> Result<usize, StoreError> {
    let (now, mut closed) = (worker.parts.clock.now(), 0);
    // What was opened before this process began is another's, and that one is dead.
    let before = worker.started_at.max(now.minus(OLD));
    loop {
        let abandoned = worker
            .parts
            .store
            .submission_abandon(before, worker.parts.clock.wall(), BATCH)
            .await?;
        for submission in &abandoned {
            worker.parts.metrics.submission_unknown(submission.engine);
            tracing::error!(job = %submission.job, owner = %submission.owner, engine = submission.engine.as_str(), "a job ended before it was known whether the engine took a submission; it may have been paid");
        }
        closed += abandoned.len();
        if abandoned.len() < BATCH as usize {
            return Ok(closed);
        }
    }
}
