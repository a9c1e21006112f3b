//! `/api/uploads`: a ticket to send a picture without a key, straight to where it is kept, and what
//! became of an upload. Nothing is looked at here; `verify` does that when the upload is used.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use image_intake::ImageError;
use serde::Serialize;

use super::direct::UploadView;
use super::verify;
use crate::blobs::{Link, PutTerms};
use crate::disk::Need;
use crate::http::answer::error::ApiError;
use crate::http::answer::json::{fresh, require_json};
use crate::http::extract::caller::Caller;
use crate::http::extract::path::Segments;
use crate::http::extract::public_base::PublicBase;
use crate::http::receive::body::{Meter, MeteredBody};
use crate::http::state::ApiState;
use crate::jobs::{TicketSpec, UnixMs, UploadId};
use crate::store::{Arrival, Incoming};

/// Two short fields fit many times.
const BODY_BYTES: u64 = 16 << 10;

/// A right to send one picture.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Ticket)]
pub(in crate::http) struct TicketView {
    /// Give it as `upload_id` on `POST /api/jobs` once the picture was sent.
    #[schema(value_type = uuid::Uuid)]
    upload_id: UploadId,
    /// Always `PUT`.
    #[schema(example = "PUT")]
    method: &'static str,
    /// Where to send the file itself, as it is, without a key.
    #[schema(format = "uri")]
    url: String,
    /// Headers to send with it, exactly.
    headers: BTreeMap<&'static str, String>,
    /// The largest file that is taken.
    max_bytes: u64,
    /// Until when it can be sent and used.
    #[schema(value_type = String, format = DateTime)]
    expires_at: UnixMs,
}

/// What became of an upload.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(in crate::http) struct UploadStatus {
    #[schema(value_type = uuid::Uuid)]
    upload_id: UploadId,
    status: UploadState,
    /// Bytes that have arrived, until it is checked; null where only the bucket knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    received_bytes: Option<u64>,
    /// When it goes.
    #[schema(value_type = String, format = DateTime)]
    expires_at: UnixMs,
    /// The stored picture, once it is checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    upload: Option<UploadView>,
}

/// How far an upload is.
#[derive(Clone, Copy, Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
enum UploadState {
    /// Not there as a whole.
    Pending,
    /// There, and not looked at yet; the job that uses it does.
    Received,
    /// Looked at and stored.
    Checked,
}

/// A ticket for one direct upload: a presigned link of the bucket, or a link of the server.
#[utoipa::path(
    post,
    path = "/api/uploads",
    tag = "uploads",
    operation_id = "create_ticket",
    request_body(content = crate::http::routes::openapi::CreateTicket, content_type = "application/json"),
    responses(
        (status = 201, description = "The ticket", body = TicketView),
        (status = 400, description = "`invalid_json`, `body_incomplete` or `content_encoding_invalid`"),
        (status = 401, description = "`unauthorized`"),
        (status = 429, description = "`rate_limited`, with `Retry-After`"),
        (status = 403, description = "`origin_not_allowed`"),
        (status = 408, description = "`request_timeout`"),
        (status = 413, description = "`body_too_large` or `image_too_many_bytes`"),
        (status = 415, description = "`unsupported_media_type` or `content_encoding_unsupported`"),
        (status = 421, description = "`host_not_allowed`"),
        (status = 422, description = "`invalid_fields`"),
        (status = 503, description = "`storage_unavailable`, with `Retry-After`"),
        (status = 507, description = "`storage_full` (with `Retry-After`), `storage_quota_exceeded` or `storage_limit_reached`"),
    )
)]
pub(in crate::http) async fn create_ticket(
    State(state): State<Arc<ApiState>>,
    Caller(owner): Caller,
    base: PublicBase,
    request: Request,
) -> Result<Response, ApiError> {
    let (parts, body) = request.into_parts();
    require_json(&parts.headers)?;
    let spec = parse(&state, body).await?;
    let _room = state.space.room(spec.bytes.unwrap_or(0), Need::New)?;
    let now = state.clock.wall();
    let id = UploadId::new(now);
    let expires_at = now.plus(state.limits.ticket_ttl.min(state.upload_ttl));
    let terms = PutTerms {
        content_type: spec.content_type,
        bytes: spec.bytes,
    };
    let link = state.links.put(id, &terms, now, expires_at);
    let promised = Incoming {
        id,
        owner,
        arrival: match link {
            Link::Served(_) => Arrival::Link,
            Link::Direct(_) => Arrival::Bucket,
        },
        bytes: spec.bytes,
        // The bucket tells nobody what is put into it.
        reserved: match (spec.bytes, &link) {
            (Some(bytes), _) => bytes,
            (None, Link::Direct(_)) => state.images.max_bytes,
            (None, Link::Served(_)) => 0,
        },
        metadata: None,
        created_at: now,
        expires_at,
    };
    state.store.incoming_create(promised).await?;
    let ticket = TicketView {
        upload_id: id,
        method: "PUT",
        url: base.absolute(&link),
        headers: terms.headers().collect(),
        max_bytes: spec.bytes.unwrap_or(state.images.max_bytes),
        expires_at,
    };
    fresh(StatusCode::CREATED, &ticket)
}

/// How far an upload is.
#[utoipa::path(
    get,
    path = "/api/uploads/{id}",
    tag = "uploads",
    operation_id = "get_upload",
    params(("id" = uuid::Uuid, Path, description = "The upload's id")),
    responses(
        (status = 200, description = "How far it is", body = UploadStatus),
        (status = 401, description = "`unauthorized`"),
        (status = 429, description = "`rate_limited`, with `Retry-After`"),
        (status = 404, description = "`upload_missing`"),
        (status = 421, description = "`host_not_allowed`"),
        (status = 503, description = "`storage_unavailable`, with `Retry-After`"),
    )
)]
pub(in crate::http) async fn get_upload(
    State(state): State<Arc<ApiState>>,
    Caller(owner): Caller,
    Segments(id): Segments<String>,
    base: PublicBase,
) -> Result<Response, ApiError> {
    let id: UploadId = id.parse().map_err(|_| ApiError::UploadMissing)?;
    let now = state.ends_by();
    if let Some(record) = state.store.upload_get(&owner, id, now).await? {
        let status = UploadStatus {
            upload_id: id,
            status: UploadState::Checked,
            received_bytes: None,
            expires_at: record.expires_at,
            upload: Some(UploadView::of(
                &state,
                &base,
                id,
                record.info,
                record.expires_at,
            )),
        };
        return fresh(StatusCode::OK, &status);
    }
    let promised = verify::own(&state, &owner, id)
        .await?
        .ok_or(ApiError::UploadMissing)?;
    let arrived = verify::arrived(&state, &promised).await?;
    let status = UploadStatus {
        upload_id: id,
        status: if arrived.is_whole {
            UploadState::Received
        } else {
            UploadState::Pending
        },
        received_bytes: arrived.bytes,
        expires_at: promised.expires_at,
        upload: None,
    };
    fresh(StatusCode::OK, &status)
}

async fn parse(state: &ApiState, body: Body) -> Result<TicketSpec, ApiError> {
    let meter = Meter {
        bytes: BODY_BYTES,
        idle: None,
        total: state.limits.json_total,
    };
    let body = MeteredBody::new(body, meter)?.whole(&state.bodies).await?;
    let spec = TicketSpec::parse(&body)?;
    let max_bytes = state.images.max_bytes;
    if spec.bytes.is_some_and(|bytes| bytes > max_bytes) {
        return Err(ImageError::TooManyBytes { max_bytes }.into());
    }
    Ok(spec)
}
