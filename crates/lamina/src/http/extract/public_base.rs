//! The address that links begin with: `PUBLIC_URL`, or what the request was sent to. It signs
//! nothing; a stranger's `Host` header can only misdirect the answer that the stranger itself gets.

use std::sync::Arc;

use axum::extract::{FromRef, FromRequestParts};
use axum::http::header::HOST;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Uri};
use url::Url;

use crate::blobs::Link;
use crate::http::answer::error::ApiError;
use crate::http::state::ApiState;

/// Scheme, host and port (and path, if `PUBLIC_URL` has one), without a slash at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::http) struct PublicBase(String);

impl PublicBase {
    /// A link as clients can open it.
    pub(in crate::http) fn absolute(&self, link: &Link) -> String {
        match link {
            Link::Served(path_and_query) => format!("{}{path_and_query}", self.0),
            Link::Direct(url) => url.to_string(),
        }
    }
}

/// A path as clients see it: below that of `PUBLIC_URL`, which a proxy has taken away. The host stays
/// the one that was asked.
pub(in crate::http) fn public_path(state: &ApiState, path: &str) -> String {
    let below = state.public_url.as_ref().map_or("", Url::path);
    format!("{}{path}", below.trim_end_matches('/'))
}

impl<S: Send + Sync> FromRequestParts<S> for PublicBase
where
    Arc<ApiState>: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let state = Arc::<ApiState>::from_ref(state);
        Self::of(&state, &parts.uri, &parts.headers).ok_or(ApiError::InvalidHost)
    }
}

impl PublicBase {
    /// Of a request; `None` where it has no host and one is needed.
    pub(in crate::http) fn of(state: &ApiState, uri: &Uri, headers: &HeaderMap) -> Option<Self> {
        if let Some(url) = &state.public_url {
            return Some(Self(url.as_str().trim_end_matches('/').to_owned()));
        }
        let host = asked_host(uri, headers)?;
        let https = state.trust_proxy
            && headers
                .get("x-forwarded-proto")
                .and_then(|proto| proto.to_str().ok())
                .and_then(|proto| proto.split(',').next())
                .is_some_and(|first| first.trim().eq_ignore_ascii_case("https"));
        let scheme = if https { "https" } else { "http" };
        Some(Self(format!("{scheme}://{host}")))
    }
}

/// The host that the client asked for, with its port if it is not the scheme's own. HTTP/2 has it in
/// the request's target, HTTP/1 in the header.
pub(in crate::http) fn asked_host<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> Option<&'a str> {
    let target = uri.authority().map(|authority| authority.as_str());
    let header = headers.get(HOST).and_then(|host| host.to_str().ok());
    target.or(header).filter(|host| is_host(host))
}

/// Whether this is `host` or `host:port`: a name, an IPv4 address or an IPv6 address in brackets.
fn is_host(text: &str) -> bool {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((address, port)) if address.parse::<std::net::Ipv6Addr>().is_ok() => ("v6", port),
            _ => return false,
        },
        None => text
            .find(':')
            .map_or((text, ""), |colon| text.split_at(colon)),
    };
    let named = !host.is_empty()
        && host.len() <= 253
        && host
            .bytes()
            .all(|letter| letter.is_ascii_alphanumeric() || b"-._".contains(&letter));
    let port_is_right = match port.strip_prefix(':') {
        None => port.is_empty(),
        Some(digits) => {
            !digits.starts_with('+') && digits.parse::<u16>().is_ok_and(|port| port != 0)
        }
    };
    named && port_is_right
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_name_or_an_address_with_or_without_a_port() {
        for good in [
            "a",
            "lamina.example",
            "127.0.0.1:8080",
            "[::1]",
            "[::1]:80",
            "10.0.2.2:8080",
        ] {
            assert!(is_host(good), "{good}");
        }
        for bad in [
            "", ":80", "a:", "a:0", "a:70000", "a:+1", "a b", "a/b", "u@a", "a:1:2", "[::1",
            "[x]:1", "::1", "a\"b", "a<b",
        ] {
            assert!(!is_host(bad), "{bad}");
        }
    }
}
