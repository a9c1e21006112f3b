//! When in a request's life a fault acts.

use serde::Serialize;

use super::{EchoAt, Fault};

/// The part of a request's life in which a fault acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// The submission is refused or lost; nothing was enqueued, nothing will be billed.
    Refused,
    /// The submission is enqueued, and its answer is late or never comes.
    Answer,
    /// The request runs; asking for its status, its result or its cancellation is troubled.
    Polling,
    /// The request ends as `COMPLETED` with an error.
    Failure,
    /// The request succeeds with an odd output.
    Output,
    /// The request succeeds; a layer's file is troubled.
    Download,
    /// The request succeeds; its webhook is troubled. Without a webhook nothing differs.
    Webhook,
}

impl Fault {
    /// When it acts. `None` for [`Fault::Nothing`].
    #[must_use]
    pub fn stage(&self) -> Option<Stage> {
        Some(match self {
            Self::Nothing => return None,
            Self::Unauthorized
            | Self::MalformedKey
            | Self::Locked
            | Self::ApplicationNotFound
            | Self::RateLimited { .. }
            | Self::RejectedAtSubmit
            | Self::ServerError
            | Self::Gateway { .. }
            | Self::DropBeforeEnqueue => Stage::Refused,
            Self::DropAfterEnqueue | Self::SubmitHeld | Self::SubmitGarbled => Stage::Answer,
            Self::StatusErrors { .. }
            | Self::ResultErrors { .. }
            | Self::ResultLies { .. }
            | Self::ResultCut
            | Self::Forgotten
            | Self::ResultExpired
            | Self::CancelIgnored
            | Self::CancelSuccess
            | Self::HistoryLate { .. }
            | Self::HistoryMissing
            | Self::HistoryErrors { .. }
            | Self::HistoryTwo => Stage::Polling,
            Self::Echo { at, .. } => match at {
                EchoAt::Submit => Stage::Refused,
                EchoAt::Status | EchoAt::Result => Stage::Polling,
                EchoAt::Run => Stage::Failure,
            },
            Self::StartTimeout
            | Self::ModelError(_)
            | Self::RequestError(_)
            | Self::DetailString
            | Self::PlainDetail => Stage::Failure,
            Self::EmptyImages
            | Self::FewerImages { .. }
            | Self::MoreImages { .. }
            | Self::SourceFrameFirst
            | Self::WrongPicture
            | Self::LayerEmpty
            | Self::MissingFileFields
            | Self::DataUris
            | Self::Nsfw
            | Self::NullOutput => Stage::Output,
            Self::LayerNotAnImage
            | Self::LayerWrongSize
            | Self::LayerNotFound
            | Self::LayerDrips
            | Self::LayerErrors { .. }
            | Self::LayerMissing { .. }
            | Self::LayerGarbled { .. }
            | Self::LayerHuge { .. }
            | Self::LayerCut => Stage::Download,
            Self::WebhookFirst
            | Self::WebhookTwice
            | Self::WebhookForged
            | Self::WebhookStale
            | Self::WebhookRotatedKey
            | Self::WebhookUnsigned
            | Self::WebhookNever
            | Self::WebhookUnknownJob
            | Self::WebhookNullPayload => Stage::Webhook,
        })
    }
}
