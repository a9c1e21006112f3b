//! `POST /hooks/fal/{job_id}/{nonce}`: fal says that a request is done. A webhook is a hint, never
//! the truth: all it can do is tie a request id to a submission whose answer was lost, and make
//! the worker ask now instead of later, for the result before the status. So a forged, repeated,
//! early or late one does no harm.
//!
//! A webhook for a job or nonce that is not known is answered 200 like any other: the job may have
//! been deleted meanwhile, fal would deliver again for two hours, and nobody learns which exist.
//!
//! Anybody may knock here, so what costs nothing is looked at first: the headers, then the row, and
//! only then the body, which is kept only where a submission waits for it.

use std::sync::Arc;

use aws_lc_rs::digest;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use fal_queue::webhook::{SignedHeaders, Verifier, WebhookBody, WebhookError};
use serde::Serialize;

use crate::http::answer::error::ApiError;
use crate::http::answer::json::fresh;
use crate::http::extract::path::Segments;
use crate::http::receive::body::{Meter, MeteredBody};
use crate::http::state::ApiState;
use crate::jobs::{JobId, Nonce, RequestId};

/// Request ids are UUIDs today; what is much longer is none.
const LONGEST_REQUEST_ID: usize = 256;

/// The webhook arrived.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(in crate::http) struct Received {
    /// Always true.
    received: bool,
}

/// For fal: a request is done. The address is made by the server for each submission.
#[utoipa::path(
    post,
    path = "/hooks/fal/{job_id}/{nonce}",
    tag = "webhooks",
    operation_id = "fal_webhook",
    params(
        ("job_id" = uuid::Uuid, Path, description = "The job"),
        ("nonce" = String, Path, description = "Ties it to one submission"),
    ),
    request_body(content = Object, content_type = "application/json"),
    responses(
        (status = 200, description = "Received, whether or not anything came of it", body = Received),
        (status = 400, description = "`invalid_json` or `body_incomplete`"),
        (status = 401, description = "`webhook_unsigned`"),
        (status = 403, description = "`webhook_signature_invalid`"),
        (status = 404, description = "`route_not_found`: not an address that the server makes"),
        (status = 408, description = "`request_timeout`"),
        (status = 413, description = "`body_too_large`"),
        (status = 503, description = "`server_busy`, `storage_unavailable` or `webhook_keys_unavailable`; deliver again"),
    ),
    security(())
)]
pub(in crate::http) async fn fal_webhook(
    State(state): State<Arc<ApiState>>,
    Segments((job, nonce)): Segments<(String, String)>,
    request: Request,
) -> Result<Response, ApiError> {
    let job: JobId = job.parse().map_err(|_| ApiError::RouteNotFound)?;
    let nonce: Nonce = nonce.parse().map_err(|_| ApiError::RouteNotFound)?;
    let (parts, body) = request.into_parts();
    let signed = signed_headers(&state, &parts.headers)?;
    let received = if state.store.submission_exists(job, &nonce).await? {
        receive(&state, body).await?
    } else {
        receive_of_stranger(&state, body).await?
    };
    if let Some((verifier, signed)) = signed {
        let now = state.clock.wall().as_secs();
        let verified = verifier.verify_digest(signed, &received.sha256, now).await;
        verified.map_err(refusal)?;
    }
    if let Some(body) = received.body {
        let request = request_id(&body)?;
        let moment = state.clock.moment();
        let store = &state.store;
        store
            .submission_called_back(job, &nonce, &request, moment)
            .await?;
    }
    fresh(StatusCode::OK, &Received { received: true })
}

/// The body of a webhook, as far as it is kept. The signature is over its bytes.
struct ReceivedBody {
    sha256: [u8; 32],
    /// Absent where nothing could come of it.
    body: Option<Bytes>,
}

/// What the signature needs of the headers; `None` without a verifier. Then the nonce alone is the
/// proof: it is a secret that only fal was told.
fn signed_headers<'a>(
    state: &'a ApiState,
    headers: &HeaderMap,
) -> Result<Option<(&'a Verifier, SignedHeaders)>, ApiError> {
    let Some(verifier) = &state.webhooks else {
        return Ok(None);
    };
    let signed = SignedHeaders::read(headers, state.clock.wall().as_secs()).map_err(refusal)?;
    Ok(Some((verifier, signed)))
}

/// The body of a webhook for a submission that there is; only fal knows its nonce.
async fn receive(state: &ApiState, body: Body) -> Result<ReceivedBody, ApiError> {
    let meter = meter(state, state.limits.webhook_bytes);
    let body = MeteredBody::new(body, meter)?.whole(&state.bodies).await?;
    Ok(ReceivedBody {
        sha256: sha256(digest::digest(&digest::SHA256, &body)),
        body: Some(body),
    })
}

/// Anybody can send one for a submission that does not exist: it is hashed as it comes, and no byte
/// of it is kept.
async fn receive_of_stranger(state: &ApiState, body: Body) -> Result<ReceivedBody, ApiError> {
    let meter = meter(state, state.limits.stranger_webhook_bytes);
    let mut body = MeteredBody::new(body, meter)?;
    let mut context = digest::Context::new(&digest::SHA256);
    while let Some(chunk) = body.next().await? {
        context.update(&chunk);
    }
    Ok(ReceivedBody {
        sha256: sha256(context.finish()),
        body: None,
    })
}

fn meter(state: &ApiState, bytes: u64) -> Meter {
    Meter {
        bytes,
        idle: None,
        total: state.limits.json_total,
    }
}

fn sha256(digest: digest::Digest) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest.as_ref());
    bytes
}

fn refusal(error: WebhookError) -> ApiError {
    match error {
        WebhookError::Header(_) => ApiError::WebhookUnsigned,
        WebhookError::Stale(_) | WebhookError::Forged => ApiError::WebhookSignatureInvalid,
        WebhookError::KeysUnavailable(cause) => ApiError::WebhookKeysUnavailable(cause),
    }
}

fn request_id(body: &[u8]) -> Result<RequestId, ApiError> {
    let body =
        WebhookBody::parse(body).map_err(|error| ApiError::InvalidJson(error.to_string()))?;
    let known = (1..=LONGEST_REQUEST_ID).contains(&body.request_id.len());
    if known {
        Ok(RequestId(body.request_id))
    } else {
        Err(ApiError::InvalidJson(
            "request_id is empty or too long".to_owned(),
        ))
    }
}
