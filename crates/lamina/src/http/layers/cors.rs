//! Which pages of other origins may read what. Files are open to every origin, because their
//! signature is the right to read them; all else only to those that were configured, errors and what
//! has no route included, since a browser tells a page nothing of an answer without these headers.
//! The operator's routes are open to none.

use std::time::Duration;

use axum::Router;
use axum::http::header::{
    ACCEPT_ENCODING, ACCEPT_RANGES, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ALLOW, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, ETAG, LOCATION, RETRY_AFTER,
    WWW_AUTHENTICATE,
};
use axum::http::{HeaderName, HeaderValue, Method};
use axum::middleware::map_response;
use axum::response::Response;
use tower_http::cors::{AllowHeaders, Any, CorsLayer};

use super::observe::REQUEST_ID;
use crate::http::extract::tus_headers as tus;
use crate::http::extract::wait::PREFERENCE_APPLIED;
use crate::http::state::CorsOrigins;
use crate::http::state::rate_meter::{RATE_LIMIT, RATE_LIMIT_POLICY};

/// Headers that the API reads. They are named in every answer to a preflight, beside whatever else
/// was asked for: apps and their tracing add headers of their own, and nothing here minds. The
/// asterisk would not stand for `Authorization` (Fetch, 4.9).
const API_HEADERS: &str = "authorization,content-type,content-encoding,if-none-match,idempotency-key,\
    range,if-range,prefer,last-event-id,x-request-id,traceparent,tracestate,tus-resumable,upload-length,upload-defer-length,upload-offset,\
    upload-metadata,upload-checksum,x-http-method-override";
const FILE_HEADERS: &str =
    "authorization,content-type,content-encoding,range,if-range,if-none-match";

/// Links: open to every origin.
pub(in crate::http) fn for_files<S: Clone + Send + Sync + 'static>(routes: Router<S>) -> Router<S> {
    let cors = CorsLayer::new()
        .allow_origin(Any)
        .allow_methods([Method::GET, Method::HEAD, Method::PUT])
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers([
            ACCEPT_RANGES,
            CONTENT_DISPOSITION,
            CONTENT_LENGTH,
            CONTENT_RANGE,
            ETAG,
            RETRY_AFTER,
            REQUEST_ID,
        ])
        .max_age(Duration::from_secs(86_400));
    let naming = map_response(|response| async { naming(response, FILE_HEADERS) });
    routes.layer(cors).layer(naming)
}

/// All else; unchanged when no other origin may call it.
pub(in crate::http) fn for_origins<S: Clone + Send + Sync + 'static>(
    routes: Router<S>,
    origins: &CorsOrigins,
) -> Router<S> {
    let Some(cors) = for_api(origins) else {
        return routes;
    };
    let naming = map_response(|response| async { naming(response, API_HEADERS) });
    routes.layer(cors).layer(naming)
}

/// Names `known` in an answer to a preflight, before what was asked for.
fn naming(mut response: Response, known: &str) -> Response {
    let headers = response.headers_mut();
    if headers.contains_key(ACCESS_CONTROL_ALLOW_METHODS) {
        let asked = headers.get(ACCESS_CONTROL_ALLOW_HEADERS);
        let asked = asked
            .and_then(|asked| asked.to_str().ok())
            .unwrap_or_default();
        let all = format!("{known},{asked}");
        if let Ok(all) = HeaderValue::try_from(all.trim_end_matches(',')) {
            headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, all);
        }
    }
    response
}

fn for_api(origins: &CorsOrigins) -> Option<CorsLayer> {
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
    let replayed = HeaderName::from_static("idempotency-replayed");
    let layer = layer
        .allow_methods([
            Method::GET,
            Method::HEAD,
            Method::POST,
            Method::PUT,
            Method::PATCH,
            Method::DELETE,
            Method::OPTIONS,
        ])
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers([
            ACCEPT_ENCODING,
            ACCEPT_RANGES,
            ALLOW,
            CONTENT_DISPOSITION,
            CONTENT_LENGTH,
            CONTENT_RANGE,
            ETAG,
            LOCATION,
            RETRY_AFTER,
            WWW_AUTHENTICATE,
            RATE_LIMIT,
            RATE_LIMIT_POLICY,
            replayed,
            PREFERENCE_APPLIED,
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
