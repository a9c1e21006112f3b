//! What a client is told once: key, addresses, limits.
//!
//! Nothing here is read from the environment. The addresses default to fal's own; a development
//! set-up points them to an emulator, and plain HTTP is allowed exactly where such an address
//! says `http`.

use std::time::Duration;

use secrecy::SecretString;
use url::Url;

use crate::Retry;

/// Settings of a [`Client`](crate::Client). `Debug` does not print the key.
#[derive(Debug, Clone)]
pub struct Config {
    /// `key_id:key_secret`, sent as `Authorization: Key …`. Without it no such header is sent,
    /// which only public models and emulators accept. [`check_key_shape`](crate::check_key_shape)
    /// checks the shape; [`Client::new`](crate::Client::new) only that it can be a header.
    pub key: Option<SecretString>,
    /// The queue. Default `https://queue.fal.run/`.
    pub queue_url: Url,
    /// Storage. Default `https://rest.fal.ai/`.
    pub rest_url: Url,
    /// The public keys of webhook signatures. Default
    /// `https://rest.fal.ai/.well-known/jwks.json`.
    pub jwks_url: Url,
    /// The platform's API, which lists requests and deletes what fal keeps of one. Default
    /// `https://api.fal.ai/v1/`.
    pub platform_url: Url,
    /// A key of ADMIN scope, for that API alone.
    pub admin_key: Option<SecretString>,
    /// Limit for name look-up, TCP and TLS together. Default 5 s.
    pub connect_timeout: Duration,
    /// Limit of one attempt from its start to the last byte of the answer. Default 30 s.
    pub request_timeout: Duration,
    /// The same limit for the one call that carries a file to storage. Default 120 s.
    pub upload_timeout: Duration,
    /// How long an unused connection is kept. Default 15 s: shorter than servers commonly keep
    /// theirs, so that a submit is rarely sent into a connection that is just being closed, which
    /// would leave its fate unknown.
    pub pool_idle_timeout: Duration,
    /// The largest answer that is read, in bytes. Default 64 MiB, enough for images that come as
    /// data URIs.
    pub max_answer_bytes: usize,
    /// The `User-Agent`. Default `fal-queue/VERSION (rust)`.
    pub user_agent: String,
    /// Repeats of calls that may be repeated; a submit never is.
    pub retry: Retry,
    /// Asked for the value of a `traceparent` header (W3C Trace Context) when a request that carries
    /// the key is made; such requests go to the addresses above only. Default: none is sent.
    pub trace_parent: Option<fn() -> Option<String>>,
    /// TLS settings that a program shares among its clients. Default `None`: the system's
    /// certificate authorities, read anew for this client. Protocols (ALPN) are set here anyway.
    pub tls: Option<rustls::ClientConfig>,
}

/// Why a client could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The key holds a character that no HTTP header can carry.
    #[error("the fal key cannot be sent in a header: it holds a control or non-ASCII character")]
    Key,
    /// An address is not usable; the first field names it.
    #[error("{0} must be an http or https address without user, query and fragment, got {1}")]
    Address(&'static str, String),
    /// The HTTP client refused its settings (user agent, TLS roots).
    #[error("the HTTP client could not be made: {0}")]
    Http(String),
}

impl Default for Config {
    fn default() -> Self {
        Self {
            key: None,
            queue_url: fixed("https://queue.fal.run/"),
            rest_url: fixed("https://rest.fal.ai/"),
            jwks_url: fixed("https://rest.fal.ai/.well-known/jwks.json"),
            platform_url: fixed("https://api.fal.ai/v1/"),
            admin_key: None,
            connect_timeout: Duration::from_secs(5),
            request_timeout: Duration::from_secs(30),
            upload_timeout: Duration::from_secs(120),
            pool_idle_timeout: Duration::from_secs(15),
            max_answer_bytes: 64 << 20,
            user_agent: concat!("fal-queue/", env!("CARGO_PKG_VERSION"), " (rust)").to_owned(),
            retry: Retry::default(),
            trace_parent: None,
            tls: None,
        }
    }
}

impl Config {
    /// The defaults, with a key.
    #[must_use]
    pub fn with_key(key: impl Into<SecretString>) -> Self {
        Self {
            key: Some(key.into()),
            ..Self::default()
        }
    }

    /// Checks the four addresses.
    pub(crate) fn check_addresses(&self) -> Result<(), ConfigError> {
        for (name, url) in [
            ("queue_url", &self.queue_url),
            ("rest_url", &self.rest_url),
            ("jwks_url", &self.jwks_url),
            ("platform_url", &self.platform_url),
        ] {
            let plain = url.username().is_empty()
                && url.password().is_none()
                && url.query().is_none()
                && url.fragment().is_none();
            if !matches!(url.scheme(), "http" | "https") || !url.has_host() || !plain {
                // The address may carry a password, which an error must not repeat.
                let place = url.host_str().unwrap_or("no host").to_owned();
                return Err(ConfigError::Address(
                    name,
                    format!("{}://{place}…", url.scheme()),
                ));
            }
        }
        Ok(())
    }
}

fn fixed(address: &'static str) -> Url {
    Url::parse(address).expect("a fixed address in this file is valid")
}
