//! The only place that reads the wall clock. Everything that needs the time is given a [`Clock`];
//! tests give one that they move by hand.
//!
//! There are two times. [`Clock::now`] only ever moves on, evenly: waits, leases, time-outs and
//! whatever else compares two times of one process go by it. [`Clock::wall`] is what the machine's
//! clock says, which may be stepped at any moment: it is for what people read, for signatures that
//! others check, and for what is promised to end at a time of day. `clock/expiry.rs` compares the two.

mod expiry;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

use crate::jobs::{Moment, UnixMs};

pub use expiry::Expiry;

/// A source of the time.
pub trait Clock: fmt::Debug + Send + Sync {
    /// Now, for waiting and comparing. Begins as the wall time of the process's start and never
    /// steps, so it may differ from [`Clock::wall`] by as much as the machine's clock was stepped.
    fn now(&self) -> UnixMs;

    /// Now, as the machine's clock has it. May jump, in both directions.
    fn wall(&self) -> UnixMs;

    /// Both, read together.
    fn moment(&self) -> Moment {
        Moment {
            now: self.now(),
            wall: self.wall(),
        }
    }
}

/// By how many milliseconds the wall clock is ahead of the even time.
fn lead(moment: Moment) -> i64 {
    moment.wall.0 - moment.now.0
}

/// The machine's clocks.
#[derive(Debug)]
pub struct SystemClock {
    began: Instant,
    began_at: UnixMs,
}

impl Default for SystemClock {
    fn default() -> Self {
        Self {
            began: Instant::now(),
            began_at: read_wall_clock(),
        }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> UnixMs {
        self.began_at.plus(self.began.elapsed())
    }

    fn wall(&self) -> UnixMs {
        read_wall_clock()
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the one reader of the wall clock"
)]
fn read_wall_clock() -> UnixMs {
    UnixMs(jiff::Timestamp::now().as_millisecond())
}

/// A clock that moves only when told to.
#[derive(Clone, Debug)]
pub struct ManualClock {
    now: Arc<AtomicI64>,
    /// How far the wall clock was stepped.
    stepped: Arc<AtomicI64>,
}

impl ManualClock {
    /// A clock that stands at `start`.
    #[must_use]
    pub fn at(start: UnixMs) -> Self {
        Self {
            now: Arc::new(AtomicI64::new(start.0)),
            stepped: Arc::default(),
        }
    }

    /// Time passes.
    pub fn advance(&self, by: std::time::Duration) {
        let millis = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.now.fetch_add(millis, Ordering::SeqCst);
    }

    /// The wall clock is stepped by so many milliseconds, while no time passes.
    pub fn step(&self, millis: i64) {
        self.stepped.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> UnixMs {
        UnixMs(self.now.load(Ordering::SeqCst))
    }

    fn wall(&self) -> UnixMs {
        UnixMs(self.now().0 + self.stepped.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_of_the_wall_clock_moves_no_wait() {
        let clock = ManualClock::at(UnixMs(1_000));
        clock.step(-500);
        assert_eq!((clock.now(), clock.wall()), (UnixMs(1_000), UnixMs(500)));
        clock.advance(std::time::Duration::from_millis(7));
        assert_eq!((clock.now(), clock.wall()), (UnixMs(1_007), UnixMs(507)));
    }

    #[test]
    fn the_machines_clocks_agree_while_none_is_stepped() {
        let moment = SystemClock::default().moment();
        assert!((moment.now.0 - moment.wall.0).abs() < 60_000, "{moment:?}");
    }
}
