//! The list of an endpoint's requests: `GET /v1/models/requests/by-endpoint`, as fal documents it.
//!
//! A request is listed from the start of its run on, the latest end first. It does not show requests
//! that wait, nor the input of those that were submitted with `X-Fal-Store-IO: 0`. Faults of the list
//! act here. Invariant: the order and the pages of a list that does not change do not change.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use axum::http::{HeaderValue, header};
use serde_json::{Value, json};

use super::answer::{self, Answer};
use super::call::Call;
use super::submit::troubled;
use crate::clock::iso_micros;
use crate::failure::Failure;
use crate::fault::Fault;
use crate::queue::{self, Board, Job, Outcome, Phase};
use crate::shared::Shared;

/// Items on a page where none are asked for, and at most.
const PAGE: usize = 50;
const LARGEST_PAGE: usize = 100;
const DAY_MS: u64 = 24 * 3_600_000;

/// One page.
pub(super) fn list(shared: &Arc<Shared>, call: &Call) -> Result<Answer, Failure> {
    let now_ms = shared.config.clock.now_ms();
    let query = |name: &str| call.query.get(name).map(String::as_str);
    let endpoint = query("endpoint_id").ok_or_else(|| invalid("endpoint_id"))?;
    let start =
        time(query("start"), now_ms.saturating_sub(DAY_MS)).ok_or_else(|| invalid("start"))?;
    let end = time(query("end"), u64::MAX).ok_or_else(|| invalid("end"))?;
    let number = |name: &str, default: usize| match query(name) {
        None => Ok(default),
        Some(text) => text.parse().map_err(|_| invalid(name)),
    };
    let limit = number("limit", PAGE)?;
    if !(1..=LARGEST_PAGE).contains(&limit) {
        return Err(invalid("limit"));
    }
    let skipped = number("cursor", 0)?;
    let payloads = query("expand").is_some_and(|expand| expand.contains("payloads"));
    let items = {
        let mut board = shared.board();
        board.counters.history_reads += 1;
        if let Some(status) = failing(&mut board) {
            drop(board);
            shared.changed();
            return Ok(troubled(status));
        }
        let meant = |job: &Job| {
            let sent = (start..end).contains(&job.ticket.received_ms);
            sent && job.ticket.model() == endpoint
        };
        let mut listed: Vec<(Reverse<u64>, Value)> = Vec::new();
        for job in listed_jobs(&mut board).into_iter().filter(|job| meant(job)) {
            let ended = Reverse(job.finished_ms.unwrap_or(u64::MAX));
            let item = describe(job, endpoint, payloads, shared.config.list_tags);
            if job.ticket.meets(&Fault::HistoryTwo) {
                let mut other = item.clone();
                // The same stranger each time.
                other["request_id"] = format!("ffffffff{}", &job.ticket.id[8..]).into();
                if shared.config.list_tags {
                    other["tags"] = json!({});
                }
                listed.push((ended, other));
            }
            listed.push((ended, item));
        }
        listed.sort_by_key(|(ended, _)| *ended);
        listed
    };
    shared.changed();
    let more = items.len() > skipped + limit;
    let page = items.into_iter().skip(skipped).take(limit);
    let page: Vec<Value> = page.map(|(_, item)| item).collect();
    let body = json!({
        "items": page,
        "next_cursor": more.then(|| (skipped + limit).to_string()),
        "has_more": more,
    });
    let mut answered = answer::json(200, &body);
    let date = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_millis(now_ms));
    if let Ok(date) = HeaderValue::from_str(&date) {
        answered.headers_mut().insert(header::DATE, date);
    }
    Ok(answered)
}

/// The failure that is due for any request.
fn failing(board: &mut Board) -> Option<u16> {
    board
        .jobs_mut()
        .find_map(|job| queue::spend(&mut job.history_failures))
}

/// Those that began and are not kept back; a read counts for each that is.
fn listed_jobs(board: &mut Board) -> Vec<&Job> {
    for job in board.jobs_mut() {
        job.listed = job.started_ms.is_some() && job.unlisted == 0;
        if job.unlisted != u32::MAX {
            job.unlisted = job.unlisted.saturating_sub(1);
        }
    }
    board.jobs().filter(|job| job.listed).collect()
}

fn describe(job: &Job, endpoint: &str, payloads: bool, tags: bool) -> Value {
    let ticket = &job.ticket;
    let status_code = match &job.phase {
        Phase::Done(Outcome::Output(_)) => Some(200),
        Phase::Done(Outcome::Failed(failure)) => Some(failure.status),
        Phase::Queued | Phase::Running => None,
    };
    let ended = job.finished_ms;
    let mut item = json!({
        "request_id": ticket.id,
        "endpoint_id": endpoint,
        "sent_at": iso_micros(ticket.received_ms),
        "started_at": job.started_ms.map(iso_micros),
        "ended_at": ended.map(iso_micros),
        "status_code": status_code,
        "duration": ended.map(|_| job.inference.as_secs_f64()),
    });
    if payloads && !ticket.forget_soon {
        item["json_input"] = ticket.input.clone();
        if let Phase::Done(Outcome::Output(output)) = &job.phase {
            item["json_output"] = output.as_ref().clone();
        }
    }
    if tags {
        let header = ticket.headers.get("x-fal-tags").map_or("", String::as_str);
        let pairs = header.split(',').filter_map(|pair| pair.split_once('='));
        item["tags"] = json!(pairs.collect::<BTreeMap<_, _>>());
    }
    item
}

/// ISO 8601 with a zone, or a day.
fn time(text: Option<&str>, default: u64) -> Option<u64> {
    let Some(text) = text else {
        return Some(default);
    };
    let day = || format!("{text}T00:00:00Z").parse::<jiff::Timestamp>().ok();
    let stamp = text.parse::<jiff::Timestamp>().ok().or_else(day)?;
    u64::try_from(stamp.as_millisecond()).ok()
}

fn invalid(name: &str) -> Failure {
    Failure::text(400, format!("Invalid query parameter: {name}"))
}
