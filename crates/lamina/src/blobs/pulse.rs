//! When the store last took a write, so that asking "does it work?" need not write each time: a
//! bucket bills every write. A write that failed counts at once.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// For so long a write that was taken says that writes are taken.
const COUNTS_FOR: Duration = Duration::from_secs(300);

/// The last write.
#[derive(Debug, Default)]
pub(super) struct Pulse(Mutex<Option<Instant>>);

impl Pulse {
    /// A write came to this end.
    pub(super) fn wrote(&self, taken: bool) {
        *self.0.lock() = taken.then(Instant::now);
    }

    /// Whether writes are taken, as far as is known.
    pub(super) fn writes(&self) -> bool {
        let last = *self.0.lock();
        last.is_some_and(|when| when.elapsed() < COUNTS_FOR)
    }
}
