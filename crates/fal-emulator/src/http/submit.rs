//! Submissions, through the queue and synchronously: who may, what goes wrong on purpose, and the
//! answer.
//!
//! The order of the checks is the order in which fal would find out: key, account, script, input
//! shape, application, headers, length of the queue. Invariant: what is refused is not on the board.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::HeaderValue;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::answer::{self, Answer};
use super::call::{self, Call};
use crate::cdn::Lifecycle;
use crate::failure::{Failure, Item};
use crate::fault::{EchoAt, Fault, GatewayBody, RequestError};
use crate::queue::{self, Phase, Ticket};
use crate::shared::Shared;

/// A submission that may be enqueued.
struct Admitted {
    ticket: Ticket,
    start_within: Option<Duration>,
}

/// `POST /{model}`.
pub(super) async fn submit(shared: &Arc<Shared>, call: &Call, app: String, path: String) -> Answer {
    let admitted = match admit(shared, call, app, path, false) {
        Ok(admitted) => admitted,
        Err(refusal) => return *refusal,
    };
    let ticket = queue::accept(shared, admitted.ticket, admitted.start_within);
    let id = ticket.id.as_str();
    if ticket.meets(&Fault::DropAfterEnqueue) {
        return answer::hang_up();
    }
    if ticket.meets(&Fault::SubmitHeld) {
        shared
            .wait_for(|board| {
                board
                    .any_job(id)
                    .is_none_or(|job| job.may_answer)
                    .then_some(())
            })
            .await;
    }
    if ticket.meets(&Fault::WebhookFirst) && ticket.webhook.is_some() {
        shared
            .wait_for(|board| {
                let told = |job: &queue::Job| job.webhooks_sent > 0 || job.cancelled;
                board.any_job(id).is_none_or(told).then_some(())
            })
            .await;
    }
    if ticket.meets(&Fault::SubmitGarbled) {
        return answer::with_type(200, "text/html", Body::from("<html>moment</html>"));
    }
    let url = ticket.url();
    let mut body = json!({
        "status": "IN_QUEUE",
        "request_id": id,
        "response_url": url,
        "status_url": format!("{url}/status"),
        "cancel_url": format!("{url}/cancel"),
        "queue_position": shared.board().position(id),
        "logs": null,
        "metrics": {},
    });
    if ticket.webhook.is_some() {
        body["gateway_request_id"] = id.into();
    }
    answer::for_request(answer::json(200, &body), id)
}

/// `POST /run/{model}`: the same model without a queue.
pub(super) async fn run(shared: &Arc<Shared>, call: &Call, app: String, path: String) -> Answer {
    let admitted = match admit(shared, call, app, path, true) {
        Ok(admitted) => admitted,
        Err(refusal) => return *refusal,
    };
    let ticket = queue::accept(shared, admitted.ticket, None);
    if ticket.meets(&Fault::DropAfterEnqueue) {
        return answer::hang_up();
    }
    let ended = shared
        .wait_for(|board| {
            // A reset forgets the request, and nothing is left to wait for.
            let Some(job) = board.any_job(&ticket.id) else {
                return Some(None);
            };
            match &job.phase {
                Phase::Done(outcome) => Some(Some((outcome.clone(), job.billed_units))),
                _ => None,
            }
        })
        .await;
    let Some((outcome, billed_units)) = ended.flatten() else {
        return answer::hang_up();
    };
    let mut answered = answer::outcome(&outcome, billed_units);
    if matches!(answered.status().as_u16(), 503 | 504) {
        let retry = HeaderValue::from_static("1");
        answered.headers_mut().insert("x-fal-needs-retry", retry);
    }
    answer::for_request(answered, &ticket.id)
}

fn admit(
    shared: &Arc<Shared>,
    call: &Call,
    app: String,
    path: String,
    sync: bool,
) -> Result<Admitted, Box<Answer>> {
    let refuse = |failure: Failure| Box::new(answer::failed(&failure));
    shared.board().counters.attempts += 1;
    shared.changed();
    call.authorize(&shared.config).map_err(refuse)?;
    if shared.board().locked {
        return Err(refuse(call::locked()));
    }
    let input: Option<Value> = serde_json::from_slice(&call.body).ok();
    let prompt = input.as_ref().and_then(|input| input["prompt"].as_str());
    let faults = shared.board().script.take_for(prompt.unwrap_or_default());
    let echo = faults.iter().find_map(|fault| match fault {
        Fault::Echo {
            at: EchoAt::Submit,
            shape,
        } => Some(answer::echo(*shape, prompt.unwrap_or_default(), 422)),
        _ => None,
    });
    if let Some(refusal) = echo.or_else(|| faults.iter().find_map(refusal)) {
        return Err(Box::new(refusal));
    }
    let Some(input) = input.filter(Value::is_object) else {
        let item = Item::new("json_invalid", "", "The body is not a JSON object").plain();
        return Err(refuse(Failure::items(422, vec![item])));
    };
    if !shared.config.apps.contains(&app) {
        return Err(refuse(not_found(&app)));
    }
    let start_within = start_limit(call).map_err(refuse)?;
    {
        let board = shared.board();
        let longest = call.query.get("fal_max_queue_length");
        let longest = longest.and_then(|text| text.parse::<usize>().ok());
        if longest.is_some_and(|longest| board.waiting() > longest) {
            return Err(refuse(Failure::text(
                429,
                "The queue is longer than allowed",
            )));
        }
        if sync && !board.has_runner() {
            return Err(refuse(Failure::text(
                429,
                "Concurrent requests limit reached",
            )));
        }
    }
    let lifecycle = call.header("x-fal-object-lifecycle-preference");
    let ticket = Ticket {
        id: Uuid::now_v7().to_string(),
        app,
        path,
        input,
        headers: call.public_headers(),
        base: call.base(&shared.config),
        webhook: call.query.get("fal_webhook").filter(|_| !sync).cloned(),
        low_priority: call.header("x-fal-queue-priority") == Some("low"),
        forget_soon: call.header("x-fal-store-io") == Some("0"),
        lifecycle: lifecycle.map(Lifecycle::parse).unwrap_or_default(),
        sync,
        faults,
        received_ms: shared.config.clock.now_ms(),
        stop: CancellationToken::new(),
    };
    Ok(Admitted {
        ticket,
        start_within,
    })
}

/// `X-Fal-Request-Timeout`: seconds until the run must have begun, more than 0.1.
fn start_limit(call: &Call) -> Result<Option<Duration>, Failure> {
    let Some(text) = call.header("x-fal-request-timeout") else {
        return Ok(None);
    };
    let seconds = text.parse::<f64>().ok().filter(|seconds| *seconds > 0.1);
    seconds
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .map(Some)
        .ok_or_else(|| {
            Failure::request(
                RequestError::BadRequest,
                "Invalid value of X-Fal-Request-Timeout",
            )
        })
}

/// The answer of a fault that keeps a submission from being enqueued.
fn refusal(fault: &Fault) -> Option<Answer> {
    let failure = match fault {
        Fault::Unauthorized => call::unknown_key(),
        Fault::MalformedKey => call::malformed_key(),
        Fault::Locked => call::locked(),
        Fault::ApplicationNotFound => not_found("gone"),
        Fault::RateLimited { retry_after } => {
            let mut failure = Failure::text(429, "Too many requests");
            if let Some(seconds) = retry_after {
                failure.headers.push(("retry-after", seconds.to_string()));
            }
            failure
        }
        Fault::RejectedAtSubmit => {
            let item = Item::new("value_error", "image_url", "The input was refused");
            Failure::items(422, vec![item])
        }
        Fault::ServerError => Failure::text(500, "Internal server error"),
        Fault::Gateway { status, body } => return Some(answer::gateway(*status, *body)),
        Fault::DropBeforeEnqueue => return Some(answer::hang_up()),
        _ => return None,
    };
    Some(answer::failed(&failure))
}

pub(super) fn not_found(app: &str) -> Failure {
    Failure::text(404, format!("Application '{app}' not found"))
}

/// The failing answer of a scripted countdown on status or result.
pub(super) fn troubled(status: u16) -> Answer {
    answer::gateway(status, GatewayBody::Json)
}
