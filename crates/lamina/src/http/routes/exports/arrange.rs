//! Exports of what a person arranged: as one picture, or with its layers. The body is an arrangement; it is made each time, so there is nothing
//! to resume.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{RawQuery, Request, State};
use axum::http::{HeaderMap, Method};
use axum::response::Response;

use super::send::{self, Asked};
use super::{completed, format, given_name};
use crate::exports::Plan;
use crate::http::answer::error::ApiError;
use crate::http::answer::json::require_json;
use crate::http::extract::caller::Caller;
use crate::http::extract::path::Segments;
use crate::http::receive::body::{Meter, MeteredBody};
use crate::http::routes::jobs::found::job_id;
use crate::http::state::ApiState;
use crate::http::state::export_places::ExportPlaces;
use crate::jobs::Arrangement;

/// Far more than the largest arrangement has.
const BODY_BYTES: u64 = 64 << 10;

/// The layers as they are arranged, drawn as one picture: PNG, WebP or JPEG.
#[utoipa::path(
    post,
    path = "/api/jobs/{id}/composite",
    tag = "jobs",
    operation_id = "composite",
    params(
        ("id" = uuid::Uuid, Path, description = "The job's id"),
        ("name" = Option<String>, Query, description = "What the picture is called, and so its file; any text"),
    ),
    request_body(content = crate::http::routes::openapi::CompositeRecipe, content_type = "application/json"),
    responses(
        (status = 200, description = "The picture", body = crate::http::routes::openapi::ImageFile, content_type = "image/*"),
        (status = 400, description = "`invalid_json`, `body_incomplete` or `content_encoding_invalid`"),
        (status = 401, description = "`unauthorized`"),
        (status = 403, description = "`origin_not_allowed`"),
        (status = 404, description = "`job_not_found`"),
        (status = 408, description = "`request_timeout`"),
        (status = 409, description = "`job_not_completed`, with `Retry-After`; or `job_failed`"),
        (status = 410, description = "`job_deleted` or `job_expired`; `file_gone` where it went meanwhile"),
        (status = 413, description = "`body_too_large`"),
        (status = 415, description = "`unsupported_media_type` or `content_encoding_unsupported`"),
        (status = 421, description = "`host_not_allowed`"),
        (status = 422, description = "`invalid_fields`, `invalid_query`, or `export_too_large`"),
        (status = 429, description = "`rate_limited`, with `Retry-After`"),
        (status = 503, description = "`server_busy` or `storage_unavailable`, with `Retry-After`"),
        (status = 507, description = "`storage_full`, with `Retry-After`: there is no room to make it"),
    )
)]
pub(in crate::http) async fn composite(
    State(state): State<Arc<ApiState>>,
    State(places): State<ExportPlaces>,
    Caller(owner): Caller,
    Segments(id): Segments<String>,
    RawQuery(query): RawQuery,
    request: Request,
) -> Result<Response, ApiError> {
    let lookup = state.store.job_get(&owner, job_id(&id)?).await?;
    let job = completed(&state, lookup)?;
    let title = given_name(query.as_deref())?;
    let arrangement = Arrangement::parse(&body(&state, request).await?, true)?;
    let plan = Plan::flat(job.id, &job.layers, title.as_deref(), &arrangement);
    let plan = plan.map_err(ApiError::InvalidFields)?;
    send::answer(&state, &places, &job, plan, whole()).await
}

/// The layers as they are arranged, as one file: the same as GET with a recipe.
#[utoipa::path(
    post,
    path = "/api/jobs/{id}/export/{format}",
    tag = "jobs",
    operation_id = "export_arranged",
    params(
        ("id" = uuid::Uuid, Path, description = "The job's id"),
        ("format" = inline(crate::http::routes::openapi::ExportFormat), Path, description = "What to make of the layers"),
        ("name" = Option<String>, Query, description = "What the picture is called: the file's name and the title in it; any text"),
    ),
    request_body(content = crate::http::routes::openapi::ExportRecipe, content_type = "application/json"),
    responses(
        (status = 200, description = "The file. `Content-Disposition` has its name", body = crate::http::routes::openapi::ExportFile, content_type = "application/octet-stream"),
        (status = 400, description = "`invalid_json`, `body_incomplete` or `content_encoding_invalid`"),
        (status = 401, description = "`unauthorized`"),
        (status = 403, description = "`origin_not_allowed`"),
        (status = 404, description = "`job_not_found`, or `export_format_unknown`"),
        (status = 408, description = "`request_timeout`"),
        (status = 409, description = "`job_not_completed`, with `Retry-After`; or `job_failed`"),
        (status = 410, description = "`job_deleted` or `job_expired`; `file_gone` where it went meanwhile"),
        (status = 413, description = "`body_too_large`"),
        (status = 415, description = "`unsupported_media_type` or `content_encoding_unsupported`"),
        (status = 421, description = "`host_not_allowed`"),
        (status = 422, description = "`invalid_fields`, `invalid_query`, or `export_too_large`"),
        (status = 429, description = "`rate_limited`, with `Retry-After`"),
        (status = 503, description = "`server_busy` or `storage_unavailable`, with `Retry-After`"),
        (status = 507, description = "`storage_full`, with `Retry-After`: there is no room to make it"),
    )
)]
pub(in crate::http) async fn export_arranged(
    State(state): State<Arc<ApiState>>,
    State(places): State<ExportPlaces>,
    Caller(owner): Caller,
    Segments((id, word)): Segments<(String, String)>,
    RawQuery(query): RawQuery,
    request: Request,
) -> Result<Response, ApiError> {
    let lookup = state.store.job_get(&owner, job_id(&id)?).await?;
    let job = completed(&state, lookup)?;
    let format = format(&word)?;
    let title = given_name(query.as_deref())?;
    let arrangement = Arrangement::parse(&body(&state, request).await?, false)?;
    let plan = Plan::arranged(job.id, &job.layers, format, title.as_deref(), &arrangement);
    let plan = plan.map_err(ApiError::InvalidFields)?;
    send::answer(&state, &places, &job, plan, whole()).await
}

async fn body(state: &ApiState, request: Request) -> Result<bytes::Bytes, ApiError> {
    let (parts, body): (_, Body) = request.into_parts();
    require_json(&parts.headers)?;
    let meter = Meter {
        bytes: BODY_BYTES,
        idle: None,
        total: state.limits.json_total,
    };
    Ok(MeteredBody::new(body, meter)?.whole(&state.bodies).await?)
}

/// Neither a part, nor nothing where a tag is known: those are for what stays.
fn whole() -> Asked {
    Asked {
        method: Method::POST,
        headers: HeaderMap::new(),
    }
}
