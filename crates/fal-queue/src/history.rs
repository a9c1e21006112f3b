//! What fal lists of an endpoint's requests: the only way to learn, after the answer to a submit was
//! lost and no webhook came, whether there is a request.
//!
//! Source: fal's platform API, `GET /v1/models/requests/by-endpoint`, with an ordinary key. It names
//! no tags in its answer; they are read where they come all the same. What fal does not say: how soon
//! a request shows, and whether one shows at all whose input was not stored. So a request that is
//! missing here proves nothing by itself.

use std::time::SystemTime;

use jiff::Timestamp;
use reqwest::Method;
use reqwest::header::DATE;
use serde::Deserialize;
use serde_json::Value;

use crate::client::check_id;
use crate::{Client, Error, ModelId};

/// Requests on a page; fal gives at most so many.
const PAGE: &str = "100";
/// Pages that are read. A list that is longer is not complete.
const MOST_PAGES: usize = 10;
/// The largest page that is read; an item has a few hundred bytes.
const MOST_PAGE_BYTES: usize = 1 << 20;

/// What fal lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History {
    /// The requests, in no particular order.
    pub requests: Vec<ListedRequest>,
    /// False where more were listed than were read, or where one of them could not be read.
    pub complete: bool,
    /// fal's clock when it answered, in milliseconds since the Unix epoch, to the second.
    pub server_ms: Option<i64>,
}

/// One request, as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedRequest {
    /// Its id.
    pub request_id: String,
    /// When fal took it, in milliseconds since the Unix epoch, by fal's clock.
    pub sent_ms: i64,
    /// The tags of its submit, if the list names them.
    pub tags: Vec<(String, String)>,
}

#[derive(Deserialize)]
struct Page {
    items: Vec<Value>,
    #[serde(default)]
    next_cursor: Value,
    #[serde(default)]
    has_more: Value,
}

impl Client {
    /// The requests to `model` that fal lists from `since` on, in milliseconds since the Unix epoch.
    /// Each page is repeated within [`Config::retry`](crate::Config::retry).
    ///
    /// # Errors
    /// A failure to ask; see [`Error`].
    pub async fn history(&self, model: &ModelId, since: i64) -> Result<History, Error> {
        let start = Timestamp::from_millisecond(since)
            .map_err(|_| Error::Invalid("the start of the list is no time".to_owned()))?;
        let mut history = History {
            requests: Vec::new(),
            complete: false,
            server_ms: None,
        };
        let mut readable = true;
        let mut cursor: Option<String> = None;
        for _ in 0..MOST_PAGES {
            let mut url = self.history_url();
            url.query_pairs_mut()
                .append_pair("endpoint_id", model.submit_path())
                .append_pair("start", &format!("{start:.3}"))
                .append_pair("limit", PAGE);
            if let Some(cursor) = &cursor {
                url.query_pairs_mut().append_pair("cursor", cursor);
            }
            let call = || async {
                let request = self.authorized(Method::GET, url.clone());
                let answer = self.exchange_up_to(request, MOST_PAGE_BYTES).await?;
                let answer = self.success(answer)?;
                let date = answer.headers.get(DATE).and_then(|date| date.to_str().ok());
                Ok((self.json::<Page>(&answer.body)?, date.and_then(unix_ms)))
            };
            let retry = &self.config().retry;
            let (page, server_ms) = retry.run("history", Error::may_repeat, call).await?;
            history.server_ms = server_ms.or(history.server_ms);
            for item in &page.items {
                match listed(item) {
                    Some(request) => history.requests.push(request),
                    None => readable = false,
                }
            }
            let next = page.next_cursor.as_str().filter(|next| !next.is_empty());
            match next.filter(|_| page.has_more != Value::Bool(false)) {
                // The same page again is no progress.
                Some(next) if cursor.as_deref() != Some(next) => cursor = Some(next.to_owned()),
                Some(_) => return Ok(history),
                None => {
                    history.complete = readable && page.has_more != Value::Bool(true);
                    return Ok(history);
                }
            }
        }
        Ok(history)
    }
}

fn listed(item: &Value) -> Option<ListedRequest> {
    let request_id = item["request_id"].as_str()?;
    check_id(request_id).ok()?;
    Some(ListedRequest {
        request_id: request_id.to_owned(),
        sent_ms: time_ms(item["sent_at"].as_str()?)?,
        tags: tags(&item["tags"]),
    })
}

/// ISO 8601; what names no zone is UTC.
fn time_ms(text: &str) -> Option<i64> {
    let with_zone = text.parse::<Timestamp>().ok();
    let time = with_zone.or_else(|| format!("{text}Z").parse().ok())?;
    Some(time.as_millisecond())
}

/// An object, a header's `name=value,…`, or a list of such pairs.
fn tags(value: &Value) -> Vec<(String, String)> {
    let pair = |text: &str| {
        let (name, value) = text.split_once('=')?;
        Some((name.trim().to_owned(), value.trim().to_owned()))
    };
    match value {
        Value::Object(tags) => tags
            .iter()
            .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
            .collect(),
        Value::String(text) => text.split(',').filter_map(pair).collect(),
        Value::Array(list) => list.iter().filter_map(|tag| pair(tag.as_str()?)).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => Vec::new(),
    }
}

fn unix_ms(date: &str) -> Option<i64> {
    let date = httpdate::parse_http_date(date).ok()?;
    let since = date.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    i64::try_from(since.as_millis()).ok()
}
