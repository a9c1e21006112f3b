//! What each fault must come to. The match has no wildcard: a new fault without a row does not
//! compile.

use fal_emulator::{EchoAt, Fault, GatewayBody, ModelError, RequestError};

/// How a job meets its fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Course {
    /// The first submission meets it, the service asks for results.
    Once,
    /// Every submission meets it, the service asks for results.
    Always,
    /// The first submission meets it, and fal fetches the picture by link and calls back.
    Webhooks,
}

/// How a job ends whose picture was to become [`ASKED`] layers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct End {
    /// `error_code`; `None` is completion.
    pub(super) code: Option<&'static str>,
    /// Layers of the job, stored and named.
    pub(super) layers: usize,
    /// The states of its submissions, oldest first.
    pub(super) submissions: &'static str,
    /// Runs that fal bills.
    pub(super) paid: u64,
}

/// The layers that every job asks for.
pub(super) const ASKED: usize = 3;

/// Completed with so many layers, one accepted submission, paid once.
fn layers(layers: usize) -> End {
    End {
        code: None,
        layers,
        submissions: "accepted",
        paid: 1,
    }
}

fn completed() -> End {
    layers(ASKED)
}

/// Completed by another submission after one of this state.
fn after(state: &'static str) -> End {
    let submissions = match state {
        "refused" => "refused accepted",
        "failed" => "failed accepted",
        other => panic!("nothing is submitted after {other}"),
    };
    End {
        submissions,
        ..completed()
    }
}

fn failed(code: &'static str, submissions: &'static str, paid: u64) -> End {
    End {
        code: Some(code),
        layers: 0,
        submissions,
        paid,
    }
}

/// Refused for now, and perhaps every time.
fn refused_for_now(course: Course, code: &'static str) -> End {
    if course == Course::Always {
        failed(code, "refused refused refused refused refused", 0)
    } else {
        after("refused")
    }
}

/// Nobody but a webhook can tell whether fal has it.
fn unknown(course: Course, taken: bool) -> End {
    if taken && course == Course::Webhooks {
        completed()
    } else {
        failed("submission_unknown", "unknown", u64::from(taken))
    }
}

pub(super) fn end(fault: &Fault, course: Course) -> End {
    match fault {
        Fault::Unauthorized | Fault::MalformedKey => failed("engine_auth", "refused", 0),
        Fault::Locked => failed("engine_account_locked", "refused", 0),
        Fault::ApplicationNotFound => failed("engine_model_not_found", "refused", 0),
        Fault::RejectedAtSubmit
        | Fault::Echo {
            at: EchoAt::Submit, ..
        } => failed("engine_rejected_input", "refused", 0),
        Fault::RateLimited { .. } => refused_for_now(course, "engine_busy"),
        Fault::Gateway {
            status: 503,
            body: GatewayBody::Nginx | GatewayBody::Bare,
        } => refused_for_now(course, "engine_unavailable"),
        Fault::ServerError | Fault::Gateway { .. } | Fault::DropBeforeEnqueue => {
            unknown(course, false)
        }
        Fault::DropAfterEnqueue | Fault::SubmitGarbled => unknown(course, true),

        Fault::Forgotten => failed("engine_lost_request", "accepted", 1),
        Fault::ResultExpired => failed("engine_result_expired", "accepted", 1),
        Fault::ModelError(kind) => of_model(*kind, course),
        Fault::RequestError(kind) => of_request(*kind, course),
        Fault::StartTimeout => failed("engine_failed", "accepted", 0),
        Fault::DetailString
        | Fault::PlainDetail
        | Fault::Echo { at: EchoAt::Run, .. } => failed("engine_rejected_input", "accepted", 0),

        Fault::EmptyImages => failed("engine_no_layers", "accepted", 1),
        Fault::NullOutput => failed("engine_failed", "accepted", 1),
        Fault::Nsfw => failed("content_refused", "accepted", 1),
        Fault::FewerImages { by } => layers(ASKED - usize::from(*by)),
        Fault::MoreImages { by } => layers(ASKED + usize::from(*by)),
        Fault::WrongPicture | Fault::LayerEmpty => completed(),
        // Scaled to the others' size: it is paid for.
        Fault::LayerWrongSize => completed(),

        Fault::LayerHuge { .. } => failed("engine_output_too_large", "accepted", 1),
        Fault::LayerNotAnImage
        | Fault::LayerNotFound
        | Fault::LayerDrips
        | Fault::LayerCut => failed("engine_bad_layer", "accepted", 1),

        // Nothing of these is to be seen in the end: asked again, or asked instead of told.
        Fault::Nothing
        | Fault::SubmitHeld
        | Fault::StatusErrors { .. }
        | Fault::ResultErrors { .. }
        | Fault::ResultLies { .. }
        | Fault::ResultCut
        | Fault::Echo {
            at: EchoAt::Status | EchoAt::Result,
            ..
        }
        // Comes into play when a job is deleted; see the test beside the table's.
        | Fault::CancelIgnored
        | Fault::CancelSuccess
        // Comes into play when an answer is lost; see `money.rs`.
        | Fault::HistoryLate { .. }
        | Fault::HistoryMissing
        | Fault::HistoryErrors { .. }
        | Fault::HistoryTwo
        | Fault::SourceFrameFirst
        | Fault::MissingFileFields
        | Fault::DataUris
        | Fault::LayerErrors { .. }
        | Fault::LayerMissing { .. }
        | Fault::LayerGarbled { .. }
        | Fault::WebhookFirst
        | Fault::WebhookTwice
        | Fault::WebhookForged
        | Fault::WebhookStale
        | Fault::WebhookRotatedKey
        | Fault::WebhookUnsigned
        | Fault::WebhookNever
        | Fault::WebhookUnknownJob
        | Fault::WebhookNullPayload => completed(),
    }
}

/// The emulator marks every one as not worth another run, as fal does.
fn of_model(kind: ModelError, course: Course) -> End {
    use ModelError as M;
    let code = match kind {
        // fal fetched a link of ours and failed: that says nothing about the picture.
        M::FileDownloadError if course == Course::Webhooks => return after("failed"),
        // No header says whether it is worth another run, and a 5xx is not billed.
        M::DownstreamServiceError => return failed_run(course),
        M::ContentPolicyViolation => "content_refused",
        M::NoMediaGenerated => "engine_no_layers",
        M::ImageTooSmall
        | M::ImageTooLarge
        | M::ImageLoadError
        | M::FileDownloadError
        | M::FaceDetectionError
        | M::FileTooLarge
        | M::UnsupportedImageFormat => "engine_rejected_image",
        M::InternalServerError | M::GenerationTimeout | M::DownstreamServiceUnavailable => {
            "engine_failed"
        }
        M::GreaterThan
        | M::GreaterThanEqual
        | M::LessThan
        | M::LessThanEqual
        | M::MultipleOf
        | M::SequenceTooShort
        | M::SequenceTooLong
        | M::OneOf
        | M::FeatureNotSupported
        | M::InvalidArchive
        | M::ArchiveFileCountBelowMinimum
        | M::ArchiveFileCountExceedsMaximum
        | M::AudioDurationTooLong
        | M::AudioDurationTooShort
        | M::VideoDurationTooLong
        | M::VideoDurationTooShort
        | M::UnsupportedAudioFormat
        | M::UnsupportedVideoFormat
        | M::InputValueError
        | M::ValueError => "engine_rejected_input",
    };
    failed(code, "accepted", 0)
}

/// Not billed and likely to pass: run again, three times in all.
fn failed_run(course: Course) -> End {
    if course == Course::Always {
        failed("engine_failed", "failed failed accepted", 0)
    } else {
        after("failed")
    }
}

fn of_request(kind: RequestError, course: Course) -> End {
    use RequestError as R;
    match kind {
        R::RequestTimeout
        | R::StartupTimeout
        | R::RunnerSchedulingFailure
        | R::RunnerConnectionTimeout
        | R::RunnerDisconnected
        | R::RunnerConnectionRefused
        | R::RunnerConnectionError
        | R::RunnerIncompleteResponse
        | R::RunnerServerError
        | R::InternalError => failed_run(course),
        R::ClientDisconnected | R::ClientCancelled => failed("engine_failed", "accepted", 0),
        R::BadRequest => failed("engine_rejected_input", "accepted", 0),
    }
}
