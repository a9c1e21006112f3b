//! One bounded, checked delivery: a few bytes sent to a URL that a stranger named, under the same rules as a fetch.
//! A redirect is not followed, since whoever named the URL named no other; of the answer nothing but its head is read.

use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use tokio::time::timeout;
use url::Url;

use super::error::FetchError;
use super::fetcher::{Fetcher, late};
use super::send_error::failed_send;

/// What the other side answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// The HTTP status, whatever it is.
    pub status: u16,
    /// When it wants to be asked again, where it says that in seconds.
    pub retry_after: Option<Duration>,
}

impl Fetcher {
    /// POSTs `body` to `url` with these headers, names in lower case. What is no header is left out.
    ///
    /// # Errors
    /// [`FetchError`], when there was no answer; every status is one.
    pub async fn deliver(
        &self,
        url: &Url,
        headers: &[(&'static str, String)],
        body: Bytes,
    ) -> Result<Delivered, FetchError> {
        self.policy().check_url(url)?;
        let client = self.client_of(url)?;
        let headers: HeaderMap = headers
            .iter()
            .filter_map(|(name, value)| {
                let value = HeaderValue::from_str(value).ok()?;
                Some((HeaderName::from_static(name), value))
            })
            .collect();
        let policy = self.policy();
        let limit = policy.connect_timeout + policy.first_byte_timeout;
        let request = client.post(url.clone()).headers(headers).body(body);
        let response = match timeout(limit, request.send()).await {
            Ok(sent) => sent.map_err(|error| failed_send(url, &error, policy.connect_timeout))?,
            Err(_) => return Err(late(url, "the first byte of the answer", limit)),
        };
        Ok(Delivered {
            status: response.status().as_u16(),
            retry_after: seconds(response.headers()),
        })
    }
}

/// What `Retry-After` says in seconds.
pub(super) fn seconds(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?;
    let seconds = value.trim().parse::<u32>().ok()?;
    Some(Duration::from_secs(seconds.into()))
}
