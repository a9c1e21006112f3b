//! A resumable upload's beginning, and what the server understands.

use std::sync::Arc;

use axum::body::HttpBody as _;
use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, LOCATION};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};

use super::checksum::Checksum;
use super::headers::{PART, expires, is_deferred, is_part, length, metadata};
use super::patch::{Part, append};
use crate::http::answer::error::ApiError;
use crate::http::extract::caller::Caller;
use crate::http::extract::tus_headers::UPLOAD_OFFSET;
use crate::http::receive::disk_room;
use crate::http::state::ApiState;
use crate::jobs::UploadId;
use crate::store::{Arrival, Incoming};

/// What the server understands, in `Tus-Version`, `Tus-Extension`, `Tus-Max-Size` and
/// `Tus-Checksum-Algorithm`.
#[utoipa::path(
    options,
    path = "/api/uploads/tus",
    tag = "uploads",
    operation_id = "tus_options",
    responses(
        (status = 204, description = "Without a body"),
        (status = 401, description = "`unauthorized`"),
        (status = 429, description = "`rate_limited`, with `Retry-After`"),
    )
)]
pub(in crate::http) async fn options() -> StatusCode {
    StatusCode::NO_CONTENT
}

/// Begins a resumable upload, with or without its first part.
#[utoipa::path(
    post,
    path = "/api/uploads/tus",
    tag = "uploads",
    operation_id = "tus_create",
    params(
        ("Tus-Resumable" = String, Header, description = "1.0.0"),
        ("Upload-Length" = Option<u64>, Header, description = "Size of the whole"),
        ("Upload-Defer-Length" = Option<u64>, Header, description = "1, when the size is told later"),
        ("Upload-Metadata" = Option<String>, Header, description = "Pairs of a key and a value in base64; given back by HEAD"),
        ("Upload-Checksum" = Option<String>, Header, description = "Of the first part"),
    ),
    responses(
        (status = 201, description = "`Location` is the upload; its last part is the `upload_id`. `Upload-Expires` says when it goes, `Upload-Offset` how much of a first part was taken"),
        (status = 400, description = "`tus_header_invalid`, `upload_checksum_unsupported` or `body_incomplete`"),
        (status = 401, description = "`unauthorized`"),
        (status = 429, description = "`rate_limited`, with `Retry-After`"),
        (status = 403, description = "`origin_not_allowed`"),
        (status = 408, description = "`request_timeout`"),
        (status = 412, description = "`tus_version_unsupported`"),
        (status = 413, description = "`image_too_many_bytes`"),
        (status = 415, description = "`unsupported_media_type` or `content_encoding_unsupported`"),
        (status = 421, description = "`host_not_allowed`"),
        (status = 460, description = "`upload_checksum_mismatch`"),
        (status = 503, description = "`storage_unavailable`, with `Retry-After`"),
        (status = 507, description = "`storage_full` (with `Retry-After`), `storage_quota_exceeded` or `storage_limit_reached`"),
    )
)]
pub(in crate::http) async fn create(
    State(state): State<Arc<ApiState>>,
    Caller(owner): Caller,
    request: Request,
) -> Result<Response, ApiError> {
    let (parts, body) = request.into_parts();
    let has_part = !body.is_end_stream();
    if has_part && !is_part(&parts.headers) {
        return Err(ApiError::UnsupportedMediaType { wanted: PART });
    }
    let bytes = declared(&state, &parts.headers)?;
    // The whole will come, and only what is here of it has to fit now.
    let _room = disk_room::for_body(&state, &body, state.images.max_bytes)?;
    let checksum = Checksum::of(&parts.headers)?;
    // Where the size is told later, each part is counted as it comes.
    let reserved = bytes.unwrap_or(0);
    let now = state.clock.wall();
    let promised = Incoming {
        id: UploadId::new(now),
        owner,
        arrival: Arrival::Resumable,
        bytes,
        reserved,
        metadata: metadata(&parts.headers)?,
        created_at: now,
        expires_at: now.plus(state.upload_ttl),
    };
    state.store.incoming_create(promised.clone()).await?;
    let mut answer = HeaderMap::new();
    if has_part {
        let part = Part {
            offset: 0,
            most: bytes.unwrap_or(state.images.max_bytes),
            checksum,
            body,
        };
        match first(&state, &promised, part).await {
            Ok(offset) => answer.insert(UPLOAD_OFFSET, HeaderValue::from(offset)),
            Err(error) => {
                // Whoever sent it never learns its address.
                state.inbox.erase(promised.id).await?;
                state.store.incoming_forget(promised.id).await?;
                return Err(error);
            }
        };
    }
    if let Ok(location) = HeaderValue::try_from(address(&state, promised.id)) {
        answer.insert(LOCATION, location);
    }
    expires(&mut answer, promised.expires_at);
    answer.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok((StatusCode::CREATED, answer).into_response())
}

async fn first(state: &ApiState, promised: &Incoming, part: Part) -> Result<u64, ApiError> {
    let lock = state.inbox.acquire(promised.id).await?;
    append(state, lock, promised, part).await
}

/// The size of the whole; `None` when it is told later.
fn declared(state: &ApiState, headers: &HeaderMap) -> Result<Option<u64>, ApiError> {
    let (length, deferred) = (length(state, headers)?, is_deferred(headers)?);
    if length.is_some() == deferred {
        return Err(ApiError::TusHeaderInvalid(
            "Send either Upload-Length with the size of the whole, or Upload-Defer-Length: 1"
                .to_owned(),
        ));
    }
    Ok(length)
}

/// Below the host that was asked, unless the service knows its own address.
fn address(state: &ApiState, id: UploadId) -> String {
    let base = state.public_url.as_ref();
    let base = base.map_or("", |url| url.as_str().trim_end_matches('/'));
    format!("{base}/api/uploads/tus/{id}")
}
