//! A completed job's layers as one file that editors open: to its owner, and to whoever has a signed link.

pub(in crate::http) mod arrange;
mod disposition;
mod make;
mod send;

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, Method};
use axum::response::Response;
use url::form_urlencoded;

use self::send::Asked;
use super::files::signature;
use super::jobs::found::{job_id, living};
use super::jobs::time_left::retry_after;
use crate::exports::{Format, Plan};
use crate::http::answer::error::ApiError;
use crate::http::extract::caller::Caller;
use crate::http::extract::path::Segments;
use crate::http::extract::query::{AGAIN, parameters};
use crate::http::state::ApiState;
use crate::http::state::export_places::ExportPlaces;
use crate::jobs::{FieldError, JobId, Status};
use crate::store::{JobRecord, Lookup};

/// Letters of a name that is given for the file.
const MOST_NAME: usize = 1000;

/// The layers as one file: PSD, OpenRaster, PowerPoint, SVG, TIFF, GIF or a ZIP. HEAD answers the same without the file and its length.
#[utoipa::path(
    get,
    path = "/api/jobs/{id}/export/{format}",
    tag = "jobs",
    operation_id = "get_export",
    params(
        ("id" = uuid::Uuid, Path, description = "The job's id"),
        ("format" = inline(super::openapi::ExportFormat), Path, description = "What to make of the layers"),
        ("name" = Option<String>, Query, description = "What the picture is called: the file's name and the title in it; any text"),
    ),
    responses(
        (status = 200, description = "The file. `Content-Disposition` has its name", body = super::openapi::ExportFile, content_type = "application/octet-stream"),
        (status = 206, description = "The part that `Range` asks for", body = super::openapi::ExportFile, content_type = "application/octet-stream"),
        (status = 304, description = "Nothing has changed since the `ETag`"),
        (status = 401, description = "`unauthorized`"),
        (status = 404, description = "`job_not_found`, or `export_format_unknown`"),
        (status = 409, description = "`job_not_completed`, with `Retry-After`; or `job_failed`"),
        (status = 410, description = "`job_deleted` or `job_expired`; `file_gone` where it went meanwhile"),
        (status = 416, description = "`range_not_satisfiable`"),
        (status = 421, description = "`host_not_allowed`"),
        (status = 422, description = "`invalid_query`, or `export_too_large`"),
        (status = 429, description = "`rate_limited`, with `Retry-After`"),
        (status = 503, description = "`server_busy` or `storage_unavailable`, with `Retry-After`"),
        (status = 507, description = "`storage_full`, with `Retry-After`: there is no room to make it"),
    )
)]
pub(in crate::http) async fn get_export(
    State(state): State<Arc<ApiState>>,
    State(places): State<ExportPlaces>,
    Caller(owner): Caller,
    Segments((id, word)): Segments<(String, String)>,
    RawQuery(query): RawQuery,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let lookup = state.store.job_get(&owner, job_id(&id)?).await?;
    let job = completed(&state, lookup)?;
    let format = format(&word)?;
    let title = given_name(query.as_deref())?;
    let plan = Plan::whole(job.id, &job.layers, format, title.as_deref());
    let asked = Asked { method, headers };
    send::answer(&state, &places, &job, plan, asked).await
}

/// The same by a signed link, which `GET /api/jobs/{id}/layers` gives.
#[utoipa::path(
    get,
    path = "/files/exports/{id}/{file}",
    tag = "files",
    operation_id = "get_export_file",
    params(
        ("id" = uuid::Uuid, Path, description = "As the link has it"),
        ("file" = String, Path, description = "As the link has it"),
        ("exp" = i64, Query, description = "As the link has it"),
        ("sig" = String, Query, description = "As the link has it"),
        ("name" = Option<String>, Query, description = "May be added: what the picture is called, and so its file"),
    ),
    responses(
        (status = 200, description = "The file. `Content-Disposition` has its name", body = super::openapi::ExportFile, content_type = "application/octet-stream"),
        (status = 206, description = "The part that `Range` asks for", body = super::openapi::ExportFile, content_type = "application/octet-stream"),
        (status = 304, description = "Nothing has changed since the `ETag`"),
        (status = 403, description = "`link_invalid`"),
        (status = 410, description = "`link_expired` or `file_gone`"),
        (status = 416, description = "`range_not_satisfiable`"),
        (status = 422, description = "`export_too_large`"),
        (status = 503, description = "`server_busy` or `storage_unavailable`, with `Retry-After`"),
        (status = 507, description = "`storage_full`, with `Retry-After`: there is no room to make it"),
    ),
    security(())
)]
pub(in crate::http) async fn get_export_file(
    State(state): State<Arc<ApiState>>,
    State(places): State<ExportPlaces>,
    Segments((id, file)): Segments<(String, String)>,
    RawQuery(query): RawQuery,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let (exp, sig) = signature(query.as_deref())?;
    let path = format!("exports/{id}/{file}");
    let (job, word) = state
        .links
        .verify_export(&path, exp, &sig, state.ends_by())?;
    let format = Format::from_word(&word).ok_or(ApiError::LinkInvalid)?;
    let job = linked(&state, job).await?;
    let title = form_urlencoded::parse(query.as_deref().unwrap_or_default().as_bytes())
        .find(|(name, _)| name == "name")
        .map(|(_, value)| value.chars().take(MOST_NAME).collect::<String>());
    let plan = Plan::whole(job.id, &job.layers, format, title.as_deref());
    let asked = Asked { method, headers };
    send::answer(&state, &places, &job, plan, asked).await
}

fn format(word: &str) -> Result<Format, ApiError> {
    Format::from_word(word).ok_or(ApiError::ExportFormatUnknown)
}

/// A job that has layers.
fn completed(state: &ApiState, lookup: Lookup) -> Result<Arc<JobRecord>, ApiError> {
    let (job, status) = living(lookup, state.ends_by())?;
    match status {
        Status::Completed => Ok(job),
        Status::Failed => Err(ApiError::failed(&job)),
        Status::Pending | Status::Processing => Err(ApiError::JobNotCompleted {
            retry_after: retry_after(state, &job),
        }),
    }
}

/// The job of a link, whoever owns it: the signature is the right to it.
async fn linked(state: &ApiState, id: JobId) -> Result<Arc<JobRecord>, ApiError> {
    let detail = state
        .store
        .job_detail(id)
        .await?
        .ok_or(ApiError::FileGone)?;
    let lookup = state.store.job_get(&detail.overview.owner, id).await?;
    // A link ends with its job, at once, however long the bytes take to go.
    completed(state, lookup).map_err(|_| ApiError::FileGone)
}

/// The one parameter that there is.
fn given_name(query: Option<&str>) -> Result<Option<String>, ApiError> {
    let (mut given, mut errors) = (None, Vec::new());
    for (name, value, again) in parameters(query) {
        let detail = if again {
            AGAIN.to_owned()
        } else if name != "name" {
            "Unknown parameter; known is name.".to_owned()
        } else if value.chars().count() > MOST_NAME {
            format!("Expected at most {MOST_NAME} letters.")
        } else {
            given = Some(value.into_owned());
            continue;
        };
        let pointer = format!("/{}", name.chars().take(64).collect::<String>());
        errors.push(FieldError { pointer, detail });
    }
    if errors.is_empty() {
        Ok(given)
    } else {
        Err(ApiError::InvalidQuery(errors))
    }
}
