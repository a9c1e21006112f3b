//! `/api/jobs`: reading one job, its layers and the list. It changes nothing. Every answer is about the
//! caller's own jobs; another owner's job does not exist here.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{RawQuery, Request, State};
use axum::http::HeaderMap;
use axum::response::Response;

use super::found::{is_running, job_id, living, shown};
use super::long_poll::changed_within;
use super::response_cache::{Part, ResponseCache};
use super::time_left::retry_after;
use super::view::{JobPage, JobSummary, JobView, LayerList, exports, layers};
use crate::http::answer::error::ApiError;
use crate::http::answer::json::Tagged;
use crate::http::extract::caller::Caller;
use crate::http::extract::path::Segments;
use crate::http::extract::public_base::PublicBase;
use crate::http::extract::query::ListQuery;
use crate::http::extract::wait::wait_of_query;
use crate::http::layers::observe::Waited;
use crate::http::state::ApiState;
use crate::http::state::event_places::EventPlaces;
use crate::jobs::Status;

/// One job.
#[utoipa::path(
    get,
    path = "/api/jobs/{id}",
    tag = "jobs",
    operation_id = "get_job",
    params(
        ("id" = uuid::Uuid, Path, description = "The job's id"),
        ("wait" = Option<u32>, Query, minimum = 0, maximum = 60, description = "Seconds to wait for a change: of the job that `If-None-Match` names, or of the job as it is"),
    ),
    responses(
        (status = 200, description = "The job. `ETag` can be given back as `If-None-Match`; `Retry-After` says when it is worth asking again. With `wait` it is answered when something has changed, or at the end of the wait", body = JobView),
        (status = 304, description = "Nothing has changed since the `ETag`"),
        (status = 401, description = "`unauthorized`"),
        (status = 404, description = "`job_not_found`"),
        (status = 410, description = "`job_deleted` or `job_expired`"),
        (status = 421, description = "`host_not_allowed`"),
        (status = 422, description = "`invalid_query`"),
        (status = 429, description = "`rate_limited`, with `Retry-After`; with `wait` also `too_many_event_streams`"),
        (status = 503, description = "With `wait`: `event_streams_exhausted`, with `Retry-After`"),
    )
)]
pub(in crate::http) async fn get_job(
    State(state): State<Arc<ApiState>>,
    State(cache): State<Arc<ResponseCache>>,
    State(places): State<EventPlaces>,
    Caller(owner): Caller,
    Segments(id): Segments<String>,
    base: PublicBase,
    request: Request,
) -> Result<Response, ApiError> {
    // Its body goes before the wait.
    let (request, _) = request.into_parts();
    let (id, wait) = (job_id(&id)?, wait_of_query(request.uri.query())?);
    let (headers, begun) = (&request.headers, Instant::now());
    let (job, status) = if wait.is_zero() {
        living(state.store.job_get(&owner, id).await?, state.ends_by())?
    } else {
        changed_within(&state, &places, &owner, id, wait, headers).await?
    };
    let waited = Waited::since(begun);
    let answer = shown(&state, &cache, &base, &job, status)?;
    let mut response = if is_running(status) {
        answer.answer_for_now(headers, retry_after(&state, &job))
    } else {
        answer.answer(headers)
    };
    if !wait.is_zero() {
        response.extensions_mut().insert(waited);
    }
    Ok(response)
}

/// The layers of a completed job.
#[utoipa::path(
    get,
    path = "/api/jobs/{id}/layers",
    tag = "jobs",
    operation_id = "get_layers",
    params(("id" = uuid::Uuid, Path, description = "The job's id")),
    responses(
        (status = 200, description = "The layers, bottom first", body = LayerList),
        (status = 304, description = "Nothing has changed since the `ETag`"),
        (status = 401, description = "`unauthorized`"),
        (status = 404, description = "`job_not_found`"),
        (status = 409, description = "`job_not_completed`, with `Retry-After`; or `job_failed`"),
        (status = 410, description = "`job_deleted` or `job_expired`"),
        (status = 421, description = "`host_not_allowed`"),
        (status = 429, description = "`rate_limited`, with `Retry-After`"),
    )
)]
pub(in crate::http) async fn get_layers(
    State(state): State<Arc<ApiState>>,
    State(cache): State<Arc<ResponseCache>>,
    Caller(owner): Caller,
    Segments(id): Segments<String>,
    base: PublicBase,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let found = state.store.job_get(&owner, job_id(&id)?).await?;
    let (job, status) = living(found, state.ends_by())?;
    match status {
        Status::Completed => {
            let list = || LayerList {
                job_id: job.id,
                layers: layers(&state, &base, &job),
                exports: exports(&state, &base, &job),
            };
            let answer = cache.get(Part::Layers, &job, &base, list)?;
            Ok(answer.answer(&headers))
        }
        Status::Failed => Err(ApiError::failed(&job)),
        Status::Pending | Status::Processing => Err(ApiError::JobNotCompleted {
            retry_after: retry_after(&state, &job),
        }),
    }
}

/// The caller's jobs, newest first; deleted and expired ones are left out.
#[utoipa::path(
    get,
    path = "/api/jobs",
    tag = "jobs",
    operation_id = "list_jobs",
    params(ListQuery),
    responses(
        (status = 200, description = "A page of jobs", body = JobPage),
        (status = 304, description = "Nothing has changed since the `ETag`"),
        (status = 401, description = "`unauthorized`"),
        (status = 421, description = "`host_not_allowed`"),
        (status = 422, description = "`invalid_query`"),
        (status = 429, description = "`rate_limited`, with `Retry-After`"),
    )
)]
pub(in crate::http) async fn list_jobs(
    State(state): State<Arc<ApiState>>,
    Caller(owner): Caller,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let ListQuery { cursor, limit } = ListQuery::parse(query.as_deref())?;
    // One more than asked for tells whether there is a next page.
    let mut found = state.store.job_list(&owner, cursor, limit + 1).await?;
    let more = found.len() > limit as usize;
    found.truncate(limit as usize);
    let next_cursor = found.last().filter(|_| more).map(|job| job.id);
    let jobs = found
        .iter()
        .filter(|job| job.expires_at > state.ends_by())
        .filter_map(|job| Some(JobSummary::of(&state, job, job.status()?)))
        .collect();
    Ok(Tagged::of(&JobPage { jobs, next_cursor })?.answer(&headers))
}
