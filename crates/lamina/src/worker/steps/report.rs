//! What a step reports: an outcome for the state machine, its output for the store, and what the next
//! step of the same claim can use without asking again. And what every way to fail comes to, in one match.

use std::time::Duration;

use safe_fetch::{FetchClass, FetchError};

use super::wait;
use crate::blobs::BlobError;
use crate::engines::{EngineError, LayerSource};
use crate::jobs::{Event, Failure, FailureCode, Outcome, UnixMs, sentence};
use crate::pool::PictureError;
use crate::store::{Claimed, StepOutput, StoreError};
use crate::worker::Worker;

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

    /// The same again after a pause; counts an attempt, and the last one fails with `failure`.
    pub(in crate::worker) fn retry(failure: impl Into<Failure>, after: Option<Duration>) -> Self {
        Self::of(Outcome::Retry {
            after,
            failure: failure.into(),
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

/// Why a step ended early.
#[derive(Debug)]
pub(in crate::worker) enum StepError {
    /// The source could not be fetched.
    Fetch(FetchError),
    /// The source is no picture that is taken.
    Picture(PictureError),
    /// A blob could not be read or written.
    Blob(BlobError),
    /// The engine did not get the picture.
    Engine(EngineError),
    /// A layer could not be fetched. It is paid for.
    LayerFetch(FetchError),
    /// A layer is no picture that is taken.
    Layer(PictureError),
    /// The database could not be asked.
    Store(StoreError),
    /// Another worker, a delete or the expiry took the job.
    LostLease,
    /// The step itself says what follows.
    Report(Box<Report>),
}

impl From<Report> for StepError {
    fn from(report: Report) -> Self {
        Self::Report(Box::new(report))
    }
}

impl From<BlobError> for StepError {
    fn from(error: BlobError) -> Self {
        Self::Blob(error)
    }
}

impl From<StoreError> for StepError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// A step's result.
pub(in crate::worker) type StepResult = Result<Report, StepError>;

/// What a step that ended early reports; `None` when the lease was lost.
pub(in crate::worker) fn report(
    worker: &Worker,
    job: &Claimed,
    error: StepError,
) -> Option<Report> {
    let id = job.lease.job;
    let now = worker.parts.clock.now();
    let snooze = |pause: Duration| Report::snooze(now.plus(pause));
    let pause = worker.settings.storage_pause;
    Some(match error {
        StepError::Fetch(error) => {
            tracing::info!(job = %id, code = error.code(), "the source could not be fetched");
            let failure = Failure::other(error.code(), sentence(&error.to_string()));
            match error.class() {
                FetchClass::Refused | FetchClass::Permanent => Report::give_up(failure),
                FetchClass::Retryable => Report::retry(failure, error.retry_after()),
            }
        }
        StepError::Picture(PictureError::Busy) | StepError::Layer(PictureError::Busy) => {
            snooze(OWN_TROUBLE)
        }
        StepError::Picture(error) => {
            Report::give_up(Failure::other(error.code(), sentence(&error.to_string())))
        }
        StepError::Blob(error) => {
            tracing::error!(job = %id, %error, "the blob store failed a step");
            match error {
                BlobError::Missing(_) => Report::give_up(FailureCode::SourceLost),
                // Erasing takes its time, and each try may fetch every layer again.
                BlobError::Full(_) => snooze(pause * 6),
                BlobError::Unavailable(_) => snooze(pause),
                BlobError::Refused(_) => snooze(pause * 12),
            }
        }
        StepError::Engine(error) if error.is_storage() => snooze(pause),
        StepError::Engine(error) if error.retryable => {
            Report::retry(error.failure(), error.retry_after)
        }
        StepError::Engine(error) => Report::give_up(error.failure()),
        StepError::LayerFetch(error) => layer_not_fetched(worker, job, &error),
        StepError::Layer(error) => {
            tracing::warn!(job = %id, code = error.code(), "the engine gave a layer that is not a picture");
            if error.is_too_large() {
                Report::give_up(FailureCode::EngineOutputTooLarge)
            } else {
                Report::retry(FailureCode::EngineBadLayer, None)
            }
        }
        StepError::Store(error) => {
            tracing::error!(job = %id, phase = %job.phase, %error, "a step could not write what it learnt");
            snooze(OWN_TROUBLE)
        }
        StepError::LostLease => return None,
        StepError::Report(report) => *report,
    })
}

/// A host that fails, and a file that is not there or is no picture, are asked again. Only what lamina does not open, or
/// not as large, stays so.
fn layer_not_fetched(worker: &Worker, job: &Claimed, error: &FetchError) -> Report {
    tracing::warn!(job = %job.lease.job, code = error.code(), "a layer could not be fetched");
    let code = FailureCode::EngineBadLayer;
    match (error, error.class()) {
        (FetchError::TooManyBytes { .. }, _) => Report::give_up(FailureCode::EngineOutputTooLarge),
        (_, FetchClass::Refused) => Report::give_up(code),
        (_, FetchClass::Permanent) => Report::retry(code, None),
        (_, FetchClass::Retryable) => {
            wait::try_again_while_paid(worker, job, code, error.retry_after())
        }
    }
}
