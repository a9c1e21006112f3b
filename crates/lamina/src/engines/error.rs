//! What can go wrong at an engine, sorted by what the worker can do about it.

use std::time::Duration;

use crate::blobs::BlobError;
use crate::jobs::{Failure, FailureCode};

/// A failure at an engine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct EngineError {
    /// What the job fails with if this is the end.
    pub code: FailureCode,
    /// What the person reads, where more is known than the code says.
    pub sentence: Option<&'static str>,
    /// Whether the same may succeed later.
    pub retryable: bool,
    /// The least time to wait, as the engine asked for.
    pub retry_after: Option<Duration>,
    /// For the log; never shown to a client.
    pub text: String,
}

impl EngineError {
    /// A failure that will not pass.
    #[must_use]
    pub fn permanent(code: FailureCode, text: impl Into<String>) -> Self {
        Self {
            code,
            sentence: None,
            retryable: false,
            retry_after: None,
            text: text.into(),
        }
    }

    /// A failure that may pass.
    #[must_use]
    pub fn retryable(code: FailureCode, text: impl Into<String>) -> Self {
        Self {
            code,
            sentence: None,
            retryable: true,
            retry_after: None,
            text: text.into(),
        }
    }
}

impl EngineError {
    /// What the job fails with.
    #[must_use]
    pub fn failure(&self) -> Failure {
        let mut failure = Failure::from(self.code);
        if let Some(sentence) = self.sentence {
            failure.sentence = sentence.into();
        }
        failure
    }

    /// Whether the engine is not to blame: lamina could not read the picture for it.
    #[must_use]
    pub fn is_storage(&self) -> bool {
        self.retryable && self.code == FailureCode::StorageUnavailable
    }
}

impl From<BlobError> for EngineError {
    /// Of a source that could not be read.
    fn from(error: BlobError) -> Self {
        match error {
            BlobError::Missing(_) => Self::permanent(FailureCode::SourceLost, error.to_string()),
            BlobError::Full(_) | BlobError::Unavailable(_) | BlobError::Refused(_) => {
                Self::retryable(FailureCode::StorageUnavailable, error.to_string())
            }
        }
    }
}

/// What is known of a submission that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// The engine does not have it; nothing is paid.
    NotTaken,
    /// The engine may have it, and may bill it.
    Unknown,
}

/// A submission that failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{error}")]
pub struct SubmitError {
    /// What is known about payment.
    pub delivery: Delivery,
    /// What happened.
    pub error: EngineError,
}

impl SubmitError {
    /// The engine does not have it.
    #[must_use]
    pub fn not_taken(error: EngineError) -> Self {
        Self {
            delivery: Delivery::NotTaken,
            error,
        }
    }
}
