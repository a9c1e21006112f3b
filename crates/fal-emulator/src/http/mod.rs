//! The emulator's HTTP side: one router for the queue, the synchronous host (under `/run`), the
//! REST host, the platform's API (under `/v1`), the CDN, the key set, the proxy convention, and the controls under `/_emulator`.
//!
//! Invariant: everything but the controls, the files and the key set needs a key.

mod answer;
mod call;
mod control;
mod files;
mod history;
mod path;
mod platform;
mod proxy;
mod read;
mod server;
mod storage;
mod stream;
mod submit;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method};
use axum::middleware::{Next, from_fn};
use axum::response::IntoResponse as _;
use axum::routing::get;
use tower_http::cors::{Any, CorsLayer};
use uuid::Uuid;

use self::answer::{Anonymous, Answer, REQUEST_ID};
use self::call::Call;
use self::path::{Place, place};
use crate::failure::Failure;
use crate::shared::Shared;

pub(crate) use server::serve;

/// All routes.
pub(crate) fn router(shared: &Arc<Shared>) -> Router {
    // Apps in a browser call fal directly; they may read the request id.
    let cors = CorsLayer::new()
        .allow_origin(Any)
        .allow_methods(Any)
        .allow_headers(Any)
        .expose_headers(Any);
    Router::new()
        .route("/_emulator/", get(control::summary))
        .nest("/_emulator", control::routes())
        .fallback(fal)
        .layer(from_fn(name_request))
        .layer(cors)
        .with_state(Arc::clone(shared))
}

/// Adds a request id where none was given, and logs the call: method, path and status, nothing that
/// could hold a key, a signature or a picture.
async fn name_request(request: Request, next: Next) -> Answer {
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let mut answered = next.run(request).await;
    tracing::info!(%method, path, status = answered.status().as_u16(), "call");
    let named = answered.headers().contains_key(REQUEST_ID)
        || answered.extensions().get::<Anonymous>().is_some();
    if !named && let Ok(id) = HeaderValue::from_str(&Uuid::now_v7().to_string()) {
        answered.headers_mut().insert(REQUEST_ID, id);
    }
    answered
}

/// Everything that is fal's.
async fn fal(State(shared): State<Arc<Shared>>, mut request: Request<Body>) -> Answer {
    if request.uri().path() == proxy::ROUTE {
        let target = request.headers().get("x-fal-target-url");
        let target = target.and_then(|target| target.to_str().ok());
        let Some(local) = target.and_then(proxy::local) else {
            return answer::json(400, &"Invalid request".into());
        };
        *request.uri_mut() = local;
    }
    let method = request.method().clone();
    let call = match Call::read(request).await {
        Ok(call) => call,
        Err(too_large) => return *too_large,
    };
    let path = call.uri.path().to_owned();
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    match parts[0] {
        ".well-known" => well_known(&shared, &parts),
        "storage" | "files" => {
            rest(&shared, &method, &call, &parts).unwrap_or_else(|failure| failure.into_response())
        }
        "v1" => platform::answer(&shared, &method, &call, &parts),
        "run" => match place(&path["/run".len()..]) {
            Place::Model { app, path } if method == Method::POST => {
                submit::run(&shared, &call, app, path).await
            }
            _ => wrong_method(),
        },
        _ => queue(&shared, &method, &call, place(&path)).await,
    }
}

async fn queue(shared: &Arc<Shared>, method: &Method, call: &Call, place: Place) -> Answer {
    if let (&Method::POST, Place::Model { app, path }) = (method, &place) {
        return submit::submit(shared, call, app.clone(), path.clone()).await;
    }
    if let Err(failure) = call.authorize(&shared.config) {
        return failure.into_response();
    }
    match (method, place) {
        (&Method::GET, Place::Status { app, id }) => read::status(shared, call, &app, &id),
        (&Method::GET, Place::Stream { app, id }) => stream::stream(shared, call, app, &id),
        (&Method::GET, Place::Result { app, id }) => read::result(shared, &app, &id),
        (&Method::PUT, Place::Cancel { app, id }) => read::cancel(shared, &app, &id),
        _ => wrong_method(),
    }
}

fn well_known(shared: &Arc<Shared>, parts: &[&str]) -> Answer {
    match parts {
        [_, "jwks.json"] => answer::json(200, &shared.signing.jwks()),
        _ => nowhere().into_response(),
    }
}

fn rest(
    shared: &Arc<Shared>,
    method: &Method,
    call: &Call,
    parts: &[&str],
) -> Result<Answer, Failure> {
    let number = |text: &str| text.parse::<u64>().map_err(|_| nowhere());
    match (method, parts) {
        (&Method::POST, ["storage", "upload", "initiate"]) => {
            storage::initiate(shared, call, false)
        }
        (&Method::POST, ["storage", "upload", "initiate-multipart"]) => {
            storage::initiate(shared, call, true)
        }
        (&Method::PUT, ["storage", "upload", "single", id]) => storage::put(shared, call, id),
        (&Method::PUT, ["storage", "upload", "multipart", id, part]) => {
            storage::signed(call)?;
            storage::put_part(shared, call, id, number(part)?)
        }
        (&Method::POST, ["storage", "upload", "multipart", id, "complete"]) => {
            storage::signed(call)?;
            storage::complete(shared, call, id)
        }
        (&Method::POST, ["storage", "auth", "token"]) => storage::token(shared, call),
        (&Method::POST, ["files", "upload"]) => storage::cdn_upload(shared, call, false),
        (&Method::POST, ["files", "upload", "multipart"]) => {
            storage::cdn_upload(shared, call, true)
        }
        (&Method::PUT, ["files", "b", _, _, "multipart", id, part]) => {
            storage::put_part(shared, call, id, number(part)?)
        }
        (&Method::POST, ["files", "b", _, _, "multipart", id, "complete"]) => {
            storage::complete(shared, call, id)
        }
        (&Method::GET | &Method::HEAD, ["files", "b", _, _]) => Ok(files::get(shared, call)),
        _ => Err(nowhere()),
    }
}

fn wrong_method() -> Answer {
    Failure::text(405, "Method Not Allowed").into_response()
}

fn nowhere() -> Failure {
    Failure::text(404, "Not Found")
}
