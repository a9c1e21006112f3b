//! URLs that are judged before any network is touched.

use std::time::Duration;

use url::Url;

use super::server::*;
use crate::{FetchClass, FetchError, FetchPolicy, SourcePrefix};

fn verdict(policy: &FetchPolicy, url: &str) -> &'static str {
    let url: Url = url.parse().unwrap_or_else(|error| panic!("{url}: {error}"));
    match policy.check_url(&url) {
        Ok(()) => "ok",
        Err(refusal) => {
            let error = FetchError::from(refusal);
            assert_sound(&error);
            assert_eq!(error.class(), FetchClass::Refused);
            error.code()
        }
    }
}

#[test]
fn every_spelling_of_a_private_address_is_refused() {
    let policy = FetchPolicy {
        allow_http: true,
        ..FetchPolicy::default()
    };
    for host in [
        "127.0.0.1",
        "127.1",
        "127.0.1",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0x7f.0x0.0x0.0x1",
        "0177.0.0.1",
        "017700000001",
        "127.0.0.1.",
        "%31%32%37.0.0.1",
        "①②⑦.⓪.⓪.①",
        "127。0。0。1",
        "127.255.255.254",
        "0",
        "0.0.0.0",
        "localhost",
        "LOCALHOST",
        "localhost.",
        "deep.below.localhost",
        "10.0.0.1",
        "0xa000001",
        "172.16.0.1",
        "192.168.1.1",
        "3232235777",
        "169.254.169.254",
        "0xA9FEA9FE",
        "100.64.0.1",
        "198.18.0.1",
        "192.0.0.170",
        "192.0.2.1",
        "224.0.0.1",
        "255.255.255.255",
        "[::]",
        "[::1]",
        "[0:0:0:0:0:0:0:1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::ffff:a9fe:a9fe]",
        "[::127.0.0.1]",
        "[::ffff:0:127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[64:ff9b:1::808:808]",
        "[2002:7f00:1::]",
        "[2001:0:808:808::1]",
        "[2606:4700::5efe:127.0.0.1]",
        "[fe80::1]",
        "[fc00::1]",
        "[fd12:3456::1]",
        "[fec0::1]",
        "[ff02::1]",
        "[2001:db8::1]",
    ] {
        for url in [
            format!("http://{host}/a.png"),
            format!("https://{host}:8443/"),
        ] {
            assert_eq!(verdict(&policy, &url), "fetch_address_refused", "{url}");
        }
    }
    for host in [
        "example.com",
        "8.8.8.8",
        "[2606:4700:4700::1111]",
        "[::ffff:8.8.8.8]",
    ] {
        assert_eq!(
            verdict(&policy, &format!("https://{host}/")),
            "ok",
            "{host}"
        );
    }
}

#[test]
fn an_address_with_a_zone_is_no_url_at_all() {
    for host in [
        "[fe80::1%25eth0]",
        "[fe80::1%eth0]",
        "[::1%250]",
        "[2606:4700::1%251]",
    ] {
        assert!(Url::parse(&format!("https://{host}/")).is_err(), "{host}");
    }
}

#[tokio::test]
async fn no_spelling_of_loopback_reaches_a_listener() {
    let trap = Server::start(|_| Reply::ok(b"inside")).await;
    let policy = FetchPolicy {
        allow_http: true,
        ..FetchPolicy::default()
    };
    let port = trap.address.port();
    for host in [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f.1",
        "[::ffff:127.0.0.1]",
        "localhost",
    ] {
        let url = format!("http://{host}:{port}/?sig=TOPSECRET")
            .parse()
            .unwrap();
        let error = fetch(policy.clone(), &url).await.unwrap_err();
        assert_eq!(error.code(), "fetch_address_refused");
    }
    assert_eq!(trap.connections(), 0);
}

#[test]
fn scheme_user_part_host_and_port_are_judged() {
    let strict = FetchPolicy::default();
    let http = FetchPolicy {
        allow_http: true,
        ..FetchPolicy::default()
    };
    for (policy, url, code) in [
        (&strict, "https://example.com/a?sig=TOPSECRET", "ok"),
        (&strict, "https://example.com:80/a", "ok"),
        (&strict, "HTTPS://EXAMPLE.com./a", "ok"),
        (
            &strict,
            "http://example.com/a?sig=TOPSECRET",
            "fetch_scheme_refused",
        ),
        (&http, "http://example.com/a", "ok"),
        (&http, "http://example.com:443/a", "ok"),
        (&http, "ftp://example.com/a", "fetch_scheme_refused"),
        (&http, "file:///etc/passwd", "fetch_scheme_refused"),
        (
            &http,
            "data:image/png;base64,TOPSECRET",
            "fetch_scheme_refused",
        ),
        (&http, "gopher://example.com/", "fetch_scheme_refused"),
        (
            &strict,
            "https://TOPSECRET@example.com/",
            "fetch_credentials_refused",
        ),
        (
            &strict,
            "https://me:TOPSECRET@example.com/",
            "fetch_credentials_refused",
        ),
        (
            &strict,
            "https://:TOPSECRET@example.com/",
            "fetch_credentials_refused",
        ),
        (&strict, "https://./a", "fetch_host_refused"),
        (&strict, "https://localhost../", "fetch_host_refused"),
        (&strict, "https://127.0.0.1../", "fetch_host_refused"),
        (&strict, "https://a..example/", "fetch_host_refused"),
        (&strict, "https://.example.com/", "fetch_host_refused"),
        (
            &strict,
            "https://example.com:8443/a?sig=TOPSECRET",
            "fetch_port_refused",
        ),
        (&strict, "https://8.8.8.8:22/", "fetch_port_refused"),
        (&http, "http://example.com:6379/", "fetch_port_refused"),
    ] {
        assert_eq!(verdict(policy, url), code, "{url}");
    }
}

#[test]
fn an_allowed_network_does_not_allow_http_by_itself() {
    let policy = FetchPolicy {
        allow_http: false,
        ..local_policy()
    };
    assert_eq!(
        verdict(&policy, "http://127.0.0.1:9000/"),
        "fetch_scheme_refused"
    );
    assert_eq!(verdict(&policy, "https://127.0.0.1:9000/"), "ok");
}

#[test]
fn an_allowed_network_opens_its_addresses_on_any_port_and_no_others() {
    let policy = FetchPolicy {
        allow_http: true,
        allow_nets: vec!["127.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()],
        ..FetchPolicy::default()
    };
    for (url, code) in [
        ("http://127.0.0.1:9000/", "ok"),
        ("http://localhost:9000/", "ok"),
        ("http://[::ffff:127.0.0.1]:9000/", "ok"),
        ("http://[fd00::7]:9000/", "ok"),
        ("http://10.0.0.1/", "fetch_address_refused"),
        ("http://[::1]:9000/", "fetch_address_refused"),
        ("http://8.8.8.8:9000/", "fetch_port_refused"),
    ] {
        assert_eq!(verdict(&policy, url), code, "{url}");
    }
}

#[test]
fn a_source_prefix_covers_its_own_host_and_path_only() {
    let policy = FetchPolicy {
        allow_http: true,
        allow_prefixes: ["https://images.example.com/up/", "https://cdn.example.com"]
            .map(|prefix| prefix.parse().unwrap())
            .to_vec(),
        ..FetchPolicy::default()
    };
    for (url, code) in [
        ("https://images.example.com/up/a.png?sig=TOPSECRET", "ok"),
        ("https://images.example.com:443/up/b/c.png", "ok"),
        ("https://cdn.example.com/anything", "ok"),
        (
            "https://images.example.com/down/a.png",
            "fetch_source_refused",
        ),
        (
            "https://images.example.com/up/../a.png",
            "fetch_source_refused",
        ),
        (
            "https://images.example.com/up/%2e%2e/a.png",
            "fetch_source_refused",
        ),
        ("http://images.example.com/up/a.png", "fetch_source_refused"),
        (
            "https://images.example.com:80/up/a.png",
            "fetch_source_refused",
        ),
        ("https://cdn.example.com.evil.net/", "fetch_source_refused"),
        (
            "https://evil.net/https://cdn.example.com/",
            "fetch_source_refused",
        ),
    ] {
        assert_eq!(verdict(&policy, url), code, "{url}");
    }
    for text in [
        "",
        "example.com",
        "ftp://a.example/",
        "https://u@a.example/",
        "https://a.example/?q",
    ] {
        let error = text.parse::<SourcePrefix>().unwrap_err();
        assert!(error.to_string().contains("https://images.example.com"));
    }
}

#[test]
fn the_documented_defaults_hold() {
    let policy = FetchPolicy::default();
    assert!(!policy.allow_http && policy.allow_nets.is_empty() && policy.allow_prefixes.is_empty());
    assert_eq!(policy.max_redirects, 3);
    assert_eq!(policy.max_bytes, 20 << 20);
    assert_eq!(policy.total_timeout, Duration::from_secs(30));
    assert!(policy.user_agent.starts_with("safe-fetch/"));
}

#[test]
fn every_code_is_documented() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
    for code in FetchError::CODES {
        assert!(readme.contains(&format!("`{code}`")), "{code}");
    }
}
