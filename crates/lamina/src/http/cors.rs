//! Which pages of other origins may read what. Files are open to every origin, because their
//! signature is the right to read them; `/api` only to those that were configured.

use std::time::Duration;

use axum::http::header::{
    ACCEPT_RANGES, AUTHORIZATION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_NONE_MATCH,
    LOCATION, RETRY_AFTER,
};
use axum::http::{HeaderName, HeaderValue, Method};
use tower_http::cors::{Any, CorsLayer};

use super::edge::CorsOrigins;
use super::observe::{REQUEST_ID, TRACEPARENT, TRACESTATE};
use super::rate::{RATE_LIMIT, RATE_LIMIT_POLICY};
use super::tus;

/// For links.
pub(super) fn for_files() -> CorsLayer {
    CorsLayer::new()
        .allow_origin(Any)
        .allow_methods([Method::GET, Method::HEAD, Method::PUT])
        .allow_headers(Any)
        .expose_headers([ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, ETAG])
        .max_age(Duration::from_secs(86_400))
}

/// For `/api`; `None` when no other origin may call it.
pub(super) fn for_api(origins: &CorsOrigins) -> Option<CorsLayer> {
    let layer = match origins {
        CorsOrigins::None => return None,
        CorsOrigins::Any => CorsLayer::new().allow_origin(Any),
        CorsOrigins::List(urls) => {
            let origins: Vec<HeaderValue> = urls
                .iter()
                .filter_map(|url| HeaderValue::from_str(&url.origin().ascii_serialization()).ok())
                .collect();
            CorsLayer::new().allow_origin(origins)
        }
    };
    let idempotency = HeaderName::from_static("idempotency-key");
    let replayed = HeaderName::from_static("idempotency-replayed");
    let layer = layer
        .allow_methods([
            Method::GET,
            Method::HEAD,
            Method::POST,
            Method::PATCH,
            Method::DELETE,
        ])
        .allow_headers([
            AUTHORIZATION,
            CONTENT_TYPE,
            IF_NONE_MATCH,
            idempotency,
            REQUEST_ID,
            TRACEPARENT,
            TRACESTATE,
            tus::TUS_RESUMABLE,
            tus::UPLOAD_LENGTH,
            tus::UPLOAD_DEFER_LENGTH,
            tus::UPLOAD_OFFSET,
            tus::UPLOAD_METADATA,
            tus::UPLOAD_CHECKSUM,
            tus::METHOD_OVERRIDE,
        ])
        .expose_headers([
            ETAG,
            LOCATION,
            RETRY_AFTER,
            RATE_LIMIT,
            RATE_LIMIT_POLICY,
            replayed,
            REQUEST_ID,
            tus::TUS_RESUMABLE,
            tus::TUS_VERSION,
            tus::TUS_EXTENSION,
            tus::TUS_MAX_SIZE,
            tus::TUS_CHECKSUM_ALGORITHM,
            tus::UPLOAD_LENGTH,
            tus::UPLOAD_DEFER_LENGTH,
            tus::UPLOAD_OFFSET,
            tus::UPLOAD_METADATA,
            tus::UPLOAD_EXPIRES,
        ])
        .max_age(Duration::from_secs(600));
    Some(layer)
}
