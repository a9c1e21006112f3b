//! `GET` of a finished job and of its layers, answered from memory and before the router: the reads that apps make
//! most, and that cost more on their way to the handler than in it.
//!
//! Every rule of that way is kept (caller, host, rate, tag, request id, count, log), by the functions that the way
//! itself uses. Whatever is unusual about a request is left to the routes: another method, a query, a header twice,
//! a page of another origin, a trace, a job that is not in memory or not finished.

use std::sync::Arc;
use std::time::Instant;

use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, ORIGIN, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::response::Response;

use super::response_cache::{Part, ResponseCache};
use crate::http::extract::caller::Caller;
use crate::http::extract::public_base::PublicBase;
use crate::http::layers::auth::identify;
use crate::http::layers::observe::{self, RequestObserver};
use crate::http::state::rate_meter::RateMeter;
use crate::http::state::{ApiState, CorsOrigins};
use crate::jobs::JobId;
use crate::metrics::AnsweredSeries;

/// Where the ids of jobs stand in a path.
const JOBS: &str = "/api/jobs/";
const ID_LENGTH: usize = 36;

/// Finished jobs that were read before.
pub(in crate::http) struct ReadyAnswers {
    state: Arc<ApiState>,
    cache: Arc<ResponseCache>,
    observer: RequestObserver,
    job: Counted,
    layers: Counted,
}

/// A route's counts, found once.
struct Counted {
    route: &'static str,
    found: AnsweredSeries,
    unchanged: AnsweredSeries,
}

impl ReadyAnswers {
    /// `None` where every answer depends on the page that asks.
    pub(in crate::http) fn new(
        state: &Arc<ApiState>,
        cache: &Arc<ResponseCache>,
        observer: &RequestObserver,
    ) -> Option<Self> {
        let counted = |route| Counted {
            route,
            found: observer.metrics.series(route, "GET", 200),
            unchanged: observer.metrics.series(route, "GET", 304),
        };
        matches!(state.cors, CorsOrigins::None).then(|| Self {
            state: Arc::clone(state),
            cache: Arc::clone(cache),
            observer: observer.clone(),
            job: counted("/api/jobs/{id}"),
            layers: counted("/api/jobs/{id}/layers"),
        })
    }

    /// The answer, if it is ready.
    pub(in crate::http) fn answer(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
    ) -> Option<Response> {
        let started = Instant::now();
        if *method != Method::GET || uri.query().is_some() || !is_usual(headers) {
            return None;
        }
        if self.observer.tracer.is_on() {
            return None;
        }
        let (id, part) = self.part(uri.path())?;
        // Jobs that run and ids of nothing are not asked for twice.
        if !self.cache.has(part, id) {
            return None;
        }
        let counted = match part {
            Part::Job => &self.job,
            Part::Layers => &self.layers,
        };
        let account = identify(&self.state, method, uri, headers).ok()?;
        let job = self.state.store.job_recent(&account.owner, id)?;
        if job.expires_at <= self.state.ends_by() {
            return None;
        }
        let base = PublicBase::of(&self.state, uri, headers)?;
        let answer = self.cache.known(part, &job, &base)?;
        // From here on it is answered, so it is counted.
        let rate_state = match account.meter.as_ref().map(RateMeter::count_if_allowed) {
            None => None,
            Some(Some(rate_state)) => Some(rate_state),
            Some(None) => return None,
        };
        let length = answer.len();
        let mut response = answer.answer(headers);
        let has_body = response.status() == StatusCode::OK;
        let answered = response.headers_mut();
        // As the router says it.
        let length = if has_body { length } else { 0 };
        answered.insert(CONTENT_LENGTH, HeaderValue::from(length));
        if let Some(rate_state) = rate_state {
            rate_state.write(answered);
        }
        answered.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        let request_id = observe::request_id(headers);
        if let Ok(value) = HeaderValue::from_str(&request_id) {
            answered.insert(observe::REQUEST_ID, value);
        }
        let duration = started.elapsed();
        if has_body {
            counted.found.answered(duration);
        } else {
            counted.unchanged.answered(duration);
        }
        if tracing::enabled!(tracing::Level::DEBUG) {
            let caller = Caller(account.owner.clone());
            response.extensions_mut().insert(caller);
            observe::read(&request_id, counted.route, duration, id, &response);
        }
        Some(response)
    }

    fn part(&self, path: &str) -> Option<(JobId, Part)> {
        let (id, rest) = path.strip_prefix(JOBS)?.split_at_checked(ID_LENGTH)?;
        let part = match rest {
            "" => Part::Job,
            "/layers" => Part::Layers,
            _ => return None,
        };
        Some((id.parse().ok()?, part))
    }
}

/// Whether no header is there twice, and none that changes what is asked for.
fn is_usual(headers: &HeaderMap) -> bool {
    headers.len() == headers.keys_len()
        && !headers.contains_key(ORIGIN)
        && !headers.contains_key(CONTENT_ENCODING)
}
