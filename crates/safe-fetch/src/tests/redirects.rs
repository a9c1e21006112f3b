//! Redirects: every hop is a new URL under the same rules.

use super::server::*;
use crate::{FetchClass, FetchPolicy};

#[tokio::test]
async fn three_redirects_are_followed_and_the_fourth_is_not() {
    let server = Server::start(|path| match path {
        "/1" => Reply::redirect("/2"),
        "/2" => Reply::status(
            "301 Moved Permanently",
            &[("Location", "3"), ("Content-Length", "0")],
            b"",
        ),
        "/3" => Reply::status(
            "307 Temporary Redirect",
            &[("Location", "./4#part"), ("Content-Length", "0")],
            b"",
        ),
        "/4" => Reply::ok(b"image"),
        "/0" => Reply::redirect("/1"),
        other => panic!("asked for {other}"),
    })
    .await;
    let fetched = fetch(local_policy(), &server.url("/1")).await.unwrap();
    assert_eq!(&fetched.bytes[..], b"image");
    assert_eq!(fetched.final_url, server.url("/4"));
    let error = fetch(local_policy(), &server.url("/0")).await.unwrap_err();
    assert_eq!(error.code(), "fetch_too_many_redirects");
    assert_eq!(error.class(), FetchClass::Permanent);
    // Four requests of the good chain, and four of the long one: its last was never asked for.
    assert_eq!(server.requests().len(), 8);
}

#[tokio::test]
async fn a_target_with_letters_as_they_are_leads_where_browsers_go() {
    let server = Server::start(|path| {
        let to = |location: &[u8]| {
            let head = [
                b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: ",
                location,
                b"\r\n\r\n",
            ];
            Reply::Bytes(head.concat())
        };
        match path {
            "/utf-8" => to("/caf\u{e9}.png?q=\u{fc}#\u{e9}".as_bytes()),
            "/latin-1" => to(b"/caf\xe9.png"),
            "/relative" => to("caf\u{e9}.png?q=\u{fc}".as_bytes()),
            "/spaces" => to(b"  /with space.png  "),
            "/tab" => to(b"/caf%C3\t%A9.png"),
            "/escaped" => to(b"/caf%C3%A9.png"),
            "/caf%C3%A9.png?q=%C3%BC" | "/caf%E9.png" | "/with%20space.png" | "/caf%C3%A9.png" => {
                Reply::ok(b"image")
            }
            other => panic!("asked for {other}"),
        }
    })
    .await;
    for path in [
        "/utf-8",
        "/latin-1",
        "/relative",
        "/spaces",
        "/tab",
        "/escaped",
    ] {
        let fetched = fetch(local_policy(), &server.url(path)).await.unwrap();
        assert_eq!(&fetched.bytes[..], b"image", "{path}");
    }
}

#[tokio::test]
async fn a_target_without_scheme_or_host_is_read_against_the_address_that_was_asked() {
    let port = std::sync::Arc::new(std::sync::OnceLock::new());
    let known = std::sync::Arc::clone(&port);
    let server = Server::start(move |path| match path {
        "/a/protocol" => Reply::redirect(&format!("//127.0.0.1:{}/there", known.get().unwrap())),
        "/a/query" => Reply::redirect("?there"),
        "/a/up" => Reply::redirect("../there"),
        "/a/nowhere" => Reply::status("302 Found", &[("Content-Length", "0")], b""),
        "/there" | "/a/query?there" => Reply::ok(b"image"),
        other => panic!("asked for {other}"),
    })
    .await;
    port.set(server.address.port()).unwrap();
    for path in ["/a/protocol", "/a/query", "/a/up"] {
        let fetched = fetch(local_policy(), &server.url(path)).await.unwrap();
        assert_eq!(&fetched.bytes[..], b"image", "{path}");
    }
    let error = fetch(local_policy(), &server.url("/a/nowhere"))
        .await
        .unwrap_err();
    assert_eq!(error.code(), "fetch_bad_redirect");
}

#[tokio::test]
async fn a_circle_of_redirects_ends_where_it_closes() {
    let server = Server::start(|path| match path {
        "/a" => Reply::redirect("/b?sig=TOPSECRET"),
        "/b?sig=TOPSECRET" => Reply::redirect("/a"),
        "/self" => Reply::redirect("/self#again"),
        other => panic!("asked for {other}"),
    })
    .await;
    for (path, requests) in [("/a", 2), ("/self", 1)] {
        let before = server.requests().len();
        let error = fetch(local_policy(), &server.url(path)).await.unwrap_err();
        assert_eq!(error.code(), "fetch_redirect_loop");
        assert_eq!(server.requests().len() - before, requests);
    }
}

#[tokio::test]
async fn a_redirect_into_what_is_refused_is_refused_for_good() {
    // A second loopback address that no setting allows, and a listener that must stay alone.
    let trap = Server::start_at("127.0.0.2:0", |_| Reply::ok(b"inside")).await;
    let port = trap.address.port();
    let targets = [
        (
            format!("http://127.0.0.2:{port}/?sig=TOPSECRET"),
            "fetch_address_refused",
        ),
        (format!("//127.0.0.2:{port}/"), "fetch_address_refused"),
        (
            format!("http://0x7f000002:{port}/"),
            "fetch_address_refused",
        ),
        (
            format!("http://[::ffff:127.0.0.2]:{port}/"),
            "fetch_address_refused",
        ),
        (
            "http://169.254.169.254/latest/meta-data/".into(),
            "fetch_address_refused",
        ),
        ("http://[fe80::1]/".into(), "fetch_address_refused"),
        ("http://10.0.0.1/".into(), "fetch_address_refused"),
        ("file:///etc/passwd".into(), "fetch_scheme_refused"),
        ("ftp://example.com/a.png".into(), "fetch_scheme_refused"),
        (
            "data:image/png;base64,TOPSECRET".into(),
            "fetch_scheme_refused",
        ),
        (
            "http://me:TOPSECRET@example.com/".into(),
            "fetch_credentials_refused",
        ),
        ("http://8.8.8.8:9000/".into(), "fetch_port_refused"),
    ];
    for (target, code) in targets {
        let server = Server::start({
            let target = target.clone();
            move |_| Reply::redirect(&target)
        })
        .await;
        let error = fetch(local_policy(), &server.url("/")).await.unwrap_err();
        assert_eq!(error.code(), code, "{target}");
        assert_eq!(error.class(), FetchClass::Refused);
        assert_eq!(server.connections(), 1);
    }
    assert_eq!(trap.connections(), 0);
}

#[tokio::test]
async fn a_redirect_away_from_the_allowed_sources_is_refused() {
    let other = Server::start(|_| Reply::ok(b"elsewhere")).await;
    let location = other.url("/").to_string();
    let server = Server::start(move |path| match path {
        "/in" => Reply::redirect("/kept"),
        "/kept" => Reply::ok(b"image"),
        _ => Reply::redirect(&location),
    })
    .await;
    let policy = FetchPolicy {
        allow_prefixes: vec![server.url("/").as_str().parse().unwrap()],
        ..local_policy()
    };
    assert!(fetch(policy.clone(), &server.url("/in")).await.is_ok());
    let error = fetch(policy, &server.url("/out")).await.unwrap_err();
    assert_eq!(error.code(), "fetch_source_refused");
    assert_eq!(other.connections(), 0);
}

#[tokio::test]
async fn a_redirect_to_nowhere_is_said_so() {
    for headers in [
        vec![("Content-Length", "0")],
        vec![("Location", "http://"), ("Content-Length", "0")],
        vec![("Location", "http://[nonsense/"), ("Content-Length", "0")],
    ] {
        let server = Server::start(move |_| Reply::status("302 Found", &headers, b"")).await;
        let error = fetch(local_policy(), &server.url("/?sig=TOPSECRET"))
            .await
            .unwrap_err();
        assert_eq!(error.code(), "fetch_bad_redirect");
    }
}
