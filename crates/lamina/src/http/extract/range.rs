//! Which part of a file a request wants (RFC 9110, section 14). One range of bytes; several, or
//! another unit, mean the whole file, which the RFC allows.

use std::ops::Range;

use axum::http::HeaderMap;
use axum::http::header::{IF_RANGE, RANGE};

/// What is to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::http) enum Part {
    /// Everything.
    Whole,
    /// These bytes.
    Bytes(Range<u64>),
    /// Nothing of what was asked for exists.
    Outside,
}

/// The part that `headers` ask for of a file with `size` bytes and this strong tag.
pub(in crate::http) fn wanted(headers: &HeaderMap, size: u64, tag: &str) -> Part {
    let asked = headers.get(RANGE).and_then(|value| value.to_str().ok());
    // A client that holds an older version wants the new one whole. A date never matches: files
    // do not change, so they are known by tag alone.
    let current = headers
        .get(IF_RANGE)
        .is_none_or(|given| given.as_bytes() == tag.as_bytes());
    match asked {
        Some(asked) if current => parse(asked, size).unwrap_or(Part::Whole),
        _ => Part::Whole,
    }
}

/// `None` for what is no single byte range.
fn parse(asked: &str, size: u64) -> Option<Part> {
    let (unit, set) = asked.split_once('=')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    let (first, last) = set.trim().split_once('-')?;
    let (first, last) = (number(first), number(last));
    let part = match (first?, last?) {
        (Some(first), Some(last)) if first > last => return None,
        (Some(first), last) if first < size => {
            let end = last.map_or(size, |last| last.saturating_add(1).min(size));
            Part::Bytes(first..end)
        }
        (None, Some(suffix)) if suffix > 0 && size > 0 => {
            Part::Bytes(size.saturating_sub(suffix)..size)
        }
        (None, None) => return None,
        _ => Part::Outside,
    };
    Some(part)
}

/// `Some(None)` for nothing, `None` for what is no number.
fn number(text: &str) -> Option<Option<u64>> {
    let text = text.trim();
    if text.is_empty() {
        return Some(None);
    }
    if !text.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    // A number beyond u64 lies beyond every file.
    Some(Some(text.parse().unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn part(range: &'static str) -> Part {
        let mut headers = HeaderMap::new();
        headers.insert(RANGE, HeaderValue::from_static(range));
        wanted(&headers, 10, "\"x\"")
    }

    #[test]
    fn one_range_is_cut_to_the_file() {
        assert_eq!(part("bytes=0-0"), Part::Bytes(0..1));
        assert_eq!(part("bytes=2-"), Part::Bytes(2..10));
        assert_eq!(part("bytes=2-99999999999999999999999"), Part::Bytes(2..10));
        assert_eq!(part("bytes=-3"), Part::Bytes(7..10));
        assert_eq!(part("bytes=-99"), Part::Bytes(0..10));
        assert_eq!(part("Bytes = 9 - 9"), Part::Bytes(9..10));
    }

    #[test]
    fn a_range_outside_of_the_file_is_told() {
        assert_eq!(part("bytes=10-"), Part::Outside);
        assert_eq!(part("bytes=99-100"), Part::Outside);
        assert_eq!(part("bytes=-0"), Part::Outside);
    }

    #[test]
    fn what_is_no_single_byte_range_means_the_whole_file() {
        for odd in [
            "bytes=0-1,4-5",
            "pixels=0-1",
            "bytes=5-2",
            "bytes=-",
            "bytes=a-b",
            "bytes",
            "bytes=1",
        ] {
            assert_eq!(part(odd), Part::Whole, "{odd}");
        }
    }

    #[test]
    fn a_range_of_another_version_means_the_whole_file() {
        for (held, part) in [
            ("\"x\"", Part::Bytes(0..2)),
            ("\"y\"", Part::Whole),
            ("W/\"x\"", Part::Whole),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(RANGE, HeaderValue::from_static("bytes=0-1"));
            headers.insert(IF_RANGE, HeaderValue::from_static(held));
            assert_eq!(wanted(&headers, 10, "\"x\""), part);
        }
    }
}
