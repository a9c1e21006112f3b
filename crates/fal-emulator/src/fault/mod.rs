//! Everything that can go wrong on purpose: one [`Fault`] per way in which a request to fal, or
//! its answer, its files or its webhook, may differ from the happy path.
//!
//! A fault is data; the places that act on it ask for it by name. Invariant: [`Fault::all`] holds
//! at least one example of every variant, so a suite that loops over it meets them all.

mod echo;
mod examples;
mod kind;
mod script;
mod stage;

use serde::{Deserialize, Serialize};

pub use echo::{EchoAt, EchoShape};
pub use kind::{ModelError, RequestError};
pub(crate) use script::Script;
pub use stage::Stage;

/// What stands between the client and fal when a gateway answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GatewayBody {
    /// fal itself: JSON with `detail`, and `x-fal-request-id`.
    Json,
    /// The ingress before it: HTML that says nginx, and no `x-fal-request-id`.
    Nginx,
    /// An empty body and no `x-fal-request-id`.
    Bare,
}

/// One deviation. As JSON a fault without fields is its name (`"unauthorized"`), one with fields is
/// an object (`{"status_errors": {"status": 500, "times": 2}}`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// No deviation: fills a place in a sequence.
    Nothing,

    /// 401: the key is well-formed and unknown.
    Unauthorized,
    /// 401: the key is not `key_id:key_secret`.
    MalformedKey,
    /// 403: the account is locked. Answered to the next submission or upload, whichever comes first.
    Locked,
    /// 404: the application does not exist.
    ApplicationNotFound,
    /// 429, optionally with `Retry-After`.
    RateLimited {
        /// Seconds in `Retry-After`; absent means no header, as fal does.
        retry_after: Option<u32>,
    },
    /// 422 with a `detail` list, already on submit.
    RejectedAtSubmit,
    /// 500 with a `detail` string.
    ServerError,
    /// A 5xx of a gateway.
    Gateway {
        /// 502, 503 or 504.
        status: u16,
        /// Who answers.
        body: GatewayBody,
    },
    /// The connection closes without an answer; nothing was enqueued.
    DropBeforeEnqueue,

    /// The connection closes without an answer, although the request was enqueued, runs and is
    /// billed.
    DropAfterEnqueue,
    /// The request is enqueued; the answer waits until it is released.
    SubmitHeld,
    /// The submission is answered with 200 and a body that is not JSON, although it was enqueued.
    SubmitGarbled,

    /// Reading the status fails so many times.
    StatusErrors {
        /// Status of the failing answers.
        status: u16,
        /// How many fail before one succeeds.
        times: u32,
    },
    /// Reading the result fails so many times.
    ResultErrors {
        /// Status of the failing answers.
        status: u16,
        /// How many fail before one succeeds.
        times: u32,
        /// Seconds in `Retry-After` of the failing answers; absent means no header.
        #[serde(default)]
        retry_after: Option<u32>,
    },
    /// Reading the result fails so many times in the words of a failed run, and the run is well.
    ResultLies {
        /// What the failing answers say.
        kind: RequestError,
        /// How many fail before one succeeds.
        times: u32,
    },
    /// The first read of the result closes the connection half-way through the body.
    ResultCut,
    /// 404 on status, result and cancellation: fal has forgotten the request.
    Forgotten,
    /// `COMPLETED`, but the result is gone: 404.
    ResultExpired,
    /// A cancellation is acknowledged and comes too late: the run goes on and is billed.
    CancelIgnored,
    /// A cancellation works, and is answered as the generated description of the API says: 200 with
    /// `{"success": true}`.
    CancelSuccess,
    /// The prompt comes back in every text of an answer.
    Echo {
        /// Which answer.
        at: EchoAt,
        /// What the answer looks like.
        shape: EchoShape,
    },

    /// The request is listed only after the list was read so many times.
    HistoryLate {
        /// Reads that do not show it.
        reads: u32,
    },
    /// The request is never listed.
    HistoryMissing,
    /// Reading the list fails so many times.
    HistoryErrors {
        /// Status of the failing answers.
        status: u16,
        /// How many fail before one succeeds.
        times: u32,
    },
    /// Beside the request another one of the same time is listed, which nobody here made.
    HistoryTwo,

    /// The caller's own time to start ran out: 504 with `X-Fal-Request-Timeout-Type: user`.
    StartTimeout,
    /// The model answers with a `detail` list.
    ModelError(ModelError),
    /// The infrastructure answers with a `detail` string and an `error_type`.
    RequestError(RequestError),
    /// 422 whose `detail` is a string.
    DetailString,
    /// 422 whose `detail` list holds a plain validation item, without `url` and `ctx`.
    PlainDetail,

    /// `images` is empty.
    EmptyImages,
    /// So many images fewer than asked for.
    FewerImages {
        /// How many are missing; at least one image remains.
        by: u8,
    },
    /// So many images more than asked for.
    MoreImages {
        /// How many are added.
        by: u8,
    },
    /// An extra first image that shows the whole source.
    SourceFrameFirst,
    /// Layers that do not show the source.
    WrongPicture,
    /// The second layer from below is transparent.
    LayerEmpty,
    /// `images` objects hold `url` and nothing else.
    MissingFileFields,
    /// Layers come as `data:` URIs although `sync_mode` was not set.
    DataUris,
    /// The safety checker blanked the picture: black layers, `has_nsfw_concepts` true.
    Nsfw,
    /// The result is 200 and `null`.
    NullOutput,

    /// The last layer's file is a text.
    LayerNotAnImage,
    /// The last layer has half the size of the others.
    LayerWrongSize,
    /// The last layer's file is 404.
    LayerNotFound,
    /// The last layer's file never ends: a byte now and then.
    LayerDrips,
    /// The last layer's file fails with 500 so many times.
    LayerErrors {
        /// How many downloads fail before one succeeds.
        times: u32,
    },
    /// The last layer's file is 404 so many times.
    LayerMissing {
        /// How many downloads fail before one succeeds.
        times: u32,
    },
    /// The last layer's file is a text so many times.
    LayerGarbled {
        /// How many downloads fail before one succeeds.
        times: u32,
    },
    /// The last layer's file begins like a PNG and goes on for so many bytes.
    LayerHuge {
        /// Length of the body.
        bytes: u64,
        /// Whether `Content-Length` says so.
        declared: bool,
    },
    /// The last layer's file stops in the middle of the promised `Content-Length`.
    LayerCut,

    /// The webhook arrives before the submission is answered.
    WebhookFirst,
    /// The webhook arrives twice.
    WebhookTwice,
    /// The webhook is signed by a key that is not fal's.
    WebhookForged,
    /// The webhook's timestamp is ten minutes old, and signed so.
    WebhookStale,
    /// The webhook is signed by a new key: whoever cached the key set must ask again.
    WebhookRotatedKey,
    /// The webhook carries no signature headers.
    WebhookUnsigned,
    /// The webhook never arrives.
    WebhookNever,
    /// Before the webhook another one arrives, well signed, about a request that nobody made, at a
    /// URL whose last path segment is unknown.
    WebhookUnknownJob,
    /// The webhook's `payload` is null with a `payload_error`; the result is as usual.
    WebhookNullPayload,
}
