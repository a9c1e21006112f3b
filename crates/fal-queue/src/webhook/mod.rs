//! The check that a webhook comes from fal.
//!
//! fal signs with Ed25519 over four lines: the request id, user id and timestamp of its headers as
//! received, and the lower-case hex SHA-256 of the raw body (source: fal's page "Webhooks"). The
//! body must therefore be checked before it is parsed, byte for byte. A signature proves origin and
//! five minutes of freshness, not novelty: fal repeats deliveries, so a handler must be idempotent
//! by request id. The time is an argument; nothing here reads a clock.

mod body;
mod cache;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
mod keys;

use std::fmt::Write as _;

use aws_lc_rs::digest::{SHA256, digest};
use reqwest::header::HeaderMap;

use crate::Client;

pub use body::{WebhookBody, WebhookStatus};
use cache::{Cache, Refreshed};

/// The header with the request id.
pub const REQUEST_ID_HEADER: &str = "x-fal-webhook-request-id";
/// The header with fal's user id.
pub const USER_ID_HEADER: &str = "x-fal-webhook-user-id";
/// The header with the time of signing, in seconds since 1970.
pub const TIMESTAMP_HEADER: &str = "x-fal-webhook-timestamp";
/// The header with the signature, 64 bytes in hex.
pub const SIGNATURE_HEADER: &str = "x-fal-webhook-signature";

/// How far the time of signing may lie from now, either way, in seconds.
pub const TOLERANCE_SECONDS: u64 = 300;

/// Checks webhooks against fal's public keys, which it fetches from
/// [`Config::jwks_url`](crate::Config::jwks_url) when first needed and keeps for at most 24 hours.
/// Share one (for example in an `Arc`), so that the keys are shared.
#[derive(Debug)]
pub struct Verifier {
    cache: Cache,
}

/// What the signed headers of a genuine webhook say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedWebhook {
    /// The request it is about.
    pub request_id: String,
    /// fal's id of the account.
    pub user_id: String,
    /// Time of signing, in seconds since 1970.
    pub timestamp: i64,
}

/// Why a webhook was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WebhookError {
    /// A signature header is missing, repeated or unreadable; the field names it.
    #[error("the webhook header {0} is missing, repeated or unreadable")]
    Header(&'static str),
    /// Signed too long ago, or in the future.
    #[error("the webhook was signed {0} seconds away from now, more than {TOLERANCE_SECONDS}")]
    Stale(u64),
    /// No key of fal made this signature over this body.
    #[error("the webhook's signature is not fal's")]
    Forged,
    /// fal's keys could not be fetched, so nothing is known. Answer with a 5xx: fal delivers again.
    #[error("fal's webhook keys cannot be fetched: {0}")]
    KeysUnavailable(String),
}

impl Verifier {
    /// Makes a verifier that fetches with `client` (without its key). Nothing is sent yet.
    #[must_use]
    pub fn new(client: &Client) -> Self {
        Self {
            cache: Cache::new(client.clone()),
        }
    }

    /// Checks one delivery. `body` is the raw body, `now_unix` the time in seconds since 1970.
    ///
    /// An unknown signature makes the keys be fetched again, at most once a minute. Dropping the
    /// future does no harm.
    ///
    /// # Errors
    /// [`WebhookError`].
    pub async fn verify(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        now_unix: i64,
    ) -> Result<VerifiedWebhook, WebhookError> {
        let request_id = single(headers, REQUEST_ID_HEADER)?;
        let user_id = single(headers, USER_ID_HEADER)?;
        let timestamp_text = single(headers, TIMESTAMP_HEADER)?;
        let timestamp: i64 = timestamp_text
            .parse()
            .map_err(|_| WebhookError::Header(TIMESTAMP_HEADER))?;
        let signature = signature_bytes(single(headers, SIGNATURE_HEADER)?)
            .ok_or(WebhookError::Header(SIGNATURE_HEADER))?;
        // Before the keys: a stale delivery must not cause a fetch.
        let skew = now_unix.abs_diff(timestamp);
        if skew > TOLERANCE_SECONDS {
            return Err(WebhookError::Stale(skew));
        }
        let message = signed_message(request_id, user_id, timestamp_text, body);
        self.check(message.as_bytes(), &signature, now_unix).await?;
        Ok(VerifiedWebhook {
            request_id: request_id.to_owned(),
            user_id: user_id.to_owned(),
            timestamp,
        })
    }

    async fn check(&self, message: &[u8], signature: &[u8], now: i64) -> Result<(), WebhookError> {
        let known = self
            .cache
            .current(now)
            .await
            .map_err(WebhookError::KeysUnavailable)?;
        if known.keys.verify(message, signature) {
            return Ok(());
        }
        match self.cache.newer_than(known.generation, now).await {
            Refreshed::Newer(keys) if keys.verify(message, signature) => Ok(()),
            Refreshed::Newer(_) | Refreshed::TooSoon => Err(WebhookError::Forged),
            Refreshed::Failed(reason) => Err(WebhookError::KeysUnavailable(reason)),
        }
    }
}

/// The text that fal signs.
#[must_use]
pub fn signed_message(request_id: &str, user_id: &str, timestamp: &str, body: &[u8]) -> String {
    let mut message = format!("{request_id}\n{user_id}\n{timestamp}\n");
    for byte in digest(&SHA256, body).as_ref() {
        // Writing into a String cannot fail.
        let _ = write!(message, "{byte:02x}");
    }
    message
}

fn single<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<&'a str, WebhookError> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok().filter(|text| !text.is_empty()),
        _ => None,
    }
    .ok_or(WebhookError::Header(name))
}

fn signature_bytes(hex: &str) -> Option<[u8; 64]> {
    let digits = hex.as_bytes();
    if digits.len() != 128 {
        return None;
    }
    let mut bytes = [0; 64];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let high = char::from(pair[0]).to_digit(16)?;
        let low = char::from(pair[1]).to_digit(16)?;
        *byte = u8::try_from(high << 4 | low).ok()?;
    }
    Some(bytes)
}
