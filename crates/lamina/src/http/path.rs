//! What a path holds between its slashes. A path that is no text (a broken `%` escape) names
//! nothing, and is answered like every other path that names nothing.

use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, Path};

use super::error::ApiError;

/// axum's `Path`, with an answer of ours when it cannot be read.
#[derive(Debug, FromRequestParts)]
#[from_request(via(Path), rejection(ApiError))]
pub(super) struct Segments<T>(pub(super) T);

impl From<PathRejection> for ApiError {
    fn from(_: PathRejection) -> Self {
        Self::RouteNotFound
    }
}
