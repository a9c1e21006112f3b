//! Responses: JSON with a request id, errors in fal's shapes, gateways that are not fal, and
//! connections that simply close.
//!
//! Invariant: every answer of fal itself carries `x-fal-request-id`; [`Anonymous`] marks the others.

use std::io;

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Response, StatusCode, header};
use axum::response::IntoResponse;
use bytes::Bytes;
use futures_util::stream::{self, StreamExt as _};
use serde_json::Value;

use crate::failure::Failure;
use crate::fault::{EchoShape, GatewayBody};
use crate::queue::Outcome;

/// What axum answers with.
pub(super) type Answer = Response<Body>;

/// In the extensions of an answer: close the connection instead of sending it.
#[derive(Clone, Copy)]
pub(super) struct Hangup;

/// In the extensions of an answer: fal's own request id is not added.
#[derive(Clone, Copy)]
pub(super) struct Anonymous;

pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-fal-request-id");
const BILLABLE_UNITS: HeaderName = HeaderName::from_static("x-fal-billable-units");

/// JSON with this status.
pub(super) fn json(status: u16, body: &Value) -> Answer {
    with_type(status, "application/json", Body::from(body.to_string()))
}

/// Any body with this status and content type.
pub(super) fn with_type(status: u16, content_type: &'static str, body: Body) -> Answer {
    let mut answer = Response::new(body);
    *answer.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let content_type = HeaderValue::from_static(content_type);
    answer
        .headers_mut()
        .insert(header::CONTENT_TYPE, content_type);
    answer
}

/// An error.
pub(super) fn failed(failure: &Failure) -> Answer {
    let mut answer = json(failure.status, &failure.body);
    for (name, value) in &failure.headers {
        if let Ok(value) = HeaderValue::from_str(value) {
            answer.headers_mut().insert(*name, value);
        }
    }
    answer
}

impl IntoResponse for Failure {
    fn into_response(self) -> Answer {
        failed(&self)
    }
}

/// The end of a run, as the result endpoint and the synchronous endpoint tell it.
pub(super) fn outcome(outcome: &Outcome, billed_units: u64) -> Answer {
    let mut answer = match outcome {
        Outcome::Output(output) => json(200, output),
        Outcome::Failed(failure) => failed(failure),
    };
    let units = HeaderValue::from(billed_units);
    answer.headers_mut().insert(BILLABLE_UNITS, units);
    answer
}

/// The answer belongs to this request.
pub(super) fn for_request(mut answer: Answer, id: &str) -> Answer {
    if let Ok(id) = HeaderValue::from_str(id) {
        answer.headers_mut().insert(REQUEST_ID, id);
    }
    answer
}

/// A 5xx from somewhere between client and model.
pub(super) fn gateway(status: u16, body: GatewayBody) -> Answer {
    let mut answer = match body {
        GatewayBody::Json => {
            let text = format!("Upstream answered with {status}");
            return failed(&Failure::text(status, text));
        }
        GatewayBody::Nginx => {
            let title = StatusCode::from_u16(status)
                .ok()
                .and_then(|code| code.canonical_reason())
                .unwrap_or("Error");
            let page = format!(
                "<html>\r\n<head><title>{status} {title}</title></head>\r\n<body>\r\n<center>\
                 <h1>{status} {title}</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
            );
            with_type(status, "text/html", Body::from(page))
        }
        GatewayBody::Bare => with_type(status, "text/plain", Body::empty()),
    };
    answer.extensions_mut().insert(Anonymous);
    answer
}

/// An answer that repeats `text`; `status` unless its shape is that of a success.
pub(super) fn echo(shape: EchoShape, text: &str, status: u16) -> Answer {
    let status = if shape.succeeds() { 200 } else { status };
    let mut answer = with_type(status, "application/json", Body::from(shape.bytes(text)));
    if let Ok(text) = HeaderValue::from_str(text) {
        let name = HeaderName::from_static("x-fal-error-type");
        answer.headers_mut().insert(name, text);
    }
    answer
}

/// No answer: the connection closes.
pub(super) fn hang_up() -> Answer {
    let mut answer = Response::new(Body::empty());
    answer.extensions_mut().insert(Hangup);
    answer
}

/// Half of `whole`, then the connection closes. The head must promise the whole length.
pub(super) fn half(whole: &[u8]) -> Body {
    let half = Bytes::copy_from_slice(&whole[..whole.len() / 2]);
    let start = stream::iter([io::Result::Ok(half)]);
    let end = stream::once(async {
        // An error in the same turn would close the connection before the half is on its way.
        tokio::task::yield_now().await;
        Err(io::Error::from(io::ErrorKind::ConnectionAborted))
    });
    Body::from_stream(start.chain(end))
}
