//! One call to the API: its headers, query and body, whose key it carries, and the base of the URLs
//! it is answered with.

use std::collections::{BTreeMap, HashMap};

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Request, Uri};
use axum::response::IntoResponse as _;

use super::answer::Answer;
use crate::config::Config;
use crate::failure::Failure;

/// Larger than any input fal takes; an image in base64 fits.
const MOST_BODY_BYTES: usize = 256 << 20;

/// A call whose body was read.
pub(super) struct Call {
    pub(super) uri: Uri,
    pub(super) headers: HeaderMap,
    pub(super) query: HashMap<String, String>,
    pub(super) body: Bytes,
}

impl Call {
    /// Reads the whole call.
    pub(super) async fn read(request: Request<Body>) -> Result<Self, Box<Answer>> {
        let (parts, body) = request.into_parts();
        let body = axum::body::to_bytes(body, MOST_BODY_BYTES)
            .await
            .map_err(|_| Box::new(Failure::text(413, "Request body too large").into_response()))?;
        let query = parts.uri.query().unwrap_or_default().as_bytes();
        Ok(Self {
            query: url::form_urlencoded::parse(query).into_owned().collect(),
            uri: parts.uri,
            headers: parts.headers,
            body,
        })
    }

    /// A header as text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Whether the query asks for logs; `1` and `true` do.
    pub(super) fn wants_logs(&self) -> bool {
        matches!(
            self.query.get("logs").map(String::as_str),
            Some("1" | "true")
        )
    }

    /// Headers for inspection: lower-case names, no credentials.
    pub(super) fn public_headers(&self) -> BTreeMap<String, String> {
        let secret = [
            "authorization",
            "cookie",
            "proxy-authorization",
            "x-fal-cdn-token",
        ];
        self.headers
            .iter()
            .filter(|(name, _)| !secret.contains(&name.as_str()))
            .filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())))
            .collect()
    }

    /// The base of returned URLs: as configured, or the address that the caller used.
    pub(super) fn base(&self, config: &Config) -> String {
        if let Some(url) = &config.public_url {
            return url.trim_end_matches('/').to_owned();
        }
        let scheme = self.header("x-forwarded-proto").unwrap_or("http");
        let host = self
            .header("x-forwarded-host")
            .or_else(|| self.header("host"))
            .unwrap_or("localhost");
        format!("{scheme}://{host}")
    }

    /// Checks for a key of ADMIN scope; another key that is known is refused with 403.
    pub(super) fn authorize_admin(&self, config: &Config) -> Result<(), Failure> {
        let header = self.header("authorization").unwrap_or_default();
        let key = header.strip_prefix("Key ").map(str::trim);
        if key.is_some_and(|key| config.admin_keys.iter().any(|known| known == key)) {
            return Ok(());
        }
        self.authorize(config)?;
        Err(Failure::text(
            403,
            "This endpoint requires an admin API key",
        ))
    }

    /// Checks `Authorization: Key <id>:<secret>`.
    pub(super) fn authorize(&self, config: &Config) -> Result<(), Failure> {
        let Some(header) = self.header("authorization") else {
            return Err(Failure::text(
                401,
                "Authentication is required to access this application",
            ));
        };
        let key = header.strip_prefix("Key ").map(str::trim);
        let well_formed = key.and_then(|key| key.split_once(':'));
        let well_formed = well_formed.filter(|(id, secret)| !id.is_empty() && !secret.is_empty());
        match (key, well_formed) {
            (Some(key), Some(_))
                if config.any_key
                    || config.keys.iter().any(|known| known == key)
                    || config.admin_keys.iter().any(|known| known == key) =>
            {
                Ok(())
            }
            (Some(_), Some(_)) => Err(unknown_key()),
            _ => Err(malformed_key()),
        }
    }
}

pub(super) fn unknown_key() -> Failure {
    Failure::text(401, "No user found for Key ID and Secret")
}

pub(super) fn malformed_key() -> Failure {
    Failure::text(
        401,
        "Invalid Key Authorization header format. Expected '<key_id>:<key_secret>'.",
    )
}

pub(super) fn locked() -> Failure {
    Failure::text(
        403,
        "User is locked. Reason: Exhausted balance. Top up your balance at \
         fal.ai/dashboard/billing.",
    )
}
