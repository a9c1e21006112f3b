//! The HTTP edge: requests to jobs, jobs to answers.
//!
//! Handlers extract, make one or two calls and answer. Nothing here calls an engine, fetches a
//! URL, holds SQL or decodes a picture itself. Statuses and public texts are in `error` alone;
//! axum's types stay below this module. Every wait on a stranger ends by a limit of `limits`.

mod answer;
mod extract;
#[cfg(any(test, fuzzing))]
#[path = "../../fuzz/checks/http.rs"]
pub(crate) mod fuzzing;
mod layers;
mod receive;
mod routes;
mod server;
mod state;
#[cfg(any(test, fuzzing))]
mod test_state;

use std::sync::Arc;

use axum::Router;
use axum::extract::FromRef;
use axum::http::HeaderValue;
use axum::http::header::X_CONTENT_TYPE_OPTIONS;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::get;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::set_header::SetResponseHeaderLayer;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use answer::checks::{Checks, Part};
pub use answer::error::ApiError;
pub use routes::admin::{AdminState, Live, Reply};
pub use routes::metrics::{Scrape, metrics_router};
pub use server::accept::serve;
pub use server::edge::Edge;
pub use state::api_keys::{ApiKeys, KeyRules};
pub use state::body_budget::BodyBudget;
pub use state::limits::{ConnectionLimits, RequestLimits};
pub use state::readiness::WorkerPulse;
pub use state::{ApiState, CorsOrigins, Engines, HostNames};

use layers::observe::RequestObserver;
use receive::upload_capacity::UploadCapacity;
use routes::jobs::ready::ReadyAnswers;
use routes::jobs::response_cache::ResponseCache;
use server::edge::AtOnce;
use state::event_places::EventPlaces;
use state::export_places::ExportPlaces;
use state::readiness::Readiness;
use state::variants_under_way::VariantsUnderWay;

/// What handlers can ask for. It is cloned several times for each request, so it is one count.
#[derive(Clone)]
struct AppState(Arc<Given>);

macro_rules! given {
    ($($field:ident: $kind:ty,)*) => {
        struct Given {
            $($field: $kind,)*
        }
        $(impl FromRef<AppState> for $kind {
            fn from_ref(AppState(given): &AppState) -> Self {
                given.$field.clone()
            }
        })*
    };
}
given! {
    state: Arc<ApiState>,
    capacity: UploadCapacity,
    readiness: Readiness,
    cache: Arc<ResponseCache>,
    events: EventPlaces,
    exports: ExportPlaces,
    variants: VariantsUnderWay,
}

/// All routes and layers over `state`, and what is answered before them.
pub fn edge(state: impl Into<Arc<ApiState>>) -> Edge {
    let state = state.into();
    let (parts, _) = parts();
    // The answer to a wrong method is set before the layers, so that it gets them as well.
    let api = parts
        .api
        .method_not_allowed_fallback(wrong_method)
        .route_layer(from_fn(layers::content_encoding::inflate))
        .route_layer(from_fn_with_state(
            Arc::clone(&state),
            layers::auth::authenticate,
        ));
    let tus = parts
        .tus
        .method_not_allowed_fallback(wrong_method)
        .route_layer(from_fn(layers::content_encoding::refuse))
        .route_layer(from_fn(routes::uploads::tus::same_version))
        .route_layer(from_fn_with_state(
            Arc::clone(&state),
            layers::auth::authenticate,
        ));
    let tus = for_origins(tus, &state.cors);
    let tus = tus.layer(from_fn_with_state(
        Arc::clone(&state),
        routes::uploads::tus::announce,
    ));
    let files = parts
        .files
        .method_not_allowed_fallback(wrong_method)
        .route_layer(from_fn(layers::content_encoding::inflate))
        .layer(from_fn(layers::repeated_headers::refuse_repeated))
        .layer(CatchPanicLayer::custom(layers::observe::panicked));
    let files = layers::cors::for_files(files);
    let open = parts
        .open
        .merge(routes::page::pages(&state))
        .route("/openapi.json", get(routes::page::openapi_json))
        .method_not_allowed_fallback(wrong_method);
    let api = for_origins(api.merge(open).fallback(no_route), &state.cors);
    let readiness = Readiness::default();
    let admin = routes::admin::guarded(parts.admin, Arc::new(admin_state(&state, &readiness)))
        .layer(from_fn(layers::repeated_headers::refuse_repeated));
    let given = Given {
        capacity: UploadCapacity::new(&state.limits),
        readiness,
        cache: Arc::new(ResponseCache::new()),
        events: EventPlaces::new(&state.limits, &state.metrics.requests),
        exports: ExportPlaces::default(),
        variants: VariantsUnderWay::default(),
        state,
    };
    let observer = RequestObserver {
        metrics: given.state.metrics.requests.clone(),
        tracer: given.state.tracer.clone(),
    };
    let at_once = ReadyAnswers::new(&given.state, &given.cache, &observer).map(|ready| {
        let answer: AtOnce =
            Arc::new(move |method, uri, headers| ready.answer(method, uri, headers));
        answer
    });
    let routes = api.merge(tus).merge(files);
    let routes = layered(
        routes.with_state(AppState(Arc::new(given))).merge(admin),
        observer,
    );
    Edge {
        router: layers::extra_slashes::forgiven(routes),
        at_once,
    }
}

/// The routes, whose every answer the configured origins may read: one to a panic as well.
fn for_origins(routes: Router<AppState>, origins: &CorsOrigins) -> Router<AppState> {
    layers::cors::for_origins(
        routes
            .layer(from_fn(layers::repeated_headers::refuse_repeated))
            .layer(CatchPanicLayer::custom(layers::observe::panicked)),
        origins,
    )
}

fn admin_state(state: &Arc<ApiState>, readiness: &Readiness) -> AdminState {
    AdminState {
        store: Arc::clone(&state.store),
        keys: state.keys.clone(),
        clock: Arc::clone(&state.clock),
        forecast: state.forecast.clone(),
        live: Some(Live {
            state: Arc::clone(state),
            readiness: readiness.clone(),
        }),
        daily_microusd: state.daily_microusd,
        public_url: state.public_url.clone(),
        bodies: state.bodies.clone(),
        metrics: state.metrics.jobs.clone(),
        tracer: state.tracer.clone(),
    }
}

/// What every answer passes, from the inside out.
fn layered(routes: Router, observer: RequestObserver) -> Router {
    routes
        .layer(CatchPanicLayer::custom(layers::observe::panicked))
        .layer(SetResponseHeaderLayer::overriding(
            X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ))
        .layer(from_fn_with_state(observer, layers::observe::observe))
}

/// The routes by who may use them.
struct Parts {
    /// Whoever authenticated.
    api: Router<AppState>,
    /// The operator.
    admin: Router<Arc<AdminState>>,
    /// The same, by the protocol of resumable uploads.
    tus: Router<AppState>,
    /// Whoever has a link.
    files: Router<AppState>,
    /// Everybody.
    open: Router<AppState>,
}

/// The routes and their description, registered together so that they cannot drift apart.
fn parts() -> (Parts, OpenApi) {
    let (api, api_doc) = OpenApiRouter::with_openapi(routes::openapi::base())
        .routes(routes!(
            routes::jobs::create::create_job,
            routes::jobs::read::list_jobs
        ))
        .routes(routes!(
            routes::jobs::read::get_job,
            routes::jobs::delete::delete_job
        ))
        .routes(routes!(routes::jobs::read::get_layers))
        .routes(routes!(
            routes::exports::get_export,
            routes::exports::arrange::export_arranged
        ))
        .routes(routes!(routes::exports::arrange::composite))
        .routes(routes!(routes::events::job_events))
        .routes(routes!(routes::events::all_events))
        .routes(routes!(
            routes::webhooks::get_webhooks,
            routes::webhooks::set_webhooks
        ))
        .routes(routes!(routes::webhooks::rotate_secret))
        .routes(routes!(routes::webhooks::list_deliveries))
        .routes(routes!(routes::webhooks::get_delivery))
        .routes(routes!(routes::webhooks::replay_delivery))
        .routes(routes!(routes::uploads::direct::upload))
        .routes(routes!(routes::uploads::ticket::create_ticket))
        .routes(routes!(routes::uploads::ticket::get_upload))
        .split_for_parts();
    let (tus, tus_doc) = OpenApiRouter::new()
        .routes(routes!(
            routes::uploads::tus::options,
            routes::uploads::tus::create
        ))
        .routes(routes!(
            routes::uploads::tus::offset,
            routes::uploads::tus::patch,
            routes::uploads::tus::end,
            routes::uploads::tus::instead
        ))
        .split_for_parts();
    let (admin, admin_doc) = routes::admin::routes().split_for_parts();
    let (files, files_doc) = OpenApiRouter::new()
        .routes(routes!(
            routes::files::get_file,
            routes::uploads::ticket_put::put_file
        ))
        .routes(routes!(routes::exports::get_export_file))
        .split_for_parts();
    let (open, open_doc) = OpenApiRouter::new()
        .routes(routes!(routes::fal_webhook::fal_webhook))
        .routes(routes!(routes::health::healthz))
        .routes(routes!(routes::health::readyz))
        .split_for_parts();
    let doc = [admin_doc, tus_doc, files_doc, open_doc]
        .into_iter()
        .fold(api_doc, OpenApi::merge_from);
    let parts = Parts {
        api,
        admin,
        tus,
        files,
        open,
    };
    (parts, routes::openapi::with_problems(doc))
}

async fn no_route() -> ApiError {
    ApiError::RouteNotFound
}

async fn wrong_method() -> ApiError {
    ApiError::MethodNotAllowed
}

#[cfg(test)]
mod tests;
