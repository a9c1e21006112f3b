//! Why a request got no answer, read from the chain of causes inside the client's error.

use std::error::Error as StdError;
use std::time::Duration;

use url::Url;

use super::error::{FetchError, Refusal, ShownUrl};
use super::resolver::{RefusedName, UnknownName};

/// What a request that got no answer is told.
pub(super) fn failed_send(
    url: &Url,
    error: &reqwest::Error,
    connect_timeout: Duration,
) -> FetchError {
    if let Some(refused) = cause::<RefusedName>(error) {
        return match refused {
            RefusedName::Range(range) => Refusal::Address {
                url: url.into(),
                range,
            },
            RefusedName::Port => Refusal::Port { url: url.into() },
        }
        .into();
    }
    let url = ShownUrl::from(url);
    if cause::<UnknownName>(error).is_some() {
        FetchError::Dns { url }
    } else if let Some(error) = cause::<rustls::Error>(error) {
        let reason = tls_reason(&error);
        FetchError::Tls { url, reason }
    } else if error.is_timeout() {
        FetchError::Timeout {
            url,
            phase: "connecting",
            limit: connect_timeout,
        }
    } else if error.is_connect() {
        FetchError::Connect { url }
    } else if is_no_http(error) {
        FetchError::NoHttp { url }
    } else {
        FetchError::Interrupted { url }
    }
}

/// Whether what came is no answer as HTTP has it, rather than one that was cut.
fn is_no_http(error: &reqwest::Error) -> bool {
    let mut next: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<hyper::Error>() {
            return error.is_parse();
        }
        next = error.source();
    }
    false
}

/// Why a secure connection was not made, and what to do.
fn tls_reason(error: &rustls::Error) -> &'static str {
    use rustls::CertificateError as Certificate;
    match error {
        rustls::Error::InvalidCertificate(
            Certificate::Expired | Certificate::ExpiredContext { .. },
        ) => "its certificate has expired; renew it, or use another host",
        rustls::Error::InvalidCertificate(
            Certificate::NotValidForName | Certificate::NotValidForNameContext { .. },
        ) => "its certificate is for another name; use the host's right name, or another host",
        rustls::Error::InvalidCertificate(Certificate::UnknownIssuer) => {
            "its certificate leads to no authority known here; have it send its intermediate \
             certificates too, or use another host"
        }
        rustls::Error::InvalidCertificate(_) => {
            "its certificate is not acceptable; renew it, or use another host"
        }
        rustls::Error::InvalidMessage(_) => {
            "what answers there does not speak TLS; check the scheme and the port of the address"
        }
        _ => "its TLS version or ciphers are not acceptable; update it, or use another host",
    }
}

/// The first cause of type `T` inside an error, clones of it included.
fn cause<T: StdError + Clone + 'static>(error: &(dyn StdError + 'static)) -> Option<T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<T>() {
            return Some(found.clone());
        }
        // An I/O error hides the error it was made from behind its own source.
        let inner = error
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::get_ref);
        next = match inner {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}
