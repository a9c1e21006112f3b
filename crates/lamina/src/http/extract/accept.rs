//! Whether a client takes what a route answers with, by its `Accept` (RFC 9110, 12.5.1). Only a stream asks: whoever
//! cannot read one would wait for its end. All other routes answer as they do.

use axum::http::HeaderMap;
use axum::http::header::ACCEPT;

/// Whether `text/event-stream` may be answered. A request without the header takes everything.
pub(in crate::http) fn takes_event_stream(headers: &HeaderMap) -> bool {
    let mut lines = headers.get_all(ACCEPT).iter().peekable();
    if lines.peek().is_none() {
        return true;
    }
    // What names it best decides, and of two alike the kinder one.
    let best = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .filter_map(|range| {
            let mut parts = range.split(';').map(str::trim);
            let precision = match parts.next()?.to_ascii_lowercase().as_str() {
                "text/event-stream" => 2,
                "text/*" => 1,
                "*/*" => 0,
                _ => return None,
            };
            Some((precision, parts.all(|part| !is_refusal(part))))
        })
        .max();
    best.is_some_and(|(_, takes)| takes)
}

/// Whether a parameter says "not this one".
fn is_refusal(parameter: &str) -> bool {
    let Some((name, value)) = parameter.split_once('=') else {
        return false;
    };
    name.trim().eq_ignore_ascii_case("q")
        && value
            .trim()
            .parse::<f32>()
            .is_ok_and(|weight| weight <= 0.0)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_stream_is_for_those_who_name_it_or_everything() {
        let takes = |lines: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(ACCEPT, HeaderValue::from_static(line));
            }
            takes_event_stream(&headers)
        };
        for yes in [
            &[][..],
            &["*/*"],
            &["text/event-stream"],
            &["application/json, Text/Event-Stream;q=0.1"],
            &["application/json", "text/*; q=0.5"],
            &["*/*;q=0, text/event-stream"],
        ] {
            assert!(takes(yes), "{yes:?}");
        }
        for no in [
            &["application/json"][..],
            &["text/html, application/xml"],
            &["text/event-stream;q=0"],
            &["*/*, text/event-stream; q=0.0"],
            &[""],
        ] {
            assert!(!takes(no), "{no:?}");
        }
    }
}
