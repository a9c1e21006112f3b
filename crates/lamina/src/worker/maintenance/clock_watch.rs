//! Notices that the machine's clock was stepped: a machine that boots with a wrong clock and then
//! asks the network, a guest that was resumed, an operator's mistake. Waits, leases and time-outs
//! go by a time that never steps (`clock.rs`), so jobs go on; what is left is what ends by the time
//! of day.
//!
//! A clock that leaps ahead would end everything at once. Whether it was wrong before or is wrong
//! now cannot be known here, so expiry goes on by the old reckoning until the clock has run on from
//! its leap for [`WorkerSettings::clock_hold`](crate::worker::WorkerSettings::clock_hold), or comes back.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::periodic;
use crate::clock::{LEAP_MS, lead};
use crate::jobs::{Moment, UnixMs};
use crate::store::{ClockSeen, StoreError};
use crate::worker::Worker;

/// How often the clocks are compared; the worker's other looks are as frequent.
const PERIOD: Duration = Duration::from_secs(5);
/// How often both times are written down for the next process.
const SEE_EVERY: Duration = Duration::from_secs(60);
/// What a clock that is steered may differ between two looks; more is a step.
const STEP_MS: i64 = 2_000;

/// The two clocks, compared.
#[derive(Debug)]
pub(in crate::worker) struct ClockWatch {
    hold: Duration,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// The wall clock's lead at the last look.
    lead: i64,
    /// The lead that expiry goes by.
    trusted: i64,
    /// When the lead that is not trusted (yet) was first seen.
    held_since: Option<UnixMs>,
    /// How long earlier processes saw it run on.
    held_before: Duration,
    written_at: Option<UnixMs>,
}

/// What a look found.
#[derive(Debug, PartialEq, Eq)]
struct Look {
    /// By how many milliseconds the wall clock was stepped since the last one.
    step: Option<i64>,
    /// What is to end by this time of day may be ended.
    expire_by: UnixMs,
    /// Whether expiry is held back, where that changed.
    held: Option<bool>,
}

impl ClockWatch {
    pub(in crate::worker) fn new(hold: Duration, moment: Moment) -> Self {
        let lead = lead(moment);
        Self {
            hold,
            state: Mutex::new(State {
                lead,
                trusted: lead,
                held_since: None,
                held_before: Duration::ZERO,
                written_at: None,
            }),
        }
    }

    /// Goes on from what the last process saw. Returns by how much the queue's times are to be
    /// moved: what that process, or the machine between the two, did to the clock, and a long
    /// absence too, must end no wait.
    fn resume(&self, last: ClockSeen, now: Moment) -> Option<i64> {
        let seen = last.moment;
        let away = now.wall.0 - seen.wall.0;
        if away > LEAP_MS {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.trusted = state.lead - away;
            state.held_since = Some(now.now);
            state.held_before = last.held;
        }
        let undisturbed = lead(seen).abs() < STEP_MS && (0..=LEAP_MS).contains(&away);
        (!undisturbed).then_some(now.now.0 - seen.now.0)
    }

    fn look(&self, moment: Moment) -> Look {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let lead = lead(moment);
        let step = lead - state.lead;
        let stepped = step.abs() >= STEP_MS;
        state.lead = lead;
        let was_held = state.held_since.is_some();
        if lead - state.trusted <= LEAP_MS {
            state.held_since = None;
        } else if stepped || !was_held {
            state.held_since = Some(moment.now);
            state.held_before = Duration::ZERO;
        }
        let before = state.held_before;
        let over = |since: UnixMs| moment.now.since(since) + before >= self.hold;
        if state.held_since.is_some_and(over) {
            state.held_since = None;
        }
        let held = state.held_since.is_some();
        if !held {
            state.trusted = lead;
        }
        Look {
            step: stepped.then_some(step),
            expire_by: UnixMs(moment.now.0.saturating_add(state.trusted)),
            held: (held != was_held).then_some(held),
        }
    }

    fn is_held(&self) -> bool {
        self.held_for(UnixMs(0)).is_some()
    }

    /// How long the clock has run on from a leap that is not trusted yet.
    fn held_for(&self, now: UnixMs) -> Option<Duration> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let since = state.held_since?;
        Some(now.since(since) + state.held_before)
    }

    /// Whether it is time to write both times down.
    fn is_to_be_written(&self, now: UnixMs) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let due = state.written_at.is_none_or(|at| now.since(at) >= SEE_EVERY);
        if due {
            state.written_at = Some(now);
        }
        due
    }
}

impl Worker {
    /// What ends by the time of day ends by this one.
    pub(in crate::worker) fn expire_by(&self) -> UnixMs {
        let moment = self.parts.clock.moment();
        let look = self.clock_watch.look(moment);
        if !self.clock_watch.is_held() {
            self.parts.wall_lead.trust(moment);
        }
        let metrics = &self.parts.metrics;
        if let Some(step_ms) = look.step {
            metrics.clock_stepped(step_ms > 0);
            tracing::warn!(
                step_ms,
                "the machine's clock was stepped; waits and time-outs go on as before"
            );
        }
        if let Some(held) = look.held {
            self.tell_expiry_held(held);
        }
        look.expire_by
    }

    fn tell_expiry_held(&self, held: bool) {
        self.parts.metrics.expiry_held(held);
        let hold_ms = crate::jobs::whole_ms(self.settings.clock_hold);
        if held {
            tracing::warn!(
                hold_ms,
                "the machine's clock is far ahead of what was seen last; nothing expires because of that until it has run on for CLOCK_STEP_HOLD"
            );
        } else {
            tracing::info!("expiry goes by the machine's clock again");
        }
    }

    /// Before anything else is done: what happened to the clock since the last process.
    pub(in crate::worker) async fn resume_clock(&self) -> Result<(), StoreError> {
        let now = self.parts.clock.moment();
        if let Some(seen) = self.parts.store.clock_seen().await? {
            if let Some(millis) = self.clock_watch.resume(seen, now) {
                tracing::info!(
                    shift_ms = millis,
                    "the clock was stepped, or the service long away; the queue's times were moved"
                );
                self.parts.store.queue_shift(millis).await?;
            }
            if self.clock_watch.is_held() {
                self.tell_expiry_held(true);
            }
        }
        self.parts.store.clock_see(self.clock_seen()).await
    }

    /// What the next process is to compare with: a leap that is not trusted is one for it too, and
    /// what it has lasted counts, so that a service that runs for minutes at a time expires things too.
    fn clock_seen(&self) -> ClockSeen {
        let wall = self.expire_by();
        let now = self.parts.clock.now();
        ClockSeen {
            moment: Moment { now, wall },
            held: self.clock_watch.held_for(now).unwrap_or_default(),
        }
    }

    /// For the next process.
    pub(in crate::worker) async fn leave_clock(&self) {
        if let Err(error) = self.parts.store.clock_see(self.clock_seen()).await {
            tracing::warn!(%error, "the time could not be written down for the next start");
        }
    }

    async fn watch_clock(&self) -> Result<(), StoreError> {
        let seen = self.clock_seen();
        if self.clock_watch.is_to_be_written(seen.moment.now) {
            self.parts.store.clock_see(seen).await?;
        }
        Ok(())
    }
}

pub(in crate::worker) async fn run(worker: &Worker, stop: CancellationToken) {
    periodic::every("clock", PERIOD, None, &stop, || worker.watch_clock()).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;
    const DAY: i64 = 24 * HOUR;

    fn at(now: i64, lead: i64) -> Moment {
        Moment {
            now: UnixMs(now),
            wall: UnixMs(now + lead),
        }
    }

    fn seen(moment: Moment, held: u64) -> ClockSeen {
        let held = Duration::from_secs(held);
        ClockSeen { moment, held }
    }

    #[test]
    fn what_a_leap_has_lasted_counts_across_processes() {
        let now = at(DAY, 0);
        let watch = ClockWatch::new(Duration::from_secs(3600), now);
        watch.resume(seen(at(0, 0), 3_000), now);
        assert_eq!(watch.look(at(DAY + 599_000, 0)).held, None);
        assert_eq!(
            watch.held_for(UnixMs(DAY + 599_000)),
            Some(Duration::from_secs(3_599))
        );
        assert_eq!(watch.look(at(DAY + 600_000, 0)).held, Some(false));
    }

    fn watch() -> ClockWatch {
        ClockWatch::new(Duration::from_secs(3600), at(0, 0))
    }

    #[test]
    fn a_leap_ahead_ends_nothing_until_it_has_lasted() {
        let watch = watch();
        let look = watch.look(at(1_000, DAY));
        let expected = Look {
            step: Some(DAY),
            expire_by: UnixMs(1_000),
            held: Some(true),
        };
        assert_eq!(look, expected);
        assert_eq!(watch.look(at(HOUR, DAY)).expire_by, UnixMs(HOUR));
        let confirmed = watch.look(at(HOUR + 1_000, DAY));
        assert_eq!(confirmed.held, Some(false));
        assert_eq!(confirmed.expire_by, UnixMs(HOUR + 1_000 + DAY));
    }

    #[test]
    fn a_leap_that_is_taken_back_never_happened() {
        let watch = watch();
        watch.look(at(1_000, DAY));
        let back = watch.look(at(2_000, 0));
        assert_eq!((back.step, back.held), (Some(-DAY), Some(false)));
        assert_eq!(back.expire_by, UnixMs(2_000));
    }

    #[test]
    fn a_second_leap_is_waited_for_anew() {
        let watch = watch();
        watch.look(at(0, DAY));
        watch.look(at(HOUR - 1, 2 * DAY));
        assert_eq!(
            watch.look(at(HOUR + 1, 2 * DAY)).expire_by,
            UnixMs(HOUR + 1)
        );
    }

    #[test]
    fn a_clock_set_back_or_steered_is_followed_at_once() {
        let watch = watch();
        let back = watch.look(at(1_000, -DAY));
        assert_eq!((back.step, back.held), (Some(-DAY), None));
        assert_eq!(back.expire_by, UnixMs(1_000 - DAY));
        let steered = watch.look(at(6_000, -DAY + 400));
        assert_eq!(
            (steered.step, steered.expire_by),
            (None, UnixMs(6_400 - DAY))
        );
    }

    #[test]
    fn a_quick_restart_moves_nothing_and_a_step_between_two_processes_does() {
        let seen = seen(at(1_000, 0), 0);
        let start = |wall: i64| {
            let now = at(wall, 0);
            (ClockWatch::new(Duration::from_secs(3600), now), now)
        };
        let (quick, now) = start(31_000);
        assert_eq!(quick.resume(seen, now), None);
        let (back, now) = start(1_000 - DAY);
        assert_eq!(
            (back.resume(seen, now), back.is_held()),
            (Some(-DAY), false)
        );
        let (ahead, now) = start(1_000 + DAY);
        assert_eq!(
            (ahead.resume(seen, now), ahead.is_held()),
            (Some(DAY), true)
        );
        assert_eq!(ahead.look(now).expire_by, UnixMs(1_000));
        // The last process had seen a step, and this one began by the new time.
        let (after_step, now) = start(HOUR + 5_000);
        assert_eq!(
            after_step.resume(self::seen(at(1_000, HOUR), 0), now),
            Some(HOUR + 4_000)
        );
    }
}
