//! `POST /hooks/fal/{job_id}/{nonce}`: fal says that a request is done. A webhook is a hint, never
//! the truth: all it can do is tie a request id to a submission whose answer was lost, and make
//! the worker ask the queue now instead of later. So a forged, repeated, early or late one does no
//! harm.
//!
//! A webhook for a job or nonce that is not known is answered 200 like any other: the job may have
//! been deleted meanwhile, fal would deliver again for two hours, and nobody learns which exist.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use fal_queue::webhook::{WebhookBody, WebhookError};
use serde::Serialize;

use super::body::{Meter, MeteredBody};
use super::edge::Edge;
use super::error::ApiError;
use super::json::fresh;
use super::path::Segments;
use super::problem::Problem;
use crate::jobs::{JobId, Nonce, RequestId};

/// Request ids are UUIDs today; what is much longer is none.
const LONGEST_REQUEST_ID: usize = 256;

/// The webhook arrived.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct Received {
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
        (status = 400, description = "`invalid_json` or `body_incomplete`", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "`webhook_unsigned`", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "`webhook_signature_invalid`", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "`route_not_found`: not an address that the server makes", body = Problem, content_type = "application/problem+json"),
        (status = 408, description = "`request_timeout`", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "`body_too_large`", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`storage_unavailable` or `webhook_keys_unavailable`; deliver again", body = Problem, content_type = "application/problem+json"),
    ),
    security(())
)]
pub(super) async fn fal_webhook(
    State(edge): State<Arc<Edge>>,
    Segments((job, nonce)): Segments<(String, String)>,
    request: Request,
) -> Result<Response, ApiError> {
    let job: JobId = job.parse().map_err(|_| ApiError::RouteNotFound)?;
    let nonce: Nonce = nonce.parse().map_err(|_| ApiError::RouteNotFound)?;
    let (parts, body) = request.into_parts();
    let body = receive(&edge, body).await?;
    verify(&edge, &parts.headers, &body).await?;
    let request = request_id(&body)?;
    let now = edge.clock.now();
    edge.store
        .submission_adopt(job, &nonce, &request, now)
        .await?;
    edge.store.job_wake(job, &nonce, now).await?;
    fresh(StatusCode::OK, &Received { received: true })
}

/// The raw body: the signature is over its bytes.
async fn receive(edge: &Edge, body: Body) -> Result<Bytes, ApiError> {
    let meter = Meter {
        bytes: edge.limits.webhook_bytes,
        idle: None,
        total: edge.limits.json_total,
    };
    Ok(MeteredBody::new(body, meter)?.whole().await?)
}

/// Without a verifier the nonce alone is the proof: it is a secret that only fal was told.
async fn verify(edge: &Edge, headers: &HeaderMap, body: &[u8]) -> Result<(), ApiError> {
    let Some(verifier) = &edge.webhooks else {
        return Ok(());
    };
    let now = edge.clock.wall().as_secs();
    match verifier.verify(headers, body, now).await {
        Ok(_) => Ok(()),
        Err(WebhookError::Header(_)) => Err(ApiError::WebhookUnsigned),
        Err(WebhookError::Stale(_) | WebhookError::Forged) => {
            Err(ApiError::WebhookSignatureInvalid)
        }
        Err(WebhookError::KeysUnavailable(cause)) => Err(ApiError::WebhookKeysUnavailable(cause)),
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
