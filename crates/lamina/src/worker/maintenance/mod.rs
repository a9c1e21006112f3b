//! What the worker does by itself, again and again: expire and erase, sweep orphans, close what was
//! abandoned, watch the clock. Each task has a file; `periodic` runs it.

pub(in crate::worker) mod abandoned;
mod backlog;
pub(in crate::worker) mod clock_watch;
mod deliver;
mod erase;
mod expire;
mod journal;
mod orphans;
mod periodic;
mod runs;

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::deliver::Deliverer;
use self::erase::Eraser;
use self::journal::Journal;
use self::periodic::every;
use self::runs::Runs;
use super::Worker;

const PERIOD: Duration = Duration::from_secs(15);
/// The shortest pause of a delivery that failed.
const DELIVERY_PERIOD: Duration = Duration::from_secs(5);
/// Listing a whole bucket is billed.
const ORPHAN_PERIOD: Duration = Duration::from_secs(600);

/// Runs what keeps storage, engines and database clean until `stop`. No task waits for another.
pub(super) async fn run(worker: &Arc<Worker>, stop: CancellationToken) {
    let erasable = worker.parts.store.signal().erase.clone();
    let tasks = TaskTracker::new();
    let eraser = Eraser::new(worker, &tasks, &stop);
    let runs = Runs::new(worker, &tasks, &stop);
    let deliverer = Deliverer::new(worker, &tasks, &stop);
    let (journal, marked) = (Journal::default(), Mutex::new(None));
    let erase = || {
        runs.wake.notify_one();
        eraser.round()
    };
    tokio::join!(
        every("erase", PERIOD, Some(&erasable), &stop, erase),
        every("runs", PERIOD, Some(&runs.wake), &stop, || runs.round()),
        every(
            "webhooks",
            DELIVERY_PERIOD,
            Some(deliverer.wake()),
            &stop,
            || deliverer.round()
        ),
        every("journal", PERIOD, None, &stop, || journal.empty(worker)),
        every("orphans", ORPHAN_PERIOD, None, &stop, || orphans::sweep(
            worker
        )),
        every("mark", PERIOD, None, &stop, || orphans::mark(
            worker, &marked
        )),
    );
    orphans::mark_at_stop(worker).await;
    // Whatever is asked may hang; what is left undone is done after the next start.
    tasks.close();
    tasks.wait().await;
}
