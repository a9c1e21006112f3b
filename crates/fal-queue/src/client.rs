//! The client: one connection pool, one key, and the addresses made from them.
//!
//! It follows no redirect and builds every address itself from the configured base, so the key can
//! only ever reach the configured hosts. The calls themselves are in the file of their noun.

use std::fmt;
use std::sync::Arc;

use reqwest::header::HeaderValue;
use reqwest::{Method, RequestBuilder, redirect};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::{Config, ConfigError, Error, ModelId};

/// A client of fal's queue. Cloning is cheap and shares the connections.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    http: reqwest::Client,
    config: Config,
    authorization: Option<HeaderValue>,
    admin_authorization: Option<HeaderValue>,
}

impl Client {
    /// Makes a client; nothing is sent.
    ///
    /// Plain HTTP is refused unless one of the configured addresses uses it. A proxy named by the
    /// environment is used, except when the queue's address is plain HTTP, which is an emulator
    /// close by.
    ///
    /// # Errors
    /// A key that no header can carry, an unusable address, or a user agent or TLS set-up that the
    /// HTTP client refuses.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        config.check_addresses()?;
        let authorization = config.key.as_ref().map(header).transpose()?;
        let admin_authorization = config.admin_key.as_ref().map(header).transpose()?;
        let only_https = [
            &config.queue_url,
            &config.rest_url,
            &config.jwks_url,
            &config.platform_url,
        ]
        .iter()
        .all(|url| url.scheme() == "https");
        let mut http = reqwest::Client::builder()
            .user_agent(&config.user_agent)
            .connect_timeout(config.connect_timeout)
            .pool_idle_timeout(config.pool_idle_timeout)
            .redirect(redirect::Policy::none())
            .referer(false)
            // No repeat below this crate: what may be sent twice is decided here.
            .retry(reqwest::retry::never())
            .https_only(only_https);
        if config.queue_url.scheme() == "http" {
            http = http.no_proxy();
        }
        if let Some(mut tls) = config.tls.clone() {
            tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
            http = http.tls_backend_preconfigured(tls);
        }
        let http = http
            .build()
            .map_err(|error| ConfigError::Http(crate::transport::describe(error)))?;
        Ok(Self {
            inner: Arc::new(Inner {
                http,
                config,
                authorization,
                admin_authorization,
            }),
        })
    }

    /// The settings this client was made with.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.inner.config
    }

    /// A request that carries the key; only for addresses under the configured bases.
    pub(crate) fn authorized(&self, method: Method, url: Url) -> RequestBuilder {
        let mut request = self.anonymous(method, url);
        if let Some(parent) = self.inner.config.trace_parent.and_then(|parent| parent()) {
            request = request.header("traceparent", parent);
        }
        match &self.inner.authorization {
            Some(value) => request.header(reqwest::header::AUTHORIZATION, value.clone()),
            None => request,
        }
    }

    /// A request that carries the key of ADMIN scope; only for addresses under the platform's.
    pub(crate) fn administered(&self, method: Method, url: Url) -> Result<RequestBuilder, Error> {
        let key = self.inner.admin_authorization.as_ref();
        let key = key.ok_or_else(|| Error::Invalid("no key of ADMIN scope is set".to_owned()))?;
        let request = self.anonymous(method, url);
        Ok(request.header(reqwest::header::AUTHORIZATION, key.clone()))
    }

    /// A request without the key.
    pub(crate) fn anonymous(&self, method: Method, url: Url) -> RequestBuilder {
        self.inner
            .http
            .request(method, url)
            .timeout(self.inner.config.request_timeout)
    }

    /// The address of a submit.
    pub(crate) fn submit_url(&self, model: &ModelId) -> Url {
        under(&self.inner.config.queue_url, model.submit_path().split('/'))
    }

    /// The address of a request, with `tail` after its id.
    pub(crate) fn request_url(
        &self,
        model: &ModelId,
        request_id: &str,
        tail: Option<&str>,
    ) -> Result<Url, Error> {
        check_id(request_id)?;
        let segments = model
            .queue_path()
            .split('/')
            .chain(["requests", request_id])
            .chain(tail);
        Ok(under(&self.inner.config.queue_url, segments))
    }

    /// The address of a storage call.
    pub(crate) fn rest_url<'a>(&self, path: impl IntoIterator<Item = &'a str>) -> Url {
        under(&self.inner.config.rest_url, path)
    }

    /// The address of what the platform's API has of a request.
    pub(crate) fn payloads_url(&self, request_id: &str) -> Result<Url, Error> {
        check_id(request_id)?;
        let segments = ["models", "requests", request_id, "payloads"];
        Ok(under(&self.inner.config.platform_url, segments))
    }

    /// The address of the platform's list of requests.
    pub(crate) fn history_url(&self) -> Url {
        let segments = ["models", "requests", "by-endpoint"];
        under(&self.inner.config.platform_url, segments)
    }

    /// The texts that no message may repeat: the keys, and their secret halves.
    pub(crate) fn secrets(&self) -> Vec<&str> {
        let keys = [&self.inner.config.key, &self.inner.config.admin_key];
        let keys = keys.into_iter().flatten().map(|key| key.expose_secret());
        keys.flat_map(|whole| {
            let half = whole.split_once(':').map(|(_, secret)| secret);
            // A very short half would tear words apart and protects nothing.
            let half = half.filter(|secret| secret.len() >= 8);
            [Some(whole), half].into_iter().flatten()
        })
        .collect()
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("config", &self.inner.config)
            .finish_non_exhaustive()
    }
}

fn header(key: &SecretString) -> Result<HeaderValue, ConfigError> {
    let mut value = HeaderValue::from_str(&format!("Key {}", key.expose_secret()))
        .map_err(|_| ConfigError::Key)?;
    value.set_sensitive(true);
    Ok(value)
}

/// An id becomes a part of an address.
pub(crate) fn check_id(request_id: &str) -> Result<(), Error> {
    let harmless = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    if matches!(request_id, "" | "." | "..")
        || request_id.len() > 200
        || !request_id.bytes().all(harmless)
    {
        return Err(Error::Invalid(
            "a request id is made of 1 to 200 letters, digits and -._~".to_owned(),
        ));
    }
    Ok(())
}

/// `base` with path segments after its own, a trailing slash of the base left out.
fn under<'a>(base: &Url, segments: impl IntoIterator<Item = &'a str>) -> Url {
    let mut url = base.clone();
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(segments);
    }
    url
}
