//! Who is asking, and whether it is one request too many. It decides identity, not rights: an owner
//! sees exactly what it owns. Whoever has no key costs nothing here but a hash, and leaves nothing
//! behind: only owners' requests are counted.
//!
//! A resumable upload was counted when it was begun. Its parts and the questions how far it is are
//! bounded by its size and are not counted: clients of the protocol take a 429 for the end of the
//! upload. Where there is no such upload, or the request is none of the protocol, it is counted.

use std::sync::Arc;

use axum::extract::{FromRequestParts, MatchedPath, Request, State};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::browser::refuse_strangers_pages;
use super::edge::Edge;
use super::error::ApiError;
use super::keys::Account;
use super::rate::RateMeter;
use crate::jobs::OwnerId;

/// The address of a resumable upload.
const UPLOAD: &str = "/api/uploads/tus/{id}";
/// Refusals that upload and client live with: the part was slow, began elsewhere, was taken over by
/// another connection, or its checksum was wrong.
const OF_USE: [u16; 3] = [408, 409, 460];

/// Lets a request pass with its owner, or answers 401 or 429; without keys, refuses what strangers'
/// pages send. Stands before every `/api` route but the operator's. The owner is put on the answer
/// as well, for the log line.
pub(super) async fn authenticate(
    State(edge): State<Arc<Edge>>,
    mut request: Request,
    next: Next,
) -> Response {
    let account = match identify(&edge, &request) {
        Ok(account) => account,
        Err(error) => return error.into_response(),
    };
    let owner = account.owner.clone();
    if of_an_upload(&request) {
        return part(account, request, next).await;
    }
    let (standing, allowed) = account.meter.as_ref().map(RateMeter::count).unzip();
    let mut response = match allowed.unwrap_or(Ok(())) {
        Ok(()) => {
            request.extensions_mut().insert(account);
            next.run(request).await
        }
        Err(error) => error.into_response(),
    };
    if let Some(standing) = standing {
        standing.write(response.headers_mut());
    }
    response.extensions_mut().insert(Caller(owner));
    response
}

/// Whether this goes to a resumable upload that was begun.
fn of_an_upload(request: &Request) -> bool {
    let path = request.extensions().get::<MatchedPath>();
    path.is_some_and(|path| path.as_str() == UPLOAD)
}

/// Counts a request to an upload when its answer says that it was of no use to any.
async fn part(account: Arc<Account>, mut request: Request, next: Next) -> Response {
    let (owner, counts) = (account.owner.clone(), Arc::clone(&account));
    request.extensions_mut().insert(account);
    let mut response = next.run(request).await;
    let refused = response.status();
    if refused.is_client_error()
        && !OF_USE.contains(&refused.as_u16())
        && let Some((standing, allowed)) = counts.meter.as_ref().map(RateMeter::count)
    {
        if let Err(error) = allowed {
            response = error.into_response();
        }
        standing.write(response.headers_mut());
    }
    response.extensions_mut().insert(Caller(owner));
    response
}

fn identify(edge: &Edge, request: &Request) -> Result<Arc<Account>, ApiError> {
    if let Some(anybody) = edge.keys.without_key() {
        refuse_strangers_pages(edge, request.method(), request.uri(), request.headers())?;
        return Ok(anybody);
    }
    let found = bearer(request.headers()).and_then(|key| edge.keys.of(key));
    found.ok_or_else(|| unauthorized(request.headers()))
}

/// The key that a request sends.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let header = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, key) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
}

/// The refusal of a request that sends no key, or none that is known.
pub(super) fn unauthorized(headers: &HeaderMap) -> ApiError {
    ApiError::Unauthorized {
        sent: headers.contains_key(AUTHORIZATION),
    }
}

/// Whoever sent an authenticated request.
#[derive(Clone, Debug)]
pub(super) struct Caller(pub(super) OwnerId);

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Allowance(account) = Allowance::from_request_parts(parts, state).await?;
        Ok(Self(account.owner.clone()))
    }
}

/// The same, with what it may do.
#[derive(Clone, Debug)]
pub(super) struct Allowance(pub(super) Arc<Account>);

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
