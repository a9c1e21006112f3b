//! The form of an event stream (HTML standard, 9.2): what is sent, as bytes.

use std::fmt::Display;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderName, HeaderValue};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use serde::Serialize;

use crate::http::answer::error::ApiError;
use crate::http::answer::json::encode;
use crate::http::answer::problem::Problem;
use crate::jobs::JobId;
use crate::store::Gone;

/// Says that somebody is there; readers skip it.
pub(super) const COMMENT: Bytes = Bytes::from_static(b":\n\n");

/// An event. `data` must be of one line, as JSON without spaces is.
pub(super) fn event(id: impl Display, name: &str, data: &[u8]) -> Bytes {
    let mut frame = format!("id: {id}\nevent: {name}\ndata: ").into_bytes();
    frame.extend_from_slice(data);
    frame.extend_from_slice(b"\n\n");
    frame.into()
}

/// The data of the last event of a job that is gone: what a read of it is answered, and which it was.
#[derive(Debug, Serialize)]
struct GoneJob {
    job_id: JobId,
    #[serde(flatten)]
    problem: Problem,
}

/// The event of a job that cannot be read any more.
pub(super) fn gone(id: impl Display, job_id: JobId, why: Gone) -> Bytes {
    let problem = Problem::of(ApiError::JobGone(why));
    let data = encode(&GoneJob { job_id, problem });
    event(id, name_of(why), &data.unwrap_or_default())
}

/// The event's name.
pub(super) fn name_of(why: Gone) -> &'static str {
    match why {
        Gone::Deleted => "deleted",
        Gone::Expired => "expired",
    }
}

/// How long a client should be away before it connects again.
pub(super) fn retry(after: Duration) -> Bytes {
    format!("retry: {}\n\n", after.as_millis()).into()
}

/// The answer whose body is an event stream. No proxy may keep it, or hold it back: nginx collects answers unless
/// it is told not to.
pub(super) fn answer(body: Body) -> Response {
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        HeaderName::from_static("x-accel-buffering"),
        HeaderValue::from_static("no"),
    );
    response
}
