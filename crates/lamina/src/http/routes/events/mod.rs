//! Event streams: jobs as they change, told as it happens.

mod frame;
mod job;
mod owner;
mod pulse;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;

use self::job::JobEvents;
use self::owner::OwnerEvents;
use self::pulse::Pulse;
use super::jobs::found::{is_running, job_id, living};
use super::jobs::response_cache::ResponseCache;
use super::jobs::view::JobView;
use crate::http::answer::error::ApiError;
use crate::http::extract::accept::takes_event_stream;
use crate::http::extract::caller::Caller;
use crate::http::extract::path::Segments;
use crate::http::extract::public_base::PublicBase;
use crate::http::state::ApiState;
use crate::http::state::event_places::EventPlaces;
use crate::metrics::WaitKind;

/// Where a stream is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Begins,
    Goes,
    Over,
}

/// One job as it changes, to its end.
#[utoipa::path(
    get,
    path = "/api/jobs/{id}/events",
    tag = "jobs",
    operation_id = "job_events",
    params(
        ("id" = uuid::Uuid, Path, description = "The job's id"),
        ("Last-Event-ID" = Option<String>, Header, description = "The id of the last event that was read; the stream goes on behind it"),
    ),
    responses(
        (status = 200, description = "Events `status`, `progress`, `completed`, `failed`, `deleted` and `expired`, each with an id. The data is what `GET /api/jobs/{id}` answers, and the stream ends behind one of the last four. A comment every 15 s of silence", content_type = "text/event-stream", body = JobView),
        (status = 204, description = "The job has ended, and `Last-Event-ID` names that end: there is nothing more to come"),
        (status = 401, description = "`unauthorized`"),
        (status = 404, description = "`job_not_found`"),
        (status = 406, description = "`not_acceptable`: `Accept` leaves out `text/event-stream`"),
        (status = 410, description = "`job_deleted` or `job_expired`"),
        (status = 421, description = "`host_not_allowed`"),
        (status = 429, description = "`rate_limited` or `too_many_event_streams`, with `Retry-After`"),
        (status = 503, description = "`event_streams_exhausted`, with `Retry-After`"),
    )
)]
pub(in crate::http) async fn job_events(
    State(state): State<Arc<ApiState>>,
    State(cache): State<Arc<ResponseCache>>,
    State(places): State<EventPlaces>,
    Caller(owner): Caller,
    Segments(id): Segments<String>,
    base: PublicBase,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    if !takes_event_stream(&headers) {
        return Err(ApiError::NotAcceptable);
    }
    let id = job_id(&id)?;
    // Before the job is read, so that no change falls between.
    let watch = state.store.changes().watch_job(id);
    let found = state.store.job_get(&owner, id).await?;
    let (job, status) = living(found, state.ends_by())?;
    let version = job.version();
    let last = headers.get("last-event-id").map(|id| id.as_bytes());
    let is_known = last == Some(version.to_string().as_bytes());
    if is_known && !is_running(status) {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let place = places.enter(&owner, WaitKind::Stream)?;
    let events = JobEvents {
        told: is_known.then_some((version, status)),
        sent: Bytes::new(),
        pulse: Pulse::new(&state.limits, state.draining.clone()),
        stage: Stage::Begins,
        state,
        cache,
        base,
        owner,
        job,
        watch,
        _place: place,
    };
    Ok(frame::answer(events.into_body()))
}

/// All jobs of the caller as they change.
#[utoipa::path(
    get,
    path = "/api/events",
    tag = "jobs",
    operation_id = "events",
    params(("Last-Event-ID" = Option<String>, Header, description = "The id of the last event that was read; what ended since is told first")),
    responses(
        (status = 200, description = "Events as in `GET /api/jobs/{id}/events`, of jobs under way and those that are created later. It goes on until the client closes it, or 15 minutes are over", content_type = "text/event-stream", body = JobView),
        (status = 401, description = "`unauthorized`"),
        (status = 406, description = "`not_acceptable`: `Accept` leaves out `text/event-stream`"),
        (status = 421, description = "`host_not_allowed`"),
        (status = 429, description = "`rate_limited` or `too_many_event_streams`, with `Retry-After`"),
        (status = 503, description = "`event_streams_exhausted`, with `Retry-After`"),
    )
)]
pub(in crate::http) async fn all_events(
    State(state): State<Arc<ApiState>>,
    State(cache): State<Arc<ResponseCache>>,
    State(places): State<EventPlaces>,
    Caller(owner): Caller,
    base: PublicBase,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    if !takes_event_stream(&headers) {
        return Err(ApiError::NotAcceptable);
    }
    let place = places.enter(&owner, WaitKind::Stream)?;
    // Before anything is read, so that no change falls between.
    let watch = state.store.changes().watch_owner(&owner);
    let newest = state.store.job_ended_last(&owner).await?;
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok());
    let cursor = match last.and_then(|id| id.parse::<i64>().ok()) {
        Some(place @ 0..) if place <= newest => place,
        // The owner's jobs were all forgotten since, or the database is an older one: whatever is known is told.
        Some(1..) => 0,
        Some(_) | None => newest,
    };
    let events = OwnerEvents {
        pulse: Pulse::new(&state.limits, state.draining.clone()),
        stage: Stage::Begins,
        queue: VecDeque::new(),
        asks_ends: cursor < newest,
        walks: Some(None),
        told: HashMap::new(),
        state,
        cache,
        base,
        owner,
        watch,
        cursor,
        _place: place,
    };
    Ok(frame::answer(events.into_body()))
}
