//! The HTTP edge: requests to jobs, jobs to answers.
//!
//! Handlers extract, make one or two calls and answer. Nothing here calls an engine, fetches a
//! URL, holds SQL or decodes a picture itself. Statuses and public texts are in `error` alone;
//! axum's types stay below this module. Every wait on a stranger ends by a limit of `limits`.

mod admin;
mod admission;
mod answers;
mod auth;
mod body;
mod browser;
mod connection;
mod cors;
mod create;
mod edge;
mod error;
mod files;
mod health;
mod hooks;
mod intake;
mod job_view;
mod jobs;
mod json;
mod keys;
mod limits;
mod observe;
mod openapi;
mod origin;
mod page;
mod path;
mod picture;
mod problem;
mod query;
mod range;
mod rate;
mod readiness;
mod scrape;
mod serve;
mod spool;
mod uploads;

use std::sync::Arc;

use axum::Router;
use axum::extract::FromRef;
use axum::http::HeaderValue;
use axum::http::header::X_CONTENT_TYPE_OPTIONS;
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::set_header::SetResponseHeaderLayer;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use admin::{AdminDesk, Reply};
pub use edge::{CorsOrigins, Edge, Engines, HostNames};
pub use error::ApiError;
pub use keys::{ApiKeys, KeyRules};
pub use limits::{ConnectionLimits, EdgeLimits};
pub use readiness::{Checks, Part, WorkerPulse};
pub use scrape::{Scrape, metrics_router};
pub use serve::serve;

use crate::metrics::RequestMetrics;
use answers::Answers;
use intake::Intake;
use readiness::Readiness;

/// What handlers can ask for.
#[derive(Clone, FromRef)]
struct Desk {
    edge: Arc<Edge>,
    intake: Intake,
    readiness: Readiness,
    answers: Arc<Answers>,
}

/// All routes and layers over `edge`.
pub fn router(edge: Edge) -> Router {
    let edge = Arc::new(edge);
    let (parts, _) = parts();
    // The answer to a wrong method is set before the layers, so that it gets them as well.
    let mut api = parts
        .api
        .method_not_allowed_fallback(wrong_method)
        .route_layer(from_fn_with_state(Arc::clone(&edge), auth::authenticate));
    if let Some(cors) = cors::for_api(&edge.cors) {
        api = api.layer(cors);
    }
    let files = parts
        .files
        .method_not_allowed_fallback(wrong_method)
        .layer(cors::for_files());
    let open = parts
        .open
        .route("/", get(page::page))
        .route("/openapi.json", get(page::openapi_json))
        .method_not_allowed_fallback(wrong_method);
    let admin = admin::guarded(parts.admin, Arc::new(admin_desk(&edge)));
    let desk = Desk {
        intake: Intake::new(&edge.limits),
        readiness: Readiness::default(),
        answers: Arc::new(Answers::new()),
        edge,
    };
    let requests = desk.edge.metrics.requests.clone();
    let routes = api.merge(files).merge(open).fallback(no_route);
    layered(routes.with_state(desk).merge(admin), requests)
}

fn admin_desk(edge: &Edge) -> AdminDesk {
    AdminDesk {
        store: Arc::clone(&edge.store),
        keys: edge.keys.clone(),
        clock: Arc::clone(&edge.clock),
        daily_microusd: edge.daily_microusd,
        public_url: edge.public_url.clone(),
    }
}

/// What every answer passes, from the inside out.
fn layered(routes: Router, requests: RequestMetrics) -> Router {
    routes
        .layer(CatchPanicLayer::custom(observe::panicked))
        .layer(SetResponseHeaderLayer::overriding(
            X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ))
        .layer(from_fn_with_state(requests, observe::observe))
}

/// The routes by who may use them.
struct Parts {
    /// Whoever authenticated.
    api: Router<Desk>,
    /// The operator.
    admin: Router<Arc<AdminDesk>>,
    /// Whoever has a link.
    files: Router<Desk>,
    /// Everybody.
    open: Router<Desk>,
}

/// The routes and their description, registered together so that they cannot drift apart.
fn parts() -> (Parts, OpenApi) {
    let (api, api_doc) = OpenApiRouter::with_openapi(openapi::base())
        .routes(routes!(create::create_job, jobs::list_jobs))
        .routes(routes!(jobs::get_job, jobs::delete_job))
        .routes(routes!(jobs::get_layers))
        .routes(routes!(uploads::upload))
        .split_for_parts();
    let (admin, admin_doc) = admin::routes().split_for_parts();
    let (files, files_doc) = OpenApiRouter::new()
        .routes(routes!(files::get_file))
        .split_for_parts();
    let (open, open_doc) = OpenApiRouter::new()
        .routes(routes!(hooks::fal_webhook))
        .routes(routes!(health::healthz))
        .routes(routes!(health::readyz))
        .split_for_parts();
    let doc = api_doc.merge_from(admin_doc).merge_from(files_doc);
    let parts = Parts {
        api,
        admin,
        files,
        open,
    };
    (parts, doc.merge_from(open_doc))
}

async fn no_route() -> ApiError {
    ApiError::RouteNotFound
}

async fn wrong_method() -> ApiError {
    ApiError::MethodNotAllowed
}

#[cfg(test)]
mod tests;
