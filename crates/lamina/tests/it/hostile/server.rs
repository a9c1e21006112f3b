//! A host that means no good to whoever fetches from it.

use std::convert::Infallible;

use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::http::{Response, StatusCode};
use axum::routing::get;
use bytes::Bytes;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub(super) struct Server {
    pub(super) base: String,
    serving: JoinHandle<()>,
}

impl Server {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let routes = routes();
        let serving = tokio::spawn(async move {
            axum::serve(listener, routes).await.unwrap();
        });
        Self { base, serving }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn to(location: &str) -> Response<Body> {
    let answer = Response::builder().status(StatusCode::FOUND);
    answer
        .header("location", location)
        .body(Body::empty())
        .unwrap()
}

/// A body that goes on for ever.
fn endless() -> Body {
    let chunk = Bytes::from(vec![0; 64 << 10]);
    let chunks = futures_util::stream::repeat_with(move || Ok::<_, Infallible>(chunk.clone()));
    Body::from_stream(chunks)
}

fn routes() -> Router {
    let picture = || {
        let huge = super::pictures::all();
        let huge = huge.into_iter().find(|file| file.name == "60,000 x 60,000");
        huge.unwrap().bytes
    };
    Router::new()
        .route("/inside", get(|| async { to("http://10.0.0.1/x.png") }))
        .route("/to-file", get(|| async { to("file:///etc/passwd") }))
        .route("/circle", get(|| async { to("/circle") }))
        .route("/nowhere", get(|| async { StatusCode::FOUND }))
        .route(
            "/steps/{left}",
            get(|Path(left): Path<u32>| async move { to(&format!("/steps/{}", left - 1)) }),
        )
        .route(
            "/gzip",
            get(|| async { ([("content-encoding", "gzip")], vec![0x1F, 0x8B, 8, 0]) }),
        )
        .route("/endless", get(|| async { endless() }))
        .route(
            "/declared",
            get(|| async {
                let answer = Response::builder().header("content-length", 1_u64 << 40);
                answer.body(endless()).unwrap()
            }),
        )
        .route("/page", get(|| async { "<!doctype html><p>no picture" }))
        .route("/nought", get(|| async {}))
        .route("/huge.png", get(move || async move { picture() }))
}
