//! What a path holds between its slashes. A path that is no text (a broken `%` escape) names
//! nothing, and is answered like every other path that names nothing.

use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, Path};

use crate::http::answer::error::ApiError;

/// axum's `Path`, with an answer of ours when it cannot be read.
#[derive(Debug, FromRequestParts)]
#[from_request(via(Path), rejection(ApiError))]
pub(in crate::http) struct Segments<T>(pub(in crate::http) T);

impl From<PathRejection> for ApiError {
    fn from(_: PathRejection) -> Self {
        Self::RouteNotFound
    }
}
