//! What ends by the time of day, where the machine's clock may leap. One piece knows by how much the
//! wall clock leads the even time, which lead is trusted, and how long one that leapt is waited for;
//! the edge asks it what is still served, the worker what may be erased, and the worker alone looks.
//! It reads no clock, writes no row and logs nothing.
//!
//! A clock that leaps ahead would end everything at once. Whether it was wrong before or is wrong
//! now cannot be known here, so expiry goes on by the old reckoning until the clock has run on from
//! its leap for the hold, or comes back.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::lead;
use crate::jobs::{Moment, UnixMs};

/// A clock that is ahead by more than this at once was stepped, and what would end by that alone does
/// not end yet. Less ends nothing that would not have ended soon.
pub(crate) const LEAP_MS: i64 = 10 * 60 * 1000;
/// What a clock that is steered may differ between two looks; more is a step.
const STEP_MS: i64 = 2_000;

/// The two clocks, compared.
#[derive(Debug)]
pub struct Expiry {
    hold: Duration,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// The wall clock's lead at the last look.
    lead: i64,
    /// The lead that erasing goes by.
    trusted: i64,
    /// The lead that serving goes by. It differs after an absence: how long nothing ran is not known,
    /// so what the clock says is over is not served, and not erased either.
    shown: i64,
    /// When the lead that is not trusted (yet) was first seen.
    held_since: Option<UnixMs>,
    /// How long earlier processes saw it run on.
    held_before: Duration,
}

/// What a look found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Look {
    /// By how many milliseconds the wall clock was stepped since the last one.
    pub(crate) step: Option<i64>,
    /// What is to end by this time of day may be ended.
    pub(crate) expire_by: UnixMs,
    /// Whether expiry is held back, where that changed.
    pub(crate) held: Option<bool>,
}

impl Expiry {
    /// The wall clock is trusted as it is now; a leap is waited for as long as `hold`.
    #[must_use]
    pub fn new(hold: Duration, moment: Moment) -> Self {
        let lead = lead(moment);
        Self {
            hold,
            state: Mutex::new(State {
                lead,
                trusted: lead,
                shown: lead,
                held_since: None,
                held_before: Duration::ZERO,
            }),
        }
    }

    /// Goes on from the moment that the last process saw, which had held expiry for so long. Returns
    /// by how much the queue's times are to be moved: what that process, or the machine between the
    /// two, did to the clock, and a long absence too, must end no wait.
    pub(crate) fn resume(&self, seen: Moment, held: Duration, now: Moment) -> Option<i64> {
        let away = now.wall.0 - seen.wall.0;
        if away > LEAP_MS {
            let mut state = self.lock();
            state.trusted = state.lead - away;
            state.held_since = Some(now.now);
            state.held_before = held;
        }
        let undisturbed = lead(seen).abs() < STEP_MS && (0..=LEAP_MS).contains(&away);
        (!undisturbed).then_some(now.now.0 - seen.now.0)
    }

    /// Compares the clocks, as the worker does every few seconds.
    pub(crate) fn look(&self, moment: Moment) -> Look {
        let mut state = self.lock();
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
        let held_for = state.held_for(moment.now);
        if held_for.is_some_and(|lasted| lasted >= self.hold) {
            state.held_since = None;
        }
        let held = state.held_since.is_some();
        if !held {
            (state.trusted, state.shown) = (lead, lead);
        }
        Look {
            step: stepped.then_some(step),
            expire_by: by(state.trusted, moment),
            held: (held != was_held).then_some(held),
        }
    }

    /// What ends by this time of day is served no more. It changes nothing, and agrees with what a look
    /// would find but for absences: a leap that nobody has looked at yet takes nothing from anyone.
    pub(crate) fn served_by(&self, moment: Moment) -> UnixMs {
        let shown = self.lock().shown;
        if lead(moment).saturating_sub(shown) > LEAP_MS {
            by(shown, moment)
        } else {
            moment.wall
        }
    }

    /// How long a leap is waited for.
    pub(crate) fn hold(&self) -> Duration {
        self.hold
    }

    pub(crate) fn is_held(&self) -> bool {
        self.lock().held_since.is_some()
    }

    /// How long the clock has run on from a leap that is not trusted yet.
    pub(crate) fn held_for(&self, now: UnixMs) -> Option<Duration> {
        self.lock().held_for(now)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn held_for(&self, now: UnixMs) -> Option<Duration> {
        Some(now.since(self.held_since?) + self.held_before)
    }
}

/// The time of day by a lead.
fn by(lead: i64, moment: Moment) -> UnixMs {
    UnixMs(moment.now.0.saturating_add(lead))
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

    fn expiry(moment: Moment) -> Expiry {
        Expiry::new(Duration::from_secs(3600), moment)
    }

    #[test]
    fn what_a_leap_has_lasted_counts_across_processes() {
        let now = at(DAY, 0);
        let expiry = expiry(now);
        expiry.resume(at(0, 0), Duration::from_secs(3_000), now);
        assert_eq!(expiry.look(at(DAY + 599_000, 0)).held, None);
        assert_eq!(
            expiry.held_for(UnixMs(DAY + 599_000)),
            Some(Duration::from_secs(3_599))
        );
        assert_eq!(expiry.look(at(DAY + 600_000, 0)).held, Some(false));
    }

    #[test]
    fn a_leap_ahead_ends_nothing_until_it_has_lasted() {
        let expiry = expiry(at(0, 0));
        let look = expiry.look(at(1_000, DAY));
        let expected = Look {
            step: Some(DAY),
            expire_by: UnixMs(1_000),
            held: Some(true),
        };
        assert_eq!(look, expected);
        assert_eq!(expiry.look(at(HOUR, DAY)).expire_by, UnixMs(HOUR));
        assert_eq!(expiry.served_by(at(HOUR, DAY)), UnixMs(HOUR));
        let confirmed = expiry.look(at(HOUR + 1_000, DAY));
        assert_eq!(confirmed.held, Some(false));
        assert_eq!(confirmed.expire_by, UnixMs(HOUR + 1_000 + DAY));
        let served = expiry.served_by(at(HOUR + 1_000, DAY));
        assert_eq!(served, UnixMs(HOUR + 1_000 + DAY));
    }

    #[test]
    fn a_leap_that_is_taken_back_never_happened() {
        let expiry = expiry(at(0, 0));
        expiry.look(at(1_000, DAY));
        let back = expiry.look(at(2_000, 0));
        assert_eq!((back.step, back.held), (Some(-DAY), Some(false)));
        assert_eq!(back.expire_by, UnixMs(2_000));
    }

    #[test]
    fn a_second_leap_is_waited_for_anew() {
        let expiry = expiry(at(0, 0));
        expiry.look(at(0, DAY));
        expiry.look(at(HOUR - 1, 2 * DAY));
        assert_eq!(
            expiry.look(at(HOUR + 1, 2 * DAY)).expire_by,
            UnixMs(HOUR + 1)
        );
    }

    #[test]
    fn a_clock_set_back_or_steered_is_followed_at_once() {
        let expiry = expiry(at(0, 0));
        let back = expiry.look(at(1_000, -DAY));
        assert_eq!((back.step, back.held), (Some(-DAY), None));
        assert_eq!(back.expire_by, UnixMs(1_000 - DAY));
        let steered = expiry.look(at(6_000, -DAY + 400));
        assert_eq!(
            (steered.step, steered.expire_by),
            (None, UnixMs(6_400 - DAY))
        );
    }

    #[test]
    fn a_leap_that_nobody_has_looked_at_takes_nothing_from_anyone() {
        let expiry = expiry(at(1_000, 0));
        let small = at(1_000, LEAP_MS);
        assert_eq!(expiry.served_by(small), small.wall);
        assert_eq!(expiry.served_by(at(1_007, LEAP_MS + 1)), UnixMs(1_007));
        let back = at(1_007, -3 * LEAP_MS);
        assert_eq!(expiry.served_by(back), back.wall);
    }

    #[test]
    fn after_an_absence_what_is_over_is_not_served_and_not_erased() {
        let now = at(DAY, 0);
        let expiry = expiry(now);
        assert_eq!(expiry.resume(at(0, 0), Duration::ZERO, now), Some(DAY));
        assert_eq!(expiry.served_by(now), UnixMs(DAY));
        assert_eq!(expiry.look(now).expire_by, UnixMs(0));
    }

    #[test]
    fn a_quick_restart_moves_nothing_and_a_step_between_two_processes_does() {
        let start = |wall: i64| (expiry(at(wall, 0)), at(wall, 0));
        let resume = |expiry: &Expiry, seen, now| expiry.resume(seen, Duration::ZERO, now);
        let seen = at(1_000, 0);
        let (quick, now) = start(31_000);
        assert_eq!(resume(&quick, seen, now), None);
        let (back, now) = start(1_000 - DAY);
        assert_eq!(
            (resume(&back, seen, now), back.is_held()),
            (Some(-DAY), false)
        );
        let (ahead, now) = start(1_000 + DAY);
        assert_eq!(
            (resume(&ahead, seen, now), ahead.is_held()),
            (Some(DAY), true)
        );
        assert_eq!(ahead.look(now).expire_by, UnixMs(1_000));
        // The last process had seen a step, and this one began by the new time.
        let (after_step, now) = start(HOUR + 5_000);
        assert_eq!(
            resume(&after_step, at(1_000, HOUR), now),
            Some(HOUR + 4_000)
        );
    }
}
