//! Who is asking. It decides identity, not rights: an owner sees exactly what it owns. Whoever has no key
//! costs nothing here but a hash, and leaves nothing behind: only owners' requests are counted (`rate_limit`).

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, Method, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::browser_origin::refuse_strangers_pages;
use super::rate_limit;
use crate::http::answer::error::ApiError;
use crate::http::extract::caller::Caller;
use crate::http::state::ApiState;
use crate::http::state::api_keys::Account;

/// Lets a request pass with its owner, or answers 401 or 429; without keys, refuses what strangers'
/// pages send. Stands before every `/api` route but the operator's. The owner is put on the answer
/// as well, for the log line.
pub(in crate::http) async fn authenticate(
    State(state): State<Arc<ApiState>>,
    mut request: Request,
    next: Next,
) -> Response {
    let identified = identify(&state, request.method(), request.uri(), request.headers());
    let account = match identified {
        Ok(account) => account,
        Err(error) => return error.into_response(),
    };
    let caller = Caller(account.owner.clone());
    request.extensions_mut().insert(Arc::clone(&account));
    let mut response = rate_limit::limited(&account, request, next).await;
    response.extensions_mut().insert(caller);
    response
}

/// Whose a request is.
pub(in crate::http) fn identify(
    state: &ApiState,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<Arc<Account>, ApiError> {
    if let Some(anybody) = state.keys.without_key() {
        refuse_strangers_pages(state, method, uri, headers)?;
        return Ok(anybody);
    }
    let found = bearer(headers).and_then(|key| state.keys.of(key));
    found.ok_or_else(|| unauthorized(headers))
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
