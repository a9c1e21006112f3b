//! JSON in and out: what a body must declare, and answers that can be asked for again cheaply.

use aws_lc_rs::digest;
use axum::body::Bytes;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;

use super::error::ApiError;
use crate::store::JobVersion;

/// Refuses a body that is not declared as JSON. A missing type is refused as well: a page of
/// another origin can send a body without one, or as `text/plain`, without asking first.
pub(in crate::http) fn require_json(headers: &HeaderMap) -> Result<(), ApiError> {
    let declared = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    let essence = declared.map(|kind| kind.split(';').next().unwrap_or_default().trim());
    match essence {
        // A page can send no such type without asking first either (Fetch, CORS-safelisted types).
        Some(kind) if kind.eq_ignore_ascii_case("application/json") || is_json_suffix(kind) => {
            Ok(())
        }
        _ => Err(ApiError::UnsupportedMediaType {
            wanted: "application/json",
        }),
    }
}

/// Whether a type is JSON by its name, such as `application/vnd.api+json` (RFC 6839, 3.1).
fn is_json_suffix(kind: &str) -> bool {
    let kind = kind.to_ascii_lowercase();
    let name = kind.strip_prefix("application/");
    let name = name.and_then(|name| name.strip_suffix("+json"));
    name.is_some_and(|name| !name.is_empty())
}

/// An answer that nobody keeps.
pub(in crate::http) fn fresh<T: Serialize>(
    status: StatusCode,
    value: &T,
) -> Result<Response, ApiError> {
    let mut response = (status, encode(value)?).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// A body with its strong `ETag`, the hash of the body.
#[derive(Clone, Debug)]
pub(in crate::http) struct Tagged {
    body: Bytes,
    tag: HeaderValue,
}

impl Tagged {
    /// The value as JSON.
    pub(in crate::http) fn of<T: Serialize>(value: &T) -> Result<Self, ApiError> {
        Self::by(value, |hash| format!("\"{hash}\""))
    }

    /// The same, of a job; its tag names the version as well, so that it can be told whether something was written
    /// since or only time has passed.
    pub(in crate::http) fn of_version<T: Serialize>(
        value: &T,
        version: JobVersion,
    ) -> Result<Self, ApiError> {
        Self::by(value, |hash| format!("\"{hash}.{version}\""))
    }

    fn by<T: Serialize>(value: &T, tag: impl FnOnce(&str) -> String) -> Result<Self, ApiError> {
        let body = encode(value)?;
        let hash = digest::digest(&digest::SHA256, &body);
        let tag = tag(&URL_SAFE_NO_PAD.encode(&hash.as_ref()[..18]));
        Ok(Self {
            body: body.into(),
            tag: HeaderValue::try_from(tag)
                .map_err(|error| ApiError::Internal(error.to_string()))?,
        })
    }

    /// Bytes of the body.
    pub(in crate::http) fn len(&self) -> usize {
        self.body.len()
    }

    /// The body alone.
    pub(in crate::http) fn into_body(self) -> Bytes {
        self.body
    }

    /// The answer to `request`: 304 when the client has this body already.
    pub(in crate::http) fn answer(self, request: &HeaderMap) -> Response {
        let has_it = has_tag(request, self.tag.to_str().unwrap_or_default());
        let mut response = if has_it {
            StatusCode::NOT_MODIFIED.into_response()
        } else {
            ([(CONTENT_TYPE, "application/json")], self.body).into_response()
        };
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
        headers.insert(ETAG, self.tag);
        response
    }

    /// Like [`Self::answer`], and says in how many seconds it is worth asking again.
    pub(in crate::http) fn answer_for_now(self, request: &HeaderMap, retry_after: u32) -> Response {
        let mut response = self.answer(request);
        let headers = response.headers_mut();
        headers.insert(RETRY_AFTER, HeaderValue::from(retry_after));
        response
    }
}

/// Whether `If-None-Match` names this tag. The comparison is the weak one (RFC 9110, 13.1.2).
pub(in crate::http) fn has_tag(request: &HeaderMap, tag: &str) -> bool {
    tags(request).any(|given| given == "*" || given.trim_start_matches("W/") == tag)
}

/// Whether `If-None-Match` names anything.
pub(in crate::http) fn has_tags(request: &HeaderMap) -> bool {
    request.contains_key(IF_NONE_MATCH)
}

/// Whether `If-None-Match` names a tag of this version of a job.
pub(in crate::http) fn has_version(request: &HeaderMap, version: JobVersion) -> bool {
    let end = format!(".{version}\"");
    tags(request).any(|given| given == "*" || given.ends_with(&end))
}

fn tags(request: &HeaderMap) -> impl Iterator<Item = &str> {
    request
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
}

/// A value as JSON of one line.
pub(in crate::http) fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, ApiError> {
    serde_json::to_vec(value).map_err(|error| ApiError::Internal(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_declared_json_is_taken() {
        let declared = |kind: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
            require_json(&headers).is_ok()
        };
        assert!(declared("application/json") && declared("Application/JSON; charset=utf-8"));
        assert!(declared("application/vnd.api+json") && !declared("application/+json"));
        assert!(!declared("text/plain+json"));
        assert!(!declared("text/plain") && !declared("application/jsonp") && !declared(""));
        assert!(require_json(&HeaderMap::new()).is_err());
    }

    #[test]
    fn a_tag_is_found_among_several() {
        let asked = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(IF_NONE_MATCH, HeaderValue::from_static(value));
            has_tag(&headers, "\"x\"")
        };
        assert!(asked("\"x\"") && asked("\"a\", W/\"x\"") && asked("*"));
        assert!(!asked("\"y\"") && !asked("x"));
    }
}
