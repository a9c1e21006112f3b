//! An answer of fal that is no success, read into one shape.
//!
//! fal uses two bodies: model errors carry `detail` as a list of items (`loc`, `msg`, `type`,
//! perhaps `ctx`, `url`, `input`), everything else carries `detail` as a text, perhaps with
//! `error_type`; proxies before it answer whatever they like. The echo of the input (`input`,
//! which may be a whole image) is never kept, and every text is an excerpt.

use std::fmt;
use std::time::{Duration, SystemTime};

use reqwest::StatusCode;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::ErrorType;
use crate::excerpt::excerpt;

/// No wait that a server asks for is taken to be longer than a day.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// No list of model errors is kept longer than this.
const MOST_ITEMS: usize = 32;

/// What fal said when it said no. `Display` and `Debug` show status and known types and no text of
/// the answer: whatever answers may repeat the input, a prompt included.
#[derive(Clone)]
pub struct Failure {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub detail: Detail,
    /// `error_type` of the body, else the header `X-Fal-Error-Type`, else the `type` of the first
    /// item.
    pub error_type: Option<ErrorType>,
    /// What `X-Fal-Retryable` or `X-Fal-Needs-Retry` say, where one is sent.
    pub retryable: Option<bool>,
    /// True for a 504 that the caller's own start time-out caused (`X-Fal-Request-Timeout-Type:
    /// user`): repeating it as it is makes no sense.
    pub user_timeout: bool,
    /// How long the server asks to wait; at most a day.
    pub retry_after: Option<Duration>,
    /// `X-Fal-Request-Id`: present when fal's gateway answered, absent when something before it
    /// did.
    pub request_id: Option<String>,
}

/// The body of a failure. Texts are excerpts of at most 300 characters; `Debug` does not show them.
#[derive(Clone, PartialEq)]
pub enum Detail {
    /// Model errors.
    Items(Vec<Item>),
    /// A sentence.
    Text(String),
    /// Not a body of fal's: the start of it, possibly empty.
    Unreadable(String),
}

/// One model error. `Debug` shows its type alone.
#[derive(Clone, PartialEq)]
pub struct Item {
    /// Path of the field, beginning with `body`; empty when not given.
    pub loc: Vec<String>,
    /// A sentence; fal says not to rely on it.
    pub msg: String,
    /// The type, where one is given.
    pub error_type: Option<ErrorType>,
    /// Numbers and allowed values that belong to the type.
    pub ctx: Map<String, Value>,
}

#[derive(Deserialize)]
struct RawBody<'a> {
    #[serde(borrow, default)]
    detail: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error_type: Option<&'a RawValue>,
    #[serde(borrow, default)]
    message: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
}

/// `input` and `url` are left out on purpose.
#[derive(Deserialize)]
struct RawItem<'a> {
    #[serde(default)]
    loc: Value,
    #[serde(borrow, default)]
    msg: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "type")]
    error_type: Option<&'a RawValue>,
    #[serde(default)]
    ctx: Value,
}

impl Failure {
    /// Reads a failure from an answer; never fails, whatever the answer is.
    pub(crate) fn read(status: StatusCode, headers: &HeaderMap, body: &str) -> Self {
        let (detail, body_type) = read_body(body);
        let item_type = match &detail {
            Detail::Items(items) => items.iter().find_map(|item| item.error_type.clone()),
            Detail::Text(_) | Detail::Unreadable(_) => None,
        };
        let error_type = body_type
            .or_else(|| header(headers, "x-fal-error-type").map(ErrorType::from))
            .or(item_type);
        Self {
            status: status.as_u16(),
            detail,
            error_type,
            retryable: flag(headers, "x-fal-retryable")
                .or_else(|| flag(headers, "x-fal-needs-retry")),
            user_timeout: status == StatusCode::GATEWAY_TIMEOUT
                && header(headers, "x-fal-request-timeout-type")
                    .is_some_and(|kind| kind.eq_ignore_ascii_case("user")),
            retry_after: retry_after(headers),
            request_id: request_id(headers),
        }
    }

    /// The sentence of the body, or the sentences of its items; empty when there is none. It is
    /// fal's text and may repeat the input: for the eyes of whoever sent that, not for a log.
    #[must_use]
    pub fn message(&self) -> String {
        match &self.detail {
            Detail::Items(items) => {
                let sentences: Vec<_> = items.iter().map(Item::sentence).collect();
                sentences.join("; ")
            }
            Detail::Text(text) | Detail::Unreadable(text) => text.clone(),
        }
    }
}

fn read_body(body: &str) -> (Detail, Option<ErrorType>) {
    let Ok(raw) = serde_json::from_str::<RawBody<'_>>(body) else {
        return (Detail::Unreadable(excerpt(body)), None);
    };
    let error_type = raw
        .error_type
        .and_then(text_of)
        .map(|name| ErrorType::from(name.as_str()));
    if let Some(detail) = raw.detail
        && let Ok(items) = serde_json::from_str::<Vec<RawItem<'_>>>(detail.get())
        && !items.is_empty()
    {
        let items = items.into_iter().take(MOST_ITEMS).map(Item::from).collect();
        return (Detail::Items(items), error_type);
    }
    let text = [raw.detail, raw.message, raw.error]
        .into_iter()
        .flatten()
        .find_map(text_of);
    match text {
        Some(text) => (Detail::Text(excerpt(&text)), error_type),
        None => (Detail::Unreadable(excerpt(body)), error_type),
    }
}

fn text_of(raw: &RawValue) -> Option<String> {
    serde_json::from_str(raw.get()).ok()
}

impl From<RawItem<'_>> for Item {
    fn from(raw: RawItem<'_>) -> Self {
        let loc = match raw.loc {
            Value::Array(steps) => steps.iter().map(step).collect(),
            Value::Null => Vec::new(),
            other => vec![step(&other)],
        };
        let ctx = match raw.ctx {
            Value::Object(entries) => entries.into_iter().map(|(k, v)| (k, tidy(v))).collect(),
            _ => Map::new(),
        };
        Self {
            loc,
            msg: raw
                .msg
                .and_then(text_of)
                .map(|msg| excerpt(&msg))
                .unwrap_or_default(),
            error_type: raw
                .error_type
                .and_then(text_of)
                .map(|name| ErrorType::from(name.as_str())),
            ctx,
        }
    }
}

/// One step of a `loc`: a field name or an index.
fn step(value: &Value) -> String {
    match value {
        Value::String(name) => excerpt(name),
        other => excerpt(&other.to_string()),
    }
}

/// A `ctx` value with its texts shortened; deeper structure becomes text.
fn tidy(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(excerpt(&text)),
        Value::Array(values) => values
            .into_iter()
            .take(MOST_ITEMS)
            .map(|v| Value::String(step(&v)))
            .collect(),
        Value::Object(_) => Value::String(excerpt(&value.to_string())),
        Value::Null | Value::Bool(_) | Value::Number(_) => value,
    }
}

pub(crate) fn request_id(headers: &HeaderMap) -> Option<String> {
    header(headers, "x-fal-request-id")
        .filter(|id| !id.is_empty() && id.len() <= 200)
        .map(str::to_owned)
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

fn flag(headers: &HeaderMap, name: &str) -> Option<bool> {
    match header(headers, name)?.to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" => Some(true),
        "0" | "false" | "no" => Some(false),
        _ => None,
    }
}

/// `Retry-After` in seconds, or as a date counted from the answer's own `Date`, so that neither
/// this machine's clock nor its zone matters.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let wanted = header(headers, RETRY_AFTER.as_str())?;
    let wait = if let Ok(seconds) = wanted.parse() {
        Duration::from_secs(seconds)
    } else {
        let at = httpdate::parse_http_date(wanted).ok()?;
        let sent: SystemTime = httpdate::parse_http_date(header(headers, DATE.as_str())?).ok()?;
        at.duration_since(sent).unwrap_or_default()
    };
    Some(wait.min(LONGEST_RETRY_AFTER))
}

impl Item {
    fn sentence(&self) -> String {
        let msg = &self.msg;
        let kind = self.error_type.as_ref().map(ErrorType::as_str);
        match (kind, self.loc.is_empty()) {
            (Some(kind), false) => format!("{msg} ({kind} at {})", self.loc.join(".")),
            (Some(kind), true) => format!("{msg} ({kind})"),
            (None, false) => format!("{msg} (at {})", self.loc.join(".")),
            (None, true) => msg.clone(),
        }
    }
}

impl fmt::Debug for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Item")
            .field("error_type", &self.error_type)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Detail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Items(items) => f.debug_tuple("Items").field(items).finish(),
            Self::Text(text) => write!(f, "Text({} bytes)", text.len()),
            Self::Unreadable(text) => write!(f, "Unreadable({} bytes)", text.len()),
        }
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Failure")
            .field("status", &self.status)
            .field("detail", &self.detail)
            .field("error_type", &self.error_type)
            .field("retryable", &self.retryable)
            .field("user_timeout", &self.user_timeout)
            .field("retry_after", &self.retry_after)
            .field("by_the_gateway", &self.request_id.is_some())
            .finish()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HTTP {}", self.status)?;
        match &self.error_type {
            Some(kind) => write!(f, ", {kind}"),
            None => Ok(()),
        }
    }
}
