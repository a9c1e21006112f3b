//! One connection from its first byte to its last: HTTP/1 or HTTP/2 without TLS. It ends when the
//! client is silent or slow for too long, in either direction, when its place is wanted for another,
//! or when the service stops. It knows nothing of routes, but for those of the service's health.

mod activity;
mod answer_body;
mod http1;
mod http2;
mod paced;
mod places;
mod request_body;

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CONNECTION, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderValue, Request, Response, Version};
use axum::response::IntoResponse as _;
use hyper::body::{Body as _, Incoming};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use self::activity::Activity;
use self::answer_body::{AnswerBody, Taking};
use self::paced::PacedStream;
use self::places::Use;
use self::request_body::RequestBody;
use super::edge::Edge;
use crate::http::answer::error::ApiError;
use crate::http::state::body_budget::BodyBudget;
use crate::http::state::limits::ConnectionLimits;
use crate::http::state::pace::Pace;

pub(in crate::http) use self::places::{Place, Places};

/// How an HTTP/2 client begins (RFC 9113, 3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Longest wait for a request in a place in reserve, where others wait for it.
const RESERVE_WAIT: Duration = Duration::from_secs(2);
/// The routes that a place in reserve is for.
const HEALTH: [&str; 2] = ["/healthz", "/readyz"];

type Io = TokioIo<PacedStream<TcpStream>>;

enum Protocol {
    Http1,
    Http2,
}

/// Runs a connection to its end.
pub(in crate::http) async fn run(
    socket: TcpStream,
    edge: Edge,
    place: &Place,
    limits: &ConnectionLimits,
    bodies: &BodyBudget,
    stop: &CancellationToken,
) {
    let mut limits = limits.clone();
    if place.usable == Use::Health {
        limits.header_read = limits.header_read.min(RESERVE_WAIT);
    }
    let limits = &limits;
    // Answers are written whole; waiting to fill packets only delays them.
    let _ = socket.set_nodelay(true);
    let first = tokio::select! {
        first = timeout(limits.header_read, protocol(&socket)) => first,
        () = place.activity.evicted.cancelled() => return,
        () = stop.cancelled() => return,
    };
    let Ok(Some(protocol)) = first else { return };
    let pace = Pace::new(limits.write_stall, limits.least_rate);
    let io = TokioIo::new(PacedStream::new(socket, pace));
    let served = Served {
        edge,
        activity: Arc::clone(&place.activity),
        usable: place.usable,
    };
    match protocol {
        Protocol::Http1 => http1::run(io, served, limits, stop).await,
        Protocol::Http2 => http2::run(io, served, limits, bodies, stop).await,
    }
}

/// Which protocol the client speaks, by its first bytes, which stay where they are. `None` when it
/// closes, or begins as no client does.
async fn protocol(socket: &TcpStream) -> Option<Protocol> {
    let mut first = [0; PREFACE.len()];
    let count = socket.peek(&mut first).await.ok()?;
    match &first[..count] {
        [] => None,
        whole if whole == PREFACE => Some(Protocol::Http2),
        // The preface is sent in one piece; HTTP/2 has no time limit of its own for the rest.
        part if part.len() > 3 && PREFACE.starts_with(part) => None,
        _ => Some(Protocol::Http1),
    }
}

/// What a connection's requests are answered with.
#[derive(Clone)]
struct Served {
    edge: Edge,
    activity: Arc<Activity>,
    usable: Use,
}

type Answered = Pin<Box<dyn Future<Output = Result<Response<AnswerBody>, Infallible>> + Send>>;

/// Answers a request. Boxed, because hyper wants a future that can be moved.
fn answer(served: Served, request: Request<Incoming>, taking: Option<Arc<Taking>>) -> Answered {
    let busy = served.activity.begin();
    if let Some(response) = at_once(&served, &request) {
        let response = response.map(|body| AnswerBody::new(body, busy, taking));
        return Box::pin(std::future::ready(Ok(response)));
    }
    Box::pin(async move {
        let is_http1 = request.version() <= Version::HTTP_11;
        let (parts, body) = request.into_parts();
        let (body, ended) = RequestBody::new(body);
        let request = Request::from_parts(parts, Body::new(body));
        let allowed = served.usable == Use::All || HEALTH.contains(&request.uri().path());
        let mut response = if allowed {
            served.edge.router.oneshot(request).await?
        } else {
            refusal()
        };
        // Others wait for a place in reserve; and what is left of a body is in the way of whatever
        // came behind it.
        let closes = served.usable == Use::Health || !ended.load(Ordering::Relaxed);
        if is_http1 && closes {
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(CONNECTION, close);
        }
        Ok(response.map(|body| AnswerBody::new(body, busy, taking)))
    })
}

/// An answer that needs neither a body nor a route.
fn at_once(served: &Served, request: &Request<Incoming>) -> Option<Response<Body>> {
    let at_once = served.edge.at_once.as_ref()?;
    if served.usable != Use::All || !request.body().is_end_stream() {
        return None;
    }
    at_once(request.method(), request.uri(), request.headers())
}

/// The answer to everything but questions for the service's health, in a place in reserve. It passed
/// no router, so it gets here what those add.
fn refusal() -> Response<Body> {
    let mut refusal = ApiError::TooManyConnections.into_response();
    let nosniff = HeaderValue::from_static("nosniff");
    refusal
        .headers_mut()
        .insert(X_CONTENT_TYPE_OPTIONS, nosniff);
    refusal
}
