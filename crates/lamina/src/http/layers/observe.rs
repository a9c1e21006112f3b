//! One log line for each request, its count, and the request's id in and out. The line names the route's
//! template and the job that the request is about, never the path, query, headers or body: those hold
//! signatures and nonces. It is written when the answer begins; what is streamed after that is not
//! timed.

use std::any::Any;
use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::http::answer::error::ApiError;
use crate::http::answer::problem::{Cause, ProblemCode};
use crate::http::extract::caller::Caller;
use crate::jobs::{JobId, whole_ms};
use crate::metrics::RequestMetrics;
use crate::trace::{CallerTrace, Scope, Tracer};

/// Carries the request's id.
pub(in crate::http) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The caller's trace, by W3C Trace Context.
pub(in crate::http) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// What the caller's tracing system adds to it.
pub(in crate::http) const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// The job that a request came to be about, on its answer.
#[derive(Clone, Copy, Debug)]
pub(in crate::http) struct About(pub(in crate::http) JobId);

/// How long a request waited because its client asked for that, on its answer.
#[derive(Clone, Copy, Debug)]
pub(in crate::http) struct Waited(Duration);

impl Waited {
    pub(in crate::http) fn since(begun: Instant) -> Self {
        Self(begun.elapsed())
    }
}

/// Whom a request is told.
#[derive(Clone, Debug, Default)]
pub(in crate::http) struct RequestObserver {
    pub(in crate::http) metrics: RequestMetrics,
    pub(in crate::http) tracer: Tracer,
}

/// The outermost layer.
pub(in crate::http) async fn observe(
    State(observer): State<RequestObserver>,
    request: Request,
    next: Next,
) -> Response {
    let in_flight = observer.metrics.begin();
    let started = Instant::now();
    let id = request_id(request.headers());
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let template = route.as_ref().map_or("unmatched", MatchedPath::as_str);
    let span = begin_span(&observer.tracer, &request, template);
    let job = job_in(template, request.uri().path());
    let mut response = span.run(next.run(request)).await;
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    let duration = started.elapsed();
    let status = response.status().as_u16();
    span.status(status);
    span.end();
    // How quick the service is, is not for its clients to say.
    let waited = response.extensions().get().map(|Waited(waited)| *waited);
    let own = duration.saturating_sub(waited.unwrap_or_default());
    in_flight.answered(template, method.as_str(), status, own);
    if let Some(ProblemCode(code)) = response.extensions().get() {
        observer.metrics.problem(code);
    }
    let line = Line {
        id: &id,
        method: method.as_str(),
        route: template,
        duration_ms: whole_ms(duration),
        job: job.or_else(|| Some(response.extensions().get::<About>()?.0)),
    };
    line.write(&response);
    response
}

/// Writes the line of a plain read that was answered without this layer.
pub(in crate::http) fn read(
    id: &str,
    route: &str,
    duration: Duration,
    job: JobId,
    response: &Response,
) {
    let line = Line {
        id,
        method: "GET",
        route,
        duration_ms: whole_ms(duration),
        job: Some(job),
    };
    line.write(response);
}

fn begin_span(tracer: &Tracer, request: &Request, route: &str) -> Scope {
    if is_probe(route) {
        return Scope::default();
    }
    let header = |name| request.headers().get(name)?.to_str().ok();
    let caller = CallerTrace {
        parent: header(TRACEPARENT),
        state: header(TRACESTATE),
    };
    tracer.request(request.method().as_str(), route, &caller)
}

/// The job that a path names, where the route says that it does. Only an id is taken from a path.
fn job_in(route: &str, path: &str) -> Option<JobId> {
    let names_one = ["/api/jobs/{", "/api/admin/jobs/{", "/hooks/fal/{"];
    if !names_one.iter().any(|begins| route.starts_with(begins)) {
        return None;
    }
    let place = route.split('/').position(|part| part.starts_with('{'))?;
    path.split('/').nth(place)?.parse().ok()
}

/// Probes come every few seconds and would bury everything else.
fn is_probe(route: &str) -> bool {
    matches!(route, "/healthz" | "/readyz")
}

struct Line<'a> {
    id: &'a str,
    method: &'a str,
    route: &'a str,
    duration_ms: u64,
    job: Option<JobId>,
}

impl Line<'_> {
    /// Something was read and found. Apps look at a job every second, and a line costs as much as the
    /// answer. What operators read stays on record.
    fn is_plain_read(&self, status: u16) -> bool {
        matches!(self.method, "GET" | "HEAD")
            && status < 400
            && !self.route.starts_with("/api/admin")
    }

    fn write(&self, response: &Response) {
        let status = response.status().as_u16();
        let found = response.extensions();
        let owner = found.get::<Caller>().map(|caller| caller.0.as_str());
        let code = found.get::<ProblemCode>().map(|code| code.0);
        let cause = found.get::<Cause>().map(|cause| cause.0.as_str());
        let (id, method, route, duration_ms) = (self.id, self.method, self.route, self.duration_ms);
        let job = self.job.map(tracing::field::display);
        macro_rules! line {
            ($level:ident) => {
                tracing::$level!(
                    request.id = id,
                    method,
                    route,
                    status,
                    duration_ms,
                    job,
                    owner,
                    code,
                    cause,
                    "request answered"
                )
            };
        }
        if status >= 500 {
            line!(error);
        } else if is_probe(route) || self.is_plain_read(status) {
            line!(debug);
        } else {
            line!(info);
        }
    }
}

/// The client's id where it is harmless in a log, else a fresh one.
pub(in crate::http) fn request_id(headers: &HeaderMap) -> String {
    let given = headers.get(REQUEST_ID).and_then(|id| id.to_str().ok());
    let harmless = |id: &&str| {
        (1..=128).contains(&id.len())
            && id
                .bytes()
                .all(|letter| letter.is_ascii_alphanumeric() || b"-_.:".contains(&letter))
    };
    match given.filter(harmless) {
        Some(id) => id.to_owned(),
        // It only has to be unlike the others, so no random bytes of the system are spent on it.
        None => uuid::Builder::from_random_bytes(fastrand::u128(..).to_ne_bytes())
            .into_uuid()
            .to_string(),
    }
}

/// The answer of a handler that panicked. Its text goes to the log with the line of the request.
#[expect(
    clippy::needless_pass_by_value,
    reason = "the layer hands the panic over"
)]
pub(in crate::http) fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("without a text");
    ApiError::Internal(format!("a handler panicked: {text}")).into_response()
}
