//! An error answer in one of fal's body shapes: a `detail` list (models), a `detail` string with an
//! `error_type` (infrastructure), or a bare `detail` string (keys, billing, unknown things).
//!
//! It does not know HTTP frameworks, nor when an error is due. The same value is answered by the
//! result endpoint, put into a webhook, and summarised in the status.

use serde_json::{Map, Value, json};

use crate::fault::{EchoShape, ModelError, RequestError};

/// One error, ready to be answered.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    /// HTTP status.
    pub(crate) status: u16,
    /// JSON body.
    pub(crate) body: Value,
    /// Extra headers.
    pub(crate) headers: Vec<(&'static str, String)>,
    /// `error_type` in the status of the failed request.
    pub(crate) error_type: Option<String>,
}

impl Failure {
    /// `{"detail": text}`.
    pub(crate) fn text(status: u16, detail: impl Into<String>) -> Self {
        Self {
            status,
            body: json!({"detail": detail.into()}),
            headers: Vec::new(),
            error_type: None,
        }
    }

    /// `{"detail": text, "error_type": kind}` with the header of the same value.
    pub(crate) fn request(kind: RequestError, detail: impl Into<String>) -> Self {
        Self {
            status: kind.status(),
            body: json!({"detail": detail.into(), "error_type": kind.name()}),
            headers: vec![("x-fal-error-type", kind.name().to_owned())],
            error_type: Some(kind.name().to_owned()),
        }
    }

    /// A model's answer with these items, which must not be empty.
    pub(crate) fn items(status: u16, items: Vec<Item>) -> Self {
        let error_type = items.first().map(|item| item.kind.clone());
        let items: Vec<Value> = items.into_iter().map(Item::into_json).collect();
        Self {
            status,
            body: json!({"detail": items}),
            headers: vec![("x-fal-retryable", "false".to_owned())],
            error_type,
        }
    }

    /// A typical answer of a model with this kind of error.
    pub(crate) fn model(kind: ModelError) -> Self {
        let mut item = Item::new(kind.name(), kind.field(), sentence(kind));
        item.context = kind.sample_context();
        let mut failure = Self::items(kind.status(), vec![item]);
        if kind == ModelError::DownstreamServiceError {
            // "Either" in fal's table, and no header says which.
            failure.headers.clear();
        }
        failure
    }

    /// 422 that repeats `text`, in this shape, its header and its type.
    pub(crate) fn echo(shape: EchoShape, text: &str) -> Self {
        Self {
            status: 422,
            body: shape.body(text).unwrap_or_else(|| shape.bytes(text).into()),
            headers: vec![("x-fal-error-type", text.to_owned())],
            error_type: Some(text.to_owned()),
        }
    }

    /// The caller's own `X-Fal-Request-Timeout` ran out.
    pub(crate) fn start_timeout() -> Self {
        let mut failure = Self::request(
            RequestError::RequestTimeout,
            "The request did not start within the requested time",
        );
        failure
            .headers
            .push(("x-fal-request-timeout-type", "user".to_owned()));
        failure
    }

    /// The request was cancelled by its caller.
    pub(crate) fn cancelled() -> Self {
        Self::request(
            RequestError::ClientCancelled,
            "The request was cancelled by the client",
        )
    }

    /// The sentence in `error` of the status.
    pub(crate) fn summary(&self) -> String {
        match &self.body["detail"] {
            Value::String(text) => text.clone(),
            Value::Array(items) => items
                .first()
                .and_then(|item| item["msg"].as_str())
                .unwrap_or("Invalid request")
                .to_owned(),
            _ => format!("Invalid status code: {}", self.status),
        }
    }
}

/// One object of a `detail` list.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    kind: String,
    location: Vec<Value>,
    message: String,
    context: Option<Value>,
    input: Option<Value>,
    plain: bool,
}

impl Item {
    /// An item about `body.<field>`.
    pub(crate) fn new(kind: &str, field: &str, message: impl Into<String>) -> Self {
        Self {
            kind: kind.to_owned(),
            location: vec![json!("body"), json!(field)],
            message: message.into(),
            context: None,
            input: None,
            plain: false,
        }
    }

    /// Deeper parts of the location, such as an index and a field.
    pub(crate) fn at(mut self, deeper: impl IntoIterator<Item = Value>) -> Self {
        self.location.extend(deeper);
        self
    }

    /// The limits that were missed.
    pub(crate) fn context(mut self, context: Value) -> Self {
        self.context = Some(context);
        self
    }

    /// The value that was refused.
    pub(crate) fn input(mut self, input: &Value) -> Self {
        self.input = Some(input.clone());
        self
    }

    /// Without `url`, as plain validation produces it.
    pub(crate) fn plain(mut self) -> Self {
        self.plain = true;
        self
    }

    fn into_json(self) -> Value {
        let mut item = Map::new();
        item.insert("loc".into(), Value::Array(self.location));
        item.insert("msg".into(), self.message.into());
        item.insert("type".into(), self.kind.clone().into());
        if !self.plain {
            let url = format!("https://docs.fal.ai/errors/#{}", self.kind);
            item.insert("url".into(), url.into());
        }
        if let Some(context) = self.context {
            item.insert("ctx".into(), context);
        }
        if let Some(input) = self.input {
            item.insert("input".into(), input);
        }
        Value::Object(item)
    }
}

fn sentence(kind: ModelError) -> String {
    match kind {
        ModelError::ContentPolicyViolation => {
            "The content could not be processed because it was flagged by a content checker".into()
        }
        ModelError::ImageLoadError => "Failed to load the image".into(),
        ModelError::FileDownloadError => "Failed to download the file".into(),
        ModelError::InternalServerError => "Internal server error".into(),
        other => format!("The input was refused: {}", other.name().replace('_', " ")),
    }
}
