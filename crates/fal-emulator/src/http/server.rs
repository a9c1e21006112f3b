//! The listener's loop: plain HTTP/1.1, one task per connection, all of them gone when the emulator
//! stops. An answer marked with `Hangup` closes its connection without a byte.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep_until};
use tower::ServiceExt as _;

use super::answer::Hangup;
use crate::shared::Shared;

/// Accepts until the emulator stops.
pub(crate) async fn serve(shared: Arc<Shared>, listener: TcpListener, router: Router) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // It fails for reasons that pass, such as no descriptors: no reason to spin, or to end.
            sleep_until(Instant::now() + Duration::from_millis(10)).await;
            continue;
        };
        shared.spawn(connection(stream, router.clone()));
    }
}

async fn connection(stream: TcpStream, router: Router) {
    // Small answers would otherwise wait for the peer's delayed acknowledgement.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request: Request<Incoming>| {
        let router = router.clone();
        async move {
            let answer = match router.oneshot(request.map(axum::body::Body::new)).await {
                Ok(answer) => answer,
                Err(never) => match never {},
            };
            if answer.extensions().get::<Hangup>().is_some() {
                return Err(io::Error::from(io::ErrorKind::ConnectionAborted));
            }
            Ok(answer)
        }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        // A client may keep an idle connection for as long as it likes: closing it under a request
        // would be a fault that nobody scripted.
        .header_read_timeout(None)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "a connection ended early");
    }
}
