//! Every fault by example, and the names they go by. Invariant: no two examples share a name.

use super::{EchoAt, EchoShape, Fault, GatewayBody, ModelError, RequestError};

impl Fault {
    /// At least one example of every variant, and one per error kind.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let mut all = vec![
            Self::Nothing,
            Self::Unauthorized,
            Self::MalformedKey,
            Self::Locked,
            Self::ApplicationNotFound,
            Self::RateLimited { retry_after: None },
            Self::RateLimited {
                retry_after: Some(1),
            },
            Self::RejectedAtSubmit,
            Self::ServerError,
        ];
        for status in [502, 503, 504] {
            for body in [GatewayBody::Json, GatewayBody::Nginx, GatewayBody::Bare] {
                all.push(Self::Gateway { status, body });
            }
        }
        all.extend([
            Self::DropBeforeEnqueue,
            Self::DropAfterEnqueue,
            Self::SubmitHeld,
            Self::SubmitGarbled,
            Self::StatusErrors {
                status: 500,
                times: 2,
            },
            Self::ResultErrors {
                status: 503,
                times: 2,
            },
            Self::ResultLies {
                kind: RequestError::InternalError,
                times: 2,
            },
            Self::ResultCut,
            Self::Forgotten,
            Self::ResultExpired,
            Self::CancelIgnored,
            Self::CancelSuccess,
            Self::HistoryLate { reads: 2 },
            Self::HistoryMissing,
            Self::HistoryErrors {
                status: 503,
                times: 2,
            },
            Self::HistoryTwo,
            Self::StartTimeout,
            Self::DetailString,
            Self::PlainDetail,
        ]);
        let shape = EchoShape::Items;
        all.extend(EchoAt::ALL.iter().map(|at| Self::Echo { at: *at, shape }));
        all.extend(ModelError::ALL.iter().map(|kind| Self::ModelError(*kind)));
        all.extend(
            RequestError::ALL
                .iter()
                .map(|kind| Self::RequestError(*kind)),
        );
        all.extend([
            Self::EmptyImages,
            Self::FewerImages { by: 1 },
            Self::MoreImages { by: 2 },
            Self::SourceFrameFirst,
            Self::WrongPicture,
            Self::LayerEmpty,
            Self::MissingFileFields,
            Self::DataUris,
            Self::Nsfw,
            Self::NullOutput,
            Self::LayerNotAnImage,
            Self::LayerWrongSize,
            Self::LayerNotFound,
            Self::LayerDrips,
            Self::LayerErrors { times: 2 },
            Self::LayerMissing { times: 2 },
            Self::LayerGarbled { times: 2 },
            Self::LayerHuge {
                bytes: 1 << 30,
                declared: true,
            },
            Self::LayerHuge {
                bytes: 1 << 30,
                declared: false,
            },
            Self::LayerCut,
            Self::WebhookFirst,
            Self::WebhookTwice,
            Self::WebhookForged,
            Self::WebhookStale,
            Self::WebhookRotatedKey,
            Self::WebhookUnsigned,
            Self::WebhookNever,
            Self::WebhookUnknownJob,
            Self::WebhookNullPayload,
        ]);
        all
    }

    /// Its name: what a prompt marker says and what inspection shows. Error kinds go by their own
    /// name (`content_policy_violation`), gateway answers as `gateway_503_nginx`.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::ModelError(kind) => kind.name().to_owned(),
            Self::RequestError(kind) => kind.name().to_owned(),
            Self::Gateway { status, body } => {
                let body = match body {
                    GatewayBody::Json => "json",
                    GatewayBody::Nginx => "nginx",
                    GatewayBody::Bare => "bare",
                };
                format!("gateway_{status}_{body}")
            }
            Self::RateLimited {
                retry_after: Some(_),
            } => "rate_limited_retry_after".to_owned(),
            Self::Echo { at, shape } => format!("echo_{}_{}", at.name(), shape.name()),
            Self::LayerHuge { declared: true, .. } => "layer_huge_declared".to_owned(),
            other => match serde_json::to_value(other) {
                Ok(serde_json::Value::String(name)) => name,
                Ok(serde_json::Value::Object(fields)) => fields
                    .into_iter()
                    .next()
                    .map_or(String::new(), |(name, _)| name),
                _ => String::new(),
            },
        }
    }

    /// The example in [`Fault::all`] that goes by `name`.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        Self::all().into_iter().find(|fault| fault.name() == name)
    }
}
