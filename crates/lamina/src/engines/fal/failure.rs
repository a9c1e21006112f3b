//! What fal's errors mean for a job.

use fal_queue::{Class, Error, ErrorType};

use crate::engines::EngineError;
use crate::jobs::FailureCode;

/// Whether an answer of the result is how the run ended, and not a failure to read it. `failed` is
/// whether the status named an error.
///
/// fal's gateway answers with the types of failed runs too, so a 5xx or a type alone proves nothing:
/// taken for a failed run, it would make a run that is done be paid again.
pub(super) fn owned_by_the_run(error: &Error, failed: bool) -> bool {
    let refused = error
        .failure()
        .is_some_and(|failure| (400..500).contains(&failure.status));
    // The model's own statuses; any other 4xx may be a gateway's.
    let of_the_model =
        matches!(error, Error::Model(failure) if matches!(failure.status, 400 | 422));
    let said_by_both =
        failed && (error.describes_run() || (refused && error.class() == Class::Permanent));
    of_the_model || said_by_both
}

pub(super) fn engine_error(error: &Error) -> EngineError {
    let (code, retryable) = match error.class() {
        Class::Retryable if error.describes_run() => (FailureCode::EngineFailed, true),
        Class::Retryable => (FailureCode::EngineUnavailable, true),
        Class::RateLimited => (FailureCode::EngineBusy, true),
        Class::Auth => (FailureCode::EngineAuth, false),
        Class::Locked => (FailureCode::EngineAccountLocked, false),
        Class::Permanent if matches!(error, Error::TooLarge { .. }) => {
            (FailureCode::EngineOutputTooLarge, false)
        }
        Class::Permanent => (permanent_code(error), false),
        Class::NotFound | Class::NotReady | Class::Cancelled => (FailureCode::EngineFailed, false),
    };
    EngineError {
        code,
        sentence: Some(code)
            .filter(|code| *code == FailureCode::EngineRejectedImage)
            .and(error.error_type())
            .and_then(rejected_image),
        retryable,
        retry_after: error.retry_after(),
        text: error.to_string(),
    }
}

/// Whether an error is about asking, now or at all, and not about what was asked for.
pub(super) fn ends_the_asking(error: &EngineError) -> bool {
    matches!(
        error.code,
        FailureCode::EngineBusy
            | FailureCode::EngineUnavailable
            | FailureCode::EngineOutputTooLarge
    )
}

/// To a submission, "not found" means the model.
pub(super) fn submit_error(error: &Error) -> EngineError {
    let failed = engine_error(error);
    if error.class() == Class::NotFound {
        return EngineError {
            code: FailureCode::EngineModelNotFound,
            ..failed
        };
    }
    failed
}

/// What is wrong with a picture that fal refused, and what to send instead.
fn rejected_image(why: &ErrorType) -> Option<&'static str> {
    Some(match why {
        ErrorType::ImageTooLarge => {
            "The picture has too many pixels for the layering service. Send a smaller one."
        }
        ErrorType::ImageTooSmall => {
            "The picture has too few pixels for the layering service. Send a larger one."
        }
        ErrorType::FileTooLarge => {
            "The picture's file is too large for the layering service. Send a smaller one."
        }
        ErrorType::ImageLoadError => {
            "The layering service could not decode this picture. Save it anew as a JPEG or PNG and send that."
        }
        ErrorType::UnsupportedImageFormat => {
            "The layering service does not take pictures of this format. Send a JPEG or PNG."
        }
        ErrorType::FileDownloadError => {
            "The layering service could not download the picture. Create the job again; if it fails twice, ask the operator."
        }
        ErrorType::FaceDetectionError => {
            "The layering service found no face in this picture and wants one. Send another picture."
        }
        _ => return None,
    })
}

fn permanent_code(error: &Error) -> FailureCode {
    match error.error_type() {
        Some(ErrorType::ContentPolicyViolation) => FailureCode::ContentRefused,
        Some(ErrorType::NoMediaGenerated) => FailureCode::EngineNoLayers,
        // A 400, and no parameter's fault.
        Some(ErrorType::DownstreamServiceError) => FailureCode::EngineFailed,
        Some(
            ErrorType::ImageTooSmall
            | ErrorType::ImageTooLarge
            | ErrorType::ImageLoadError
            | ErrorType::FileDownloadError
            | ErrorType::FileTooLarge
            | ErrorType::FaceDetectionError
            | ErrorType::UnsupportedImageFormat,
        ) => FailureCode::EngineRejectedImage,
        _ if error
            .failure()
            .is_some_and(|failure| failure.status == 422 || failure.status == 400) =>
        {
            FailureCode::EngineRejectedInput
        }
        _ => FailureCode::EngineFailed,
    }
}
