//! What a step reports: an outcome for the state machine, its output for the store, and what the next
//! step of the same claim can use without asking again.

use safe_fetch::{FetchClass, FetchError};

use crate::blobs::BlobError;
use crate::engines::{EngineError, LayerSource};
use crate::jobs::{Event, Failure, FailureCode, Outcome, UnixMs, sentence};
use crate::pool::PictureError;
use crate::store::{StepOutput, StoreError};

use std::time::Duration;

/// How long a step waits when lamina's own database or pool cannot take it. It counts no attempt: a
/// full disk must not fail a job that was paid for.
pub(in crate::worker) const OWN_TROUBLE: Duration = Duration::from_secs(5);

/// What one step came to.
#[derive(Debug)]
pub(in crate::worker) struct Report {
    pub(in crate::worker) outcome: Outcome,
    pub(in crate::worker) output: StepOutput,
    /// Layers that the wait step was given and the collect step needs.
    pub(in crate::worker) layers: Option<Vec<LayerSource>>,
}

impl Report {
    pub(in crate::worker) fn of(outcome: Outcome) -> Self {
        Self {
            outcome,
            output: StepOutput::None,
            layers: None,
        }
    }

    pub(in crate::worker) fn done(event: Event, now: UnixMs) -> Self {
        Self::of(Outcome::Done { event, run_at: now })
    }

    pub(in crate::worker) fn give_up(failure: impl Into<Failure>) -> Self {
        Self::of(Outcome::GiveUp(failure.into()))
    }

    /// The same again after a pause; counts an attempt, and the last one fails with `code`.
    pub(in crate::worker) fn retry(code: FailureCode, after: Option<Duration>) -> Self {
        Self::of(Outcome::Retry {
            after,
            failure: code.into(),
            event: None,
        })
    }

    pub(in crate::worker) fn snooze(until: UnixMs) -> Self {
        Self::of(Outcome::Snooze { until })
    }

    pub(in crate::worker) fn with(mut self, output: StepOutput) -> Self {
        self.output = output;
        self
    }
}

/// Why a step ended early, apart from the store's own troubles.
#[derive(Debug)]
pub(in crate::worker) enum StepError {
    Report(Box<Report>),
    /// Another worker, a delete or the expiry took the job.
    LostLease,
    /// The store cannot be written now.
    Store(StoreError),
}

impl From<Report> for StepError {
    fn from(report: Report) -> Self {
        Self::Report(Box::new(report))
    }
}

impl From<StoreError> for StepError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// A step's result; `?` leaves with a report.
pub(in crate::worker) type StepResult = Result<Report, StepError>;

pub(in crate::worker) fn fetch_failed(error: &FetchError) -> Outcome {
    let failure = Failure::other(error.code(), sentence(&error.to_string()));
    match error.class() {
        FetchClass::Refused | FetchClass::Permanent => Outcome::GiveUp(failure),
        FetchClass::Retryable => Outcome::Retry {
            after: error.retry_after(),
            failure,
            event: None,
        },
    }
}

pub(in crate::worker) fn image_refused(error: &PictureError, now: UnixMs) -> Outcome {
    if matches!(error, PictureError::Busy) {
        return Outcome::Snooze {
            until: now.plus(OWN_TROUBLE),
        };
    }
    Outcome::GiveUp(Failure::other(error.code(), sentence(&error.to_string())))
}

/// A blob that could not be read or written; `pause` is the setting for that.
pub(in crate::worker) fn blob_failed(error: &BlobError, now: UnixMs, pause: Duration) -> Outcome {
    match error {
        BlobError::Missing(_) => Outcome::GiveUp(FailureCode::SourceLost.into()),
        // Erasing takes its time, and each try may fetch every layer again.
        BlobError::Full(_) => Outcome::Snooze {
            until: now.plus(pause * 6),
        },
        BlobError::Unavailable(_) => Outcome::Snooze {
            until: now.plus(pause),
        },
        BlobError::Refused(_) => Outcome::Snooze {
            until: now.plus(pause * 12),
        },
    }
}

/// A hand-over that failed before the engine had the picture.
pub(in crate::worker) fn engine_failed(
    error: &EngineError,
    now: UnixMs,
    pause: Duration,
) -> Outcome {
    let failure = error.failure();
    if error.is_storage() {
        Outcome::Snooze {
            until: now.plus(pause),
        }
    } else if error.retryable {
        Outcome::Retry {
            after: error.retry_after,
            failure,
            event: None,
        }
    } else {
        Outcome::GiveUp(failure)
    }
}
