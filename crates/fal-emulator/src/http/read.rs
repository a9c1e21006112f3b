//! Reading a request: status, result, and its cancellation.
//!
//! Invariant: 202 while it is pending and 200 once it is completed, whatever it came to; the result
//! repeats the model's own status code.

use std::sync::Arc;

use axum::http::{HeaderValue, header};
use serde_json::{Value, json};

use super::answer::{self, Answer};
use super::call::Call;
use super::submit::troubled;
use crate::clock::iso_micros;
use crate::failure::Failure;
use crate::fault::{EchoAt, Fault};
use crate::queue::{self, Board, Cancellation, Job, LogLine, Outcome, Phase};
use crate::shared::Shared;

/// `GET …/status`.
pub(super) fn status(shared: &Arc<Shared>, call: &Call, app: &str, id: &str) -> Answer {
    let mut board = shared.board();
    board.counters.status_reads += 1;
    if board.job(app, id).is_none() {
        return unknown_status();
    }
    if let Some(echo) = echoed(&mut board, id, EchoAt::Status) {
        return answer::for_request(echo, id);
    }
    let failing = board
        .job_mut(id)
        .and_then(|job| queue::spend(&mut job.status_failures));
    let found = board.job(app, id).map(|job| {
        let logs = call.wants_logs().then_some(job.logs.as_slice());
        (describe(&board, job, logs), job.is_done())
    });
    drop(board);
    shared.changed();
    let answered = match (failing, found) {
        (Some(status), _) => troubled(status),
        (None, Some((body, done))) => answer::json(if done { 200 } else { 202 }, &body),
        (None, None) => unknown_status(),
    };
    answer::for_request(answered, id)
}

/// An answer that repeats the prompt, if one is due.
fn echoed(board: &mut Board, id: &str, at: EchoAt) -> Option<Answer> {
    let job = board.job_mut(id)?;
    let shape = job.ticket.echo(at).filter(|_| job.echoes > 0)?;
    job.echoes -= 1;
    Some(answer::echo(shape, job.ticket.prompt(), 500))
}

/// The JSON of a status. `logs` is what to show of them; `None` shows null.
pub(super) fn describe(board: &Board, job: &Job, logs: Option<&[LogLine]>) -> Value {
    let ticket = &job.ticket;
    let url = ticket.url();
    let mut body = json!({
        "status": job.status_name(),
        "request_id": ticket.id,
        "response_url": url,
        "status_url": format!("{url}/status"),
        "cancel_url": format!("{url}/cancel"),
        "logs": logs.map(|lines| lines.iter().map(log_entry).collect::<Vec<_>>()),
        "metrics": {},
    });
    match &job.phase {
        Phase::Queued => body["queue_position"] = board.position(&ticket.id).into(),
        Phase::Running => {}
        Phase::Done(outcome) => {
            body["metrics"] = json!({"inference_time": job.inference.as_secs_f64()});
            if let Outcome::Failed(failure) = outcome {
                body["error"] = failure.summary().into();
                if let Some(kind) = &failure.error_type {
                    body["error_type"] = kind.clone().into();
                }
            }
        }
    }
    body
}

fn log_entry(line: &LogLine) -> Value {
    json!({
        "message": line.message,
        "level": "INFO",
        "source": "USER",
        "timestamp": iso_micros(line.at_ms),
        "labels": {},
    })
}

/// `GET …/requests/{id}`.
pub(super) fn result(shared: &Arc<Shared>, app: &str, id: &str) -> Answer {
    let aged_ms = shared.config.clock.aged_ms();
    let mut board = shared.board();
    board.counters.result_reads += 1;
    if board.job(app, id).is_none() {
        return unknown();
    }
    let done = board.job(app, id).is_some_and(Job::is_done);
    if done && let Some(echo) = echoed(&mut board, id, EchoAt::Result) {
        return answer::for_request(echo, id);
    }
    let Some(job) = board.job_mut(id) else {
        return unknown();
    };
    let answered = match &job.phase {
        Phase::Queued | Phase::Running => {
            answer::failed(&Failure::text(400, "Request is still in progress"))
        }
        Phase::Done(_) if !job.result_kept(aged_ms) => {
            answer::failed(&Failure::text(404, "Request result has expired"))
        }
        Phase::Done(outcome) => {
            let whole = answer::outcome(outcome, job.billed_units);
            if let Some(kind) = queue::spend(&mut job.result_lies) {
                let text = format!("The request failed: {}", kind.name());
                return answer::for_request(answer::failed(&Failure::request(kind, text)), id);
            }
            match (queue::spend(&mut job.result_failures), job.result_cut_due) {
                (Some((status, retry_after)), _) => {
                    let mut answered = troubled(status);
                    if let Some(seconds) = retry_after {
                        let headers = answered.headers_mut();
                        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
                    }
                    answered
                }
                (None, true) => {
                    job.result_cut_due = false;
                    cut(outcome)
                }
                (None, false) => whole,
            }
        }
    };
    drop(board);
    shared.changed();
    answer::for_request(answered, id)
}

/// Promises the whole body and closes after half of it.
fn cut(outcome: &Outcome) -> Answer {
    let whole = match outcome {
        Outcome::Output(output) => output.to_string(),
        Outcome::Failed(failure) => failure.body.to_string(),
    };
    let body = answer::half(whole.as_bytes());
    let mut answered = answer::with_type(200, "application/json", body);
    let length = HeaderValue::from(whole.len());
    answered
        .headers_mut()
        .insert(header::CONTENT_LENGTH, length);
    answered
}

/// `PUT …/cancel`.
pub(super) fn cancel(shared: &Arc<Shared>, app: &str, id: &str) -> Answer {
    let end = shared.end_now();
    let cancellation = {
        let mut board = shared.board();
        match board.job(app, id).map(|_| ()) {
            Some(()) => board.cancel(id, end),
            None => None,
        }
    };
    queue::pump(shared);
    if let Some(Cancellation::Removed | Cancellation::Requested) = cancellation {
        let bare = |job: &Job| job.ticket.meets(&Fault::CancelSuccess);
        if shared.board().any_job(id).is_some_and(bare) {
            return answer::for_request(answer::json(200, &json!({"success": true})), id);
        }
    }
    let (status, word) = match cancellation {
        Some(Cancellation::Removed) => (200, "OK"),
        Some(Cancellation::Requested) => (202, "CANCELLATION_REQUESTED"),
        Some(Cancellation::AlreadyCompleted) => (400, "ALREADY_COMPLETED"),
        None => (404, "NOT_FOUND"),
    };
    answer::for_request(answer::json(status, &json!({"status": word})), id)
}

/// fal does not know the id, as its status says it.
pub(super) fn unknown_status() -> Answer {
    answer::json(404, &json!({"status": "NOT_FOUND"}))
}

/// fal does not know the id.
pub(super) fn unknown() -> Answer {
    answer::failed(&Failure::text(404, "Request not found"))
}
