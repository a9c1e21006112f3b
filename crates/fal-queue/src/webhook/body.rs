//! The body of a webhook, read after its signature was checked.
//!
//! The payload stays unparsed text, because it is the model's output on success and an error body
//! otherwise. `Debug` prints neither it nor a sentence of fal's: they may hold images and prompts.

use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

/// What fal delivers at the end of a run.
#[derive(Clone, Deserialize)]
pub struct WebhookBody {
    /// The id that the submit returned.
    pub request_id: String,
    /// Id of the last attempt of fal's own; differs after a repeat.
    #[serde(default)]
    pub gateway_request_id: Option<String>,
    /// How it ended.
    pub status: WebhookStatus,
    /// The model's output, or with an error the error's body.
    #[serde(default)]
    pub payload: Option<Box<RawValue>>,
    /// For example "Invalid status code: 422".
    #[serde(default, deserialize_with = "sentence")]
    pub error: Option<String>,
    /// Why there is no payload although there was an output. It comes with either status; the
    /// result can still be fetched.
    #[serde(default, deserialize_with = "sentence")]
    pub payload_error: Option<String>,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
pub enum WebhookStatus {
    /// With an output.
    #[serde(rename = "OK")]
    Ok,
    /// With an error.
    #[serde(rename = "ERROR")]
    Error,
}

impl WebhookBody {
    /// Reads a body.
    ///
    /// # Errors
    /// When it is not JSON of this shape; the message does not repeat the body.
    pub fn parse(body: &[u8]) -> Result<Self, crate::Error> {
        serde_json::from_slice(body).map_err(|error| {
            let place = format!("line {} column {}", error.line(), error.column());
            if error.is_data() {
                crate::Error::Unexpected(format!("webhook body at {place}"))
            } else {
                crate::Error::Malformed(format!("webhook body at {place}"))
            }
        })
    }

    /// The payload as the model's output; `None` unless the status is OK and it has that shape.
    #[must_use]
    pub fn output<T: DeserializeOwned>(&self) -> Option<T> {
        let payload = self
            .payload
            .as_ref()
            .filter(|_| self.status == WebhookStatus::Ok)?;
        serde_json::from_str(payload.get()).ok()
    }
}

/// A text, shortened; anything else but null becomes its JSON.
fn sentence<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::Null => None,
        Value::String(text) => Some(crate::excerpt::excerpt(&text)),
        other => Some(crate::excerpt::excerpt(&other.to_string())),
    })
}

impl fmt::Debug for WebhookBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookBody")
            .field("request_id", &self.request_id)
            .field("status", &self.status)
            .field(
                "payload_bytes",
                &self.payload.as_ref().map(|raw| raw.get().len()),
            )
            .field("error", &self.error.is_some())
            .field("payload_error", &self.payload_error.is_some())
            .finish_non_exhaustive()
    }
}
