//! What the emulator sends by itself: downloads of source images and webhooks.
//!
//! Two clients, because reading the system's certificates takes longer than most tests: one for
//! this machine, which never needs them, and one for everywhere else, made at its first use.
//! Neither takes proxies from the environment, neither sends credentials.

use std::sync::OnceLock;
use std::time::Duration;

use reqwest::{Client, ClientBuilder, Error};
use url::{Host, Url};

/// Both clients.
pub(crate) struct Outgoing {
    near: Client,
    far: OnceLock<Client>,
}

impl Outgoing {
    pub(crate) fn new() -> Result<Self, Error> {
        Ok(Self {
            near: builder().tls_certs_only([]).build()?,
            far: OnceLock::new(),
        })
    }

    /// The client for this URL. Cloning is cheap.
    pub(crate) fn client_for(&self, url: &str) -> Result<Client, Error> {
        if is_plain_loopback(url) {
            return Ok(self.near.clone());
        }
        if let Some(far) = self.far.get() {
            return Ok(far.clone());
        }
        let far = builder().build()?;
        Ok(self.far.get_or_init(|| far).clone())
    }
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
