//! Deliveries: what is sent, what is learnt, and where nothing goes.

use std::time::Duration;

use super::server::{Reply, Server, fetcher, local_policy};
use crate::{FetchClass, FetchError, FetchPolicy};

const HEADERS: [(&str, &str); 2] = [("content-type", "application/json"), ("webhook-id", "a")];

fn headers() -> Vec<(&'static str, String)> {
    HEADERS
        .map(|(name, value)| (name, value.to_owned()))
        .to_vec()
}

#[tokio::test]
async fn whatever_is_answered_is_told_and_a_redirect_is_not_followed() {
    let server = Server::start(|path| match path {
        "/ok" => Reply::status("204 No Content", &[], b""),
        "/busy" => Reply::status(
            "503 Busy",
            &[("Retry-After", "7"), ("Content-Length", "0")],
            b"",
        ),
        _ => Reply::redirect("/ok"),
    })
    .await;
    let fetcher = fetcher(local_policy());
    for (path, status, retry_after) in [
        ("/ok", 204, None),
        ("/busy", 503, Some(Duration::from_secs(7))),
        ("/elsewhere", 302, None),
    ] {
        let (url, headers) = (server.url(path), headers());
        let delivered = fetcher.deliver(&url, &headers, "{}".into()).await.unwrap();
        assert_eq!(
            (delivered.status, delivered.retry_after),
            (status, retry_after)
        );
    }
    let requests = server.requests();
    assert_eq!(requests.len(), 3);
    let first = requests[0].to_ascii_lowercase();
    assert!(first.starts_with("post /ok http/1.1\r\n"), "{first}");
    for line in [
        "webhook-id: a",
        "content-type: application/json",
        "content-length: 2",
    ] {
        assert!(first.contains(line), "{line} is not in {first}");
    }
}

#[tokio::test]
async fn nothing_is_delivered_to_an_address_that_is_not_public() {
    let server = Server::start(|_| Reply::ok(b"")).await;
    let strict = fetcher(FetchPolicy {
        allow_http: true,
        ..FetchPolicy::default()
    });
    for url in [
        server.url("/").to_string(),
        format!("http://localhost:{}/", server.address.port()),
        "http://169.254.169.254/latest".to_owned(),
        "http://[::ffff:10.0.0.1]/".to_owned(),
        "ftp://example.com/".to_owned(),
    ] {
        let (asked, headers) = (url.parse().unwrap(), headers());
        let error = strict
            .deliver(&asked, &headers, "{}".into())
            .await
            .unwrap_err();
        assert_eq!(error.class(), FetchClass::Refused, "{url}: {error}");
    }
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn a_receiver_that_hangs_is_given_up_on() {
    let server = Server::start(|_| Reply::ThenSilence(Vec::new())).await;
    let impatient = fetcher(FetchPolicy {
        connect_timeout: Duration::from_millis(100),
        first_byte_timeout: Duration::from_millis(100),
        ..local_policy()
    });
    let (url, headers) = (server.url("/"), headers());
    let error = impatient.deliver(&url, &headers, "{}".into()).await;
    assert!(matches!(error.unwrap_err(), FetchError::Timeout { .. }));
}
