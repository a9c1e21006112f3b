//! Requests that a browser sends for a stranger's page. A service without API keys does what it is
//! asked, so it must not be asked by pages: neither under a name that a stranger's DNS points at
//! this machine (DNS rebinding; to the browser such a page is of the service's own origin), nor by
//! what a page may send to another origin without asking first (a form, a plain `fetch`).
//!
//! It is no access control: whoever is not a browser sends whatever headers it likes. A service
//! with keys needs none of it, since no page has a key.

use std::net::{Ipv4Addr, SocketAddrV4};

use axum::http::header::ORIGIN;
use axum::http::{HeaderMap, Method, Uri};
use url::{Host, Url};

use crate::http::answer::error::ApiError;
use crate::http::extract::public_base::asked_host;
use crate::http::state::{ApiState, CorsOrigins, HostNames};

/// Refuses what only a stranger's page can have sent.
pub(in crate::http) fn refuse_strangers_pages(
    state: &ApiState,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<(), ApiError> {
    let host = asked_host(uri, headers).ok_or(ApiError::InvalidHost)?;
    if !is_own(state, host) {
        return Err(ApiError::HostNotAllowed);
    }
    // What a page of another origin reads, the browser keeps from it.
    let reads = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
    let Some(origin) = headers.get(ORIGIN).filter(|_| !reads) else {
        return Ok(());
    };
    match origin.to_str() {
        Ok(origin) if may_write(state, host, origin) => Ok(()),
        _ => Err(ApiError::OriginNotAllowed),
    }
}

/// Refuses what a browser sends for a page of another origin, reading or not. For routes that no
/// page of another origin has any business with, whatever `CORS_ORIGINS` says; a page has no key
/// for them either, so this is a second lock.
pub(in crate::http) fn refuse_other_origins(
    public: Option<&Url>,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<(), ApiError> {
    let Some(origin) = headers.get(ORIGIN) else {
        // A browser that sends no Origin says this (Fetch Metadata).
        let site = headers.get("sec-fetch-site").map(|site| site.as_bytes());
        let foreign = matches!(site, Some(b"cross-site" | b"same-site"));
        return if foreign {
            Err(ApiError::OriginNotAllowed)
        } else {
            Ok(())
        };
    };
    let origin = origin.to_str().unwrap_or_default();
    let authority = origin.split_once("://").map(|(_, authority)| authority);
    let own = asked_host(uri, headers).zip(authority);
    let served_here = own.is_some_and(|(host, authority)| authority.eq_ignore_ascii_case(host));
    if served_here || public.is_some_and(|url| url.origin().ascii_serialization() == origin) {
        Ok(())
    } else {
        Err(ApiError::OriginNotAllowed)
    }
}

/// Whether no stranger's DNS can have brought the request here under this name. An address is
/// looked up nowhere; `localhost` and what ends in it belongs to the machine (RFC 6761, 6.3).
fn is_own(state: &ApiState, host: &str) -> bool {
    // As most clients write an address; a browser's other ways (`0x7f.1`, `[::]`) are for the parser.
    if host.parse::<SocketAddrV4>().is_ok() || host.parse::<Ipv4Addr>().is_ok() {
        return true;
    }
    let name = match parse(host) {
        Some(Host::Ipv4(_) | Host::Ipv6(_)) => return true,
        Some(Host::Domain(name)) => name,
        None => return false,
    };
    let name = name.trim_end_matches('.');
    let public = state.public_url.as_ref().and_then(Url::host_str);
    name == "localhost"
        || name.ends_with(".localhost")
        || public.is_some_and(|public| public == name)
        || match &state.host_names {
            HostNames::Any => true,
            HostNames::List(names) => names.iter().any(|own| own == name),
        }
}

/// The host of `host` or `host:port`, as a browser would write it.
fn parse(host: &str) -> Option<Host> {
    let end = host
        .rfind(':')
        .filter(|colon| !host[*colon..].contains(']'));
    Host::parse(&host[..end.unwrap_or(host.len())]).ok()
}

/// Whether a page of this origin may change anything: one of the service itself, or one that may
/// read the answers too. `null`, the origin of pages that hide theirs, is neither.
fn may_write(state: &ApiState, host: &str, origin: &str) -> bool {
    let same = |url: &Url| url.origin().ascii_serialization() == origin;
    let own = origin.split_once("://");
    own.is_some_and(|(_, authority)| authority.eq_ignore_ascii_case(host))
        || state.public_url.as_ref().is_some_and(same)
        || match &state.cors {
            CorsOrigins::None => false,
            CorsOrigins::Any => true,
            CorsOrigins::List(urls) => urls.iter().any(same),
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_read_as_a_browser_reads_it() {
        let domain = |name: &str| Some(Host::Domain(name.to_owned()));
        assert_eq!(parse("A.Example:80"), domain("a.example"));
        assert_eq!(parse("localhost"), domain("localhost"));
        assert!(matches!(parse("127.0.0.1:8080"), Some(Host::Ipv4(_))));
        assert!(matches!(parse("[::1]:8080"), Some(Host::Ipv6(_))));
        assert!(matches!(parse("[::1]"), Some(Host::Ipv6(_))));
        assert_eq!(parse("a b"), None);
    }
}
