//! Why a blob could not be read or written, sorted by who can help: nobody (it is gone), time, or
//! the operator. What a bucket's answer says is reduced to its status and code: the rest of its body
//! may repeat keys and signatures, and never reaches a log.

use std::error::Error as _;
use std::io::ErrorKind;

use object_store::client::{HttpError, HttpErrorKind};

use crate::disk::Full;

/// Why bytes could not be read or written.
#[derive(Clone, Debug, thiserror::Error)]
pub enum BlobError {
    /// There is no such blob.
    #[error("the blob {0} does not exist")]
    Missing(String),
    /// The disk is full, or so nearly that no picture is written; it passes when something was erased.
    #[error("there is no room for pictures: {0}")]
    Full(String),
    /// The folder is read-only, the bucket is down or slow; it may pass.
    #[error("the blob store failed: {0}")]
    Unavailable(String),
    /// The bucket answers, and refuses lamina: a wrong key, a missing right, no such bucket, another
    /// region. It passes only when the operator changes something.
    #[error("the blob store refuses: {0}")]
    Refused(String),
}

impl BlobError {
    /// What an error of the store means for `what`, a key or a few words. `absent_is_missing` is
    /// false where the path cannot be absent, as in a write: then the bucket itself is.
    pub(super) fn of(what: &str, error: &object_store::Error, absent_is_missing: bool) -> Self {
        use object_store::Error;
        let answer = Answer::of(error);
        match error {
            Error::NotFound { .. }
                if absent_is_missing && answer.code.as_deref() != Some("NoSuchBucket") =>
            {
                Self::Missing(what.to_owned())
            }
            _ if is_full(error) => Self::Full(format!("{what}: the disk is full")),
            _ => match answer.status {
                Some(408 | 425 | 429 | 500..) => {
                    Self::Unavailable(format!("{what}: {}", answer.sentence()))
                }
                Some(_) => Self::Refused(format!("{what}: {}", answer.sentence())),
                None => Self::Unavailable(format!("{what}: {}", transport(error))),
            },
        }
    }
}

impl From<Full> for BlobError {
    fn from(full: Full) -> Self {
        Self::Full(full.to_string())
    }
}

/// Whether a bucket refuses a question for its kind, so that another kind may be answered: some keys and gateways know no
/// HEAD. What is refused to everybody is refused again.
pub(super) fn is_refused(error: &object_store::Error) -> bool {
    matches!(Answer::of(error).status, Some(400 | 401 | 403 | 405 | 501))
}

fn is_full(error: &object_store::Error) -> bool {
    let mut cause = error.source();
    while let Some(inner) = cause {
        if let Some(io) = inner.downcast_ref::<std::io::Error>() {
            return matches!(io.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded);
        }
        cause = inner.source();
    }
    false
}

const MOVED_PERMANENTLY: u16 = 301;

/// What a bucket answered, as far as it may be repeated.
struct Answer {
    status: Option<u16>,
    /// S3's own word, such as `SignatureDoesNotMatch`.
    code: Option<String>,
}

impl Answer {
    /// Read from the text, because the library keeps its type of a refused request to itself.
    fn of(error: &object_store::Error) -> Self {
        let text = error.to_string();
        let status = text
            .split_once("status code: ")
            .and_then(|(_, rest)| rest.get(..3)?.parse().ok());
        // S3 in another region sends clients elsewhere, and says only to browsers where.
        let status = status.or_else(|| {
            text.contains("redirect without LOCATION")
                .then_some(MOVED_PERMANENTLY)
        });
        let code = text
            .split_once("<Code>")
            .and_then(|(_, rest)| rest.split_once("</Code>"))
            .map(|(code, _)| code)
            .filter(|code| code.len() <= 64 && code.bytes().all(|c| c.is_ascii_alphanumeric()))
            .map(str::to_owned);
        Self { status, code }
    }

    fn sentence(&self) -> String {
        let status = self.status.unwrap_or_default();
        let code = self.code.as_deref().unwrap_or("without a code");
        let advice = match (status, code) {
            (_, "NoSuchBucket") => "; there is no such bucket: check STORAGE_URL",
            (_, "InvalidAccessKeyId" | "NotSignedUp") => "; check S3_ACCESS_KEY_ID",
            (_, "SignatureDoesNotMatch") => "; check S3_SECRET_ACCESS_KEY and S3_REGION",
            (_, "RequestTimeTooSkewed") => "; this machine's clock is wrong",
            (_, "AuthorizationHeaderMalformed" | "PermanentRedirect") | (301 | 307, _) => {
                "; check S3_REGION and S3_ENDPOINT"
            }
            (401 | 403, _) => {
                "; check S3_ACCESS_KEY_ID, S3_SECRET_ACCESS_KEY and what the key may do in this bucket"
            }
            (404, _) => "; there may be no such bucket: check STORAGE_URL and S3_ENDPOINT",
            _ => "",
        };
        format!("the bucket answered {status} ({code}){advice}")
    }
}

/// A failure without an answer of the bucket. A file system's own text is kept; of a connection only
/// the kind, since its text may carry an address with a query.
fn transport(error: &object_store::Error) -> String {
    let mut cause = error.source();
    while let Some(inner) = cause {
        if let Some(http) = inner.downcast_ref::<HttpError>() {
            return match http.kind() {
                HttpErrorKind::Connect => "the bucket cannot be reached: check S3_ENDPOINT",
                HttpErrorKind::Timeout => "the bucket did not answer in time",
                HttpErrorKind::Request
                | HttpErrorKind::Interrupted
                | HttpErrorKind::Decode
                | HttpErrorKind::Unknown => "the connection to the bucket broke",
                _ => "the bucket did not answer",
            }
            .to_owned();
        }
        cause = inner.source();
    }
    let text = error.to_string();
    // A bucket's answer that fits none of the above is not worth its secrets.
    if text.contains("http://") || text.contains("https://") || text.contains('<') {
        return "the bucket did not answer as S3 does".to_owned();
    }
    text
}
