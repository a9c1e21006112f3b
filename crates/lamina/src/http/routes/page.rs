//! `/` and `/openapi.json`: what the service says about itself.

use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::IntoResponse;

use crate::web;

/// The page at the root.
pub(in crate::http) async fn page() -> impl IntoResponse {
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CACHE_CONTROL, "no-cache"),
        (CONTENT_SECURITY_POLICY, web::policy()),
    ];
    (headers, web::PAGE)
}

/// The description of the API, as it is checked in.
pub(in crate::http) async fn openapi_json() -> impl IntoResponse {
    let headers = [
        (CONTENT_TYPE, "application/json"),
        (CACHE_CONTROL, "no-cache"),
    ];
    (headers, super::openapi::CHECKED_IN)
}
