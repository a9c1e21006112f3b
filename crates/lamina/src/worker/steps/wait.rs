//! wait: asks the engine where a request stands. A request that was accepted may be paid, so an
//! engine that cannot be asked is asked again until the engine's time is over, never given up on
//! after a few tries.

use std::time::Duration;

use super::report::{Report, StepResult};
use crate::engines::{Check, Engine, EngineError};
use crate::jobs::{AtEngine, Event, FailureCode, Nonce, Outcome, RequestId, poll_at};
use crate::store::{Claimed, StepOutput, Submission, SubmissionState};
use crate::worker::Worker;
use crate::worker::estimate::subject;

pub(in crate::worker) async fn run(
    worker: &Worker,
    job: &Claimed,
    engine: &dyn Engine,
) -> StepResult {
    let Some((nonce, request)) = accepted(job) else {
        return Ok(Report::give_up(FailureCode::Internal));
    };
    let check = if job.was_called {
        engine.check_done(request, place(job)).await
    } else {
        engine.check(request, place(job)).await
    };
    match check {
        Ok(check) => handle_check(worker, job, engine, nonce, check).await,
        Err(error) => Ok(not_asked(worker, job, &error)),
    }
}

/// Where the newest submission went, as far as that was written down.
pub(in crate::worker) fn place(job: &Claimed) -> Option<&str> {
    job.submission.as_ref()?.place.as_deref()
}

/// The request that the engine has, as the store knows it.
pub(in crate::worker) fn accepted(job: &Claimed) -> Option<(&Nonce, &RequestId)> {
    match &job.submission {
        Some(Submission {
            state: SubmissionState::Accepted,
            nonce,
            request: Some(request),
            ..
        }) => Some((nonce, request)),
        _ => None,
    }
}

/// What a check says about the job; shared with collect, which asks again after a restart.
pub(in crate::worker) async fn handle_check(
    worker: &Worker,
    job: &Claimed,
    engine: &dyn Engine,
    nonce: &Nonce,
    check: Check,
) -> StepResult {
    let runs = matches!(check, Check::Running { .. });
    let forecast = &worker.parts.forecast;
    match &check {
        Check::Queued { position } => forecast.queued(&subject(job), *position, job.accepted_at),
        Check::Running { .. } => forecast.running(&subject(job), job.accepted_at),
        Check::Ready(_) | Check::Failed(_) | Check::Lost | Check::ResultGone => {}
    }
    let (queue_position, fraction) = match check {
        Check::Queued { position } => (position, None),
        Check::Running { fraction } => (None, fraction),
        Check::Ready(layers) if layers.is_empty() => {
            return Ok(Report::give_up(FailureCode::EngineNoLayers));
        }
        Check::Ready(layers) => {
            let run = forecast.ready(&subject(job));
            let mut report = Report::done(Event::Ready, worker.parts.clock.now());
            report.layers = Some(layers);
            return Ok(report.with(StepOutput::Ready { run }));
        }
        Check::Failed(error) => return Ok(run_failed(worker, job, nonce, &error)),
        Check::Lost => return Ok(lost(worker, engine, nonce)),
        // Said once, it may be a slip; said again and again, the result is gone.
        Check::ResultGone => return Ok(Report::retry(FailureCode::EngineResultExpired, None)),
    };
    let now = worker.parts.clock.now();
    let waited = waited(worker, job);
    if waited >= worker.settings.engine_timeout {
        if let Some((_, request)) = accepted(job)
            && let Err(error) = engine.cancel(request, place(job)).await
        {
            tracing::warn!(job = %job.lease.job, %error, "a request that took too long could not be cancelled");
        }
        return Ok(Report::give_up(FailureCode::EngineTimeout));
    }
    let stands = AtEngine {
        waited,
        expected: runs.then_some(job.expected),
        queue_position,
        calls_back: engine.facts().calls_back,
        company: forecast.on_their_way(),
        running: forecast.running_at(job.engine),
        left: worker
            .longest_wait(job)
            .min(worker.settings.engine_timeout.saturating_sub(waited)),
    };
    let until = poll_at(now, stands);
    Ok(Report::snooze(until).with(StepOutput::Waiting {
        fraction,
        queue_position,
    }))
}

fn run_failed(worker: &Worker, job: &Claimed, nonce: &Nonce, error: &EngineError) -> Report {
    let id = job.lease.job;
    tracing::warn!(job = %id, runs = job.runs, code = error.code.as_str(), %error, "the engine's run failed");
    if error.is_storage() {
        // Nothing was done, and nothing is wrong with the job: it is handed over again, and waits
        // before that until its picture can be read.
        let now = worker.parts.clock.now();
        return Report::of(Outcome::Done {
            event: Event::Resubmit,
            run_at: now.plus(worker.settings.storage_pause),
        })
        .with(StepOutput::RunFailed(nonce.clone()));
    }
    // A second try is one.
    if !error.retryable || job.runs >= worker.settings.max_runs || job.first.is_some() {
        return Report::give_up(error.failure());
    }
    let failure = error.failure();
    Report::of(Outcome::Retry {
        after: error.retry_after,
        failure,
        event: Some(Event::Resubmit),
    })
    .with(StepOutput::RunFailed(nonce.clone()))
}

/// A free request is simply made again; a paid one is not. That it was lost is no fault of the job's:
/// the process ended, and who ended it is found out elsewhere (`compute_log.rs`).
fn lost(worker: &Worker, engine: &dyn Engine, nonce: &Nonce) -> Report {
    if !engine.facts().repeatable {
        return Report::retry(FailureCode::EngineLostRequest, None);
    }
    Report::done(Event::Resubmit, worker.parts.clock.now())
        .with(StepOutput::RunFailed(nonce.clone()))
}

fn waited(worker: &Worker, job: &Claimed) -> Duration {
    worker
        .parts
        .clock
        .now()
        .since(job.accepted_at.unwrap_or(job.created_at))
}

/// An answer that makes no sense, or refuses, is asked for again as well, but counted: the request
/// may be paid, and one odd answer is no reason to drop it.
pub(in crate::worker) fn not_asked(worker: &Worker, job: &Claimed, error: &EngineError) -> Report {
    let (id, code) = (job.lease.job, error.code.as_str());
    tracing::warn!(job = %id, code, %error, "the engine could not be asked");
    let operator_may_help = matches!(
        error.code,
        FailureCode::EngineAuth | FailureCode::EngineAccountLocked
    );
    match error.code {
        FailureCode::EngineOutputTooLarge => Report::give_up(error.code),
        code if error.retryable || operator_may_help => {
            try_again_while_paid(worker, job, code, error.retry_after)
        }
        code => Report::retry(code, error.retry_after),
    }
}

/// Looks again soon, without counting, until the engine's time is over. From then on each look counts
/// an attempt, so that a process that was away for longer still asks more than once; the last one
/// fails with `code`.
pub(in crate::worker) fn try_again_while_paid(
    worker: &Worker,
    job: &Claimed,
    code: FailureCode,
    after: Option<Duration>,
) -> Report {
    let waited = waited(worker, job);
    if waited >= worker.settings.engine_timeout {
        return Report::retry(code, after);
    }
    // A tenth of the time that passed already: quick after a hiccup, patient in an outage.
    let pause = (waited / 10).clamp(Duration::from_millis(500), Duration::from_secs(30));
    // Whatever the engine asks for, it is asked once more before its time is over.
    let left = worker.settings.engine_timeout.saturating_sub(waited);
    let pause = pause.max(after.unwrap_or_default()).min(left);
    Report::snooze(worker.parts.clock.now().plus(pause))
}
