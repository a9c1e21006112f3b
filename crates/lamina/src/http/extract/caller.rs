//! Who sent a request that was authenticated, as `layers::auth` noted it.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use crate::http::answer::error::ApiError;
use crate::http::state::api_keys::Account;
use crate::jobs::OwnerId;

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
