//! The protocol's headers, read strictly: what is missing or wrong is told, not guessed.

use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use image_intake::ImageError;

use crate::http::answer::error::ApiError;
use crate::http::extract::tus_headers::{
    UPLOAD_DEFER_LENGTH, UPLOAD_EXPIRES, UPLOAD_LENGTH, UPLOAD_METADATA,
};
use crate::http::state::ApiState;
use crate::jobs::UnixMs;

/// The type of every part.
pub(super) const PART: &str = "application/offset+octet-stream";
/// A name and a type fit many times.
const METADATA_BYTES: usize = 4 << 10;

/// A whole number; `None` without the header.
pub(super) fn number(headers: &HeaderMap, name: &HeaderName) -> Result<Option<u64>, ApiError> {
    let Some(value) = headers.get(name) else {
        return Ok(None);
    };
    let digits = value
        .to_str()
        .ok()
        .filter(|text| !text.is_empty() && text.bytes().all(|letter| letter.is_ascii_digit()));
    let number = digits.and_then(|digits| digits.parse().ok());
    let wrong = || ApiError::TusHeaderInvalid(format!("{name} must be a whole number of bytes"));
    number.map(Some).ok_or_else(wrong)
}

/// The declared size of the whole, within what is taken; `None` where it is deferred.
pub(super) fn length(state: &ApiState, headers: &HeaderMap) -> Result<Option<u64>, ApiError> {
    let length = number(headers, &UPLOAD_LENGTH)?;
    let max_bytes = state.images.max_bytes;
    if length.is_some_and(|length| length > max_bytes) {
        return Err(ImageError::TooManyBytes { max_bytes }.into());
    }
    Ok(length)
}

/// Whether the size is to be told later.
pub(super) fn is_deferred(headers: &HeaderMap) -> Result<bool, ApiError> {
    match headers.get(UPLOAD_DEFER_LENGTH) {
        None => Ok(false),
        Some(value) if value == "1" => Ok(true),
        Some(_) => Err(ApiError::TusHeaderInvalid(
            "Upload-Defer-Length must be 1, or absent".to_owned(),
        )),
    }
}

/// What the client says of the upload: pairs of a key and a value in base64, kept as they are and
/// given back. Nothing here reads them.
pub(super) fn metadata(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let Some(value) = headers.get(UPLOAD_METADATA) else {
        return Ok(None);
    };
    let text = value.to_str().ok().map(str::trim).unwrap_or(",");
    if text.is_empty() {
        return Ok(None);
    }
    let mut keys = Vec::new();
    let fine = text.len() <= METADATA_BYTES
        && text.split(',').all(|pair| {
            let mut words = pair.trim().splitn(2, ' ');
            let (key, value) = (words.next().unwrap_or_default(), words.next());
            let is_new = !keys.contains(&key);
            keys.push(key);
            let named = !key.is_empty() && key.bytes().all(|letter| letter.is_ascii_graphic());
            named && is_new && STANDARD.decode(value.unwrap_or_default()).is_ok()
        });
    if fine {
        Ok(Some(text.to_owned()))
    } else {
        Err(ApiError::TusHeaderInvalid(format!(
            "Upload-Metadata must be pairs of an own key and a value in base64, such as \"filename YS5wbmc=\", separated by commas, of at most {METADATA_BYTES} bytes"
        )))
    }
}

/// Whether the body is declared as a part.
pub(super) fn is_part(headers: &HeaderMap) -> bool {
    let declared = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    declared.is_some_and(|kind| kind.eq_ignore_ascii_case(PART.as_bytes()))
}

/// `Upload-Expires`, a date as HTTP writes it (RFC 9110, 5.6.7).
pub(super) fn expires(answer: &mut HeaderMap, at: UnixMs) {
    let date = jiff::Timestamp::from_second(at.as_secs())
        .ok()
        .and_then(|at| {
            let printer = jiff::fmt::rfc2822::DateTimePrinter::new();
            printer.timestamp_to_rfc9110_string(&at).ok()
        });
    if let Some(date) = date.and_then(|date| HeaderValue::try_from(date).ok()) {
        answer.insert(UPLOAD_EXPIRES, date);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[test]
    fn a_number_is_digits_and_nothing_else() {
        let read = |value| number(&with(UPLOAD_LENGTH, value), &UPLOAD_LENGTH).ok();
        assert_eq!(read("0"), Some(Some(0)));
        assert_eq!(read("18446744073709551615"), Some(Some(u64::MAX)));
        for wrong in ["", "-1", "+1", "1.0", "0x1", " ", "18446744073709551616"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
        assert!(number(&HeaderMap::new(), &UPLOAD_LENGTH).unwrap().is_none());
    }

    #[test]
    fn metadata_is_kept_as_it_is_or_refused() {
        let read = |value| metadata(&with(UPLOAD_METADATA, value));
        for fine in [
            "filename YS5wbmc=",
            "a YQ==,is_confidential",
            "a YQ==, b ",
            "a",
        ] {
            assert_eq!(read(fine).unwrap().unwrap(), fine.trim());
        }
        assert!(read("").unwrap().is_none());
        for wrong in [
            ",",
            "a YQ==,",
            "a b c",
            "a YQ",
            "a YQ==,a YQ==",
            "a\tb YQ==",
            "a %",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
        let long: &'static str = format!("a {}", "YWFh".repeat(1024)).leak();
        assert!(read(long).is_err());
    }

    #[test]
    fn a_date_is_written_as_http_writes_it() {
        let mut answer = HeaderMap::new();
        expires(&mut answer, UnixMs(1_795_356_717_999));
        assert_eq!(answer[UPLOAD_EXPIRES], "Sun, 22 Nov 2026 14:11:57 GMT");
    }
}
