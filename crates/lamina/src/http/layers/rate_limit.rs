//! Whether a request is one too many for its owner's rate, which `state::rate_meter` counts.
//!
//! A resumable upload was counted when it was begun, and clients of the protocol take a 429 for its
//! end. So its parts are not counted as long as each brings some bytes, which bounds them by the
//! upload's size. Everything else that goes to an upload (questions how far it is, empty and tiny
//! parts, parts that fail) is counted by a quota of its own, large enough for clients that resume.

use axum::body::HttpBody as _;
use axum::extract::{MatchedPath, Request};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::http::extract::tus_headers::METHOD_OVERRIDE;
use crate::http::state::api_keys::Account;
use crate::http::state::rate_meter::RateMeter;

/// The address of a resumable upload.
const UPLOAD: &str = "/api/uploads/tus/{id}";
/// A part of fewer bytes costs as much as it brings.
const PART_BYTES: u64 = 64 << 10;

/// Counts a request, and lets it pass or answers 429; the answer says how the owner stands.
pub(super) async fn limited(account: &Account, request: Request, next: Next) -> Response {
    if of_an_upload(&request) {
        return part(account, request, next).await;
    }
    let (rate_state, allowed) = account.meter.as_ref().map(RateMeter::count).unzip();
    let mut response = match allowed.unwrap_or(Ok(())) {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    };
    if let Some(rate_state) = rate_state {
        rate_state.write(response.headers_mut());
    }
    response
}

/// Whether this goes to a resumable upload that was begun.
fn of_an_upload(request: &Request) -> bool {
    let path = request.extensions().get::<MatchedPath>();
    path.is_some_and(|path| path.as_str() == UPLOAD)
}

/// Lets a request to an upload pass, and counts it by the quota of those: before it is looked at,
/// unless it says that it brings a part, and after it, when the part came to nothing.
async fn part(account: &Account, request: Request, next: Next) -> Response {
    let brings = brings_part(&request);
    let before = match &account.uploads {
        Some(meter) if !brings || !meter.is_heard() => Some(meter.count()),
        _ => None,
    };
    let (mut rate_state, allowed) = before.unzip();
    let mut response = match allowed.unwrap_or(Ok(())) {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    };
    if rate_state.is_none()
        && !response.status().is_success()
        && let Some(meter) = &account.uploads
    {
        let (after, allowed) = meter.count_done();
        if let Err(error) = allowed {
            response = error.into_response();
        }
        rate_state = Some(after);
    }
    if let Some(rate_state) = rate_state {
        rate_state.write(response.headers_mut());
    }
    response
}

/// Whether a request to an upload declares a part of some size.
fn brings_part(request: &Request) -> bool {
    let meant = request.headers().get(METHOD_OVERRIDE);
    let patches = match *request.method() {
        Method::PATCH => true,
        Method::POST => meant.is_some_and(|meant| meant == "PATCH"),
        _ => false,
    };
    patches && request.body().size_hint().lower() >= PART_BYTES
}
