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
/// [`Config::jwks_url`](crate::Config::jwks_url) when first needed, or before by
/// [`prefetch`](Self::prefetch), and keeps for at most 24 hours.
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

/// The headers of a delivery, well formed and recent, and not yet known to be fal's: enough to turn
/// most strangers away before a byte of their body is read.
#[derive(Debug, Clone)]
pub struct SignedHeaders {
    verified: VerifiedWebhook,
    timestamp_text: String,
    signature: [u8; 64],
}

impl SignedHeaders {
    /// Reads them; `now_unix` is the time in seconds since 1970.
    ///
    /// # Errors
    /// [`WebhookError::Header`] and [`WebhookError::Stale`].
    pub fn read(headers: &HeaderMap, now_unix: i64) -> Result<Self, WebhookError> {
        let request_id = single(headers, REQUEST_ID_HEADER)?;
        let user_id = single(headers, USER_ID_HEADER)?;
        let timestamp_text = single(headers, TIMESTAMP_HEADER)?;
        let timestamp: i64 = timestamp_text
            .parse()
            .map_err(|_| WebhookError::Header(TIMESTAMP_HEADER))?;
        let signature = signature_bytes(single(headers, SIGNATURE_HEADER)?)
            .ok_or(WebhookError::Header(SIGNATURE_HEADER))?;
        let skew = now_unix.abs_diff(timestamp);
        if skew > TOLERANCE_SECONDS {
            return Err(WebhookError::Stale(skew));
        }
        Ok(Self {
            verified: VerifiedWebhook {
                request_id: request_id.to_owned(),
                user_id: user_id.to_owned(),
                timestamp,
            },
            timestamp_text: timestamp_text.to_owned(),
            signature,
        })
    }
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

    /// Has the keys at hand before the first webhook needs them: fetches them if there are none or
    /// if it is time to renew them.
    ///
    /// # Errors
    /// A sentence, when there are none and none could be fetched.
    pub async fn prefetch(&self, now_unix: i64) -> Result<(), String> {
        self.cache.ahead(now_unix).await.map(drop)
    }

    /// Checks one delivery. `body` is the raw body, `now_unix` the time in seconds since 1970.
    ///
    /// An unknown signature makes the keys be fetched again, at most once a minute. Dropping the
    /// future does no harm: the fetch goes on without it.
    ///
    /// # Errors
    /// [`WebhookError`].
    pub async fn verify(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        now_unix: i64,
    ) -> Result<VerifiedWebhook, WebhookError> {
        let signed = SignedHeaders::read(headers, now_unix)?;
        let mut body_sha256 = [0; 32];
        body_sha256.copy_from_slice(digest(&SHA256, body).as_ref());
        self.verify_digest(signed, &body_sha256, now_unix).await
    }

    /// Like [`verify`](Self::verify), for a body that was hashed as it came and kept by nobody.
    ///
    /// # Errors
    /// [`WebhookError`].
    pub async fn verify_digest(
        &self,
        signed: SignedHeaders,
        body_sha256: &[u8; 32],
        now_unix: i64,
    ) -> Result<VerifiedWebhook, WebhookError> {
        let SignedHeaders {
            verified,
            timestamp_text,
            signature,
        } = signed;
        let (request_id, user_id) = (&*verified.request_id, &*verified.user_id);
        let message = lines(request_id, user_id, &timestamp_text, body_sha256);
        self.check(message.as_bytes(), &signature, now_unix).await?;
        Ok(verified)
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
    lines(
        request_id,
        user_id,
        timestamp,
        digest(&SHA256, body).as_ref(),
    )
}

fn lines(request_id: &str, user_id: &str, timestamp: &str, body_sha256: &[u8]) -> String {
    let mut message = format!("{request_id}\n{user_id}\n{timestamp}\n");
    for byte in body_sha256 {
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
