//! How long a request is willing to wait for news: `?wait=` of a read, and `Prefer: wait=` of a create (RFC 7240).

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName};

use super::query::{AGAIN, parameters};
use crate::http::answer::error::ApiError;
use crate::jobs::FieldError;

/// The longest wait, in seconds: what proxies and phones' networks let a silent answer last.
const LONGEST: u64 = 60;

/// What a client would like, beside what it asks for.
pub(in crate::http) const PREFER: HeaderName = HeaderName::from_static("prefer");
/// What of that was done.
pub(in crate::http) const PREFERENCE_APPLIED: HeaderName =
    HeaderName::from_static("preference-applied");

/// The parameter `wait` of a query, in seconds; no wait without it. Other parameters are none of its business.
pub(in crate::http) fn wait_of_query(query: Option<&str>) -> Result<Duration, ApiError> {
    let wrong = |detail: String| {
        ApiError::InvalidQuery(vec![FieldError {
            pointer: "/wait".to_owned(),
            detail,
        }])
    };
    let mut wait = Duration::ZERO;
    for (name, value, again) in parameters(query) {
        if name != "wait" {
            continue;
        }
        if again {
            return Err(wrong(AGAIN.to_owned()));
        }
        wait = match whole_seconds(&value) {
            Some(seconds @ 0..=LONGEST) => Duration::from_secs(seconds),
            _ => {
                return Err(wrong(format!(
                    "Expected whole seconds to wait for a change, from 0 to {LONGEST}."
                )));
            }
        };
    }
    Ok(wait)
}

/// The wait that a client prefers, at most the longest one. A preference that makes no sense is none (RFC 7240, 2).
pub(in crate::http) fn preferred_wait(headers: &HeaderMap) -> Option<Duration> {
    let lines = headers.get_all(PREFER).iter();
    let mut preferences = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','));
    // Of two of a name the first counts.
    let value = preferences.find_map(|preference| {
        let preference = preference.split(';').next()?;
        let (name, value) = preference.split_once('=').unwrap_or((preference, ""));
        name.trim()
            .eq_ignore_ascii_case("wait")
            .then(|| value.trim().trim_matches('"'))
    })?;
    let seconds = whole_seconds(value)?;
    (seconds > 0).then(|| Duration::from_secs(seconds.min(LONGEST)))
}

/// Digits alone; those that are too many for a number stand for more than any limit.
fn whole_seconds(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|letter| letter.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_query_waits_for_whole_seconds_within_the_limit() {
        let wait = |query: &str| wait_of_query(Some(query)).map(|wait| wait.as_secs());
        assert_eq!(wait_of_query(None).unwrap(), Duration::ZERO);
        for (query, seconds) in [
            ("", 0),
            ("wait=0", 0),
            ("wait=25", 25),
            ("x=1&wait=60", 60),
            ("wait=007", 7),
        ] {
            assert_eq!(wait(query).unwrap(), seconds, "{query}");
        }
        for wrong in [
            "wait=",
            "wait",
            "wait=61",
            "wait=-1",
            "wait=2.5",
            "wait=%2B5",
            "wait=5s",
            "wait=1&wait=1",
            "wait=99999999999999999999",
        ] {
            assert_eq!(wait(wrong).unwrap_err().code(), "invalid_query", "{wrong}");
        }
    }

    #[test]
    fn a_preference_is_taken_where_it_makes_sense() {
        let wait = |lines: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(PREFER, HeaderValue::from_static(line));
            }
            preferred_wait(&headers).map(|wait| wait.as_secs())
        };
        assert_eq!(wait(&["wait=10"]), Some(10));
        assert_eq!(
            wait(&["respond-async, Wait = \"7\"; why=not, wait=9"]),
            Some(7)
        );
        assert_eq!(wait(&["return=minimal", "wait=600"]), Some(60));
        for none in ["wait", "wait=soon", "wait=0", "wait=-3", "waits=3", ""] {
            assert_eq!(wait(&[none]), None, "{none}");
        }
    }
}
