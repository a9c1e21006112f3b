//! The form of an error: RFC 9457, `application/problem+json`. It knows no condition and no text;
//! those are `error`'s.

use axum::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONNECTION, CONTENT_RANGE, CONTENT_TYPE, RETRY_AFTER,
    WWW_AUTHENTICATE,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::error::ApiError;
use crate::http::answer::checks::Checks;
use crate::jobs::FieldError;

/// The media type of every error.
pub(in crate::http) const PROBLEM_JSON: &str = "application/problem+json";

/// An error as it is answered. `type` is always `about:blank`: `code` is what programs tell errors
/// apart by.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(in crate::http) struct Problem {
    /// Always `about:blank`.
    #[serde(rename = "type")]
    #[schema(example = "about:blank")]
    kind: &'static str,
    /// The status in words.
    #[schema(example = "Unprocessable Entity")]
    title: &'static str,
    /// The HTTP status.
    #[schema(example = 422)]
    status: u16,
    /// What happened and what to do, for a person.
    detail: String,
    /// A stable word for programs.
    #[schema(example = "invalid_fields")]
    code: &'static str,
    /// Each wrong field.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldError>,
    /// Of `not_ready` alone: how each part of the service is.
    #[serde(skip_serializing_if = "Option::is_none")]
    checks: Option<Checks>,
}

/// The internal reason of an answer, carried to the log and to nobody else.
#[derive(Clone, Debug)]
pub(in crate::http) struct Cause(pub(in crate::http) String);

/// The code of an answer, for the log.
#[derive(Clone, Copy, Debug)]
pub(in crate::http) struct ProblemCode(pub(in crate::http) &'static str);

impl Problem {
    pub(in crate::http) fn of(error: ApiError) -> Self {
        let status = error.status();
        let row = error.row();
        Self {
            kind: "about:blank",
            title: title(status),
            status: row.status,
            code: row.code,
            detail: row.detail.into_owned(),
            checks: error.checks(),
            errors: error.into_fields(),
        }
    }

    pub(in crate::http) fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// 460 is the tus protocol's own.
fn title(status: StatusCode) -> &'static str {
    let own = if status.as_u16() == 460 {
        "Checksum Mismatch"
    } else {
        "Error"
    };
    status.canonical_reason().unwrap_or(own)
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (status, row) = (self.status(), self.row());
        let code = ProblemCode(row.code);
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = row.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        let cause = row.cause.map(|cause| Cause(cause.to_owned()));
        add_headers(&self, status, &mut headers);
        let body = Problem::of(self).to_json();
        let mut response = (status, headers, body).into_response();
        response.extensions_mut().insert(code);
        if let Some(cause) = cause {
            response.extensions_mut().insert(cause);
        }
        response
    }
}

fn add_headers(error: &ApiError, status: StatusCode, headers: &mut HeaderMap) {
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    // What was not read of the request must not be taken for the next one.
    if status == StatusCode::REQUEST_TIMEOUT || status == StatusCode::PAYLOAD_TOO_LARGE {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    // RFC 9110, 15.5.16: what would have been taken; identity where nothing else is.
    if let ApiError::ContentEncodingUnsupported { accepted, .. } = error {
        let accepted = if accepted.is_empty() {
            "identity"
        } else {
            *accepted
        };
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(accepted));
    }
    if let ApiError::RangeNotSatisfiable { size } = error
        && let Ok(range) = HeaderValue::from_str(&format!("bytes */{size}"))
    {
        headers.insert(CONTENT_RANGE, range);
    }
}
