//! Cancelling a request.
//!
//! What fal does with it is in the body's `status`, under several HTTP codes; none of its four
//! answers is an error here. A running request is only asked to stop and may still complete.

use reqwest::Method;
use reqwest::header::CONTENT_LENGTH;
use serde_json::Value;

use crate::transport::Answer;
use crate::{Client, Error, ModelId};

/// The largest answer to a cancellation that is read.
const MOST_CANCEL_BYTES: usize = 64 << 10;

/// What became of a cancellation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CancelOutcome {
    /// It was waiting and is gone.
    Ok,
    /// It runs and was asked to stop.
    Requested,
    /// Too late.
    AlreadyCompleted,
    /// fal does not know it (any more).
    NotFound,
}

impl Client {
    /// Asks fal to drop a request. Doing it twice does no harm, so it is repeated within
    /// [`Config::retry`](crate::Config::retry).
    ///
    /// # Errors
    /// A failure to ask; see [`Error`].
    pub async fn cancel(&self, model: &ModelId, request_id: &str) -> Result<CancelOutcome, Error> {
        let url = self.request_url(model, request_id, Some("cancel"))?;
        let call = || async {
            let request = self
                .authorized(Method::PUT, url.clone())
                // A PUT without a length is answered 411 by some proxies.
                .header(CONTENT_LENGTH, "0");
            let answer = self.exchange_up_to(request, MOST_CANCEL_BYTES).await?;
            match outcome(&answer) {
                Some(outcome) => Ok(outcome),
                None => Err(self.refusal(&answer)),
            }
        };
        self.config()
            .retry
            .run("cancel", Error::may_repeat, call)
            .await
    }
}

/// The word of the body decides, then the code.
fn outcome(answer: &Answer) -> Option<CancelOutcome> {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    match (
        body.get("status").and_then(Value::as_str),
        answer.status.as_u16(),
    ) {
        (Some("OK"), _) => Some(CancelOutcome::Ok),
        (Some("CANCELLATION_REQUESTED"), _) => Some(CancelOutcome::Requested),
        (Some("ALREADY_COMPLETED"), _) => Some(CancelOutcome::AlreadyCompleted),
        (Some("NOT_FOUND"), _) | (_, 404 | 410) => Some(CancelOutcome::NotFound),
        (_, 202) => Some(CancelOutcome::Requested),
        (_, 200..=299) => Some(CancelOutcome::Ok),
        _ => None,
    }
}
