//! Things that are to be done one by one and may fail or hang, each by itself: what is begun goes on
//! beside the rounds that find it, what failed waits longer each time, and neither holds up another. It
//! does not know what is done, and forgets everything with the process: the rows remember.
//!
//! Invariant: a thing is being done at most once at a time.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Between two tries of the same thing, at the most.
const LONGEST_PAUSE: Duration = Duration::from_secs(600);

/// What is being done or waits for its next try.
#[derive(Debug)]
pub(in crate::worker) struct Backlog<Id> {
    things: Arc<Mutex<HashMap<Id, State>>>,
    slots: Arc<Semaphore>,
    done: Arc<AtomicUsize>,
    first_pause: Duration,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Running,
    Waiting { until: Instant, failures: u32 },
}

impl<Id: Clone + Eq + Hash + Send + 'static> Backlog<Id> {
    /// At most `at_once` things at once; one that failed waits for `first_pause`, then twice as long.
    pub(in crate::worker) fn new(at_once: usize, first_pause: Duration) -> Self {
        Self {
            things: Arc::default(),
            slots: Arc::new(Semaphore::new(at_once)),
            done: Arc::default(),
            first_pause,
        }
    }

    /// Those that nobody should be asked for now: they are being done, or were tried a moment ago.
    pub(in crate::worker) fn busy(&self) -> Vec<Id> {
        let now = Instant::now();
        let mut things = self.things.lock();
        // Long overdue means that something else has done it.
        things.retain(|_, state| match state {
            State::Running => true,
            State::Waiting { until, .. } => *until + 2 * LONGEST_PAUSE > now,
        });
        let busy = things.iter().filter(|(_, state)| match state {
            State::Running => true,
            State::Waiting { until, .. } => *until > now,
        });
        busy.map(|(id, _)| id.clone()).collect()
    }

    /// How many were done since this was asked last.
    pub(in crate::worker) fn take_done(&self) -> usize {
        self.done.swap(0, Ordering::AcqRel)
    }

    /// Begins one, unless it is being done. `work` is told how often it failed before, and says whether
    /// it is done now; `stop` ends it wherever it is.
    pub(in crate::worker) fn begin<F>(
        &self,
        id: Id,
        tasks: &TaskTracker,
        stop: &CancellationToken,
        work: impl FnOnce(u32) -> F,
    ) where
        F: Future<Output = bool> + Send + 'static,
    {
        let failures = {
            let mut things = self.things.lock();
            let failures = match things.get(&id) {
                Some(State::Running) => return,
                Some(State::Waiting { failures, .. }) => *failures,
                None => 0,
            };
            things.insert(id.clone(), State::Running);
            failures
        };
        let (work, stop, slots) = (work(failures), stop.clone(), Arc::clone(&self.slots));
        let (things, done, first) = (
            Arc::clone(&self.things),
            Arc::clone(&self.done),
            self.first_pause,
        );
        tasks.spawn(async move {
            let in_turn = async {
                let _slot = slots.acquire().await;
                work.await
            };
            let is_done = tokio::select! {
                is_done = in_turn => is_done,
                () = stop.cancelled() => return,
            };
            let mut things = things.lock();
            if is_done {
                things.remove(&id);
                done.fetch_add(1, Ordering::AcqRel);
                return;
            }
            let until = Instant::now() + pause(first, failures);
            let failures = failures + 1;
            things.insert(id, State::Waiting { until, failures });
        });
    }
}

fn pause(first: Duration, failures: u32) -> Duration {
    let pause = first.saturating_mul(2u32.saturating_pow(failures.min(20)));
    pause.min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_that_hangs_and_one_that_fails_hold_up_nothing() {
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let backlog = Backlog::new(2, Duration::from_secs(3600));
        backlog.begin("hangs", &tasks, &stop, |_| std::future::pending());
        backlog.begin("fails", &tasks, &stop, |_| std::future::ready(false));
        for id in ["a", "b", "c"] {
            backlog.begin(id, &tasks, &stop, |_| std::future::ready(true));
        }
        while backlog.things.lock().len() > 2 {
            tokio::task::yield_now().await;
        }
        while !matches!(
            backlog.things.lock()["fails"],
            State::Waiting { failures: 1, .. }
        ) {
            tokio::task::yield_now().await;
        }
        assert_eq!(backlog.take_done(), 3);
        let mut busy = backlog.busy();
        busy.sort_unstable();
        assert_eq!(busy, ["fails", "hangs"]);
        // It is not begun twice.
        backlog.begin("hangs", &tasks, &stop, |_| -> std::future::Ready<bool> {
            panic!("begun twice")
        });
        stop.cancel();
        tasks.close();
        tasks.wait().await;
    }

    #[test]
    fn what_failed_waits_twice_as_long_each_time_up_to_a_bound() {
        let pauses = [0, 1, 2, 7, 40].map(|failures| pause(Duration::from_secs(5), failures));
        assert_eq!(pauses.map(|pause| pause.as_secs()), [5, 10, 20, 600, 600]);
    }
}
