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
    /// How long the engine was expected to take when it accepted; fixed for the job's life, so
    /// that a later, slower measurement cannot move progress backwards.
    pub expected: Duration,
}

/// Shares of the whole: what is done when the engine accepts, and when it has finished.
const ACCEPTED: f32 = 0.05;
const ENGINE_DONE: f32 = 0.92;

/// Progress from 0.0 to 1.0. Only a completed job has 1.0. While the engine runs it is the larger
/// of what the engine reported and what the elapsed time suggests (`1 - e^(-2t)` of the expected
/// duration: quick at first, never arriving).
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
            let by_time = 0.95 * (1.0 - (-2.0 * ratio).exp());
            ACCEPTED + (ENGINE_DONE - ACCEPTED) * by_time.max(estimate.reported.clamp(0.0, 1.0))
        }
        Phase::Collect => 0.95,
        Phase::Completed => 1.0,
        Phase::Failed | Phase::Deleted | Phase::Expired => 0.0,
    };
    shown.max(estimate.floor)
}

impl Estimate {
    /// Whether a job that is to be submitted was submitted before, and its run failed: only that
    /// (and a failure) raises the floor.
    #[must_use]
    pub fn is_resubmitted(&self) -> bool {
        self.floor > 0.0
    }

    /// Seconds until completion by the same estimate; `None` unless the engine is at work or when
    /// it already takes longer than expected.
    #[must_use]
    pub fn eta_seconds(&self, phase: Phase, now: UnixMs) -> Option<u64> {
        let accepted_at = self.accepted_at.filter(|_| phase == Phase::Wait)?;
        let left = self.expected.checked_sub(now.since(accepted_at))?;
        Some(
            left.as_millis()
                .div_ceil(1000)
                .try_into()
                .unwrap_or(u64::MAX),
        )
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
    fn time_left_is_said_while_the_engine_keeps_to_it() {
        assert_eq!(
            estimate(0.0).eta_seconds(Phase::Wait, UnixMs(5_500)),
            Some(15)
        );
        assert_eq!(estimate(0.0).eta_seconds(Phase::Wait, UnixMs(25_000)), None);
        assert_eq!(estimate(0.0).eta_seconds(Phase::Submit, UnixMs(0)), None);
    }
}
