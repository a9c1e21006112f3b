//! Whether a connection has requests under way, and since when it has none. A connection without is
//! ended after a while, and sooner where places run short (see `places`). It closes nothing itself.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

/// What a connection does. Shared by its task, its requests and the table of places.
#[derive(Debug)]
pub(in crate::http) struct Activity {
    state: Mutex<State>,
    changed: Notify,
    /// Cancelled when its place is wanted for another.
    pub(in crate::http) evicted: CancellationToken,
}

#[derive(Clone, Copy, Debug)]
struct State {
    requests: usize,
    /// Since when `requests` is what it is.
    since: Instant,
}

/// A request under way, from its header to the last byte of its answer.
#[derive(Debug)]
pub(super) struct Busy(Arc<Activity>);

impl Activity {
    pub(in crate::http) fn new() -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State {
                requests: 0,
                since: Instant::now(),
            }),
            changed: Notify::new(),
            evicted: CancellationToken::new(),
        })
    }

    /// Counts a request as long as the answer is kept.
    pub(super) fn begin(self: &Arc<Self>) -> Busy {
        self.change(|requests| requests + 1);
        Busy(Arc::clone(self))
    }

    /// Since when there is no request; `None` while there is one.
    pub(in crate::http) fn idle_since(&self) -> Option<Instant> {
        let state = self.state();
        (state.requests == 0).then_some(state.since)
    }

    /// Waits until there was no request for `limit` without a break.
    pub(super) async fn idle_for(&self, limit: Duration) {
        loop {
            let changed = self.changed.notified();
            match self.idle_since() {
                None => changed.await,
                Some(since) => tokio::select! {
                    () = changed => {}
                    () = sleep_until(since + limit) => return,
                },
            }
        }
    }

    fn change(&self, count: impl FnOnce(usize) -> usize) {
        {
            let mut state = self.state.lock();
            state.requests = count(state.requests);
            state.since = Instant::now();
        }
        self.changed.notify_waiters();
    }

    fn state(&self) -> State {
        *self.state.lock()
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.change(|requests| requests.saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures_util::poll;

    use super::*;

    #[tokio::test]
    async fn a_connection_is_idle_once_its_last_request_is_over() {
        let activity = Activity::new();
        let (first, second) = (activity.begin(), activity.begin());
        assert!(activity.idle_since().is_none());
        let mut idle = pin!(activity.idle_for(Duration::from_millis(20)));
        drop(first);
        assert!(poll!(idle.as_mut()).is_pending());
        assert!(activity.idle_since().is_none());
        drop(second);
        idle.await;
        let since = activity.idle_since().unwrap();
        assert!(since.elapsed() >= Duration::from_millis(20));
    }
}
