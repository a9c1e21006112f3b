//! What the emulator sends by itself: downloads of source images and webhooks.
//!
//! Two kinds of clients, because reading the system's certificates takes longer than most tests: one for
//! this machine, which never needs them, and one for everywhere else, made at its first use.
//! None takes proxies from the environment, none sends credentials, and those of webhooks follow no
//! redirect.

use std::sync::OnceLock;
use std::time::Duration;

use reqwest::{Client, ClientBuilder, Error};
use url::{Host, Url};

/// The clients.
pub(crate) struct Outgoing {
    near: Client,
    far: OnceLock<Client>,
    webhooks_near: Client,
    webhooks_far: OnceLock<Client>,
}

impl Outgoing {
    pub(crate) fn new() -> Result<Self, Error> {
        Ok(Self {
            near: builder().tls_certs_only([]).build()?,
            far: OnceLock::new(),
            webhooks_near: webhook_builder().tls_certs_only([]).build()?,
            webhooks_far: OnceLock::new(),
        })
    }

    /// The client for the download of this URL. Cloning is cheap.
    pub(crate) fn client_for(&self, url: &str) -> Result<Client, Error> {
        chosen(url, &self.near, &self.far, builder)
    }

    /// The client for a webhook to this URL.
    pub(crate) fn webhook_client_for(&self, url: &str) -> Result<Client, Error> {
        chosen(
            url,
            &self.webhooks_near,
            &self.webhooks_far,
            webhook_builder,
        )
    }
}

fn chosen(
    url: &str,
    near: &Client,
    far: &OnceLock<Client>,
    builder: fn() -> ClientBuilder,
) -> Result<Client, Error> {
    if is_plain_loopback(url) {
        return Ok(near.clone());
    }
    if let Some(far) = far.get() {
        return Ok(far.clone());
    }
    let made = builder().build()?;
    Ok(far.get_or_init(|| made).clone())
}

fn webhook_builder() -> ClientBuilder {
    builder().redirect(reqwest::redirect::Policy::none())
}

fn builder() -> ClientBuilder {
    Client::builder()
        .no_proxy()
        .connect_timeout(Duration::from_secs(5))
}

fn is_plain_loopback(url: &str) -> bool {
    let Ok(url) = Url::parse(url) else {
        return false;
    };
    let near = match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    url.scheme() == "http" && near
}
