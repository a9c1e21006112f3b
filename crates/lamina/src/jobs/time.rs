//! Points in time as the store keeps them: whole milliseconds since the Unix epoch, UTC.
//! Nothing here reads a clock; see `clock.rs` for that.

use std::fmt;
use std::time::Duration;

use serde::{Serialize, Serializer};

/// Milliseconds since 1970-01-01T00:00:00Z. Serialised as RFC 3339 in UTC with milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixMs(pub i64);

impl UnixMs {
    /// The time `by` later; saturates instead of overflowing.
    #[must_use]
    pub fn plus(self, by: Duration) -> Self {
        Self(self.0.saturating_add(millis(by)))
    }

    /// The time `by` earlier; saturates instead of overflowing.
    #[must_use]
    pub fn minus(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(millis(by)))
    }

    /// How long ago `earlier` was, zero when it lies in the future.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// Whole seconds since the epoch, rounded down.
    #[must_use]
    pub fn as_secs(self) -> i64 {
        self.0.div_euclid(1000)
    }
}

/// One reading of both times of `clock.rs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// For waits, leases and time-outs: never steps.
    pub now: UnixMs,
    /// What the machine's clock says, for people and for what is promised by the time of day.
    pub wall: UnixMs,
}

/// A moment of a clock that was never stepped.
impl From<UnixMs> for Moment {
    fn from(time: UnixMs) -> Self {
        Self {
            now: time,
            wall: time,
        }
    }
}

/// Whole milliseconds, for a field of a log line: one of 128 bits would be written as text.
#[must_use]
pub fn whole_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

impl fmt::Display for UnixMs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(time) => write!(f, "{time:.3}"),
            Err(_) => write!(f, "{} ms since 1970", self.0),
        }
    }
}

impl Serialize for UnixMs {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_as_rfc_3339_in_utc() {
        assert_eq!(
            UnixMs(1_795_356_717_940).to_string(),
            "2026-11-22T14:11:57.940Z"
        );
        assert_eq!(UnixMs(0).to_string(), "1970-01-01T00:00:00.000Z");
    }

    #[test]
    fn a_time_before_another_is_no_time_ago() {
        assert_eq!(UnixMs(5).since(UnixMs(9)), Duration::ZERO);
        assert_eq!(
            UnixMs(i64::MAX).plus(Duration::from_secs(1)),
            UnixMs(i64::MAX)
        );
    }
}
