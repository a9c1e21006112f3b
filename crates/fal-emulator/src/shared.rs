//! What every part of one running emulator shares: the board behind its lock, the file store, the
//! keys, the outgoing client, and the signal that something changed.
//!
//! The lock is never held across an await. Invariant: whoever changes the board calls
//! [`Shared::changed`] after releasing it, so that no waiter sleeps through a change.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::cdn::Cdn;
use crate::config::Config;
use crate::outgoing::Outgoing;
use crate::queue::{Board, End};
use crate::uploads::Uploads;
use crate::webhook::SigningKeys;

/// The inside of an emulator.
pub(crate) struct Shared {
    pub(crate) config: Config,
    board: Mutex<Board>,
    revision: watch::Sender<u64>,
    pub(crate) cdn: Cdn,
    pub(crate) uploads: Uploads,
    pub(crate) signing: SigningKeys,
    pub(crate) outgoing: Outgoing,
    pub(crate) stop: CancellationToken,
    pub(crate) tasks: TaskTracker,
}

impl Shared {
    pub(crate) fn new(config: Config, outgoing: Outgoing) -> Self {
        let clock = config.clock.clone();
        Self {
            board: Mutex::new(Board::new(config.hold, config.concurrency)),
            revision: watch::Sender::new(0),
            cdn: Cdn::new(clock),
            uploads: Uploads::default(),
            signing: SigningKeys::new(),
            outgoing,
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
            config,
        }
    }

    /// The board. Keep the guard short and never across an await.
    pub(crate) fn board(&self) -> MutexGuard<'_, Board> {
        lock(&self.board)
    }

    /// Wakes whoever waits for a change.
    pub(crate) fn changed(&self) {
        self.revision.send_modify(|revision| *revision += 1);
    }

    /// A receiver that is told about every later change.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.revision.subscribe()
    }

    /// Waits until `look` finds something on the board. Ends with `None` when the emulator stops.
    pub(crate) async fn wait_for<T>(&self, mut look: impl FnMut(&Board) -> Option<T>) -> Option<T> {
        let mut changes = self.changes();
        loop {
            if let Some(found) = look(&self.board()) {
                return Some(found);
            }
            tokio::select! {
                changed = changes.changed() => changed.ok()?,
                () = self.stop.cancelled() => return None,
            }
        }
    }

    /// Runs `work` until it ends or the emulator stops.
    pub(crate) fn spawn(self: &Arc<Self>, work: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            stop.run_until_cancelled_owned(work).await;
        });
    }

    /// An end at this moment, with nothing billed.
    pub(crate) fn end_now(&self) -> End {
        End {
            now_ms: self.config.clock.now_ms(),
            aged_ms: self.config.clock.aged_ms(),
            ..End::default()
        }
    }
}

/// Locks, whether or not another thread panicked while it held the lock: the state is kept whole by
/// short critical sections, and a test should report its own failure, not a poisoned lock.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
