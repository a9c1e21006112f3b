//! Why a job failed: a stable code for programs and a sentence for the person who waits. Texts
//! for logs stay with the errors they come from; nothing internal enters a sentence.

use std::borrow::Cow;

/// The codes that the service itself gives. Codes of a refused source (`image_*`, `source_*`)
/// come from `images` and `fetch`; `docs/errors.md` lists them all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailureCode {
    /// The engine's content filter refused the picture or the prompt.
    ContentRefused,
    /// The engine could not use the picture.
    EngineRejectedImage,
    /// The engine refused a parameter.
    EngineRejectedInput,
    /// The operator's key for the engine is wrong or lacks a right.
    EngineAuth,
    /// The operator's account at the engine is locked or out of balance.
    EngineAccountLocked,
    /// The engine does not know the model that it was asked to run.
    EngineModelNotFound,
    /// The engine kept answering that it is busy.
    EngineBusy,
    /// The engine could not be reached or kept failing.
    EngineUnavailable,
    /// The engine took the picture and failed.
    EngineFailed,
    /// The engine did not finish within the job's time.
    EngineTimeout,
    /// The engine no longer knows the paid request.
    EngineLostRequest,
    /// The engine's account was changed, and the one of now does not know the request.
    EngineAccountChanged,
    /// The engine's result was gone before it could be fetched.
    EngineResultExpired,
    /// The engine answered without a single layer.
    EngineNoLayers,
    /// A layer that the engine named could not be fetched, is not a picture, or has other
    /// proportions than the others.
    EngineBadLayer,
    /// The engine's result has more or larger layers than lamina takes.
    EngineOutputTooLarge,
    /// It is not known whether the engine accepted the picture, and the policy is not to pay twice.
    SubmissionUnknown,
    /// The day's cap on spending left nothing for this job.
    SpendLimitReached,
    /// The job's engine is not configured any more.
    EngineNotConfigured,
    /// The stored source is missing or unreadable.
    SourceLost,
    /// The owner, or the server, keeps as much as it may.
    StorageQuotaExceeded,
    /// Lamina's own storage kept failing.
    StorageUnavailable,
    /// The job ended its process too often.
    CrashLoop,
    /// A defect in lamina.
    Internal,
}

impl FailureCode {
    /// Every code.
    pub const ALL: [Self; 24] = [
        Self::ContentRefused,
        Self::EngineRejectedImage,
        Self::EngineRejectedInput,
        Self::EngineAuth,
        Self::EngineAccountLocked,
        Self::EngineModelNotFound,
        Self::EngineBusy,
        Self::EngineUnavailable,
        Self::EngineFailed,
        Self::EngineTimeout,
        Self::EngineLostRequest,
        Self::EngineAccountChanged,
        Self::EngineResultExpired,
        Self::EngineNoLayers,
        Self::EngineBadLayer,
        Self::EngineOutputTooLarge,
        Self::SubmissionUnknown,
        Self::SpendLimitReached,
        Self::EngineNotConfigured,
        Self::SourceLost,
        Self::StorageQuotaExceeded,
        Self::StorageUnavailable,
        Self::CrashLoop,
        Self::Internal,
    ];

    /// The stable word in `error_code`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ContentRefused => "content_refused",
            Self::EngineRejectedImage => "engine_rejected_image",
            Self::EngineRejectedInput => "engine_rejected_input",
            Self::EngineAuth => "engine_auth",
            Self::EngineAccountLocked => "engine_account_locked",
            Self::EngineModelNotFound => "engine_model_not_found",
            Self::EngineBusy => "engine_busy",
            Self::EngineUnavailable => "engine_unavailable",
            Self::EngineFailed => "engine_failed",
            Self::EngineTimeout => "engine_timeout",
            Self::EngineLostRequest => "engine_lost_request",
            Self::EngineAccountChanged => "engine_account_changed",
            Self::EngineResultExpired => "engine_result_expired",
            Self::EngineNoLayers => "engine_no_layers",
            Self::EngineBadLayer => "engine_bad_layer",
            Self::EngineOutputTooLarge => "engine_output_too_large",
            Self::SubmissionUnknown => "submission_unknown",
            Self::SpendLimitReached => "spend_limit_reached",
            Self::EngineNotConfigured => "engine_not_configured",
            Self::SourceLost => "source_lost",
            Self::StorageQuotaExceeded => "storage_quota_exceeded",
            Self::StorageUnavailable => "storage_unavailable",
            Self::CrashLoop => "crash_loop",
            Self::Internal => "internal_error",
        }
    }

    /// The sentence in `error`: what happened and what the person can do.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::ContentRefused => {
                "The layering service refused this picture or prompt because of its content rules. Try another picture."
            }
            Self::EngineRejectedImage => {
                "The layering service could not use this picture. Try a larger or smaller JPEG, PNG or WebP."
            }
            Self::EngineRejectedInput => {
                "The layering service refused one of the parameters. Create the job again with the defaults."
            }
            Self::EngineAuth => {
                "The layering service did not accept this server's key. The operator has to correct it; then create the job again."
            }
            Self::EngineAccountLocked => {
                "This server's account at the layering service is locked or out of balance. The operator has to top it up; then create the job again."
            }
            Self::EngineModelNotFound => {
                "The layering service does not know the model that this server asks for. The operator has to correct it; then create the job again."
            }
            Self::EngineBusy => "The layering service stayed too busy. Create the job again later.",
            Self::EngineUnavailable => {
                "The layering service could not be reached. Nothing more was tried; create the job again later."
            }
            Self::EngineFailed => {
                "The layering service failed while it worked on this picture. Create the job again."
            }
            Self::EngineTimeout => {
                "The layering service did not finish in time. Create the job again."
            }
            Self::EngineLostRequest => {
                "The layering service no longer knows this request. Create the job again if you still need the layers."
            }
            Self::EngineAccountChanged => {
                "This server's account at the layering service was changed while this picture was worked on there, and the new one does not know it. Create the job again if you still need the layers."
            }
            Self::EngineResultExpired => {
                "The layers were gone at the layering service before they could be fetched. Create the job again."
            }
            Self::EngineNoLayers => {
                "The layering service found no layers in this picture. Try another picture or another number of layers."
            }
            Self::EngineBadLayer => {
                "A layer could not be fetched from the layering service, is not a picture, or has not the proportions of the others. Create the job again."
            }
            Self::EngineOutputTooLarge => {
                "The layering service sent more or larger layers than this server takes. Create the job again with fewer layers, or with a smaller picture."
            }
            Self::SubmissionUnknown => {
                "The connection broke while the picture was handed over, and it is not known whether it was taken. To avoid paying twice it was not sent again; create the job again if you accept that."
            }
            Self::SpendLimitReached => {
                "What this server may spend on layering in a day is used up, so the picture was not handed over, and nothing was paid. Create the job again after midnight UTC, or ask the operator."
            }
            Self::EngineNotConfigured => {
                "The engine of this job is not set up on this server any more. Create the job again with another engine."
            }
            Self::SourceLost => "The stored picture could not be read. Create the job again.",
            Self::StorageQuotaExceeded => {
                "This server keeps as many bytes as it may for whoever created this job, so it was not layered, and nothing was paid. Delete jobs that are no longer needed or wait until some expire; then create the job again."
            }
            Self::StorageUnavailable => {
                "This server could not store the layers. The operator has to make room or repair the storage; then create the job again."
            }
            Self::CrashLoop => {
                "This picture stopped the server several times and was set aside. Please report it; do not send it again."
            }
            Self::Internal => {
                "Something went wrong in this server. Create the job again, and report it if it happens twice."
            }
        }
    }
}

/// Why one job failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Stable, `snake_case`.
    pub code: Cow<'static, str>,
    /// A sentence for a person.
    pub sentence: Cow<'static, str>,
}

impl Failure {
    /// A failure of a code that stands in another module's error (a refused image or URL).
    #[must_use]
    pub fn other(code: &'static str, sentence: String) -> Self {
        Self {
            code: code.into(),
            sentence: sentence.into(),
        }
    }
}

impl From<FailureCode> for Failure {
    fn from(code: FailureCode) -> Self {
        Self {
            code: code.as_str().into(),
            sentence: code.sentence().into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_its_own_and_has_a_sentence_with_an_end() {
        let mut seen = std::collections::HashSet::new();
        for code in FailureCode::ALL {
            assert!(seen.insert(code.as_str()), "{code:?} twice");
            assert!(code.sentence().ends_with('.'), "{code:?}");
        }
    }
}
