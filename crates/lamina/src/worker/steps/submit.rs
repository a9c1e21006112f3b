//! submit: hands the source to the engine, paying at most once. Everything that can fail or take long
//! (the upload of the picture above all) is done before the intent; the intent is durable before the
//! call; so what is left whose fate can be unknown is the call itself. `resolve.rs` learns that fate.

use std::time::Duration;

use super::prepare;
use super::report::{Report, StepError, StepResult};
use super::resolve::{self, Resolved};
use super::second;
use crate::engines::{Accepted, Delivery, Engine, EngineFacts, Input, Order};
use crate::jobs::{AtEngine, Event, FailureCode, Nonce, Outcome, Params, UnixMs, poll_at};
use crate::store::{
    Call, Claimed, FencedWrite, KeptInput, LAYERS_BYTES, Opening, StepOutput, StoredSource,
    Submission, SubmissionState,
};
use crate::worker::estimate::subject;
use crate::worker::{Worker, failpoints};

pub(in crate::worker) async fn run(
    worker: &Worker,
    job: &Claimed,
    engine: &dyn Engine,
) -> StepResult {
    let facts = engine.facts();
    if let Some(submission) = &job.submission
        && let Some(taken) = earlier(worker, job, engine, submission).await?
    {
        return Ok(accepted(
            worker,
            job,
            &facts,
            submission.nonce.clone(),
            taken,
        ));
    }
    // What the layers come to is known only when they are there, and paid.
    if let Some(refused) = prepare::no_room(worker, job, LAYERS_BYTES).await {
        return Ok(refused);
    }
    let StoredSource::Stored(source) = &job.source else {
        return Ok(Report::give_up(FailureCode::SourceLost));
    };
    let mut order = Order {
        job: job.lease.job,
        owner: job.owner.clone(),
        suspect: job.suspect,
        nonce: Nonce::random(),
        source: prepare::engine_input(job.lease.job, source, facts.max_side),
        input: job.input.clone().map(|kept| Input {
            address: kept.address,
            kept_until: Some(kept.until),
        }),
        params: Params {
            seed: second::other_seed(job),
            ..job.params.clone()
        },
        expires_at: job.expires_at,
    };
    make_input(worker, job, engine, &mut order).await?;
    let moment = worker.parts.clock.moment();
    failpoints::point("before_intent");
    match worker
        .parts
        .store
        .submission_open(
            &job.lease,
            &order.nonce,
            Call {
                price_microusd: facts.price_microusd,
                repeatable: facts.repeatable,
                place: engine.place(),
            },
            worker.settings.spend,
            moment,
        )
        .await?
    {
        Opening::Opened => {}
        Opening::LostLease => return Err(StepError::LostLease),
        Opening::CapReached => return Ok(cap_reached(job)),
    }
    failpoints::point("after_intent");
    call(worker, job, engine, &order, moment.now).await
}

/// What became of the last call for this job; none where the engine surely does not have it.
async fn earlier(
    worker: &Worker,
    job: &Claimed,
    engine: &dyn Engine,
    submission: &Submission,
) -> Result<Option<Accepted>, StepError> {
    let request = match (submission.state, &submission.request) {
        // A callback proved it while the answer to the call was lost.
        (SubmissionState::Accepted, Some(request)) if !submission.collected => request.clone(),
        (SubmissionState::Open, _) => match resolve::run(worker, job, engine, submission).await? {
            Resolved::Taken(request) => request,
            Resolved::Over => return Ok(None),
        },
        (SubmissionState::Accepted | SubmissionState::Failed, _)
        | (SubmissionState::Refused | SubmissionState::Unknown, _) => return Ok(None),
    };
    Ok(Some(Accepted {
        request,
        queue_position: None,
    }))
}

/// Whoever waits for the job is told at once. Held back until midnight, a day's jobs would spend the
/// next day's money on pictures that no one waits for any more.
fn cap_reached(job: &Claimed) -> Report {
    tracing::warn!(job = %job.lease.job, owner = %job.owner, "a job was not submitted because a cap on spending is reached");
    Report::give_up(FailureCode::SpendLimitReached)
}

/// Makes the source reachable for the engine. A copy that the engine keeps is noted before it is
/// used, so that another try of this step, in this process or the next, finds it.
async fn make_input(
    worker: &Worker,
    job: &Claimed,
    engine: &dyn Engine,
    order: &mut Order,
) -> Result<(), StepError> {
    let (store, wall) = (&worker.parts.store, worker.parts.clock.wall());
    let (price, caps) = (engine.facts().price_microusd, worker.settings.spend);
    // A picture that will not be submitted has no business at the engine.
    if !store
        .submission_affordable(&job.owner, price, caps, wall)
        .await?
    {
        return Err(cap_reached(job).into());
    }
    let input = engine.input(order).await.map_err(|error| {
        tracing::warn!(job = %job.lease.job, code = error.code.as_str(), %error, "a picture could not be made reachable for the engine");
        StepError::Engine(error)
    })?;
    if let Some(until) = input
        .kept_until
        .filter(|_| order.input.as_ref() != Some(&input))
    {
        failpoints::point("before_input_noted");
        let address = input.address.clone();
        let kept = KeptInput { address, until };
        if store.input_keep(&job.lease, kept).await? == FencedWrite::LostLease {
            return Err(StepError::LostLease);
        }
        failpoints::point("after_input_noted");
    }
    order.input = Some(input);
    Ok(())
}

async fn call(
    worker: &Worker,
    job: &Claimed,
    engine: &dyn Engine,
    order: &Order,
    opened_at: UnixMs,
) -> StepResult {
    let facts = engine.facts();
    failpoints::point("before_call");
    let answer = engine.submit(order).await;
    failpoints::point("after_call");
    let failed = match answer {
        Ok(taken) => return Ok(accepted(worker, job, &facts, order.nonce.clone(), taken)),
        Err(failed) => failed,
    };
    let (id, code) = (job.lease.job, failed.error.code.as_str());
    tracing::warn!(job = %id, delivery = ?failed.delivery, code, error = %failed.error, "the engine did not accept a job");
    match failed.delivery {
        Delivery::NotTaken => {
            let close = || {
                let (store, wall) = (&worker.parts.store, worker.parts.clock.wall());
                store.submission_close(&order.nonce, SubmissionState::Refused, None, wall)
            };
            // Else it would count as perhaps paid.
            worker.persist(job, "a refused submission", close).await?;
            Err(StepError::Engine(failed.error))
        }
        // The row stays open; the next run of this step resolves it.
        Delivery::Unknown if facts.calls_back || engine.lists(engine.place().as_deref()) => Ok(
            Report::snooze(opened_at.plus(worker.settings.unknown_grace)),
        ),
        Delivery::Unknown => Ok(Report::snooze(opened_at)),
    }
}

fn accepted(
    worker: &Worker,
    job: &Claimed,
    engine: &EngineFacts,
    nonce: Nonce,
    taken: Accepted,
) -> Report {
    let now = worker.parts.clock.now();
    let forecast = &worker.parts.forecast;
    let expected = forecast.accepted(&subject(job), taken.queue_position);
    // Where nothing was measured, a bar moves all the same.
    let expected = expected.unwrap_or(engine.usual_run);
    let output = StepOutput::Accepted {
        nonce,
        request: taken.request,
        queue_position: taken.queue_position,
        expected,
    };
    let stands = AtEngine {
        waited: Duration::ZERO,
        expected: Some(expected),
        queue_position: taken.queue_position,
        calls_back: engine.calls_back,
        company: forecast.on_their_way(),
        running: forecast.running_at(job.engine),
        left: worker.longest_wait(job),
    };
    let run_at = poll_at(now, stands);
    Report::of(Outcome::Done {
        event: Event::Accepted,
        run_at,
    })
    .with(output)
}
