//! How far a job is, as a number that never falls. Pure: derived from what the store holds and
//! the time, so that a reader sees movement between two polls without a write.

use std::time::Duration;

use super::{Phase, UnixMs};

/// What progress is derived from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The highest fraction that the engine itself reported, 0.0 to 1.0.
    pub reported: f32,
    /// What was shown before the job was submitted anew or failed; nothing lower is shown again.
    pub floor: f32,
    /// When the engine accepted the job.
    pub accepted_at: Option<UnixMs>,
    /// How long it was expected to be, from then on, until the engine is done, its queue included; fixed until it is
    /// handed over anew, so that a later, slower measurement cannot move progress backwards.
    pub expected: Duration,
}

/// Shares of the whole: what is done when the engine accepts, and when it has finished.
const ACCEPTED: f32 = 0.05;
const ENGINE_DONE: f32 = 0.92;
/// What is shown while layers are collected, and when all that takes long of it is done.
const COLLECT: f32 = 0.95;
const COLLECTED: f32 = 0.99;
/// Of the engine's share, what is shown when it has taken as long as expected.
const ON_TIME: f32 = 0.9;

/// Progress from 0.0 to 1.0. Only a completed job has 1.0. While the engine runs it is the larger
/// of what the engine reported and what the elapsed time suggests: even over the expected duration, and from
/// there on ever slower, so that it moves and never arrives.
#[must_use]
pub fn progress(phase: Phase, estimate: &Estimate, now: UnixMs) -> f32 {
    let shown = match phase {
        Phase::Prepare => 0.0,
        Phase::Submit => 0.02,
        Phase::Wait => {
            let elapsed = estimate
                .accepted_at
                .map_or(Duration::ZERO, |at| now.since(at));
            let ratio = elapsed.as_secs_f32() / estimate.expected.as_secs_f32().max(0.001);
            let by_time = if ratio < 1.0 {
                ON_TIME * ratio
            } else {
                1.0 - (1.0 - ON_TIME) * (1.0 - ratio).exp().max(0.01)
            };
            ACCEPTED + (ENGINE_DONE - ACCEPTED) * by_time.max(estimate.reported.clamp(0.0, 1.0))
        }
        Phase::Collect => COLLECT,
        Phase::Completed => 1.0,
        Phase::Failed | Phase::Deleted | Phase::Expired => 0.0,
    };
    shown.max(estimate.floor)
}

/// Progress of a job that collects, when this share of what takes long is done.
#[must_use]
pub fn collecting(share: f32) -> f32 {
    COLLECT + (COLLECTED - COLLECT) * share.clamp(0.0, 1.0)
}

impl Estimate {
    /// Whether a job that is to be submitted was submitted before, and its run failed: only that
    /// (and a failure) raises the floor.
    #[must_use]
    pub fn is_resubmitted(&self) -> bool {
        self.floor > 0.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn estimate(reported: f32) -> Estimate {
        Estimate {
            reported,
            floor: 0.0,
            accepted_at: Some(UnixMs(0)),
            expected: Duration::from_secs(20),
        }
    }

    proptest! {
        #[test]
        fn progress_never_falls_on_the_way_to_completion(times in prop::collection::vec(0i64..200_000, 1..20), reports in prop::collection::vec(0f32..1.0, 20)) {
            let mut times = times;
            times.sort_unstable();
            let mut reported = 0f32;
            let mut last = progress(Phase::Submit, &estimate(0.0), UnixMs(0));
            for (time, report) in times.iter().zip(reports) {
                reported = reported.max(report);
                let now = progress(Phase::Wait, &estimate(reported), UnixMs(*time));
                prop_assert!(now >= last && now < progress(Phase::Collect, &estimate(reported), UnixMs(*time)));
                last = now;
            }
            prop_assert_eq!(progress(Phase::Completed, &estimate(reported), UnixMs(0)), 1.0);
        }
    }

    #[test]
    fn a_job_that_is_submitted_anew_does_not_fall_back() {
        let again = Estimate {
            floor: 0.5,
            ..estimate(0.0)
        };
        for phase in [Phase::Submit, Phase::Wait, Phase::Failed] {
            assert!(progress(phase, &again, UnixMs(0)) >= 0.5);
        }
    }

    #[test]
    fn what_takes_long_of_collecting_moves_the_bar_and_does_not_end_it() {
        let begun = progress(Phase::Collect, &estimate(1.0), UnixMs(0));
        assert_eq!(collecting(0.0), begun);
        assert!(collecting(0.5) > begun && collecting(1.0) > collecting(0.5));
        assert!(collecting(7.0) < 1.0);
    }

    #[test]
    fn half_of_the_time_is_half_of_the_bar() {
        let at = |seconds: i64| progress(Phase::Wait, &estimate(0.0), UnixMs(seconds * 1000));
        let share = |shown: f32| (shown - ACCEPTED) / (ENGINE_DONE - ACCEPTED);
        assert!((share(at(10)) - 0.45).abs() < 1e-3 && (share(at(20)) - 0.9).abs() < 1e-3);
        assert!(at(25) > at(20) && at(40) > at(25) && at(100_000) < ENGINE_DONE);
    }
}
