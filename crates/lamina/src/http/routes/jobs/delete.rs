//! `DELETE /api/jobs/{id}`: ends one of the caller's own jobs and erases what is kept of it. A run that goes
//! on at the engine is cancelled by the worker, not here.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;

use super::found::{job_id, living};
use super::record_deleted::{DeletedBy, record_deleted};
use crate::http::answer::error::ApiError;
use crate::http::extract::caller::Caller;
use crate::http::extract::path::Segments;
use crate::http::state::ApiState;
use crate::jobs::{JobId, OwnerId, UnixMs};
use crate::store::{Deletion, StoreError};

/// Deletes a job: it is cancelled at its engine if it runs, and its files are erased.
#[utoipa::path(
    delete,
    path = "/api/jobs/{id}",
    tag = "jobs",
    operation_id = "delete_job",
    params(("id" = uuid::Uuid, Path, description = "The job's id")),
    responses(
        (status = 204, description = "Deleted"),
        (status = 401, description = "`unauthorized`"),
        (status = 403, description = "`origin_not_allowed`"),
        (status = 404, description = "`job_not_found`"),
        (status = 410, description = "`job_deleted` or `job_expired`: it was gone already"),
        (status = 421, description = "`host_not_allowed`"),
        (status = 429, description = "`rate_limited`, with `Retry-After`"),
    )
)]
pub(in crate::http) async fn delete_job(
    State(state): State<Arc<ApiState>>,
    Caller(owner): Caller,
    Segments(id): Segments<String>,
) -> Result<StatusCode, ApiError> {
    let now = state.clock.wall();
    match delete(&state, &owner, job_id(&id)?, now).await? {
        Deletion::Done(job) => {
            state.forecast.forget(job.id);
            record_deleted(
                &job,
                DeletedBy::Owner,
                now,
                &state.metrics.jobs,
                &state.tracer,
            );
            Ok(StatusCode::NO_CONTENT)
        }
        Deletion::Gone(why) => Err(ApiError::JobGone(why)),
        Deletion::Missing => Err(ApiError::JobNotFound),
    }
}

/// Deletes, also where the disk is too full to write that down: then the bytes go first, which makes
/// the room.
async fn delete(
    state: &ApiState,
    owner: &OwnerId,
    id: JobId,
    now: UnixMs,
) -> Result<Deletion, ApiError> {
    match state.store.job_delete(owner, id, now).await {
        Err(StoreError::Full(_)) => {}
        deleted => return Ok(deleted?),
    }
    living(state.store.job_get(owner, id).await?, state.ends_by())?;
    state.blobs.erase_job(id).await?;
    Ok(state.store.job_delete(owner, id, now).await?)
}
