//! Works the queue off: starts what may start, runs it, ends it, and tells its webhook.
//!
//! Order and state are the board's, pixels the model's. Invariant: every request that was started
//! is ended exactly once, cancelled and failed ones included, and only then the next may start.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, sleep_until};

use super::board::Board;
use super::job::{Job, Outcome, Ticket};
use crate::failure::{Failure, Item};
use crate::fault::{EchoAt, Fault};
use crate::model;
use crate::shared::Shared;
use crate::webhook;

/// Puts a request on the board and sets everything in motion. `start_within` is the caller's own
/// limit for the time before the run starts.
pub(crate) fn accept(
    shared: &Arc<Shared>,
    ticket: Ticket,
    start_within: Option<Duration>,
) -> Arc<Ticket> {
    let ticket = Arc::new(ticket);
    let queue_time = shared.config.queue_time;
    let ready = queue_time.is_zero() || ticket.sync;
    shared.board().enqueue(Arc::clone(&ticket), ready);
    if ticket.sync {
        shared.spawn(run(Arc::clone(shared), Arc::clone(&ticket)));
    }
    if !ready {
        let (shared_then, id) = (Arc::clone(shared), ticket.id.clone());
        shared.spawn(async move {
            sleep_until(Instant::now() + queue_time).await;
            if let Some(job) = shared_then.board().job_mut(&id) {
                job.ready = true;
            }
            pump(&shared_then);
        });
    }
    if let Some(limit) = start_within {
        let (shared_then, ticket_then) = (Arc::clone(shared), Arc::clone(&ticket));
        shared.spawn(async move {
            sleep_until(Instant::now() + limit).await;
            let end = shared_then.end_now();
            let ended = shared_then.board().expire(&ticket_then.id, end);
            follow_up(&shared_then, &ticket_then, ended);
        });
    }
    pump(shared);
    ticket
}

/// Starts whatever may start now.
pub(crate) fn pump(shared: &Arc<Shared>) {
    let started = shared.board().start_eligible(shared.config.clock.now_ms());
    for ticket in started {
        shared.spawn(run(Arc::clone(shared), ticket));
    }
    shared.changed();
}

/// After a request ended: starts the next, and sends the webhook. Nobody is told about a cancelled
/// request: it is its caller who cancelled it.
fn follow_up(shared: &Arc<Shared>, ticket: &Arc<Ticket>, ended: Option<Outcome>) {
    pump(shared);
    let cancelled = |job: &Job| job.cancelled;
    let untold = shared.board().any_job(&ticket.id).is_none_or(cancelled);
    let Some(outcome) = ended.filter(|_| !untold && ticket.webhook.is_some()) else {
        return;
    };
    let stop = ticket.stop.clone();
    let delivery = webhook::deliver(Arc::clone(shared), Arc::clone(ticket), outcome);
    shared.spawn(async move {
        stop.run_until_cancelled_owned(delivery).await;
    });
}

/// One run, from runner to end.
async fn run(shared: Arc<Shared>, ticket: Arc<Ticket>) {
    let started = Instant::now();
    let worked = async {
        let result = infer(&shared, &ticket, started).await;
        gate(&shared, &ticket).await;
        result
    };
    let result = tokio::select! {
        result = worked => Some(result),
        () = ticket.stop.cancelled() => None,
    };
    let mut end = shared.end_now();
    end.inference = started.elapsed();
    let outcome = match result {
        Some(Ok(output)) => {
            end.billed_units = 1;
            end.result_bytes = output.to_string().len();
            Outcome::Output(Arc::new(output))
        }
        Some(Err(failure)) => Outcome::Failed(Arc::new(failure)),
        None => Outcome::Failed(Arc::new(Failure::cancelled())),
    };
    let ended = shared.board().finish(&ticket.id, outcome, end);
    follow_up(&shared, &ticket, ended);
}

/// Waits while the request is held before its end.
async fn gate(shared: &Shared, ticket: &Ticket) {
    let open = |board: &Board| board.any_job(&ticket.id)?.may_finish.then_some(());
    shared.wait_for(open).await;
}

/// What the model does with the input, at the pace that was asked for.
async fn infer(
    shared: &Arc<Shared>,
    ticket: &Arc<Ticket>,
    started: Instant,
) -> Result<Value, Failure> {
    let input = model::Input::parse(&ticket.path, &ticket.input)?;
    let pixels_needed = ticket.meets(&Fault::SourceFrameFirst);
    let source = model::load_source(shared, &input, pixels_needed).await?;
    let failure = scripted_failure(ticket);
    let drawing = async {
        match &failure {
            None => model::draw(shared, ticket, &input, &source).await,
            Some(_) => Ok(Vec::new()),
        }
    };
    report_prompt(shared, ticket);
    // The engine works while the steps are told; whichever takes longer sets the pace.
    let steps = input.num_inference_steps;
    let (frames, ()) = tokio::join!(drawing, pace(shared, ticket, steps, started));
    report_step(shared, ticket, steps, steps);
    match failure {
        None => {
            let inference = started.elapsed();
            Ok(model::publish(shared, ticket, &input, frames?, inference))
        }
        Some(failure) => Err(failure),
    }
}

/// Tells all steps but the last, spread over the latency, and waits for it to pass. Without latency
/// it tells none. A held request waits here: its test tells the steps itself.
async fn pace(shared: &Shared, ticket: &Ticket, steps: u32, started: Instant) {
    let latency = shared.config.latency;
    if !latency.is_zero() {
        for step in 1..steps {
            sleep_until(started + latency * step / steps).await;
            report_step(shared, ticket, step, steps);
        }
        sleep_until(started + latency).await;
    }
    gate(shared, ticket).await;
}

/// Models print what they were asked.
fn report_prompt(shared: &Shared, ticket: &Ticket) {
    if ticket.echo(EchoAt::Status).is_some() {
        let now_ms = shared.config.clock.now_ms();
        let line = format!("prompt: {}", ticket.prompt());
        shared.board().log(&ticket.id, now_ms, line);
        shared.changed();
    }
}

fn report_step(shared: &Shared, ticket: &Ticket, step: u32, steps: u32) {
    let now_ms = shared.config.clock.now_ms();
    let line = format!("step {step}/{steps}");
    shared.board().log(&ticket.id, now_ms, line);
    shared.changed();
}

fn scripted_failure(ticket: &Ticket) -> Option<Failure> {
    ticket.pick(|fault| {
        Some(match fault {
            Fault::StartTimeout => Failure::start_timeout(),
            Fault::ModelError(kind) => Failure::model(*kind),
            Fault::RequestError(kind) => Failure::request(
                *kind,
                format!("The request failed: {}", kind.name().replace('_', " ")),
            ),
            Fault::DetailString => Failure::text(422, "The input could not be processed"),
            Fault::PlainDetail => Failure::items(
                422,
                vec![Item::new("value_error", "image_url", "Value error").plain()],
            ),
            Fault::Echo {
                at: EchoAt::Run,
                shape,
            } => Failure::echo(*shape, ticket.prompt()),
            _ => return None,
        })
    })
}
