//! What may be fetched, and how much of it.
//!
//! Plain settings and the verdict on a URL that needs no network. The verdict on the addresses of
//! a host name is passed when they are known, in [`super::resolver`], by the same rules.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use ipnet::IpNet;
use url::{Host, Url};

use super::address;
use super::error::{Refusal, ShownUrl};

/// The rules of fetching. [`Default`] is safe for the open internet.
#[derive(Debug, Clone)]
pub struct FetchPolicy {
    /// Whether http is opened as well as https. Default false.
    pub allow_http: bool,
    /// Networks let through the address check, on any port. Default none.
    pub allow_nets: Vec<IpNet>,
    /// The only sources that are opened; when empty, all are. Default empty.
    pub allow_prefixes: Vec<SourcePrefix>,
    /// Most bytes of a body. Default 20 MiB.
    pub max_bytes: u64,
    /// Time for name lookup, TCP and TLS of one hop. Default 5 s.
    pub connect_timeout: Duration,
    /// Time from the connection to the answer's headers, of one hop. Default 10 s.
    pub first_byte_timeout: Duration,
    /// Longest silence within a body. Default 10 s.
    pub idle_timeout: Duration,
    /// Time for everything together. Default 30 s.
    pub total_timeout: Duration,
    /// Redirects that are followed. Default 3.
    pub max_redirects: u32,
    /// Whether connections are kept for the next fetch, a few for each host and some seconds long. For hosts that are known
    /// to speak correctly: an answer with an odd header is refused then, since where it ends would be in doubt.
    /// Default false.
    pub keep_connections: bool,
    /// The `User-Agent` header. Default this crate's name and version.
    pub user_agent: String,
}

impl Default for FetchPolicy {
    fn default() -> Self {
        Self {
            allow_http: false,
            allow_nets: Vec::new(),
            allow_prefixes: Vec::new(),
            max_bytes: 20 * 1024 * 1024,
            connect_timeout: Duration::from_secs(5),
            first_byte_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(10),
            total_timeout: Duration::from_secs(30),
            max_redirects: 3,
            keep_connections: false,
            user_agent: concat!("safe-fetch/", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}

impl FetchPolicy {
    /// The verdict on a URL before any network is touched: scheme, user part, host, port, source.
    ///
    /// A URL that passes can still be refused when its host name turns out to have no public
    /// address.
    ///
    /// # Errors
    /// The first rule that the URL breaks.
    pub fn check_url(&self, url: &Url) -> Result<(), Refusal> {
        let shown = ShownUrl::from(url);
        let scheme_fits = url.scheme() == "https" || (self.allow_http && url.scheme() == "http");
        if !scheme_fits {
            return Err(Refusal::Scheme {
                url: shown,
                allow_http: self.allow_http,
            });
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Refusal::Credentials { url: shown });
        }
        let allowed = match url.host() {
            None => return Err(Refusal::NoHost { url: shown }),
            Some(Host::Domain(name)) if has_empty_label(name) => {
                return Err(Refusal::NoHost { url: shown });
            }
            Some(Host::Ipv4(ip)) => self.check_literal(IpAddr::V4(ip), &shown)?,
            Some(Host::Ipv6(ip)) => self.check_literal(IpAddr::V6(ip), &shown)?,
            Some(Host::Domain(name)) => self.check_name(name, &shown)?,
        };
        if !allowed && !has_usual_port(url) {
            return Err(Refusal::Port { url: shown });
        }
        let is_source = self.allow_prefixes.is_empty()
            || self.allow_prefixes.iter().any(|prefix| prefix.covers(url));
        if !is_source {
            return Err(Refusal::Source { url: shown });
        }
        Ok(())
    }

    /// Whether a setting lets this address through, whatever its range and port.
    pub(super) fn is_allowed(&self, address: IpAddr) -> bool {
        let canonical = address.to_canonical();
        self.allow_nets
            .iter()
            .any(|net| net.contains(&address) || net.contains(&canonical))
    }

    /// `Ok(true)` when a setting names the address, `Ok(false)` when it is merely public.
    fn check_literal(&self, address: IpAddr, url: &ShownUrl) -> Result<bool, Refusal> {
        if self.is_allowed(address) {
            return Ok(true);
        }
        match address::check_public(address) {
            Ok(()) => Ok(false),
            Err(range) => Err(Refusal::Address {
                url: url.clone(),
                range,
            }),
        }
    }

    /// A name's addresses are not known yet, so on an unusual port it gets the benefit of the
    /// doubt if there is any setting that could allow it. `localhost` is known (RFC 6761).
    fn check_name(&self, name: &str, url: &ShownUrl) -> Result<bool, Refusal> {
        let name = name.strip_suffix('.').unwrap_or(name);
        if name == "localhost" || name.ends_with(".localhost") {
            let loopback = [
                IpAddr::V4(Ipv4Addr::LOCALHOST),
                IpAddr::V6(Ipv6Addr::LOCALHOST),
            ];
            if !loopback.into_iter().any(|address| self.is_allowed(address)) {
                return Err(Refusal::Address {
                    url: url.clone(),
                    range: "loopback",
                });
            }
        }
        Ok(!self.allow_nets.is_empty())
    }
}

/// Whether nothing stands before, between or behind two dots; the root's own dot at the end is
/// none of a name's business. Such a name is nobody's, and resolvers differ in what they make of it.
fn has_empty_label(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    name.split('.').any(str::is_empty)
}

/// Whether the port is one that every public web server may be asked on.
pub(super) fn has_usual_port(url: &Url) -> bool {
    matches!(url.port_or_known_default(), Some(80 | 443))
}

/// A source that may be fetched from: every URL of one scheme, host and port whose path begins so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourcePrefix(pub(super) Url);

/// A source prefix that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a source prefix: write scheme, host and the beginning of the path, such as \
     `https://images.example.com/uploads/`, without user, query and fragment"
)]
pub struct InvalidPrefix(String);

impl std::str::FromStr for SourcePrefix {
    type Err = InvalidPrefix;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidPrefix(text.to_owned());
        let url = Url::parse(text).map_err(|_| invalid())?;
        let is_plain = matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        if is_plain {
            Ok(Self(url))
        } else {
            Err(invalid())
        }
    }
}

impl SourcePrefix {
    /// Hosts are compared whole, so that `https://a.example` never covers `https://a.example.net`;
    /// a parsed URL has no dot segments left that could leave the path.
    fn covers(&self, url: &Url) -> bool {
        self.0.scheme() == url.scheme()
            && self.0.host() == url.host()
            && self.0.port_or_known_default() == url.port_or_known_default()
            && url.path().starts_with(self.0.path())
    }
}
