//! What a step came to, and the one function that turns it into a change of the job. Pure; the
//! store applies the change under the job's lease.

use std::borrow::Cow;
use std::time::Duration;

use super::{Backoff, Event, Failure, InvalidTransition, Phase, UnixMs, transition};

/// What one step came to.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It did its work; the event says what comes next, at `run_at`.
    Done {
        /// Moves the phase.
        event: Event,
        /// When the next phase begins.
        run_at: UnixMs,
    },
    /// It failed in a way that may pass. Counts an attempt; the last one gives up with `failure`.
    Retry {
        /// The least time to wait, as the other side asked for; backoff applies beside it.
        after: Option<Duration>,
        /// What the job fails with when no attempt is left.
        failure: Failure,
        /// Moves the phase before the next try, such as back to submit.
        event: Option<Event>,
    },
    /// It can never succeed.
    GiveUp(Failure),
    /// Nothing to do until then. Counts nothing.
    Snooze {
        /// When to look again.
        until: UnixMs,
    },
    /// The process is stopping, or the lease was lost. Counts nothing.
    Interrupted,
}

/// A step that has ended.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    pub phase: Phase,
    /// Failed attempts of the phase before it.
    pub attempt: u32,
    /// How long it ran.
    pub took: Duration,
}

/// A step that did its work or failed, for the timeline of its job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepRecord {
    pub phase: Phase,
    pub took: Duration,
    /// Why it failed.
    pub code: Option<Cow<'static, str>>,
}

/// What the store writes when a step has ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The phase from now on.
    pub phase: Phase,
    /// When a worker may claim the job again.
    pub run_at: UnixMs,
    /// Failed attempts of the current phase.
    pub attempt: u32,
    /// Set exactly when `phase` is failed.
    pub failure: Option<Failure>,
    /// Whether a wake-up that came during the step brings `run_at` forward.
    pub wakeable: bool,
    /// None where nothing has happened but that time passed.
    pub step: Option<StepRecord>,
}

/// Turns an outcome into a change. `random` lies in 0..1. `None` for an interruption: the store only releases the lease.
///
/// # Errors
/// [`InvalidTransition`] when the event does not belong to the phase; a bug in a step.
pub fn change_after(
    step: Step,
    outcome: Outcome,
    backoff: &Backoff,
    now: UnixMs,
    random: f64,
) -> Result<Option<Change>, InvalidTransition> {
    let Step { phase, attempt, .. } = step;
    let record = |code: Option<&Failure>| {
        Some(StepRecord {
            phase,
            took: step.took,
            code: code.map(|failure| failure.code.clone()),
        })
    };
    let change = match outcome {
        Outcome::Done { event, run_at } => Change {
            phase: transition(phase, event)?,
            run_at,
            attempt: 0,
            failure: None,
            wakeable: true,
            step: record(None),
        },
        Outcome::Snooze { until } => Change {
            phase,
            run_at: until,
            attempt,
            failure: None,
            wakeable: true,
            step: None,
        },
        Outcome::GiveUp(failure) => {
            let record = record(Some(&failure));
            failed(phase, attempt, failure, record, now)?
        }
        Outcome::Retry {
            after,
            failure,
            event,
        } => {
            let (attempt, record) = (attempt + 1, record(Some(&failure)));
            if attempt >= backoff.max_attempts {
                failed(phase, attempt, failure, record, now)?
            } else {
                let delay = backoff
                    .delay(attempt, random)
                    .max(after.unwrap_or_default());
                let phase = event.map_or(Ok(phase), |event| transition(phase, event))?;
                Change {
                    phase,
                    run_at: now.plus(delay),
                    attempt,
                    failure: None,
                    wakeable: false,
                    step: record,
                }
            }
        }
        Outcome::Interrupted => return Ok(None),
    };
    Ok(Some(change))
}

fn failed(
    phase: Phase,
    attempt: u32,
    failure: Failure,
    step: Option<StepRecord>,
    now: UnixMs,
) -> Result<Change, InvalidTransition> {
    let phase = transition(phase, Event::Failed)?;
    Ok(Change {
        phase,
        run_at: now,
        attempt,
        failure: Some(failure),
        wakeable: false,
        step,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::FailureCode;

    const NOW: UnixMs = UnixMs(1_000_000);

    const fn step(phase: Phase, attempt: u32) -> Step {
        Step {
            phase,
            attempt,
            took: Duration::from_millis(250),
        }
    }

    fn run(phase: Phase, attempt: u32, outcome: Outcome) -> Option<Change> {
        change_after(step(phase, attempt), outcome, &Backoff::default(), NOW, 1.0).unwrap()
    }

    fn retry(after: Option<u64>, event: Option<Event>) -> Outcome {
        Outcome::Retry {
            after: after.map(Duration::from_secs),
            failure: FailureCode::EngineBusy.into(),
            event,
        }
    }

    #[test]
    fn work_done_resets_the_attempts() {
        let change = run(
            Phase::Prepare,
            3,
            Outcome::Done {
                event: Event::Prepared,
                run_at: NOW,
            },
        )
        .unwrap();
        assert_eq!((change.phase, change.attempt), (Phase::Submit, 0));
    }

    #[test]
    fn a_retry_counts_and_waits_at_least_as_long_as_it_was_told() {
        let change = run(Phase::Submit, 0, retry(Some(30), None)).unwrap();
        assert_eq!(
            (change.phase, change.attempt, change.run_at),
            (Phase::Submit, 1, UnixMs(1_030_000))
        );
        let change = run(Phase::Wait, 1, retry(None, Some(Event::Resubmit))).unwrap();
        assert_eq!(
            (change.phase, change.attempt, change.run_at),
            (Phase::Submit, 2, UnixMs(1_002_000))
        );
    }

    #[test]
    fn the_last_attempt_fails_the_job_with_its_reason() {
        let change = run(Phase::Submit, 7, retry(None, None)).unwrap();
        assert_eq!(change.phase, Phase::Failed);
        assert_eq!(change.failure.unwrap().code, "engine_busy");
    }

    #[test]
    fn a_snooze_and_an_interruption_count_nothing() {
        let change = run(Phase::Wait, 2, Outcome::Snooze { until: UnixMs(7) }).unwrap();
        assert_eq!(
            (change.attempt, change.run_at, change.wakeable),
            (2, UnixMs(7), true)
        );
        assert_eq!(run(Phase::Wait, 2, Outcome::Interrupted), None);
    }

    #[test]
    fn a_step_that_reports_a_foreign_event_is_told_so() {
        let wrong = Outcome::Done {
            event: Event::Collected,
            run_at: NOW,
        };
        assert!(
            change_after(
                step(Phase::Prepare, 0),
                wrong,
                &Backoff::default(),
                NOW,
                0.5
            )
            .is_err()
        );
    }
    #[test]
    fn what_failed_and_what_was_done_is_recorded_and_a_wait_is_not() {
        let recorded = |outcome| {
            let step = run(Phase::Submit, 0, outcome).unwrap().step;
            step.map(|step| (step.phase, step.took.as_millis(), step.code))
        };
        let done = Outcome::Done {
            event: Event::Accepted,
            run_at: NOW,
        };
        assert_eq!(recorded(done), Some((Phase::Submit, 250, None)));
        let busy = Some((Phase::Submit, 250, Some("engine_busy".into())));
        assert_eq!(recorded(retry(None, None)), busy);
        let give_up = Outcome::GiveUp(FailureCode::EngineBusy.into());
        assert_eq!(recorded(give_up), busy);
        assert_eq!(recorded(Outcome::Snooze { until: NOW }), None);
    }
}
