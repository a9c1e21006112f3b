//! Why a URL was not fetched: refused, failed for good, or failed for now.
//!
//! Every sentence says what happened, what was expected and what to do. They speak of images and of
//! lamina, whose users read them; a program of another kind makes its own from the variants. Invariant:
//! no sentence and no `Debug` output holds the query, fragment or user part of a URL, because those may
//! be secrets.

use std::fmt;
use std::time::Duration;

use url::Url;

/// A URL as it may be shown and logged: scheme, host, port and path, at most 200 letters.
#[derive(Clone, PartialEq, Eq)]
pub struct ShownUrl(String);

impl ShownUrl {
    const MAX_LETTERS: usize = 200;
}

impl From<&Url> for ShownUrl {
    fn from(url: &Url) -> Self {
        let host = url.host_str().unwrap_or_default();
        let port = url
            .port()
            .map(|port| format!(":{port}"))
            .unwrap_or_default();
        // Other schemes may keep data, even all of it, where http keeps its path.
        let path = if matches!(url.scheme(), "http" | "https") {
            url.path()
        } else {
            "…"
        };
        let whole = format!("{}://{host}{port}{path}", url.scheme());
        let mut shown: String = whole.chars().take(Self::MAX_LETTERS).collect();
        if shown.len() < whole.len() {
            shown.push('…');
        }
        Self(shown)
    }
}

impl fmt::Display for ShownUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ShownUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A URL that is not opened. Final: the same URL will be refused again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Neither https nor, where it is allowed, http.
    #[error("{url} was refused: only {} URLs are opened; use one of these",
        if *allow_http { "https and http" } else { "https" })]
    Scheme {
        /// What was asked for.
        url: ShownUrl,
        /// Whether http would have been accepted.
        allow_http: bool,
    },
    /// A user name or password in the URL.
    #[error(
        "{url} was refused: it carries a user name or password; use a URL without, for example a \
         signed one"
    )]
    Credentials {
        /// What was asked for, without them.
        url: ShownUrl,
    },
    /// No host to connect to.
    #[error("{url} was refused: it names no host; use a complete URL")]
    NoHost {
        /// What was asked for.
        url: ShownUrl,
    },
    /// A port other than 80 and 443 at an address that no setting allows.
    #[error(
        "{url} was refused: only the ports 80 and 443 are used; serve the image on one of them"
    )]
    Port {
        /// What was asked for.
        url: ShownUrl,
    },
    /// An address off the public internet, written in the URL or found for its host name.
    #[error(
        "{url} was refused: its host is at a {range} address, and only public addresses are \
         opened; put the image where it can be reached publicly, or send its bytes instead"
    )]
    Address {
        /// What was asked for.
        url: ShownUrl,
        /// The range the address belongs to.
        range: &'static str,
    },
    /// Not below any of the allowed prefixes.
    #[error(
        "{url} was refused: this lamina opens only URLs of a fixed list of sources; ask whoever \
         runs it to add this one, or send the image's bytes instead"
    )]
    Source {
        /// What was asked for.
        url: ShownUrl,
    },
}

impl Refusal {
    /// The stable code of this refusal.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Scheme { .. } => "fetch_scheme_refused",
            Self::Credentials { .. } => "fetch_credentials_refused",
            Self::NoHost { .. } => "fetch_host_refused",
            Self::Port { .. } => "fetch_port_refused",
            Self::Address { .. } => "fetch_address_refused",
            Self::Source { .. } => "fetch_source_refused",
        }
    }
}

/// What a failed fetch means for the next attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FetchClass {
    /// This URL is not opened, ever.
    Refused,
    /// The other side gave an answer that will not change by asking again.
    Permanent,
    /// Asking again later may work.
    Retryable,
}

/// Why a fetch gave no bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// The URL, or one it redirected to, is not opened.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// An answer other than the image.
    #[error(
        "{url} answered with HTTP status {status} where the image (200) was expected; check that \
         the URL is right and open to everyone"
    )]
    Status {
        /// The URL that was asked, which a redirect may have named.
        url: ShownUrl,
        /// The HTTP status.
        status: u16,
    },
    /// More bytes than the limit, declared or sent.
    #[error(
        "{url} sends more than {max_bytes} bytes, and lamina accepts at most that many; use a \
         smaller image"
    )]
    TooManyBytes {
        /// The URL that was asked, which a redirect may have named.
        url: ShownUrl,
        /// The limit in bytes.
        max_bytes: u64,
    },
    /// More redirects than the limit.
    #[error("{url} was reached after {max} redirects and redirects again; use the final URL")]
    TooManyRedirects {
        /// The last URL.
        url: ShownUrl,
        /// The limit.
        max: u32,
    },
    /// A redirect to a URL that was already visited.
    #[error("{url} redirects in a circle; use a URL that leads to the image")]
    RedirectLoop {
        /// The URL that came up again.
        url: ShownUrl,
    },
    /// A redirect without a usable target.
    #[error("{url} redirects without saying where to; use the final URL")]
    BadRedirect {
        /// The URL that was asked, which a redirect may have named.
        url: ShownUrl,
    },
    /// A body that was compressed for transport though this was not asked for.
    #[error(
        "{url} sends a compressed body (Content-Encoding: {coding}) though none was asked for; have \
         it send the image file as it is"
    )]
    Encoded {
        /// The URL that was asked, which a redirect may have named.
        url: ShownUrl,
        /// How, as its header says.
        coding: &'static str,
    },
    /// The secure connection was not established.
    #[error("no secure connection could be made to {url}: {reason}")]
    Tls {
        /// The URL that was asked, which a redirect may have named.
        url: ShownUrl,
        /// Why not, and what to do.
        reason: &'static str,
    },
    /// The host name has no address, or no name server answered.
    #[error("no address was found for the host of {url}; check its spelling, or try again later")]
    Dns {
        /// The URL that was asked, which a redirect may have named.
        url: ShownUrl,
    },
    /// No connection.
    #[error("no connection could be made to {url}; check that the host is up, or try again later")]
    Connect {
        /// The URL that was asked, which a redirect may have named.
        url: ShownUrl,
    },
    /// A time limit passed.
    #[error(
        "{url} took too long: {phase} did not end within {} s; try again later or use a faster \
         host", limit.as_secs_f32()
    )]
    Timeout {
        /// The URL that was asked, which a redirect may have named.
        url: ShownUrl,
        /// What took too long.
        phase: &'static str,
        /// The limit that passed.
        limit: Duration,
    },
    /// The connection ended before the body was complete, or broke the protocol.
    #[error("the connection to {url} broke before the image was complete; try again later")]
    Interrupted {
        /// The URL that was asked, which a redirect may have named.
        url: ShownUrl,
    },
    /// What answers is no web server, or a broken one. To programs the same as a cut connection.
    #[error(
        "what {url} answered cannot be read as HTTP; check the scheme and the port of the address \
         and that server's headers, such as its Content-Length, or use another host"
    )]
    NoHttp {
        /// The URL that was asked, which a redirect may have named.
        url: ShownUrl,
    },
    /// The server is overloaded or failed.
    #[error(
        "{url} answered with HTTP status {status}, which is a passing fault or overload of that \
         server; try again later"
    )]
    Unavailable {
        /// The URL that was asked, which a redirect may have named.
        url: ShownUrl,
        /// The HTTP status.
        status: u16,
        /// What the server's `Retry-After` asks for, if it gave seconds.
        retry_after: Option<Duration>,
    },
}

impl FetchError {
    /// Every code that [`Self::code`] can answer, for the table in the documentation.
    pub const CODES: [&'static str; 18] = [
        "fetch_scheme_refused",
        "fetch_credentials_refused",
        "fetch_host_refused",
        "fetch_port_refused",
        "fetch_address_refused",
        "fetch_source_refused",
        "fetch_status",
        "fetch_too_many_bytes",
        "fetch_too_many_redirects",
        "fetch_redirect_loop",
        "fetch_bad_redirect",
        "fetch_encoded",
        "fetch_tls_failed",
        "fetch_dns_failed",
        "fetch_connect_failed",
        "fetch_timeout",
        "fetch_interrupted",
        "fetch_unavailable",
    ];

    /// The stable code of this error.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Refused(refusal) => refusal.code(),
            Self::Status { .. } => "fetch_status",
            Self::TooManyBytes { .. } => "fetch_too_many_bytes",
            Self::TooManyRedirects { .. } => "fetch_too_many_redirects",
            Self::RedirectLoop { .. } => "fetch_redirect_loop",
            Self::BadRedirect { .. } => "fetch_bad_redirect",
            Self::Encoded { .. } => "fetch_encoded",
            Self::Tls { .. } => "fetch_tls_failed",
            Self::Dns { .. } => "fetch_dns_failed",
            Self::Connect { .. } => "fetch_connect_failed",
            Self::Timeout { .. } => "fetch_timeout",
            Self::Interrupted { .. } | Self::NoHttp { .. } => "fetch_interrupted",
            Self::Unavailable { .. } => "fetch_unavailable",
        }
    }

    /// What this means for the next attempt.
    #[must_use]
    pub fn class(&self) -> FetchClass {
        match self {
            Self::Refused(_) => FetchClass::Refused,
            Self::Status { .. }
            | Self::TooManyBytes { .. }
            | Self::TooManyRedirects { .. }
            | Self::RedirectLoop { .. }
            | Self::BadRedirect { .. }
            | Self::Encoded { .. }
            | Self::Tls { .. } => FetchClass::Permanent,
            Self::Dns { .. }
            | Self::Connect { .. }
            | Self::Timeout { .. }
            | Self::Interrupted { .. }
            | Self::NoHttp { .. }
            | Self::Unavailable { .. } => FetchClass::Retryable,
        }
    }

    /// How long the server asked to be left alone, if it did.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Unavailable { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

/// The HTTP client could not be made, at start.
#[derive(Debug, thiserror::Error)]
#[error("the client that fetches images could not be made: {0}")]
pub enum FetchSetupError {
    /// Its TLS settings.
    Tls(#[from] rustls::Error),
    /// Its other settings.
    Http(#[from] reqwest::Error),
}
