//! Sets aside jobs that keep ending their process. (Taking over the job of a worker that died is
//! the claim's own work; see `claim.rs`.)

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{Worker, sweeper};
use crate::store::StoreError;

const PERIOD: Duration = Duration::from_secs(10);

pub(super) async fn run(worker: &Worker, stop: CancellationToken) {
    sweeper::every("rescuer", PERIOD, None, &stop, || run_once(worker)).await;
}

/// Returns how many jobs were set aside.
async fn run_once(worker: &Worker) -> Result<usize, StoreError> {
    let now = worker.parts.clock.now();
    let failed = worker
        .parts
        .store
        .job_fail_poisoned(worker.settings.max_rescues, now)
        .await?;
    for job in &failed {
        worker.tell_set_aside(job);
    }
    Ok(failed.len())
}
