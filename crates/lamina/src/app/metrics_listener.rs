//! Wires what a scraper sees, and the listener of its own on which it is served.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::StartError;
use crate::http::{self, ApiState, BodyBudget, ConnectionLimits, Scrape};
use crate::metrics::RequestMetrics;

/// `/metrics` over this service; `data` is the folder of its database.
pub(super) fn router(state: Arc<ApiState>, data: &Path) -> Router {
    // A database beside the program has no folder in its path.
    let data = if data.as_os_str().is_empty() {
        Path::new(".")
    } else {
        data
    };
    http::metrics_router(Scrape {
        state,
        data: data.to_owned(),
    })
}

/// Binds the listener that was asked for, if one was.
pub(super) async fn listen(address: Option<SocketAddr>) -> Result<Option<TcpListener>, StartError> {
    let Some(address) = address else {
        return Ok(None);
    };
    let listener = TcpListener::bind(address)
        .await
        .map_err(|error| StartError::ListenMetrics { address, error })?;
    let bound = listener.local_addr().unwrap_or(address);
    tracing::info!(address = %bound, "metrics are served on http://{bound}/metrics");
    Ok(Some(listener))
}

/// Serves until `stop`; at once where there is no listener.
pub(super) async fn serve(listener: Option<TcpListener>, router: Router, stop: CancellationToken) {
    let Some(listener) = listener else { return };
    // Scrapers are few, and whoever asks during the end of the process can ask the next one.
    let limits = ConnectionLimits {
        connections: 32,
        drain: Duration::from_secs(1),
        ..ConnectionLimits::default()
    };
    // A question has no body.
    let bodies = BodyBudget::new(0);
    // They are not counted themselves.
    let metrics = RequestMetrics::default();
    http::serve(listener, router, limits, bodies, metrics, stop).await;
}
