//! `/api/admin/jobs`: every owner's jobs, what became of them, and what an operator can do about
//! them. No prompt, no source URL and no link is shown: those are the owner's.

mod detail;

use std::sync::Arc;

use axum::extract::{RawQuery, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;

use self::detail::{AdminJobStory, detail};
use super::query::JobListQuery;
use super::who::Who;
use super::{AdminState, receive};
use crate::http::answer::error::ApiError;
use crate::http::answer::json::{fresh, require_json};
use crate::http::extract::path::Segments;
use crate::http::routes::jobs::record_deleted::{DeletedBy, record_deleted};
use crate::jobs::{EngineKind, Fields, JobId, ParseError, UnixMs};
use crate::store::{Deletion, JobOverview, Retrial};

/// One job, as an operator's list shows it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(in crate::http) struct AdminJob {
    /// The job's id.
    #[schema(value_type = uuid::Uuid)]
    job_id: JobId,
    /// Its owner.
    owner: String,
    /// Its phase.
    #[schema(example = "wait")]
    state: &'static str,
    /// The engine it runs on.
    engine: EngineKind,
    /// Why it failed; null unless failed.
    #[schema(required = true)]
    error_code: Option<String>,
    /// When it was created.
    #[schema(value_type = String, format = DateTime)]
    created_at: UnixMs,
    /// When it completed or failed; null before.
    #[schema(value_type = Option<String>, format = DateTime, required = true)]
    finished_at: Option<UnixMs>,
    /// When it and its bytes go.
    #[schema(value_type = String, format = DateTime)]
    expires_at: UnixMs,
}

/// A page of jobs.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(in crate::http) struct AdminJobPage {
    /// Newest first.
    jobs: Vec<AdminJob>,
    /// Give it as `cursor` for the next page; null on the last one.
    #[schema(value_type = Option<uuid::Uuid>, required = true)]
    next_cursor: Option<JobId>,
}

/// The body of a retry.
#[derive(serde::Deserialize, utoipa::ToSchema)]
#[expect(dead_code, reason = "a description; the body is read field by field")]
pub(in crate::http) struct RetryJob {
    /// Hand the job over anew, although it may have been paid.
    #[schema(default = false)]
    pay_again: Option<bool>,
}

/// Jobs of every owner, newest first; deleted and expired ones included.
#[utoipa::path(
    get,
    path = "/api/admin/jobs",
    tag = "admin",
    operation_id = "survey_jobs",
    params(
        ("state" = Option<String>, Query, description = "A phase (`prepare`, `submit`, `wait`, `collect`, `completed`, `failed`, `deleted`, `expired`), or `active` for the first four"),
        ("owner" = Option<String>, Query, description = "Of this owner"),
        ("engine" = Option<EngineKind>, Query, description = "On this engine"),
        ("error_code" = Option<String>, Query, description = "Failed with this code"),
        ("cursor" = Option<uuid::Uuid>, Query, description = "`next_cursor` of the page before"),
        ("limit" = Option<u32>, Query, description = "Most jobs on the page: 1 to 500, by default 50"),
    ),
    responses(
        (status = 200, description = "A page of jobs", body = AdminJobPage),
        (status = 401, description = "`unauthorized`"),
        (status = 403, description = "`admin_only` or `origin_not_allowed`"),
        (status = 422, description = "`invalid_query`"),
    )
)]
pub(super) async fn list_all_jobs(
    State(state): State<Arc<AdminState>>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let query = JobListQuery::parse(query.as_deref())?;
    let limit = query.limit as usize;
    // One more than asked for tells whether there is a next page.
    let found = state
        .store
        .job_list_all(query.filter, query.cursor, query.limit + 1);
    let mut found = found.await?;
    let more = found.len() > limit;
    found.truncate(limit);
    let page = AdminJobPage {
        next_cursor: found.last().filter(|_| more).map(|job| job.id),
        jobs: found.into_iter().map(job).collect(),
    };
    fresh(StatusCode::OK, &page)
}

/// One job of any owner.
#[utoipa::path(
    get,
    path = "/api/admin/jobs/{id}",
    tag = "admin",
    operation_id = "show_job",
    params(("id" = uuid::Uuid, Path, description = "The job's id")),
    responses(
        (status = 200, description = "What is known of it", body = AdminJobStory),
        (status = 401, description = "`unauthorized`"),
        (status = 403, description = "`admin_only` or `origin_not_allowed`"),
        (status = 404, description = "`job_not_found`"),
    )
)]
pub(super) async fn show_job(
    State(state): State<Arc<AdminState>>,
    Segments(id): Segments<String>,
) -> Result<Response, ApiError> {
    let found = state.store.job_detail(job_id(&id)?).await?;
    fresh(StatusCode::OK, &detail(found.ok_or(ApiError::JobNotFound)?))
}

/// Lets a failed job begin anew. What its engine has taken is asked for again and not paid anew.
#[utoipa::path(
    post,
    path = "/api/admin/jobs/{id}/retry",
    tag = "admin",
    operation_id = "retry_job",
    params(("id" = uuid::Uuid, Path, description = "The job's id")),
    request_body(content = RetryJob, content_type = "application/json"),
    responses(
        (status = 202, description = "It begins anew", body = AdminJobStory),
        (status = 400, description = "`invalid_json`, `body_incomplete` or `content_encoding_invalid`"),
        (status = 401, description = "`unauthorized`"),
        (status = 403, description = "`admin_only` or `origin_not_allowed`"),
        (status = 404, description = "`job_not_found`"),
        (status = 409, description = "`job_not_failed`, or `payment_unknown`: it may have been paid, and `pay_again` was not given"),
        (status = 410, description = "`job_deleted` or `job_expired`"),
        (status = 415, description = "`unsupported_media_type` or `content_encoding_unsupported`"),
        (status = 422, description = "`invalid_fields`"),
    )
)]
pub(super) async fn retry_job(
    State(state): State<Arc<AdminState>>,
    by: Who,
    Segments(id): Segments<String>,
    request: Request,
) -> Result<Response, ApiError> {
    require_json(request.headers())?;
    let id = job_id(&id)?;
    let pay_again = pay_again(&receive(&state, request.into_body()).await?)?;
    match state
        .store
        .job_retry(id, pay_again, state.clock.now())
        .await?
    {
        Retrial::Done => {}
        Retrial::NotFailed(phase) => return Err(ApiError::JobNotFailed(phase)),
        Retrial::PaymentUnknown => return Err(ApiError::PaymentUnknown),
        Retrial::Gone(why) => return Err(ApiError::JobGone(why)),
        Retrial::Missing => return Err(ApiError::JobNotFound),
    }
    let found = state.store.job_detail(id).await?;
    let found = found.ok_or(ApiError::JobNotFound)?;
    let (owner, engine) = (&found.overview.owner, found.overview.engine.as_str());
    tracing::info!(job = %id, %owner, engine, pay_again, %by, "the operator let a job begin anew");
    fresh(StatusCode::ACCEPTED, &detail(found))
}

/// Deletes a job of any owner, as its owner would: it is cancelled at its engine if it runs, and its files are erased.
#[utoipa::path(
    delete,
    path = "/api/admin/jobs/{id}",
    tag = "admin",
    operation_id = "cancel_job",
    params(("id" = uuid::Uuid, Path, description = "The job's id")),
    responses(
        (status = 204, description = "Deleted"),
        (status = 401, description = "`unauthorized`"),
        (status = 403, description = "`admin_only` or `origin_not_allowed`"),
        (status = 404, description = "`job_not_found`"),
        (status = 410, description = "`job_deleted` or `job_expired`: it was gone already"),
    )
)]
pub(super) async fn cancel_job(
    State(state): State<Arc<AdminState>>,
    by: Who,
    Segments(id): Segments<String>,
) -> Result<StatusCode, ApiError> {
    let now = state.clock.wall();
    match state.store.job_cancel(job_id(&id)?, now).await? {
        Deletion::Done(job) => {
            state.forecast.forget(job.id);
            record_deleted(
                &job,
                DeletedBy::Operator(by.as_str()),
                now,
                &state.metrics,
                &state.tracer,
            );
            Ok(StatusCode::NO_CONTENT)
        }
        Deletion::Gone(why) => Err(ApiError::JobGone(why)),
        Deletion::Missing => Err(ApiError::JobNotFound),
    }
}

/// What is no id names no job.
fn job_id(text: &str) -> Result<JobId, ApiError> {
    text.parse().map_err(|_| ApiError::JobNotFound)
}

fn pay_again(body: &[u8]) -> Result<bool, ParseError> {
    let mut fields = Fields::of(body)?;
    let pay_again = fields.take("pay_again", "true or false").unwrap_or(false);
    super::finish(fields, "pay_again")?;
    Ok(pay_again)
}

fn job(job: JobOverview) -> AdminJob {
    AdminJob {
        job_id: job.id,
        owner: job.owner.to_string(),
        state: job.phase.as_str(),
        engine: job.engine,
        error_code: job.error_code,
        created_at: job.created_at,
        finished_at: job.finished_at,
        expires_at: job.expires_at,
    }
}
