//! `/healthz` and `/readyz`. Healthy means that the process answers; ready means that it can take
//! work: not stopping, and both stores answer. Neither says anything to strangers beyond that.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use tokio::sync::Mutex;

use super::edge::Edge;
use super::error::ApiError;
use super::json::fresh;
use super::problem::Problem;

/// How long the blob store's last answer counts; a probe writes, so it is not made for everyone.
const PROBE_COUNTS_FOR: Duration = Duration::from_secs(5);

/// How it is.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct Health {
    /// `ok` or `ready`.
    #[schema(example = "ok")]
    status: &'static str,
}

/// The blob store's last answer.
#[derive(Debug, Default)]
pub(super) struct ProbeCache(Mutex<Option<(Instant, bool)>>);

impl ProbeCache {
    /// Whether the blob store answers. Whoever comes while it is being asked waits for that.
    async fn answers(&self, edge: &Edge) -> bool {
        let mut last = self.0.lock().await;
        if let Some((when, answered)) = *last
            && when.elapsed() < PROBE_COUNTS_FOR
        {
            return answered;
        }
        let probed = edge.blobs.probe().await;
        if let Err(error) = &probed {
            tracing::error!(%error, "the blob store does not answer");
        }
        *last = Some((Instant::now(), probed.is_ok()));
        probed.is_ok()
    }
}

/// The process answers.
#[utoipa::path(
    get,
    path = "/healthz",
    tag = "service",
    operation_id = "health",
    responses((status = 200, description = "It does", body = Health)),
    security(())
)]
pub(super) async fn healthz() -> Result<Response, ApiError> {
    fresh(StatusCode::OK, &Health { status: "ok" })
}

/// The service can take work.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "service",
    operation_id = "ready",
    responses(
        (status = 200, description = "It can", body = Health),
        (status = 503, description = "`not_ready`: stopping, or a store does not answer", body = Problem, content_type = "application/problem+json"),
    ),
    security(())
)]
pub(super) async fn readyz(
    State(edge): State<Arc<Edge>>,
    State(probes): State<Arc<ProbeCache>>,
) -> Result<Response, ApiError> {
    if edge.draining.is_cancelled() {
        return Err(ApiError::NotReady("the server is stopping"));
    }
    if let Err(error) = edge.store.ping().await {
        tracing::error!(%error, "the database does not answer");
        return Err(ApiError::NotReady("the database does not answer"));
    }
    if !probes.answers(&edge).await {
        return Err(ApiError::NotReady("the blob store does not answer"));
    }
    fresh(StatusCode::OK, &Health { status: "ready" })
}
