//! The status of a request.
//!
//! fal knows three states; a request that failed or was cancelled is "completed" as well. HTTP
//! says 202 while it is pending and 200 when it is completed, but the body decides where it
//! speaks. Missing, null or odd side fields never fail a status.

use std::fmt;

use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde_json::Value;

use crate::transport::Answer;
use crate::{Client, Error, ErrorType, ModelId};

/// The largest status that is read: all lines of a long run fit.
const MOST_STATUS_BYTES: usize = 1 << 20;

/// Where a request is. `Debug` shows no text of the answer.
#[derive(Clone, PartialEq)]
pub enum Status {
    /// Waiting.
    InQueue {
        /// Requests ahead, from zero.
        position: Option<u64>,
    },
    /// Running.
    InProgress {
        /// All lines so far, if asked for.
        logs: Vec<LogLine>,
    },
    /// Over: the result can be fetched, and is an error when `error` is set.
    Completed {
        /// Why it failed, in fal's words. Its absence does not prove success; the result does.
        error: Option<String>,
        /// The type of the failure.
        error_type: Option<ErrorType>,
        /// All lines, if asked for.
        logs: Vec<LogLine>,
        /// What fal measured.
        metrics: Metrics,
    },
}

/// Measurements of a completed run.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Metrics {
    /// Seconds of inference.
    pub inference_seconds: Option<f64>,
}

/// One line of a run's log. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct LogLine {
    /// The line.
    pub message: String,
    /// For example `INFO`, `STDERR`; not always given.
    pub level: Option<String>,
    /// ISO 8601, as sent.
    pub timestamp: Option<String>,
}

#[derive(Deserialize)]
struct Body {
    #[serde(default)]
    status: Value,
    #[serde(default)]
    queue_position: Value,
    #[serde(default)]
    logs: Value,
    #[serde(default)]
    metrics: Value,
    #[serde(default)]
    error: Value,
    #[serde(default)]
    error_type: Value,
}

impl Client {
    /// Asks where a request is, with its log lines if `logs`.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an id fal does not know; see [`Error`] for the rest. Repeated within
    /// [`Config::retry`](crate::Config::retry).
    pub async fn status(
        &self,
        model: &ModelId,
        request_id: &str,
        logs: bool,
    ) -> Result<Status, Error> {
        let mut url = self.request_url(model, request_id, Some("status"))?;
        url.set_query(Some(if logs { "logs=1" } else { "logs=0" }));
        let call = || async {
            let request = self.authorized(Method::GET, url.clone());
            let answer = self.exchange_up_to(request, MOST_STATUS_BYTES).await?;
            self.read_status(&self.success(answer)?)
        };
        self.config()
            .retry
            .run("status", Error::may_repeat, call)
            .await
    }

    fn read_status(&self, answer: &Answer) -> Result<Status, Error> {
        let body: Body = self.json(&answer.body)?;
        let pending = answer.status == StatusCode::ACCEPTED;
        match body.status.as_str() {
            Some("IN_QUEUE") => Ok(Status::InQueue {
                position: body.queue_position.as_u64(),
            }),
            Some("IN_PROGRESS") => Ok(Status::InProgress {
                logs: log_lines(&body.logs),
            }),
            Some("COMPLETED") => Ok(completed(&body)),
            // 202 means "not yet" and a bare 200 "done", whatever word goes with it.
            _ if pending => Ok(Status::InProgress {
                logs: log_lines(&body.logs),
            }),
            None => Ok(completed(&body)),
            // What a 404 says as well.
            Some("NOT_FOUND") => Err(Error::NotFound(self.failure(answer))),
            Some(_) => Err(Error::Unexpected("a status of another name".to_owned())),
        }
    }
}

fn completed(body: &Body) -> Status {
    let error = match &body.error {
        Value::Null => None,
        Value::String(text) => Some(crate::excerpt::excerpt(text)),
        other => Some(crate::excerpt::excerpt(&other.to_string())),
    };
    Status::Completed {
        error,
        error_type: body.error_type.as_str().map(ErrorType::from),
        logs: log_lines(&body.logs),
        metrics: Metrics {
            inference_seconds: body.metrics.get("inference_time").and_then(Value::as_f64),
        },
    }
}

/// Lines come with level and source, with `labels`, or not at all.
fn log_lines(logs: &Value) -> Vec<LogLine> {
    let lines = logs.as_array().map(Vec::as_slice).unwrap_or_default();
    let text = |line: &Value, name: &str| line.get(name).and_then(Value::as_str).map(str::to_owned);
    lines
        .iter()
        .filter_map(|line| {
            Some(LogLine {
                message: text(line, "message")?,
                level: text(line, "level"),
                timestamp: text(line, "timestamp"),
            })
        })
        .collect()
}

impl fmt::Debug for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InQueue { position } => {
                let mut shown = f.debug_struct("InQueue");
                shown.field("position", position).finish()
            }
            Self::InProgress { logs } => {
                let mut shown = f.debug_struct("InProgress");
                shown.field("logs", &logs.len()).finish()
            }
            Self::Completed {
                error,
                error_type,
                logs,
                metrics,
            } => f
                .debug_struct("Completed")
                .field("failed", &error.is_some())
                .field("error_type", error_type)
                .field("logs", &logs.len())
                .field("metrics", metrics)
                .finish(),
        }
    }
}

impl fmt::Debug for LogLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LogLine({} bytes)", self.message.len())
    }
}
