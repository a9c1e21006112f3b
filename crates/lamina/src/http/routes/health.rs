//! `/healthz` and `/readyz`. Healthy means that the process answers; ready means that it can take
//! work (`readiness`). Neither says anything to strangers beyond which part is in trouble.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;

use crate::http::answer::checks::Checks;
use crate::http::answer::error::ApiError;
use crate::http::answer::json::fresh;
use crate::http::state::ApiState;
use crate::http::state::readiness::Readiness;

/// How it is.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(in crate::http) struct Health {
    /// Always `ok`.
    #[schema(example = "ok")]
    status: &'static str,
}

/// It can take work.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(in crate::http) struct Ready {
    /// Always `ready`.
    #[schema(example = "ready")]
    status: &'static str,
    /// How each part is.
    checks: Checks,
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
pub(in crate::http) async fn healthz() -> Result<Response, ApiError> {
    fresh(StatusCode::OK, &Health { status: "ok" })
}

/// The service can take work.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "service",
    operation_id = "ready",
    responses(
        (status = 200, description = "It can", body = Ready),
        (status = 503, description = "`not_ready`: stopping, or a part is in trouble; `checks` says which"),
    ),
    security(())
)]
pub(in crate::http) async fn readyz(
    State(state): State<Arc<ApiState>>,
    State(readiness): State<Readiness>,
) -> Result<Response, ApiError> {
    let checks = readiness.look(&state).await;
    if !checks.ready() {
        return Err(ApiError::NotReady(checks));
    }
    fresh(
        StatusCode::OK,
        &Ready {
            status: "ready",
            checks,
        },
    )
}
