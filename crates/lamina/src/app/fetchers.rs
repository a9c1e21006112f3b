//! Whose URLs lamina opens: what a client names as its source, and where an engine says its layers are.

use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use safe_fetch::{FetchPolicy, FetchSetupError, Fetcher};
use url::Host;

use crate::config::{Config, FalConfig};
use crate::tls;

/// A layer that is larger than this is no layer of a picture that lamina accepts.
pub(super) const LAYER_BYTES: u64 = 64 << 20;

/// Of fal's CDN less is read: its model draws at most 1.4 megapixels, 6 MB before any compression.
const FETCHED_LAYER_BYTES: u64 = 32 << 20;

/// What servers are told of who asks.
const USER_AGENT: &str = concat!("lamina/", env!("CARGO_PKG_VERSION"));

/// A fetcher that trusts whom all of lamina's clients trust.
pub(super) fn fetcher(policy: FetchPolicy) -> Result<Fetcher, FetchSetupError> {
    let policy = FetchPolicy {
        user_agent: USER_AGENT.to_owned(),
        ..policy
    };
    Fetcher::with_tls(policy, tls::client_config()?)
}

/// For what a client names as its source.
pub(super) fn source_policy(config: &Config, total: Option<Duration>) -> FetchPolicy {
    let usual = FetchPolicy::default();
    FetchPolicy {
        allow_http: config.fetch.allow_http,
        allow_nets: config.fetch.allow_nets.clone(),
        allow_prefixes: config.fetch.allow_prefixes.clone(),
        max_bytes: config.max_image_bytes,
        total_timeout: total.unwrap_or(usual.total_timeout),
        ..usual
    }
}

/// For receivers of webhooks, which any caller may name: by the rules for what a client names, but that it need not be a
/// source of pictures.
pub(crate) fn receiver_policy(config: &Config, total: Option<Duration>) -> FetchPolicy {
    let usual = FetchPolicy::default();
    FetchPolicy {
        allow_http: config.fetch.allow_http,
        allow_nets: config.fetch.allow_nets.clone(),
        connect_timeout: total.unwrap_or(usual.connect_timeout),
        first_byte_timeout: total.unwrap_or(usual.first_byte_timeout),
        ..usual
    }
}

/// Layers come from fal's CDN by https. Only where the operator points lamina at a queue on an
/// address of its own (the emulator) may layers come from that same address.
pub(super) fn layer_policy(fal: Option<&FalConfig>, total: Option<Duration>) -> FetchPolicy {
    let usual = FetchPolicy::default();
    let queue = fal.map(|fal| &fal.queue_url);
    let own = queue.and_then(|url| match url.host()? {
        Host::Ipv4(address) => Some(IpNet::from(IpAddr::V4(address))),
        Host::Ipv6(address) => Some(IpNet::from(IpAddr::V6(address))),
        Host::Domain(_) => None,
    });
    FetchPolicy {
        allow_http: queue.is_some_and(|url| url.scheme() == "http"),
        allow_nets: own.into_iter().collect(),
        max_bytes: FETCHED_LAYER_BYTES,
        total_timeout: total.unwrap_or(Duration::from_secs(60)),
        // Its host is the engine's, and each job has several.
        keep_connections: true,
        ..usual
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_told_that_lamina_asks() {
        let fetcher = fetcher(layer_policy(None, None)).unwrap();
        assert!(fetcher.policy().user_agent.starts_with("lamina/"));
    }
}
