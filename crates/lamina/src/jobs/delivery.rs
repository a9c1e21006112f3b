//! When a delivery of a webhook is tried again. Pure: what happened and the time are arguments.

use std::time::Duration;

use super::UnixMs;

/// From one attempt to the next: a receiver that is deployed anew is reached within a minute, and one that is down for
/// a night costs a few attempts an hour.
const LADDER: [u64; 9] = [5, 30, 120, 600, 1800, 3600, 7200, 14_400, 28_800];

/// The time of the next attempt after `attempts` that failed, the last one at `now`; none where that would be after
/// `until`, or the ladder has ended. A receiver may ask for a longer pause, and not for a shorter one. `spread`, 0.0
/// to 1.0, is chance: up to a tenth more, so that what failed together does not come back together.
#[must_use]
pub fn next_attempt(
    attempts: u32,
    now: UnixMs,
    until: UnixMs,
    asked: Option<Duration>,
    spread: f64,
) -> Option<UnixMs> {
    let step = LADDER.get(usize::try_from(attempts.checked_sub(1)?).ok()?)?;
    let step = Duration::from_secs(*step).mul_f64(1.0 + spread.clamp(0.0, 1.0) / 10.0);
    let next = now.plus(step.max(asked.unwrap_or_default()));
    (next <= until).then_some(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_end_before_the_last_moment() {
        let until = UnixMs(24 * 3600 * 1000);
        let (mut now, mut attempts, mut pause) = (UnixMs(0), 1, Duration::ZERO);
        while let Some(next) = next_attempt(attempts, now, until, None, 0.5) {
            assert!(next.since(now) > pause && next <= until);
            (pause, now, attempts) = (next.since(now), next, attempts + 1);
        }
        assert_eq!(attempts, 10);
        assert!(now > UnixMs(15 * 3600 * 1000));
        assert_eq!(
            next_attempt(1, UnixMs(until.0 - 4_000), until, None, 0.0),
            None
        );
    }

    #[test]
    fn a_receiver_may_ask_for_a_longer_pause_and_not_for_a_shorter_one() {
        let until = UnixMs(3_600_000);
        let next =
            |seconds| next_attempt(1, UnixMs(0), until, Some(Duration::from_secs(seconds)), 0.0);
        assert_eq!(next(1), Some(UnixMs(5_000)));
        assert_eq!(next(90), Some(UnixMs(90_000)));
        assert_eq!(next(7_200), None);
    }
}
