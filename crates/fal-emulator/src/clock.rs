//! The emulator's time: the only file that reads the wall clock.
//!
//! Two readings exist. [`Clock::now_ms`] is the time of day and stamps logs, answers and webhook
//! signatures. [`Clock::aged_ms`] additionally counts skipped and scaled time and decides what has
//! expired (results, files), so that a test can let an hour pass without making its webhooks stale.
//! Invariant: `aged_ms` never falls behind `now_ms` unless the given source runs backwards.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Where the emulator takes its time from. Cheap to clone; clones share skipped time.
#[derive(Clone)]
pub struct Clock(Arc<Inner>);

struct Inner {
    read: Box<dyn Fn() -> u64 + Send + Sync>,
    first_ms: u64,
    scale: f64,
    skipped_ms: AtomicU64,
}

impl Clock {
    /// The time of day, at its own pace.
    #[must_use]
    pub fn system() -> Self {
        Self::scaled(1.0)
    }

    /// The time of day for stamps, while expiry runs `scale` times as fast (60.0: an hour's
    /// retention ends after a minute).
    #[must_use]
    pub fn scaled(scale: f64) -> Self {
        Self::build(Box::new(wall_clock_ms), scale)
    }

    /// A clock of the caller's: `read` returns milliseconds since the Unix epoch. Share the clock
    /// of the service under test, so that both agree on what a stale webhook is.
    #[must_use]
    pub fn from_fn(read: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        Self::build(Box::new(read), 1.0)
    }

    fn build(read: Box<dyn Fn() -> u64 + Send + Sync>, scale: f64) -> Self {
        let first_ms = read();
        Self(Arc::new(Inner {
            read,
            first_ms,
            scale,
            skipped_ms: AtomicU64::new(0),
        }))
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        (self.0.read)()
    }

    /// Milliseconds since the Unix epoch as expiry sees them: scaled, and ahead by all skips.
    #[must_use]
    pub fn aged_ms(&self) -> u64 {
        let elapsed = self.now_ms().saturating_sub(self.0.first_ms);
        let aged = Duration::from_millis(elapsed).mul_f64(self.0.scale);
        self.0.first_ms
            + u64::try_from(aged.as_millis()).unwrap_or(u64::MAX / 2)
            + self.0.skipped_ms.load(Ordering::Relaxed)
    }

    /// Lets `time` pass for results and files. Stamps and latencies do not move.
    pub fn skip(&self, time: Duration) {
        let ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX / 4);
        self.0.skipped_ms.fetch_add(ms, Ordering::Relaxed);
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({} ms)", self.now_ms())
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the clock that the rest of the crate is given"
)]
fn wall_clock_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_millis() as u64)
}

/// `2026-11-22T16:30:00.123000Z`: the form of log entries, microseconds always written.
pub(crate) fn iso_micros(ms: u64) -> String {
    let stamp = i64::try_from(ms)
        .ok()
        .and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok())
        .unwrap_or(jiff::Timestamp::MAX);
    format!("{stamp:.6}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skipped_and_scaled_time_ages_without_moving_the_stamps() {
        let now = Arc::new(AtomicU64::new(1_000));
        let read = Arc::clone(&now);
        let clock = Clock::build(Box::new(move || read.load(Ordering::Relaxed)), 60.0);
        assert_eq!((clock.now_ms(), clock.aged_ms()), (1_000, 1_000));
        now.store(1_500, Ordering::Relaxed);
        assert_eq!((clock.now_ms(), clock.aged_ms()), (1_500, 31_000));
        clock.skip(Duration::from_secs(2));
        assert_eq!((clock.now_ms(), clock.aged_ms()), (1_500, 33_000));
    }

    #[test]
    fn log_stamps_always_show_microseconds() {
        assert_eq!(iso_micros(0), "1970-01-01T00:00:00.000000Z");
        assert_eq!(iso_micros(1_800_000_000_123), "2027-01-15T08:00:00.123000Z");
    }
}
