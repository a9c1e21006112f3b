//! Resumable uploads by the tus protocol, version 1.0.0 (tus.io/protocols/resumable-upload), with
//! its extensions creation, creation-with-upload, creation-defer-length, termination, expiration and
//! checksum. What arrives is kept in the inbox of this machine and looked at by nobody until a job
//! uses the upload; see `verify`.
//!
//! Invariant: the offset that is answered is on disk, and it only grows.

mod checksum;
mod creation;
mod headers;
mod patch;
mod status;

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;

use crate::http::answer::error::ApiError;
use crate::http::extract::tus_headers::{
    TUS_CHECKSUM_ALGORITHM, TUS_EXTENSION, TUS_MAX_SIZE, TUS_RESUMABLE, TUS_VERSION,
};
use crate::http::state::ApiState;

// The macro that registers routes wants these by their path.
pub(in crate::http) use creation::{__path_create, __path_options, create, options};
pub(in crate::http) use patch::{__path_instead, __path_patch, instead, patch};
pub(in crate::http) use status::{__path_end, __path_offset, end, offset};

const VERSION: &str = "1.0.0";
const EXTENSIONS: &str =
    "creation,creation-with-upload,creation-defer-length,termination,expiration,checksum";

/// Every answer names the version; those to OPTIONS say what is understood. Stands outside of CORS,
/// which answers OPTIONS itself.
pub(in crate::http) async fn announce(
    State(state): State<Arc<ApiState>>,
    request: Request,
    next: Next,
) -> Response {
    let asks = request.method() == Method::OPTIONS;
    let mut response = next.run(request).await;
    let refused = response.status() == StatusCode::PRECONDITION_FAILED;
    let headers = response.headers_mut();
    headers.insert(TUS_RESUMABLE, HeaderValue::from_static(VERSION));
    if asks || refused {
        headers.insert(TUS_VERSION, HeaderValue::from_static(VERSION));
    }
    if asks {
        headers.insert(TUS_EXTENSION, HeaderValue::from_static(EXTENSIONS));
        headers.insert(TUS_MAX_SIZE, HeaderValue::from(state.images.max_bytes));
        let algorithms = HeaderValue::from_static(checksum::ALGORITHMS);
        headers.insert(TUS_CHECKSUM_ALGORITHM, algorithms);
    }
    response
}

/// Refuses clients of another version. OPTIONS is how they find out.
pub(in crate::http) async fn same_version(
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let spoken = request.headers().get(TUS_RESUMABLE);
    let same = spoken.is_some_and(|version| version == VERSION);
    if same || request.method() == Method::OPTIONS {
        Ok(next.run(request).await)
    } else {
        Err(ApiError::TusVersionUnsupported)
    }
}
