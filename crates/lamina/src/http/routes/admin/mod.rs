//! `/api/admin`: what an operator may see and do. It opens for `ADMIN_KEY`, for a key that was made
//! with that right, and for the command line on the same machine; never for nobody, not even where
//! the rest of the API is open, and never for a web page of another origin.
//!
//! It stands on the store alone, so that the command line can use the very same routes over the
//! file of a service that is stopped ([`AdminState::ask`]).

mod alarms;
mod estimates;
mod jobs;
mod keys;
mod overview;
mod query;
pub(in crate::http) mod runbook;
mod stats;
mod who;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;
use url::Url;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::who::Who;
use crate::access::ApiKey;
use crate::clock::Clock;
use crate::forecast::Forecast;
use crate::http::answer::error::ApiError;
use crate::http::extract::caller::Caller;
use crate::http::layers::auth::{bearer, unauthorized};
use crate::http::layers::browser_origin::refuse_other_origins;
use crate::http::layers::content_encoding::inflate;
use crate::http::receive::body::{Meter, MeteredBody};
use crate::http::state::ApiState;
use crate::http::state::api_keys::{Admission, ApiKeys, KeyRules};
use crate::http::state::body_budget::BodyBudget;
use crate::http::state::limits::RequestLimits;
use crate::http::state::readiness::Readiness;
use crate::http::{no_route, wrong_method};
use crate::jobs::{Fields, ParseError};
use crate::metrics::{ForecastMetrics, JobMetrics};
use crate::store::Store;
use crate::trace::Tracer;

/// Most bytes of a body; an operator sends names and numbers.
const BODY_BYTES: u64 = 16 << 10;

/// What the operator's routes work with.
#[derive(Clone, Debug)]
pub struct AdminState {
    /// Everything.
    pub store: Arc<dyn Store>,
    /// Told of every change.
    pub keys: ApiKeys,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// When jobs will be done; of a service that is stopped it knows nothing.
    pub forecast: Forecast,
    /// The service itself; none where it is stopped.
    pub live: Option<Live>,
    /// The cap on a day's spending, to be shown.
    pub daily_microusd: Option<u64>,
    /// The service's own address, for pages of its own origin.
    pub public_url: Option<Url>,
    /// What bodies may hold of memory.
    pub bodies: BodyBudget,
    /// Told of jobs that end here.
    pub metrics: JobMetrics,
    /// The same.
    pub tracer: Tracer,
}

/// A service that runs, and how it is.
#[derive(Clone, Debug)]
pub struct Live {
    pub(in crate::http) state: Arc<ApiState>,
    pub(in crate::http) readiness: Readiness,
}

/// The routes and their description.
pub(in crate::http) fn routes() -> OpenApiRouter<Arc<AdminState>> {
    OpenApiRouter::new()
        .routes(routes!(keys::list_keys, keys::create_key))
        .routes(routes!(keys::revoke_key))
        .routes(routes!(keys::set_limits))
        .routes(routes!(jobs::list_all_jobs))
        .routes(routes!(jobs::show_job, jobs::cancel_job))
        .routes(routes!(jobs::retry_job))
        .routes(routes!(overview::overview))
        .routes(routes!(stats::stats))
}

/// The routes behind their door.
pub(in crate::http) fn guarded(routes: Router<Arc<AdminState>>, state: Arc<AdminState>) -> Router {
    routes
        .method_not_allowed_fallback(wrong_method)
        .route_layer(from_fn(inflate))
        .route_layer(from_fn_with_state(Arc::clone(&state), admit))
        .with_state(state)
}

async fn admit(State(state): State<Arc<AdminState>>, mut request: Request, next: Next) -> Response {
    let headers = request.headers();
    if let Err(error) = refuse_other_origins(state.public_url.as_ref(), request.uri(), headers) {
        return error.into_response();
    }
    let key = bearer(headers);
    let admission = key.map_or(Admission::Unknown, |key| state.keys.admission(key));
    let who = Who::of(&admission, key.unwrap_or_default());
    match admission {
        Admission::Operator => {
            request.extensions_mut().insert(who);
            next.run(request).await
        }
        Admission::Owner(owner) => {
            request.extensions_mut().insert(who);
            let mut response = next.run(request).await;
            response.extensions_mut().insert(Caller(owner));
            response
        }
        Admission::Refused => ApiError::AdminOnly.into_response(),
        Admission::Unknown => unauthorized(headers).into_response(),
    }
}

/// Refuses a body with wrong or unknown fields.
fn finish(mut fields: Fields<'_>, known: &str) -> Result<(), ParseError> {
    fields.refuse_the_rest(known);
    if fields.errors.is_empty() {
        Ok(())
    } else {
        Err(ParseError::Fields(fields.errors))
    }
}

async fn receive(state: &AdminState, body: Body) -> Result<bytes::Bytes, ApiError> {
    let meter = Meter {
        bytes: BODY_BYTES,
        idle: None,
        total: RequestLimits::default().json_total,
    };
    Ok(MeteredBody::new(body, meter)?.whole(&state.bodies).await?)
}

/// The answer to a question that came over no wire.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: bytes::Bytes,
}

impl AdminState {
    /// A state over a store that no service has open, with the configuration's keys.
    #[must_use]
    pub fn alone(store: Arc<dyn Store>, rules: KeyRules, clock: Arc<dyn Clock>) -> Self {
        Self {
            store,
            keys: ApiKeys::by(rules),
            forecast: Forecast::new(Arc::clone(&clock), ForecastMetrics::default()),
            clock,
            live: None,
            daily_microusd: None,
            public_url: None,
            bodies: BodyBudget::new(RequestLimits::default().body_bytes),
            metrics: JobMetrics::default(),
            tracer: Tracer::default(),
        }
    }

    /// Answers a request of this process as it would one from the wire.
    pub async fn ask(&self, method: &str, path: &str, body: Option<String>) -> Reply {
        let pass = ApiKey::random();
        let state = Self {
            keys: self.keys.also_admitting(pass.digest()),
            ..self.clone()
        };
        let router = guarded(routes().split_for_parts().0, Arc::new(state)).fallback(no_route);
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(AUTHORIZATION, format!("Bearer {}", pass.expose()))
            .header(CONTENT_TYPE, "application/json")
            .body(body.map_or_else(Body::empty, Body::from));
        let response = match request {
            Ok(request) => match router.oneshot(request).await {
                Ok(response) => response,
                Err(never) => match never {},
            },
            Err(_) => ApiError::RouteNotFound.into_response(),
        };
        let (parts, body) = response.into_parts();
        let (status, body) = match body.collect().await {
            Ok(body) => (parts.status, body.to_bytes()),
            Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, bytes::Bytes::new()),
        };
        Reply {
            status: status.as_u16(),
            body,
        }
    }
}
