//! Headers that decide whose a request is, what it means or how it is read, and that may come once.
//! Of two, one part of the way would believe the first and another the last.

use axum::extract::Request;
use axum::http::HeaderName;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, ORIGIN, RANGE};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use crate::http::answer::error::ApiError;
use crate::http::extract::tus_headers::{
    METHOD_OVERRIDE, TUS_RESUMABLE, UPLOAD_CHECKSUM, UPLOAD_DEFER_LENGTH, UPLOAD_LENGTH,
    UPLOAD_METADATA, UPLOAD_OFFSET,
};

pub(in crate::http) static SINGLE: [HeaderName; 13] = [
    AUTHORIZATION,
    HOST,
    ORIGIN,
    CONTENT_TYPE,
    RANGE,
    HeaderName::from_static("idempotency-key"),
    METHOD_OVERRIDE,
    TUS_RESUMABLE,
    UPLOAD_OFFSET,
    UPLOAD_LENGTH,
    UPLOAD_DEFER_LENGTH,
    UPLOAD_METADATA,
    UPLOAD_CHECKSUM,
];

/// Refuses a request that sends one of them twice.
pub(in crate::http) async fn refuse_repeated(request: Request, next: Next) -> Response {
    let headers = request.headers();
    let repeated = SINGLE
        .iter()
        .find(|name| headers.get_all(*name).iter().nth(1).is_some())
        .cloned();
    match repeated {
        Some(name) => ApiError::HeaderRepeated(name).into_response(),
        None => next.run(request).await,
    }
}
