//! Accepts connections until it is told to stop, and then lets running requests finish. axum's own
//! loop sets no timer, so that a client which sends half a header would keep its connection for
//! ever; here every connection has an end (see `connection`). It makes no listener and hears no
//! signal: both are `app/`'s.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::connection::{self, Place, Places};
use super::edge::Edge;
use crate::http::state::body_budget::BodyBudget;
use crate::http::state::limits::ConnectionLimits;
use crate::metrics::RequestMetrics;

/// How long to leave the listener alone when the process has no descriptor left.
const OUT_OF_DESCRIPTORS: Duration = Duration::from_millis(100);

/// Serves `edge` on `listener` until `stop` is cancelled. Then the listener is closed, idle
/// connections end at once, and requests that run have `limits.drain` to finish. Returns when no
/// connection is left. `bodies` is the memory that HTTP/2 may take for what was sent and not read.
pub async fn serve(
    listener: TcpListener,
    edge: impl Into<Edge>,
    limits: ConnectionLimits,
    bodies: BodyBudget,
    metrics: RequestMetrics,
    stop: CancellationToken,
) {
    let edge = edge.into();
    let places = Places::new(limits.connections);
    let limits = Arc::new(limits);
    let (connections, kill) = (TaskTracker::new(), CancellationToken::new());
    loop {
        let accepted = stop.run_until_cancelled(accept(&listener, &places));
        let Some((socket, place)) = accepted.await else {
            break;
        };
        let (edge, limits, bodies) = (edge.clone(), Arc::clone(&limits), bodies.clone());
        let (stop, kill) = (stop.clone(), kill.clone());
        let open = metrics.connection();
        connections.spawn(async move {
            tokio::select! {
                () = connection::run(socket, edge, &place, &limits, &bodies, &stop) => {}
                () = kill.cancelled() => {}
            }
            drop((open, place));
        });
    }
    drop(listener);
    connections.close();
    if timeout(limits.drain, connections.wait()).await.is_err() {
        tracing::warn!(
            connections = connections.len(),
            "requests did not finish within the grace time and are cut off"
        );
        kill.cancel();
        connections.wait().await;
    }
}

/// The next connection and its place; see [`Places::enter`].
async fn accept(listener: &TcpListener, places: &Places) -> (TcpStream, Place) {
    let mut complained = false;
    loop {
        match listener.accept().await {
            Ok((socket, _)) => return (socket, places.enter().await),
            // The client was gone before it was accepted.
            Err(error) if is_the_clients(error.kind()) => {}
            // Out of descriptors or memory: asking again at once would only spin. Connections
            // that end give theirs back, and an idle one is made to.
            Err(error) => {
                places.evict_idle();
                if !complained {
                    complained = true;
                    tracing::warn!(%error, "no connection can be accepted");
                }
                sleep_until(Instant::now() + OUT_OF_DESCRIPTORS).await;
            }
        }
    }
}

fn is_the_clients(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::ConnectionRefused
            | ErrorKind::ConnectionAborted
            | ErrorKind::ConnectionReset
            | ErrorKind::Interrupted
    )
}
