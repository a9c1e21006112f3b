//! submit: hands the source to the engine, paying at most once. The intent is durable before the
//! call; if its answer was never seen, the submission is "unknown" and only a callback, or the
//! operator's policy after a grace time, resolves it.

use std::time::Duration;

use super::step::{Report, StepResult, Stumble, engine_failed};
use super::{UnknownPolicy, Worker, crash, prepare};
use crate::engines::{Accepted, Delivery, Engine, EngineFacts, Order};
use crate::jobs::{Event, FailureCode, Nonce, Outcome, UnixMs, poll_at};
use crate::store::{
    Claimed, Facts, LAYERS_BYTES, Opening, StoredSource, Submission, SubmissionState,
};

pub(super) async fn run(worker: &Worker, job: &Claimed, engine: &dyn Engine) -> StepResult {
    let facts = engine.facts();
    if let Some(submission) = &job.submission {
        match (submission.state, &submission.request) {
            // A callback proved it while the answer to the call was lost.
            (SubmissionState::Accepted, Some(request)) => {
                let taken = Accepted {
                    request: request.clone(),
                    queue_position: None,
                };
                return accepted(worker, &facts, submission.nonce.clone(), taken).await;
            }
            (SubmissionState::Open, _) => resolve(worker, job, &facts, submission).await?,
            (SubmissionState::Accepted | SubmissionState::Failed, _)
            | (SubmissionState::Refused | SubmissionState::Unknown, _) => {}
        }
    }
    // What the layers come to is known only when they are there, and paid.
    if let Some(refused) = prepare::no_room(worker, job, LAYERS_BYTES).await {
        return Ok(refused);
    }
    let nonce = Nonce::random();
    let moment = worker.parts.clock.moment();
    crash::point("before_intent");
    match worker
        .parts
        .store
        .submission_open(
            &job.lease,
            &nonce,
            facts.price_microusd,
            worker.settings.spend,
            moment,
        )
        .await?
    {
        Opening::Opened => {}
        Opening::LostLease => return Err(Stumble::LostLease),
        Opening::CapReached => {
            // Whoever waits for the job is told at once. Held back until midnight, a day's jobs
            // would spend the next day's money on pictures that nobody waits for any more.
            tracing::warn!(job = %job.lease.job, owner = %job.owner, "a job was not submitted because a cap on spending is reached");
            return Ok(Report::give_up(FailureCode::SpendLimitReached));
        }
    }
    crash::point("after_intent");
    call(worker, job, engine, nonce, moment.now).await
}

/// Ends the submission whose answer was never seen, or leaves with what to wait for.
async fn resolve(
    worker: &Worker,
    job: &Claimed,
    engine: &EngineFacts,
    submission: &Submission,
) -> Result<(), Stumble> {
    let (store, now) = (&worker.parts.store, worker.parts.clock.now());
    if engine.repeatable {
        store
            .submission_close(&submission.nonce, SubmissionState::Refused, None, now)
            .await?;
        return Ok(());
    }
    // While this process was away it could hear no callback, so its absence does not count.
    let heard_since = submission.opened_at.max(worker.started_at);
    let deadline = heard_since.plus(worker.settings.unknown_grace);
    if engine.calls_back && now < deadline {
        return Err(Report::snooze(deadline).into());
    }
    store
        .submission_close(&submission.nonce, SubmissionState::Unknown, None, now)
        .await?;
    let (id, policy) = (job.lease.job, worker.settings.unknown_policy);
    worker.parts.metrics.submission_unknown(job.engine);
    tracing::error!(job = %id, owner = %job.owner, engine = job.engine.as_str(), ?policy, "it is not known whether the engine took a submission; it may have been paid");
    match policy {
        UnknownPolicy::Retry => Ok(()),
        UnknownPolicy::Fail => Err(Report::give_up(FailureCode::SubmissionUnknown).into()),
    }
}

async fn call(
    worker: &Worker,
    job: &Claimed,
    engine: &dyn Engine,
    nonce: Nonce,
    opened_at: UnixMs,
) -> StepResult {
    let facts = engine.facts();
    let StoredSource::Stored(source) = &job.source else {
        return Ok(Report::give_up(FailureCode::SourceLost));
    };
    let order = Order {
        job: job.lease.job,
        owner: job.owner.clone(),
        suspect: job.suspect,
        nonce: nonce.clone(),
        source: prepare::engine_input(job.lease.job, source, facts.max_side),
        params: job.params.clone(),
        expires_at: job.expires_at,
    };
    crash::point("before_call");
    let answer = engine.submit(&order).await;
    crash::point("after_call");
    let failed = match answer {
        Ok(taken) => return accepted(worker, &facts, nonce, taken).await,
        Err(failed) => failed,
    };
    let id = job.lease.job;
    tracing::warn!(job = %id, delivery = ?failed.delivery, error = %failed.error, "the engine did not accept a job");
    match failed.delivery {
        Delivery::NotTaken => {
            let close = || {
                let (store, wall) = (&worker.parts.store, worker.parts.clock.wall());
                store.submission_close(&nonce, SubmissionState::Refused, None, wall)
            };
            // Else it would count as perhaps paid.
            worker.persist(job, "a refused submission", close).await?;
            let now = worker.parts.clock.now();
            let pause = worker.settings.storage_pause;
            Ok(Report::of(engine_failed(&failed.error, now, pause)))
        }
        // The row stays open; the next run of this step resolves it.
        Delivery::Unknown if facts.calls_back => Ok(Report::snooze(
            opened_at.plus(worker.settings.unknown_grace),
        )),
        Delivery::Unknown => Ok(Report::snooze(opened_at)),
    }
}

async fn accepted(
    worker: &Worker,
    engine: &EngineFacts,
    nonce: Nonce,
    taken: Accepted,
) -> StepResult {
    let now = worker.parts.clock.now();
    let facts = Facts::Accepted {
        nonce,
        request: taken.request,
        queue_position: taken.queue_position,
        expected: expected_run(worker, engine).await,
    };
    let run_at = poll_at(now, Duration::ZERO, engine.calls_back);
    Ok(Report::of(Outcome::Done {
        event: Event::Accepted,
        run_at,
    })
    .with(facts))
}

/// The median of the last runs; a few slow ones do not move it.
async fn expected_run(worker: &Worker, engine: &EngineFacts) -> Duration {
    let mut runs = worker
        .parts
        .store
        .engine_durations(engine.kind, 21)
        .await
        .unwrap_or_default();
    runs.sort_unstable();
    runs.get(runs.len() / 2)
        .copied()
        .unwrap_or(engine.usual_run)
        .max(Duration::from_millis(100))
}
