//! Who is asking, and whether it is one request too many. It decides identity, not rights: an owner
//! sees exactly what it owns. Whoever has no key costs nothing here but a hash, and leaves nothing
//! behind: only owners' requests are counted.
//!
//! A resumable upload was counted when it was begun, and clients of the protocol take a 429 for its
//! end. So its parts are not counted as long as each brings some bytes, which bounds them by the
//! upload's size. Everything else that goes to an upload (questions how far it is, empty and tiny
//! parts, parts that fail) is counted by a quota of its own, large enough for clients that resume.

use std::sync::Arc;

use axum::body::HttpBody as _;
use axum::extract::{FromRequestParts, MatchedPath, Request, State};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::browser_origin::refuse_strangers_pages;
use crate::http::answer::error::ApiError;
use crate::http::extract::tus_headers::METHOD_OVERRIDE;
use crate::http::state::ApiState;
use crate::http::state::api_keys::Account;
use crate::http::state::rate_limit::RateMeter;
use crate::jobs::OwnerId;

/// The address of a resumable upload.
const UPLOAD: &str = "/api/uploads/tus/{id}";
/// A part of fewer bytes costs as much as it brings.
const PART_BYTES: u64 = 64 << 10;

/// Lets a request pass with its owner, or answers 401 or 429; without keys, refuses what strangers'
/// pages send. Stands before every `/api` route but the operator's. The owner is put on the answer
/// as well, for the log line.
pub(in crate::http) async fn authenticate(
    State(state): State<Arc<ApiState>>,
    mut request: Request,
    next: Next,
) -> Response {
    let account = match identify(&state, &request) {
        Ok(account) => account,
        Err(error) => return error.into_response(),
    };
    let owner = account.owner.clone();
    if of_an_upload(&request) {
        return part(account, request, next).await;
    }
    let (rate_state, allowed) = account.meter.as_ref().map(RateMeter::count).unzip();
    let mut response = match allowed.unwrap_or(Ok(())) {
        Ok(()) => {
            request.extensions_mut().insert(account);
            next.run(request).await
        }
        Err(error) => error.into_response(),
    };
    if let Some(rate_state) = rate_state {
        rate_state.write(response.headers_mut());
    }
    response.extensions_mut().insert(Caller(owner));
    response
}

/// Whether this goes to a resumable upload that was begun.
fn of_an_upload(request: &Request) -> bool {
    let path = request.extensions().get::<MatchedPath>();
    path.is_some_and(|path| path.as_str() == UPLOAD)
}

/// Lets a request to an upload pass, and counts it by the quota of those: before it is looked at,
/// unless it says that it brings a part, and after it, when the part came to nothing.
async fn part(account: Arc<Account>, mut request: Request, next: Next) -> Response {
    let (owner, counts) = (account.owner.clone(), Arc::clone(&account));
    let brings = brings_part(&request);
    request.extensions_mut().insert(account);
    let before = match &counts.uploads {
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
        && let Some(meter) = &counts.uploads
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
    response.extensions_mut().insert(Caller(owner));
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

fn identify(state: &ApiState, request: &Request) -> Result<Arc<Account>, ApiError> {
    if let Some(anybody) = state.keys.without_key() {
        refuse_strangers_pages(state, request.method(), request.uri(), request.headers())?;
        return Ok(anybody);
    }
    let found = bearer(request.headers()).and_then(|key| state.keys.of(key));
    found.ok_or_else(|| unauthorized(request.headers()))
}

/// The key that a request sends.
pub(in crate::http) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let header = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, key) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
}

/// The refusal of a request that sends no key, or none that is known.
pub(in crate::http) fn unauthorized(headers: &HeaderMap) -> ApiError {
    ApiError::Unauthorized {
        sent: headers.contains_key(AUTHORIZATION),
    }
}

/// Whoever sent an authenticated request.
#[derive(Clone, Debug)]
pub(in crate::http) struct Caller(pub(in crate::http) OwnerId);

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Allowance(account) = Allowance::from_request_parts(parts, state).await?;
        Ok(Self(account.owner.clone()))
    }
}

/// The same, with what it may do.
#[derive(Clone, Debug)]
pub(in crate::http) struct Allowance(pub(in crate::http) Arc<Account>);

impl<S: Sync> FromRequestParts<S> for Allowance {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        // A route outside the authenticated part that asks for its caller is a defect; it fails
        // closed.
        let account = parts.extensions.get::<Arc<Account>>().cloned();
        account
            .map(Self)
            .ok_or_else(|| ApiError::Internal("a route without authentication".to_owned()))
    }
}
