//! `PUT /files`: the one body of a ticket whose link is the server's own. The signature is the only
//! right that is asked for. A body counts when it is whole: one that was cut leaves nothing, and the
//! link takes another until it has taken one.

use std::sync::Arc;

use axum::body::{Body, HttpBody as _};
use axum::extract::{RawQuery, Request, State};
use axum::http::StatusCode;
use image_intake::ImageError;
use tokio_util::sync::CancellationToken;

use super::verify::blocking;
use crate::blobs::UploadLock;
use crate::http::answer::error::ApiError;
use crate::http::extract::path::Segments;
use crate::http::receive::body::{BodyError, Meter, MeteredBody};
use crate::http::receive::disk_room;
use crate::http::receive::file_writer::FileWriter;
use crate::http::routes::files::signature;
use crate::http::state::ApiState;
use crate::jobs::UploadId;
use crate::store::{Arrival, Incoming};

/// Takes the file of a ticket.
#[utoipa::path(
    put,
    path = "/files/{kind}/{id}/{file}",
    tag = "files",
    operation_id = "put_file",
    params(
        ("kind" = String, Path, description = "As the ticket's link has it"),
        ("id" = String, Path, description = "As the ticket's link has it"),
        ("file" = String, Path, description = "As the ticket's link has it"),
        ("exp" = i64, Query, description = "As the ticket's link has it"),
        ("sig" = String, Query, description = "As the ticket's link has it"),
    ),
    request_body(content = crate::http::routes::openapi::ImageFile, content_type = "image/*"),
    responses(
        (status = 204, description = "It is there; use it"),
        (status = 400, description = "`body_incomplete` or `content_encoding_invalid`"),
        (status = 403, description = "`link_invalid`"),
        (status = 408, description = "`request_timeout`"),
        (status = 409, description = "`upload_already_received` or `upload_taken_over`"),
        (status = 410, description = "`link_expired` or `file_gone`"),
        (status = 413, description = "`image_too_many_bytes`"),
        (status = 415, description = "`content_encoding_unsupported`"),
        (status = 422, description = "`image_empty`"),
        (status = 503, description = "`storage_unavailable`, with `Retry-After`"),
        (status = 507, description = "`storage_full` (with `Retry-After`), `storage_quota_exceeded` or `storage_limit_reached`"),
    ),
    security(())
)]
pub(in crate::http) async fn put_file(
    State(state): State<Arc<ApiState>>,
    Segments((kind, id, file)): Segments<(String, String, String)>,
    RawQuery(query): RawQuery,
    request: Request,
) -> Result<StatusCode, ApiError> {
    let (exp, sig) = signature(query.as_deref())?;
    let path = format!("{kind}/{id}/{file}");
    let now = state.ends_by();
    let id = state.links.verify_put(&path, exp, &sig, now)?;
    promised(&state, id).await?;
    let _room = disk_room::for_body(&state, request.body(), state.images.max_bytes)?;
    let lock = state.inbox.acquire(id).await?;
    // Whoever held the lock before may have used it, or the upload may be gone since.
    let promised = promised(&state, id).await?;
    let inbox = state.inbox.clone();
    if blocking(move || inbox.seen(id)).await?.is_some() {
        return Err(ApiError::UploadAlreadyReceived);
    }
    let body = request.into_body();
    if promised.bytes.is_some() {
        // It was counted when the ticket was made.
        receive(&state, &promised, lock, body).await?;
        return Ok(StatusCode::NO_CONTENT);
    }
    let most = body.size_hint().upper().unwrap_or(state.images.max_bytes);
    let most = most.min(state.images.max_bytes);
    state.store.incoming_reserve(id, most).await?;
    let received = receive(&state, &promised, lock, body).await;
    let kept = *received.as_ref().unwrap_or(&0);
    state.store.incoming_reserve(id, kept).await?;
    received?;
    Ok(StatusCode::NO_CONTENT)
}

async fn promised(state: &ApiState, id: UploadId) -> Result<Incoming, ApiError> {
    match state.store.incoming_get(id, state.ends_by()).await? {
        Some(promised) if promised.arrival == Arrival::Link => Ok(promised),
        Some(_) => Err(ApiError::LinkInvalid),
        None if state.store.upload_existing(&[id]).await?.is_empty() => Err(ApiError::FileGone),
        None => Err(ApiError::UploadAlreadyReceived),
    }
}

async fn receive(
    state: &ApiState,
    promised: &Incoming,
    lock: UploadLock,
    body: Body,
) -> Result<u64, ApiError> {
    let max_bytes = state.images.max_bytes;
    let too_large = |error| match error {
        BodyError::TooLarge(max_bytes) => ImageError::TooManyBytes { max_bytes }.into(),
        other => ApiError::from(other),
    };
    let meter = Meter {
        bytes: promised.bytes.unwrap_or(max_bytes),
        idle: Some(state.limits.upload_idle),
        total: state.limits.upload_total,
    };
    let body = MeteredBody::new(body, meter).map_err(too_large)?;
    let mut body = body.counted(&state.metrics.requests);
    let inbox = state.inbox.clone();
    let mut writer = FileWriter::new(blocking(move || inbox.stage()).await?, &state.bodies);
    let mut received = 0;
    while let Some(chunk) = next(&mut body, &lock.release_requested)
        .await?
        .map_err(too_large)?
    {
        received += chunk.len() as u64;
        writer.write(&chunk).await?;
    }
    if received == 0 {
        return Err(ImageError::Empty.into());
    }
    if promised.bytes.is_some_and(|bytes| bytes != received) {
        return Err(ApiError::BodyIncomplete);
    }
    let staged = writer.finish().await?;
    let kept = blocking(move || lock.keep(staged)).await?;
    if kept {
        Ok(received)
    } else {
        Err(ApiError::UploadAlreadyReceived)
    }
}

type Chunk = Result<Option<bytes::Bytes>, BodyError>;

/// The next bytes, unless somebody else wants to send the same upload.
pub(in crate::http) async fn next(
    body: &mut MeteredBody,
    release_requested: &CancellationToken,
) -> Result<Chunk, ApiError> {
    tokio::select! {
        biased;
        () = release_requested.cancelled() => Err(ApiError::UploadTakenOver),
        chunk = body.next() => Ok(chunk),
    }
}
