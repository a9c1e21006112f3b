//! Everything that can go wrong in a call, and what to do about it.
//!
//! One enum says what happened, one function ([`Error::class`]) says what to do, by an exhaustive
//! match. No message, and no `Debug`, holds a key, an address with its query, or any text of an
//! answer, since that may repeat the input; [`Error::failure`] has what fal said.

use std::time::Duration;

use crate::{Detail, ErrorType, Failure};

/// Why a call failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The arguments cannot be turned into a request; nothing was sent.
    #[error("the request cannot be made: {0}")]
    Invalid(String),
    /// No connection was made (name look-up, TCP, TLS); nothing was sent.
    #[error("no connection to fal: {0}")]
    Connect(String),
    /// The answer did not come, or not completely, within the limit.
    #[error("fal did not answer in time: {0}")]
    Timeout(String),
    /// The connection broke after the request went out.
    #[error("the connection to fal broke before the whole answer came: {0}")]
    Interrupted(String),
    /// The answer is larger than [`Config::max_answer_bytes`](crate::Config::max_answer_bytes).
    #[error("fal's answer is larger than {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// A success whose body is not whole JSON: cut, or another server's page.
    #[error("fal's answer is not readable: {0}")]
    Malformed(String),
    /// A success whose body is JSON of another shape than expected.
    #[error("fal's answer has an unexpected shape: {0}")]
    Unexpected(String),
    /// 401: no key, a malformed key, or an unknown one.
    #[error("fal does not accept the key ({0})")]
    Unauthorized(Box<Failure>),
    /// 403 that is not a lock: the key may not do this.
    #[error("the fal key may not do this ({0})")]
    Forbidden(Box<Failure>),
    /// 403 of a locked account (no balance, or locked by fal), or 402. It concerns the whole
    /// account, and unlocking after a payment takes time.
    #[error("the fal account is locked ({0})")]
    Locked(Box<Failure>),
    /// 404 or 410: no such model or request, or a result past its retention.
    #[error("fal knows no such model or request, or keeps it no more ({0})")]
    NotFound(Box<Failure>),
    /// The result was asked for before the request was completed.
    #[error("the request is not completed yet ({0})")]
    NotReady(Box<Failure>),
    /// 429.
    #[error("fal asks for fewer requests ({0})")]
    RateLimited(Box<Failure>),
    /// 499, `client_cancelled` or `client_disconnected`.
    #[error("the request was cancelled ({0})")]
    Cancelled(Box<Failure>),
    /// The model refused the input or failed: a list of items.
    #[error("the model failed ({0})")]
    Model(Box<Failure>),
    /// fal's infrastructure failed the request and says how (`error_type`).
    #[error("fal failed the request ({0})")]
    Request(Box<Failure>),
    /// Any other answer that is no success.
    #[error("fal answered with an error ({0})")]
    Http(Box<Failure>),
}

/// What to do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// The same may succeed later. For a failed run ([`Error::describes_run`]) that means a new
    /// submit, else the same call.
    Retryable,
    /// The same will fail again.
    Permanent,
    /// As `Retryable`, but slower; see [`Error::retry_after`].
    RateLimited,
    /// The key is wrong or may not do this: nothing will work until an operator acts.
    Auth,
    /// The account is locked: nothing will work until somebody pays or asks fal.
    Locked,
    /// The thing asked for does not exist, or not any more.
    NotFound,
    /// Ask again after the status says "completed".
    NotReady,
    /// The request was cancelled.
    Cancelled,
}

impl Error {
    /// Sorts an answer that is no success into its variant.
    pub(crate) fn from_failure(failure: Box<Failure>) -> Self {
        let has_items = matches!(failure.detail, Detail::Items(_));
        let cancelled = matches!(
            failure.error_type,
            Some(ErrorType::ClientCancelled | ErrorType::ClientDisconnected)
        );
        match failure.status {
            401 => Self::Unauthorized(failure),
            402 => Self::Locked(failure),
            403 if speaks_of_lock(&failure) => Self::Locked(failure),
            403 if !has_items => Self::Forbidden(failure),
            404 | 410 if !has_items => Self::NotFound(failure),
            429 => Self::RateLimited(failure),
            499 => Self::Cancelled(failure),
            _ if cancelled => Self::Cancelled(failure),
            400 if speaks_of_progress(&failure) => Self::NotReady(failure),
            _ if has_items => Self::Model(failure),
            _ if failure.error_type.is_some() => Self::Request(failure),
            _ => Self::Http(failure),
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::Connect(_) | Self::Timeout(_) | Self::Interrupted(_) | Self::Malformed(_) => {
                Class::Retryable
            }
            Self::Invalid(_) | Self::TooLarge { .. } | Self::Unexpected(_) => Class::Permanent,
            Self::Unauthorized(_) | Self::Forbidden(_) => Class::Auth,
            Self::Locked(_) => Class::Locked,
            Self::NotFound(_) => Class::NotFound,
            Self::NotReady(_) => Class::NotReady,
            Self::RateLimited(_) => Class::RateLimited,
            Self::Cancelled(_) => Class::Cancelled,
            Self::Model(failure) | Self::Request(failure) | Self::Http(failure) => {
                class_of(failure)
            }
        }
    }

    /// What fal said, when it said something.
    #[must_use]
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Invalid(_)
            | Self::Connect(_)
            | Self::Timeout(_)
            | Self::Interrupted(_)
            | Self::TooLarge { .. }
            | Self::Malformed(_)
            | Self::Unexpected(_) => None,
            Self::Unauthorized(failure)
            | Self::Forbidden(failure)
            | Self::Locked(failure)
            | Self::NotFound(failure)
            | Self::NotReady(failure)
            | Self::RateLimited(failure)
            | Self::Cancelled(failure)
            | Self::Model(failure)
            | Self::Request(failure)
            | Self::Http(failure) => Some(failure),
        }
    }

    /// fal's machine-readable type, where one was given.
    #[must_use]
    pub fn error_type(&self) -> Option<&ErrorType> {
        self.failure()?.error_type.as_ref()
    }

    /// How long the server asks to wait before the next attempt.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.failure()?.retry_after
    }

    /// True when the answer of [`Client::result`](crate::Client::result) reads as the way the run
    /// ended, not as a failure to fetch it.
    ///
    /// A 4xx with a list of items is the model's own word. A 5xx, or a type of fal's infrastructure,
    /// can also come from whatever stands before the result: it is the run's only if the status names
    /// an error too ([`Status::Completed`](crate::Status::Completed)).
    #[must_use]
    pub fn describes_run(&self) -> bool {
        match self {
            Self::Model(_) | Self::Request(_) | Self::Cancelled(_) => true,
            Self::Invalid(_)
            | Self::Connect(_)
            | Self::Timeout(_)
            | Self::Interrupted(_)
            | Self::TooLarge { .. }
            | Self::Malformed(_)
            | Self::Unexpected(_)
            | Self::Unauthorized(_)
            | Self::Forbidden(_)
            | Self::Locked(_)
            | Self::NotFound(_)
            | Self::NotReady(_)
            | Self::RateLimited(_)
            | Self::Http(_) => false,
        }
    }

    /// Whether the client repeats a call that may be repeated.
    pub(crate) fn may_repeat(&self) -> bool {
        matches!(self.class(), Class::Retryable | Class::RateLimited)
    }
}

/// The caller's own time-out comes first, then the header, then the types, then the status.
fn class_of(failure: &Failure) -> Class {
    if failure.user_timeout {
        return Class::Permanent;
    }
    if let Some(retryable) = failure.retryable {
        return if retryable {
            Class::Retryable
        } else {
            Class::Permanent
        };
    }
    let status = failure.status;
    // Several items: one that will never pass makes the whole hopeless.
    if let Detail::Items(items) = &failure.detail {
        let classes = items
            .iter()
            .filter_map(|item| class_of_type(item.error_type.as_ref()?, status));
        if let Some(worst) = classes.max_by_key(|class| *class != Class::Retryable) {
            return worst;
        }
    }
    let by_type = |kind| class_of_type(kind, status);
    if let Some(class) = failure.error_type.as_ref().and_then(by_type) {
        return class;
    }
    match status {
        408 | 409 | 425 | 500..=599 => Class::Retryable,
        _ => Class::Permanent,
    }
}

/// The one type that comes with either kind of status is judged by it: a 4xx may be billed.
fn class_of_type(kind: &ErrorType, status: u16) -> Option<Class> {
    match kind {
        ErrorType::DownstreamServiceError if status < 500 => Some(Class::Permanent),
        kind => kind.class(),
    }
}

/// fal has no type for a locked account, so here the text decides. Seen in the wild: "User is
/// locked. Reason: Exhausted balance. Top up …", "Reason: Admin lock. …", "Reason: TOP_UP".
fn speaks_of_lock(failure: &Failure) -> bool {
    let text = failure.message().to_ascii_lowercase();
    ["is locked", "admin lock", "exhausted balance", "top_up"]
        .iter()
        .any(|sign| text.contains(sign))
}

/// Nor has it one for "not yet": the text seen is "Request is still in progress".
fn speaks_of_progress(failure: &Failure) -> bool {
    let untyped = matches!(failure.error_type, None | Some(ErrorType::BadRequest));
    let Detail::Text(text) = &failure.detail else {
        return false;
    };
    let text = text.to_ascii_lowercase();
    untyped
        && [
            "in progress",
            "in_progress",
            "in queue",
            "in_queue",
            "not complete",
            "not ready",
            "not finished",
        ]
        .iter()
        .any(|sign| text.contains(sign))
}
