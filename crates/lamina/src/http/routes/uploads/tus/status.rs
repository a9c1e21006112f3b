//! How far a resumable upload is, and its end before its time.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};

use super::headers::expires;
use crate::blobs::UploadLock;
use crate::http::answer::error::ApiError;
use crate::http::extract::caller::Caller;
use crate::http::extract::path::Segments;
use crate::http::extract::tus_headers::{
    UPLOAD_DEFER_LENGTH, UPLOAD_LENGTH, UPLOAD_METADATA, UPLOAD_OFFSET,
};
use crate::http::routes::uploads::verify::{blocking, own};
use crate::http::state::ApiState;
use crate::jobs::OwnerId;
use crate::store::{Arrival, Incoming};

/// How far the upload is, on disk. A part that is being received is ended first and what came of it
/// kept: whoever asks has lost the connection that it came by.
#[utoipa::path(
    head,
    path = "/api/uploads/tus/{id}",
    tag = "uploads",
    operation_id = "tus_offset",
    params(
        ("id" = uuid::Uuid, Path, description = "The upload's id"),
        ("Tus-Resumable" = String, Header, description = "1.0.0"),
    ),
    responses(
        (status = 200, description = "`Upload-Offset`, `Upload-Length` or `Upload-Defer-Length`, `Upload-Metadata`, `Upload-Expires`"),
        (status = 401, description = "`unauthorized`"),
        (status = 429, description = "`rate_limited`, with `Retry-After`"),
        (status = 404, description = "`upload_missing`; also once a job has used it"),
        (status = 412, description = "`tus_version_unsupported`"),
        (status = 503, description = "`storage_unavailable`, with `Retry-After`"),
    )
)]
pub(in crate::http) async fn offset(
    State(state): State<Arc<ApiState>>,
    Caller(owner): Caller,
    Segments(id): Segments<String>,
) -> Result<Response, ApiError> {
    let (promised, lock) = lock_upload(&state, &owner, &id).await?;
    let offset = blocking(move || lock.offset()).await?;
    let mut answer = HeaderMap::new();
    answer.insert(UPLOAD_OFFSET, HeaderValue::from(offset));
    match promised.bytes {
        Some(bytes) => answer.insert(UPLOAD_LENGTH, HeaderValue::from(bytes)),
        None => answer.insert(UPLOAD_DEFER_LENGTH, HeaderValue::from_static("1")),
    };
    let metadata = promised.metadata.map(HeaderValue::try_from);
    if let Some(Ok(metadata)) = metadata {
        answer.insert(UPLOAD_METADATA, metadata);
    }
    expires(&mut answer, promised.expires_at);
    answer.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok((StatusCode::OK, answer).into_response())
}

/// Ends the upload and erases what is there of it.
#[utoipa::path(
    delete,
    path = "/api/uploads/tus/{id}",
    tag = "uploads",
    operation_id = "tus_end",
    params(
        ("id" = uuid::Uuid, Path, description = "The upload's id"),
        ("Tus-Resumable" = String, Header, description = "1.0.0"),
    ),
    responses(
        (status = 204, description = "It is gone"),
        (status = 401, description = "`unauthorized`"),
        (status = 429, description = "`rate_limited`, with `Retry-After`"),
        (status = 403, description = "`origin_not_allowed`"),
        (status = 404, description = "`upload_missing`; also once a job has used it"),
        (status = 412, description = "`tus_version_unsupported`"),
        (status = 503, description = "`storage_unavailable`, with `Retry-After`"),
    )
)]
pub(in crate::http) async fn end(
    State(state): State<Arc<ApiState>>,
    Caller(owner): Caller,
    Segments(id): Segments<String>,
) -> Result<StatusCode, ApiError> {
    let (promised, lock) = lock_upload(&state, &owner, &id).await?;
    lock.erase().await?;
    state.store.incoming_forget(promised.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The owner's resumable upload, as it is once nobody else writes it.
pub(super) async fn lock_upload(
    state: &ApiState,
    owner: &OwnerId,
    id: &str,
) -> Result<(Incoming, UploadLock), ApiError> {
    let id = id.parse().map_err(|_| ApiError::UploadMissing)?;
    let resumable = || async {
        let found = own(state, owner, id).await?;
        let found = found.filter(|found| found.arrival == Arrival::Resumable);
        found.ok_or(ApiError::UploadMissing)
    };
    // Nobody ends the writing of another owner's upload.
    resumable().await?;
    let lock = state.inbox.acquire(id).await?;
    Ok((resumable().await?, lock))
}
