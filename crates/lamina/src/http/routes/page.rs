//! The pages for people, `/`, `/docs` and the operator's `/admin`, with their files below `/page/`, and `/openapi.json`: what the
//! service says about itself. Every page says what a browser may load with it: the service's own files, pictures of jobs
//! where links to them lead, and nothing else.

use axum::Router;
use axum::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG,
    REFERRER_POLICY, VARY,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use url::Url;

use crate::http::answer::error::ApiError;
use crate::http::answer::json::has_tag;
use crate::http::extract::path::Segments;
use crate::http::state::ApiState;
use crate::web::{self, Asset};

/// The routes of the pages; none where the operator wants none.
pub(in crate::http) fn pages<S: Clone + Send + Sync + 'static>(state: &ApiState) -> Router<S> {
    let page = |name: &'static str, policy: HeaderValue| {
        get(async move |headers: HeaderMap| match web::asset(name) {
            Some(asset) => Ok(with_policy(answer(asset, &headers), &policy)),
            None => Err(ApiError::RouteNotFound),
        })
    };
    let mut routes = Router::new();
    if state.page {
        let policy = policy(state);
        routes = routes
            .route("/", page(web::INDEX, policy.clone()))
            .route("/docs", page(web::DOCS, policy));
    }
    if state.admin_page {
        let policy = HeaderValue::from_static(ADMIN_POLICY);
        routes = routes.route("/admin", page(web::ADMIN, policy));
    }
    if state.page || state.admin_page {
        routes = routes.route("/page/{*name}", get(file));
    }
    routes
}

/// What a browser may load with the operator's page: it shows no picture but its own mark.
const ADMIN_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
     require-trusted-types-for 'script'; trusted-types 'none'";

/// A file of the pages.
async fn file(Segments(name): Segments<String>, headers: HeaderMap) -> Result<Response, ApiError> {
    let asset = web::asset(&name).filter(|asset| !web::PAGES.contains(&asset.name));
    let asset = asset.ok_or(ApiError::RouteNotFound)?;
    Ok(answer(asset, &headers))
}

/// The description of the API, as it is checked in.
pub(in crate::http) async fn openapi_json() -> impl IntoResponse {
    let headers = [
        (CONTENT_TYPE, "application/json"),
        (CACHE_CONTROL, "no-cache"),
    ];
    (headers, super::openapi::CHECKED_IN)
}

/// The file, compressed for those who can, or 304. Names never change, so a browser asks each time whether the
/// bytes did.
fn answer(asset: &'static Asset, request: &HeaderMap) -> Response {
    let gzip = asset.gzip.as_deref().filter(|_| takes_gzip(request));
    // Tags are strong, so each form has its own (RFC 9110, 8.8.3.3).
    let tag = match gzip {
        Some(_) => format!("\"{}-gzip\"", asset.hash),
        None => format!("\"{}\"", asset.hash),
    };
    let mut response = if has_tag(request, &tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        gzip.unwrap_or(asset.plain).into_response()
    };
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(asset.content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    if asset.gzip.is_some() {
        headers.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
    }
    if gzip.is_some() {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    if let Ok(tag) = HeaderValue::try_from(tag) {
        headers.insert(ETAG, tag);
    }
    response
}

/// Whether `Accept-Encoding` names gzip and does not forbid it.
fn takes_gzip(request: &HeaderMap) -> bool {
    request
        .get_all(ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|coding| {
            let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
            let weight = weight.trim().strip_prefix("q=").map(str::trim);
            let refused = weight.is_some_and(|q| q.parse::<f32>().is_ok_and(|q| q <= 0.0));
            name.trim().eq_ignore_ascii_case("gzip") && !refused
        })
}

fn with_policy(mut response: Response, policy: &HeaderValue) -> Response {
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, policy.clone());
    response
}

/// What a browser may load with a page. Links to pictures may lead to the address that clients know, or to a bucket.
fn policy(state: &ApiState) -> HeaderValue {
    let origin = |url: &Url| url.origin().ascii_serialization();
    let mut elsewhere: Vec<String> = state.public_url.iter().map(origin).collect();
    elsewhere.extend(state.links.elsewhere().as_ref().map(origin));
    elsewhere.dedup();
    let pictures: String = elsewhere.iter().flat_map(|origin| [" ", origin]).collect();
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; worker-src 'self'; \
         img-src 'self' blob: data:{pictures}; connect-src 'self'{pictures}; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    // Origins of parsed addresses are ASCII; should one not be, a page that can do nothing is the safe one.
    HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_sent_to_those_who_ask_for_it_and_do_not_refuse_it() {
        let asked = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(value));
            takes_gzip(&headers)
        };
        assert!(asked("gzip, deflate, br") && asked("br;q=1.0, GZIP;q=0.5"));
        assert!(!asked("br") && !asked("gzip;q=0") && !asked("gzip; q=0.0") && !asked(""));
        assert!(!takes_gzip(&HeaderMap::new()));
    }
}
