//! The only place that reads the wall clock. Everything that needs the time is given a [`Clock`];
//! tests give one that they move by hand.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use crate::jobs::UnixMs;

/// A source of the time.
pub trait Clock: fmt::Debug + Send + Sync {
    /// Now. Never earlier than a time it gave before.
    fn now(&self) -> UnixMs;
}

/// The machine's clock. A clock that is set back stands still instead, so that progress, leases
/// and expiry never run backwards within a process.
#[derive(Debug, Default)]
pub struct SystemClock {
    latest: AtomicI64,
}

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one reader of the wall clock"
    )]
    fn now(&self) -> UnixMs {
        let read = jiff::Timestamp::now().as_millisecond();
        UnixMs(self.latest.fetch_max(read, Ordering::Relaxed).max(read))
    }
}

/// A clock that moves only when told to.
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<AtomicI64>);

impl ManualClock {
    /// A clock that stands at `start`.
    #[must_use]
    pub fn at(start: UnixMs) -> Self {
        Self(Arc::new(AtomicI64::new(start.0)))
    }

    /// Moves the clock on.
    pub fn advance(&self, by: std::time::Duration) {
        let millis = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.0.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> UnixMs {
        UnixMs(self.0.load(Ordering::SeqCst))
    }
}
