//! Submitting a request: the one call that costs money.
//!
//! fal has no idempotency key, so a submit that is repeated may be paid twice. It is sent exactly
//! once, and an error carries a [`Delivery`]: what is known about whether fal has the request.
//! What to do with an unknown one is the caller's decision.

use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::failure::request_id;
use crate::transport::Answer;
use crate::{Client, Error, ModelId};

/// What may be said beside the model's input. The default says nothing.
#[derive(Debug, Clone, Default)]
pub struct SubmitOptions {
    /// Where fal reports the end of the run (`fal_webhook`).
    pub webhook_url: Option<Url>,
    /// `X-Fal-Queue-Priority`.
    pub priority: Option<Priority>,
    /// Time within which the run must have *started* (`X-Fal-Request-Timeout`), more than one
    /// second; fal answers 504 after it.
    pub start_timeout: Option<Duration>,
    /// Switches fal's own repeats of a failed run off (`X-Fal-No-Retry`).
    pub no_retry: bool,
    /// `Some(false)` keeps fal from storing input and output (`X-Fal-Store-IO: 0`); the result is
    /// then kept for an hour, or for six minutes when it is 10 kB or larger.
    pub store_io: Option<bool>,
    /// How long files made by the run stay on fal's CDN, in whole seconds, at least one
    /// (`X-Fal-Object-Lifecycle-Preference`).
    pub object_lifetime: Option<Duration>,
    /// Refuse the request when more than this many wait (`fal_max_queue_length`).
    pub max_queue_length: Option<u32>,
    /// Ask for the runner of earlier requests with the same hint (`X-Fal-Runner-Hint`).
    pub runner_hint: Option<String>,
    /// Labels of the request, kept beside it at fal (`X-Fal-Tags`). At most ten; a name is made of
    /// lower-case letters, digits and `._-`, a value of printable ASCII without a comma.
    pub tags: Vec<(String, String)>,
    /// Keeps fal from running the request on an endpoint that it thinks equivalent
    /// (`x-app-fal-disable-fallback`).
    pub disable_fallback: bool,
}

/// Place in the queue of an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Priority {
    /// fal's default.
    Normal,
    /// After every normal request.
    Low,
}

/// A request that fal has taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submitted {
    /// The id for status, result and cancel.
    pub request_id: String,
    /// fal's address of the status; this client makes its own.
    pub status_url: Option<Url>,
    /// fal's address of the result.
    pub response_url: Option<Url>,
    /// fal's address of the cancellation.
    pub cancel_url: Option<Url>,
    /// Requests ahead, from zero.
    pub queue_position: Option<u64>,
    /// Id of the latest attempt, sent along with webhooks; usually the same as `request_id`.
    pub gateway_request_id: Option<String>,
}

/// What is known about the fate of a submit that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Delivery {
    /// No connection was made, or the request could not be formed. Nothing is paid.
    NotSent,
    /// An answer says that the request was not taken. Nothing is paid.
    Refused,
    /// fal may have taken it, and may bill it.
    Unknown,
}

/// A submit that failed.
#[derive(Debug, Clone, thiserror::Error)]
#[error("submit failed ({delivery:?}): {error}")]
pub struct SubmitError {
    /// What is known about payment.
    pub delivery: Delivery,
    /// What happened.
    #[source]
    pub error: Error,
    /// `X-Fal-Request-Id` of the answer, if one came. With [`Delivery::Unknown`] its status is
    /// worth asking for; fal does not document that it is the id of the queue.
    pub request_id: Option<String>,
}

#[derive(Deserialize)]
struct Taken {
    request_id: String,
    #[serde(default)]
    status_url: serde_json::Value,
    #[serde(default)]
    response_url: serde_json::Value,
    #[serde(default)]
    cancel_url: serde_json::Value,
    #[serde(default)]
    queue_position: serde_json::Value,
    #[serde(default)]
    gateway_request_id: serde_json::Value,
}

impl Client {
    /// Submits `input`, the model's own JSON object, once.
    ///
    /// Dropping the future while it runs leaves the fate of the request unknown.
    ///
    /// # Errors
    /// [`SubmitError`]; see [`Delivery`] for what may be done next.
    pub async fn submit<T: Serialize + ?Sized>(
        &self,
        model: &ModelId,
        input: &T,
        options: &SubmitOptions,
    ) -> Result<Submitted, SubmitError> {
        let request = self
            .submit_request(model, input, options)
            .map_err(SubmitError::not_answered)?;
        let answer = self
            .exchange(request)
            .await
            .map_err(SubmitError::not_answered)?;
        self.taken(answer)
    }

    fn submit_request<T: Serialize + ?Sized>(
        &self,
        model: &ModelId,
        input: &T,
        options: &SubmitOptions,
    ) -> Result<RequestBuilder, Error> {
        // serde's message may repeat a value of the input, so it is left out.
        let body = serde_json::to_vec(input)
            .map_err(|_| Error::Invalid("the input cannot be written as JSON".to_owned()))?;
        let mut url = self.submit_url(model);
        if let Some(webhook) = &options.webhook_url {
            url.query_pairs_mut()
                .append_pair("fal_webhook", webhook.as_str());
        }
        if let Some(longest) = options.max_queue_length {
            url.query_pairs_mut()
                .append_pair("fal_max_queue_length", &longest.to_string());
        }
        let request = self
            .authorized(Method::POST, url)
            .header(CONTENT_TYPE, "application/json")
            .body(body);
        options.headers(request)
    }

    fn taken(&self, answer: Answer) -> Result<Submitted, SubmitError> {
        let id_of_answer = request_id(&answer.headers);
        let failed = |delivery, error| SubmitError {
            delivery,
            error,
            request_id: id_of_answer.clone(),
        };
        if !answer.status.is_success() {
            let delivery = delivery_of(answer.status, id_of_answer.is_some());
            return Err(failed(delivery, self.refusal(&answer)));
        }
        if let Some(error) = answer.cut {
            return Err(failed(Delivery::Unknown, error));
        }
        let taken: Taken = self
            .json(&answer.body)
            .map_err(|error| failed(Delivery::Unknown, error))?;
        if taken.request_id.is_empty() {
            let error = Error::Unexpected("the request id is empty".to_owned());
            return Err(failed(Delivery::Unknown, error));
        }
        Ok(Submitted {
            request_id: taken.request_id,
            status_url: url_of(&taken.status_url),
            response_url: url_of(&taken.response_url),
            cancel_url: url_of(&taken.cancel_url),
            queue_position: taken.queue_position.as_u64(),
            gateway_request_id: taken.gateway_request_id.as_str().map(str::to_owned),
        })
    }
}

impl SubmitError {
    /// A submit without any answer.
    fn not_answered(error: Error) -> Self {
        let delivery = match &error {
            Error::Invalid(_) | Error::Connect(_) => Delivery::NotSent,
            Error::Timeout(_)
            | Error::Interrupted(_)
            | Error::TooLarge { .. }
            | Error::Malformed(_)
            | Error::Unexpected(_)
            | Error::Unauthorized(_)
            | Error::Forbidden(_)
            | Error::Locked(_)
            | Error::NotFound(_)
            | Error::NotReady(_)
            | Error::RateLimited(_)
            | Error::Cancelled(_)
            | Error::Model(_)
            | Error::Request(_)
            | Error::Http(_) => Delivery::Unknown,
        };
        Self {
            delivery,
            error,
            request_id: None,
        }
    }
}

/// What an answer that is no success says about a submit.
///
/// - 4xx: refused, except 499, which a gateway uses for a client that went away at some point.
/// - 3xx: refused, as nobody followed it; except 303, which means "done, look there".
/// - 503 without `X-Fal-Request-Id`: refused. It comes from something before fal's gateway that
///   had nowhere to pass the request to. With the id the gateway had the request in hand.
/// - 500: unknown. The program that fails may have enqueued before it failed; fal's own clients do
///   not repeat a submit after it either.
/// - 502, 504 and every other 5xx: unknown. A proxy lost the answer, not necessarily the request.
fn delivery_of(status: StatusCode, by_the_gateway: bool) -> Delivery {
    match status.as_u16() {
        303 | 499 => Delivery::Unknown,
        300..=498 => Delivery::Refused,
        503 if !by_the_gateway => Delivery::Refused,
        _ => Delivery::Unknown,
    }
}

impl SubmitOptions {
    fn headers(&self, mut request: RequestBuilder) -> Result<RequestBuilder, Error> {
        if let Some(priority) = self.priority {
            let name = match priority {
                Priority::Normal => "normal",
                Priority::Low => "low",
            };
            request = request.header("x-fal-queue-priority", name);
        }
        if let Some(limit) = self.start_timeout {
            if limit <= Duration::from_secs(1) {
                return Err(Error::Invalid(
                    "the start time-out must exceed one second".to_owned(),
                ));
            }
            request = request.header("x-fal-request-timeout", limit.as_secs_f64().to_string());
        }
        if self.no_retry {
            request = request.header("x-fal-no-retry", "1");
        }
        if let Some(store) = self.store_io {
            request = request.header("x-fal-store-io", if store { "1" } else { "0" });
        }
        if let Some(lifetime) = self.object_lifetime {
            request = request.header("x-fal-object-lifecycle-preference", lifecycle(lifetime)?);
        }
        if let Some(hint) = &self.runner_hint {
            let hint = HeaderValue::from_str(hint)
                .map_err(|_| Error::Invalid("the runner hint cannot be a header".to_owned()))?;
            request = request.header("x-fal-runner-hint", hint);
        }
        if self.disable_fallback {
            request = request.header("x-app-fal-disable-fallback", "1");
        }
        if !self.tags.is_empty() {
            request = request.header("x-fal-tags", tags(&self.tags)?);
        }
        Ok(request)
    }
}

/// The header of tags. fal drops what breaks its rules without a word, so it is refused here.
fn tags(tags: &[(String, String)]) -> Result<HeaderValue, Error> {
    let name = |name: &str| {
        let letter = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b);
        (1..=64).contains(&name.len()) && name.bytes().all(letter) && !name.starts_with("fal.")
    };
    let value = |value: &str| {
        let letter = |b: u8| (b' '..=b'~').contains(&b) && b != b',';
        (1..=256).contains(&value.len()) && value.bytes().all(letter)
    };
    let pairs: Vec<String> = tags.iter().map(|(n, v)| format!("{n}={v}")).collect();
    let header = pairs.join(",");
    let good = tags.len() <= 10 && header.len() <= 1024;
    if !good || !tags.iter().all(|(n, v)| name(n) && value(v)) {
        return Err(Error::Invalid(
            "a tag's name is a-z, 0-9 and ._-, its value ASCII without commas, ten at most"
                .to_owned(),
        ));
    }
    HeaderValue::from_str(&header)
        .map_err(|_| Error::Invalid("the tags cannot be a header".to_owned()))
}

/// The JSON of a lifecycle header. fal takes zero for "never", so zero is refused here.
pub(crate) fn lifecycle(lifetime: Duration) -> Result<String, Error> {
    match lifetime.as_secs() {
        0 => Err(Error::Invalid(
            "a file's lifetime is at least one second".to_owned(),
        )),
        seconds => Ok(format!("{{\"expiration_duration_seconds\":{seconds}}}")),
    }
}

fn url_of(value: &serde_json::Value) -> Option<Url> {
    value.as_str()?.parse().ok()
}
