//! Every fault by example, and the names they go by. Invariant: no two examples share a name.

use super::{EchoAt, EchoShape, Fault, GatewayBody, ModelError, RequestError};

impl Fault {
    /// At least one example of every variant, and one per error kind.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let shape = EchoShape::Items;
        let mut all = at_submit();
        all.extend(of_requests());
        all.extend(EchoAt::ALL.iter().map(|at| Self::Echo { at: *at, shape }));
        all.extend(ModelError::ALL.iter().map(|kind| Self::ModelError(*kind)));
        all.extend(
            RequestError::ALL
                .iter()
                .map(|kind| Self::RequestError(*kind)),
        );
        all.extend(of_layers());
        all.extend(of_webhooks());
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

fn at_submit() -> Vec<Fault> {
    let mut all = vec![
        Fault::Nothing,
        Fault::Unauthorized,
        Fault::MalformedKey,
        Fault::Locked,
        Fault::ApplicationNotFound,
        Fault::RateLimited { retry_after: None },
        Fault::RateLimited {
            retry_after: Some(1),
        },
        Fault::RejectedAtSubmit,
        Fault::ServerError,
    ];
    for status in [502, 503, 504] {
        for body in [GatewayBody::Json, GatewayBody::Nginx, GatewayBody::Bare] {
            all.push(Fault::Gateway { status, body });
        }
    }
    all
}

fn of_requests() -> Vec<Fault> {
    vec![
        Fault::DropBeforeEnqueue,
        Fault::DropAfterEnqueue,
        Fault::SubmitHeld,
        Fault::SubmitGarbled,
        Fault::StatusErrors {
            status: 500,
            times: 2,
        },
        Fault::ResultErrors {
            status: 503,
            times: 2,
            retry_after: None,
        },
        Fault::ResultLies {
            kind: RequestError::InternalError,
            times: 2,
        },
        Fault::ResultCut,
        Fault::Forgotten,
        Fault::ResultExpired,
        Fault::CancelIgnored,
        Fault::CancelSuccess,
        Fault::HistoryLate { reads: 2 },
        Fault::HistoryMissing,
        Fault::HistoryErrors {
            status: 503,
            times: 2,
        },
        Fault::HistoryTwo,
        Fault::StartTimeout,
        Fault::DetailString,
        Fault::PlainDetail,
    ]
}

fn of_layers() -> Vec<Fault> {
    vec![
        Fault::EmptyImages,
        Fault::FewerImages { by: 1 },
        Fault::MoreImages { by: 2 },
        Fault::SourceFrameFirst,
        Fault::WrongPicture,
        Fault::LayerEmpty,
        Fault::MissingFileFields,
        Fault::DataUris,
        Fault::Nsfw,
        Fault::NullOutput,
        Fault::LayerNotAnImage,
        Fault::LayerWrongSize,
        Fault::LayerNotFound,
        Fault::LayerDrips,
        Fault::LayerErrors { times: 2 },
        Fault::LayerMissing { times: 2 },
        Fault::LayerGarbled { times: 2 },
        Fault::LayerHuge {
            bytes: 1 << 30,
            declared: true,
        },
        Fault::LayerHuge {
            bytes: 1 << 30,
            declared: false,
        },
        Fault::LayerCut,
    ]
}

fn of_webhooks() -> Vec<Fault> {
    vec![
        Fault::WebhookFirst,
        Fault::WebhookTwice,
        Fault::WebhookForged,
        Fault::WebhookStale,
        Fault::WebhookRotatedKey,
        Fault::WebhookUnsigned,
        Fault::WebhookNever,
        Fault::WebhookUnknownJob,
        Fault::WebhookNullPayload,
    ]
}
