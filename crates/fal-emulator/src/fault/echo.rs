//! Answers that repeat what they were sent, in every shape that fal or something before it may use.
//! What logs an answer logs its users' prompts; with these it is found out.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Which answer repeats the prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EchoAt {
    /// The refusal of the submission.
    Submit,
    /// The first two statuses, and a line of the log.
    Status,
    /// The first two reads of the result.
    Result,
    /// The end of the run: in its status, in its result and in its webhook.
    Run,
}

/// What such an answer looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EchoShape {
    /// A `detail` list.
    Items,
    /// A `detail` string.
    Detail,
    /// A `detail` string and an `error_type`.
    Typed,
    /// A `detail` object.
    Object,
    /// A `message`.
    Message,
    /// An `error`.
    Error,
    /// A page.
    Page,
    /// A success that is not whole JSON.
    Cut,
    /// A success of another shape.
    Odd,
}

impl EchoAt {
    /// Every place.
    pub const ALL: &[Self] = &[Self::Submit, Self::Status, Self::Result, Self::Run];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Submit => "submit",
            Self::Status => "status",
            Self::Result => "result",
            Self::Run => "run",
        }
    }
}

impl EchoShape {
    /// Every shape.
    pub const ALL: &[Self] = &[
        Self::Items,
        Self::Detail,
        Self::Typed,
        Self::Object,
        Self::Message,
        Self::Error,
        Self::Page,
        Self::Cut,
        Self::Odd,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Items => "items",
            Self::Detail => "detail",
            Self::Typed => "typed",
            Self::Object => "object",
            Self::Message => "message",
            Self::Error => "error",
            Self::Page => "page",
            Self::Cut => "cut",
            Self::Odd => "odd",
        }
    }

    /// Whether it looks like a success.
    pub(crate) fn succeeds(self) -> bool {
        matches!(self, Self::Cut | Self::Odd)
    }

    /// The body, with `text` wherever there is a text; `None` for what is no JSON.
    pub(crate) fn body(self, text: &str) -> Option<Value> {
        Some(match self {
            Self::Items => json!({"detail": [{
                "loc": ["body", text], "msg": text, "type": text, "url": text,
                "ctx": {text: text}, "input": text,
            }]}),
            Self::Detail => json!({"detail": text}),
            Self::Typed => json!({"detail": text, "error_type": text}),
            Self::Object => json!({"detail": {"prompt": text}}),
            Self::Message => json!({"message": text}),
            Self::Error => json!({"error": text}),
            Self::Odd => {
                json!({"status": text, "request_id": [text], "images": text, "prompt": text})
            }
            Self::Page | Self::Cut => return None,
        })
    }

    /// The bytes of the body.
    pub(crate) fn bytes(self, text: &str) -> String {
        match self.body(text) {
            Some(body) => body.to_string(),
            None if self == Self::Cut => format!("{{\"prompt\": \"{text}\", \"images\": [{{\"url"),
            None => format!("<html><h1>{text}</h1></html>"),
        }
    }
}
