//! One bounded, checked download.
//!
//! Follows redirects itself, so that every hop is a new URL under the same rules. Holds no cookies,
//! no cache and no idle connections, goes through no proxy (a proxy would look names up behind the
//! check) and never inflates. Dropping the future ends the connection.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use percent_encoding::{AsciiSet, percent_encode};
use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, CONTENT_RANGE, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION,
};
use reqwest::{Client, Response, StatusCode};
use rustls::crypto::CryptoProvider;
use rustls_platform_verifier::BuilderVerifierExt as _;
use tokio::time::timeout;
use url::{Host, Url};

use super::coding::{compressing_label, is_compressed};
use super::deliver::seconds;
use super::error::{FetchError, FetchSetupError, Refusal, ShownUrl};
use super::policy::{FetchPolicy, has_usual_port};
use super::resolver::{CheckedResolver, Lookup, Reach, system_lookup};
use super::send_error::failed_send;

/// Headers of one answer. Buckets and CDNs may send one for each tag and cookie, and browsers count only their bytes, as the
/// client does too; its own default of 100 would call such a server none.
const MAX_HEADERS: usize = 1_000;
/// Connections that are kept for each host, where any are, and for how long: less than servers usually keep theirs.
const KEPT_PER_HOST: usize = 8;
const KEPT_FOR: Duration = Duration::from_secs(4);

/// What a fetch brought.
#[derive(Clone, PartialEq, Eq)]
pub struct Fetched {
    /// The body, at most [`FetchPolicy::max_bytes`] long, perhaps empty.
    pub bytes: Bytes,
    /// The URL that answered, after redirects.
    pub final_url: Url,
    /// The media type that the server declared, in lower case and without parameters; a hint for
    /// messages, never to be trusted.
    pub declared_type: Option<String>,
    /// Why the bytes may not be what was asked for, where the answer says so and the bytes decide: it
    /// ended before its declared end, or calls itself compressed. What to tell if they are no picture.
    pub doubt: Option<FetchError>,
}

impl std::fmt::Debug for Fetched {
    // Neither image bytes nor a signed query reach a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fetched")
            .field("bytes", &self.bytes.len())
            .field("final_url", &ShownUrl::from(&self.final_url))
            .field("declared_type", &self.declared_type)
            .field("doubt", &self.doubt)
            .finish()
    }
}

/// Opens strangers' URLs. Cheap to clone; clones share everything.
#[derive(Debug, Clone)]
pub struct Fetcher {
    policy: Arc<FetchPolicy>,
    /// For the ports 80 and 443.
    public: Client,
    /// For every other port: reaches only what a setting allows; absent when none allows anything.
    allowed_only: Option<Client>,
}

enum Hop {
    Arrived(Response),
    Redirected(Url),
}

impl Fetcher {
    /// A fetcher under these rules that trusts the system's certificate authorities, which are read now.
    /// That takes some tens of milliseconds.
    ///
    /// # Errors
    /// When the system has no certificate authorities.
    pub fn new(policy: FetchPolicy) -> Result<Self, FetchSetupError> {
        Self::with_tls(policy, system_tls()?)
    }

    /// The same with TLS settings of the caller's, who may have them for other clients too. Only the
    /// protocols that they offer (ALPN) are replaced: HTTP/1.1 is all that is spoken here.
    ///
    /// # Errors
    /// When no client can be made of them.
    pub fn with_tls(
        policy: FetchPolicy,
        tls: rustls::ClientConfig,
    ) -> Result<Self, FetchSetupError> {
        Self::with_lookup(policy, tls, &system_lookup())
    }

    /// The same, with another source of addresses; for tests.
    pub(super) fn with_lookup(
        policy: FetchPolicy,
        mut tls: rustls::ClientConfig,
        lookup: &Lookup,
    ) -> Result<Self, FetchSetupError> {
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        let policy = Arc::new(policy);
        let client = |reach| client(&policy, reach, &tls, lookup);
        Ok(Self {
            public: client(Reach::Public)?,
            allowed_only: if policy.allow_nets.is_empty() {
                None
            } else {
                Some(client(Reach::AllowedOnly)?)
            },
            policy,
        })
    }

    /// The rules of this fetcher.
    #[must_use]
    pub fn policy(&self) -> &FetchPolicy {
        &self.policy
    }

    /// Fetches the body of `url`, of which there is no doubt.
    ///
    /// # Errors
    /// [`FetchError`], whose class says whether to ask again. Nothing is retried here.
    pub async fn fetch(&self, url: &Url) -> Result<Fetched, FetchError> {
        let fetched = self.fetch_with_doubt(url).await?;
        match fetched.doubt {
            Some(doubt) => Err(doubt),
            None => Ok(fetched),
        }
    }

    /// The same, with a doubt for whoever can judge the bytes.
    ///
    /// # Errors
    /// [`FetchError`], when there is nothing to judge.
    pub async fn fetch_with_doubt(&self, url: &Url) -> Result<Fetched, FetchError> {
        let limit = self.policy.total_timeout;
        match timeout(limit, self.follow(url)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(FetchError::Timeout {
                url: url.into(),
                phase: "the whole transfer",
                limit,
            }),
        }
    }

    async fn follow(&self, url: &Url) -> Result<Fetched, FetchError> {
        let mut url = url.clone();
        url.set_fragment(None);
        let mut visited = vec![url.clone()];
        loop {
            match self.hop(&url).await? {
                Hop::Arrived(response) => return self.receive(url, response).await,
                Hop::Redirected(target) => {
                    if visited.contains(&target) {
                        return Err(FetchError::RedirectLoop {
                            url: (&target).into(),
                        });
                    }
                    if visited.len() as u64 > u64::from(self.policy.max_redirects) {
                        return Err(FetchError::TooManyRedirects {
                            url: (&url).into(),
                            max: self.policy.max_redirects,
                        });
                    }
                    visited.push(target.clone());
                    url = target;
                }
            }
        }
    }

    /// One request: check, connect, headers.
    async fn hop(&self, url: &Url) -> Result<Hop, FetchError> {
        self.policy.check_url(url)?;
        let client = self.client_of(url)?;
        let limit = self.policy.connect_timeout + self.policy.first_byte_timeout;
        let response = match timeout(limit, client.get(url.clone()).send()).await {
            Ok(sent) => {
                sent.map_err(|error| failed_send(url, &error, self.policy.connect_timeout))?
            }
            Err(_) => return Err(late(url, "the first byte of the answer", limit)),
        };
        let status = response.status();
        match status {
            StatusCode::OK | StatusCode::NON_AUTHORITATIVE_INFORMATION => {
                Ok(Hop::Arrived(response))
            }
            // Some servers answer so to everybody; no part was asked for, so it may be the whole.
            StatusCode::PARTIAL_CONTENT if Part::of(response.headers()) != Part::Later => {
                Ok(Hop::Arrived(response))
            }
            StatusCode::MOVED_PERMANENTLY
            | StatusCode::FOUND
            | StatusCode::SEE_OTHER
            | StatusCode::TEMPORARY_REDIRECT
            | StatusCode::PERMANENT_REDIRECT => redirect_target(url, response.headers())
                .map(Hop::Redirected)
                .ok_or_else(|| FetchError::BadRedirect { url: url.into() }),
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS => {
                Err(unavailable(url, &response))
            }
            _ if status.is_server_error() => Err(unavailable(url, &response)),
            _ => Err(FetchError::Status {
                url: url.into(),
                status: status.as_u16(),
            }),
        }
    }

    /// The client that reaches no more than a URL may that passed `check_url`.
    pub(super) fn client_of(&self, url: &Url) -> Result<&Client, Refusal> {
        // An address written in the URL never passes through a resolver; `check_url` has judged
        // it, port included.
        let is_name = matches!(url.host(), Some(Host::Domain(_)));
        match &self.allowed_only {
            _ if !is_name || has_usual_port(url) => Ok(&self.public),
            Some(allowed_only) => Ok(allowed_only),
            None => Err(Refusal::Port { url: url.into() }),
        }
    }

    /// The body, counted as it comes.
    async fn receive(&self, url: Url, mut response: Response) -> Result<Fetched, FetchError> {
        let max_bytes = self.policy.max_bytes;
        let too_many = || FetchError::TooManyBytes {
            url: (&url).into(),
            max_bytes,
        };
        let label = compressing_label(response.headers());
        let encoded = label.map(|coding| FetchError::Encoded {
            url: (&url).into(),
            coding,
        });
        let status = response.status();
        let is_beginning = status == StatusCode::PARTIAL_CONTENT
            && Part::of(response.headers()) == Part::Beginning;
        let part = is_beginning.then(|| FetchError::Status {
            url: (&url).into(),
            status: status.as_u16(),
        });
        let declared = response.content_length().unwrap_or(0);
        if declared > max_bytes {
            return Err(too_many());
        }
        let declared_type = declared_type(response.headers());
        // The declared length is a stranger's word; memory follows the bytes that really come.
        let believed = if self.policy.keep_connections {
            max_bytes
        } else {
            64 * 1024
        };
        let mut body = Vec::with_capacity(declared.min(believed) as usize);
        let limit = self.policy.idle_timeout;
        let ended = loop {
            let next = timeout(limit, response.chunk()).await;
            let chunk = match next {
                Ok(Ok(Some(chunk))) => chunk,
                Ok(Ok(None)) => break None,
                Ok(Err(_)) => break Some(FetchError::Interrupted { url: (&url).into() }),
                Err(_) => break Some(late(&url, "a silence within the answer", limit)),
            };
            if (body.len() + chunk.len()) as u64 > max_bytes {
                return Err(too_many());
            }
            body.extend_from_slice(&chunk);
        };
        match (ended, encoded) {
            (Some(ended), _) if body.is_empty() => Err(ended),
            (_, Some(encoded)) if is_compressed(&body) => Err(encoded),
            (ended, encoded) => Ok(Fetched {
                bytes: body.into(),
                final_url: url,
                declared_type,
                doubt: ended.or(encoded).or(part),
            }),
        }
    }
}

/// TLS 1.2 and 1.3 by the process's crypto provider, or aws-lc-rs where it has none, and certificates
/// checked against the system's authorities.
fn system_tls() -> Result<rustls::ClientConfig, rustls::Error> {
    let provider = CryptoProvider::get_default()
        .cloned()
        .unwrap_or_else(|| Arc::new(rustls::crypto::aws_lc_rs::default_provider()));
    Ok(rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_platform_verifier()?
        .with_no_client_auth())
}

fn client(
    policy: &Arc<FetchPolicy>,
    reach: Reach,
    tls: &rustls::ClientConfig,
    lookup: &Lookup,
) -> Result<Client, FetchSetupError> {
    let resolver = CheckedResolver {
        policy: Arc::clone(policy),
        reach,
        lookup: Arc::clone(lookup),
    };
    let once = !policy.keep_connections;
    let mut headers = HeaderMap::new();
    headers.insert(
        ACCEPT,
        HeaderValue::from_static("image/png,image/jpeg,image/webp,image/gif,*/*;q=0.1"),
    );
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    let client = Client::builder()
        .tls_backend_preconfigured(tls.clone())
        .user_agent(&policy.user_agent)
        .default_headers(headers)
        .dns_resolver(Arc::new(resolver))
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .http1_only()
        // What old servers write in their headers. It cannot confuse one answer with the next where no
        // connection is used twice.
        .http1_allow_obsolete_multiline_headers_in_responses(once)
        .http1_allow_spaces_after_header_name_in_responses(once)
        .http1_ignore_invalid_headers_in_responses(once)
        .http1_max_headers(MAX_HEADERS)
        .pool_max_idle_per_host(if once { 0 } else { KEPT_PER_HOST })
        .pool_idle_timeout(KEPT_FOR)
        .connect_timeout(policy.connect_timeout)
        .build()?;
    Ok(client)
}

/// What an answer that calls itself a part is, by its `Content-Range`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Whole,
    /// From the first byte to one of which nothing says that it is the last.
    Beginning,
    Later,
}

impl Part {
    fn of(headers: &HeaderMap) -> Self {
        let Some(range) = headers.get(CONTENT_RANGE) else {
            return Self::Whole;
        };
        let text = String::from_utf8_lossy(range.as_bytes());
        let digits = text.split(|letter: char| !letter.is_ascii_digit());
        let numbers: Vec<Option<u64>> = digits
            .filter(|digits| !digits.is_empty())
            .map(|digits| digits.parse().ok())
            .collect();
        match numbers[..] {
            [Some(0), Some(last), Some(size)] if last.checked_add(1) == Some(size) => Self::Whole,
            [] | [Some(0), ..] => Self::Beginning,
            _ => Self::Later,
        }
    }
}

/// Where a redirect leads. Letters outside of ASCII are escaped byte by byte, as browsers do; a host
/// of such letters is read as the name they make.
fn redirect_target(url: &Url, headers: &HeaderMap) -> Option<Url> {
    let location = headers.get(LOCATION)?.as_bytes();
    let location = percent_encode(location.trim_ascii(), &AsciiSet::EMPTY).to_string();
    let mut target = url.join(&location).ok()?;
    target.set_fragment(None);
    Some(target)
}

fn unavailable(url: &Url, response: &Response) -> FetchError {
    FetchError::Unavailable {
        url: url.into(),
        status: response.status().as_u16(),
        retry_after: seconds(response.headers()),
    }
}

pub(super) fn late(url: &Url, phase: &'static str, limit: Duration) -> FetchError {
    FetchError::Timeout {
        url: url.into(),
        phase,
        limit,
    }
}

fn declared_type(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let essence = value.split(';').next()?.trim().to_ascii_lowercase();
    (!essence.is_empty() && essence.len() <= 100).then_some(essence)
}
