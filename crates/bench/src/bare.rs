//! The baseline of requests: axum with one route and nothing else. It reads a body to its end, or
//! answers bytes it was given; it parses, checks and stores nothing.

use std::net::SocketAddr;

use anyhow::Context as _;
use axum::Router;
use axum::body::Bytes;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::stage::Stage;

/// Where both routes are.
pub(crate) const PATH: &str = "/bare";

/// The running server; ends when dropped.
pub(crate) struct Bare {
    pub(crate) address: SocketAddr,
    server: JoinHandle<()>,
}

impl Bare {
    /// Serves GET with `answer`, and POST with 202 after the body.
    pub(crate) fn start(stage: &Stage, answer: Vec<u8>) -> anyhow::Result<Self> {
        let answer = Bytes::from(answer);
        let read = move || async move { ([(CONTENT_TYPE, "application/json")], answer) };
        let take = |body: Bytes| async move {
            if body.is_empty() {
                StatusCode::BAD_REQUEST
            } else {
                StatusCode::ACCEPTED
            }
        };
        let routes = Router::new()
            .route(PATH, get(read).post(take))
            .layer(DefaultBodyLimit::max(16 << 20));
        let listener = stage.service.block_on(TcpListener::bind("127.0.0.1:0"))?;
        let address = listener.local_addr().context("no address")?;
        let server = stage.service.spawn(async move {
            // It ends with the task; an error here shows as failing requests.
            let _ = axum::serve(listener, routes).await;
        });
        Ok(Self { address, server })
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        self.server.abort();
    }
}
