//! Bodies that are too long, too slow, cut, or not what was asked for.

use std::time::Duration;

use super::server::*;
use crate::{FetchClass, FetchError, FetchPolicy};

const CHUNKED: [(&str, &str); 1] = [("Transfer-Encoding", "chunked")];

fn small(max_bytes: u64) -> FetchPolicy {
    FetchPolicy {
        max_bytes,
        ..local_policy()
    }
}

#[tokio::test]
async fn a_plain_image_arrives_with_its_type_and_nothing_is_given_away() {
    let server = Server::start(|_| {
        let headers = [
            ("Content-Length", "5"),
            ("Content-Type", "Image/PNG; charset=x"),
        ];
        Reply::status("200 OK", &headers, b"image")
    })
    .await;
    let url = server.url("/a/b.png?sig=1#fragment");
    let fetched = fetch(local_policy(), &url).await.unwrap();
    assert_eq!(&fetched.bytes[..], b"image");
    assert_eq!(fetched.declared_type.as_deref(), Some("image/png"));
    assert!(!format!("{fetched:?}").contains("sig"));
    let request = server.requests().remove(0).to_ascii_lowercase();
    assert!(
        request.starts_with("get /a/b.png?sig=1 http/1.1\r\n"),
        "{request}"
    );
    assert!(request.contains("accept-encoding: identity\r\n"));
    assert!(request.contains("user-agent: safe-fetch/"));
    for absent in ["referer:", "cookie:", "authorization:", "x-forwarded"] {
        assert!(!request.contains(absent), "{request}");
    }
}

#[tokio::test]
async fn connections_are_kept_for_hosts_that_are_known_and_only_for_those() {
    for (keep_connections, expected) in [(false, 3), (true, 1)] {
        let policy = FetchPolicy {
            keep_connections,
            ..local_policy()
        };
        let server = Server::start(|_| {
            let headers = [("Content-Length", "5")];
            Reply::ThenNext([head("200 OK", &headers).as_bytes(), b"image"].concat())
        })
        .await;
        let fetcher = fetcher(policy);
        for _ in 0..3 {
            let fetched = fetcher.fetch(&server.url("/a.png")).await.unwrap();
            assert_eq!(&fetched.bytes[..], b"image");
        }
        assert_eq!(server.connections(), expected);
    }
}

#[tokio::test]
async fn a_kept_connection_that_its_server_ended_is_opened_anew() {
    let policy = FetchPolicy {
        keep_connections: true,
        ..local_policy()
    };
    let server = Server::start(|_| Reply::ok(b"image")).await;
    let fetcher = fetcher(policy);
    for _ in 0..5 {
        let fetched = fetcher.fetch(&server.url("/a.png")).await.unwrap();
        assert_eq!(&fetched.bytes[..], b"image");
    }
}

#[tokio::test]
async fn exactly_the_limit_is_accepted_and_one_byte_more_is_not() {
    let server = Server::start(|path| match path {
        "/declared" => Reply::ok(&[7; 1000]),
        // Without a length the body ends with the connection.
        _ => Reply::status("200 OK", &[("Connection", "close")], &[7; 1000]),
    })
    .await;
    for path in ["/declared", "/undeclared"] {
        let url = server.url(path);
        assert_eq!(fetch(small(1000), &url).await.unwrap().bytes.len(), 1000);
        let error = fetch(small(999), &url).await.unwrap_err();
        assert_eq!(error.code(), "fetch_too_many_bytes");
        assert_eq!(error.class(), FetchClass::Permanent);
    }
}

#[tokio::test]
async fn a_declared_length_beyond_the_limit_ends_it_before_the_body() {
    let server = Server::start(|_| {
        Reply::ThenSilence(head("200 OK", &[("Content-Length", "99999999999")]).into())
    })
    .await;
    let error = fetch(small(1000), &server.url("/")).await.unwrap_err();
    assert_eq!(error.code(), "fetch_too_many_bytes");
}

#[tokio::test]
async fn an_endless_body_is_counted_and_cut_off() {
    let chunk = [b"1000\r\n".as_slice(), &[7; 4096], b"\r\n"].concat();
    let server = Server::start(move |path| match path {
        "/chunked" => Reply::ThenEndless(head("200 OK", &CHUNKED).into(), chunk.clone()),
        _ => Reply::ThenEndless(head("200 OK", &[]).into(), vec![7; 4096]),
    })
    .await;
    for path in ["/chunked", "/plain"] {
        let error = fetch(small(1 << 20), &server.url(path)).await.unwrap_err();
        assert_eq!(error.code(), "fetch_too_many_bytes", "{path}");
    }
}

#[tokio::test]
async fn a_length_that_promises_more_than_comes_is_an_interruption() {
    let server = Server::start(|path| match path {
        "/length" => Reply::status("200 OK", &[("Content-Length", "500")], b"short"),
        _ => Reply::status("200 OK", &CHUNKED, b"1000\r\nshort"),
    })
    .await;
    for path in ["/length", "/chunk"] {
        let error = fetch(small(1000), &server.url(path)).await.unwrap_err();
        assert_eq!(error.code(), "fetch_interrupted", "{path}");
        assert_eq!(error.class(), FetchClass::Retryable);
    }
}

#[tokio::test]
async fn what_comes_behind_the_declared_length_is_not_read() {
    let server = Server::start(|_| {
        Reply::ThenEndless(
            head("200 OK", &[("Content-Length", "5")]).into(),
            b"image".to_vec(),
        )
    })
    .await;
    let fetched = fetch(small(1000), &server.url("/")).await.unwrap();
    assert_eq!(&fetched.bytes[..], b"image");
}

#[tokio::test]
async fn a_compressed_body_is_refused_and_never_inflated() {
    // Ten megabytes of zeros in gzip's own format: header, deflate, checksum, length.
    let zlib = {
        let mut compressor = fdeflate::Compressor::new(Vec::new()).unwrap();
        compressor.write_data(&vec![0; 10 << 20]).unwrap();
        compressor.finish().unwrap()
    };
    let deflate = &zlib[2..zlib.len() - 4];
    let gzip = [&[0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 3], deflate, &[0; 8]].concat();
    assert!(gzip.len() < 200_000);
    let length = gzip.len().to_string();
    let server = Server::start(move |path| {
        let encoding = path.trim_start_matches('/');
        let headers = [
            ("Content-Encoding", encoding),
            ("Content-Length", length.as_str()),
        ];
        Reply::status("200 OK", &headers, &gzip)
    })
    .await;
    for encoding in ["gzip", "deflate", "br", "zstd"] {
        let url = server.url(&format!("/{encoding}"));
        let fetcher = fetcher(small(1 << 20));
        let error = fetcher.fetch_with_doubt(&url).await.unwrap_err();
        assert_sound(&error);
        assert_eq!(error.code(), "fetch_encoded");
        assert_eq!(error.class(), FetchClass::Permanent);
        assert!(error.to_string().contains(encoding), "{error}");
    }
    let plain = fetch(small(1 << 20), &server.url("/identity"))
        .await
        .unwrap();
    assert!(plain.bytes.starts_with(&[0x1F, 0x8B]), "left as it came");
}

/// A body that came whole or as far as it came, and the code of what speaks against it.
async fn judged(server: &Server, path: &str) -> (Vec<u8>, Option<&'static str>) {
    let policy = FetchPolicy {
        // Long enough for a busy machine, which must not look like a silence.
        idle_timeout: Duration::from_secs(3),
        ..small(1 << 20)
    };
    let fetched = fetcher(policy)
        .fetch_with_doubt(&server.url(path))
        .await
        .unwrap();
    (
        fetched.bytes.to_vec(),
        fetched.doubt.map(|doubt| doubt.code()),
    )
}

#[tokio::test]
async fn a_content_encoding_that_says_nothing_is_not_asked() {
    let server = Server::start(|path| {
        let label = path.trim_start_matches('/').replace("%20", " ");
        let headers = [
            ("Content-Encoding", label.as_str()),
            ("Content-Length", "5"),
        ];
        Reply::status("200 OK", &headers, b"\x89PNG\r")
    })
    .await;
    for label in [
        "UTF-8",
        "utf8",
        "base64",
        "aws-chunked",
        "none",
        "",
        "identity",
        "binary",
        "image/png",
    ] {
        let came = judged(&server, &format!("/{label}")).await;
        assert_eq!(came, (b"\x89PNG\r".to_vec(), None), "{label}");
    }
    // Called compressed, and not: whoever can judge the bytes decides.
    for label in [
        "gzip",
        "x-gzip",
        "deflate",
        "br",
        "zstd",
        "aws-chunked,gzip",
    ] {
        let came = judged(&server, &format!("/{label}")).await;
        assert_eq!(
            came,
            (b"\x89PNG\r".to_vec(), Some("fetch_encoded")),
            "{label}"
        );
    }
}

#[tokio::test]
async fn what_came_of_an_answer_that_was_cut_is_kept_for_whoever_can_judge_it() {
    let server = Server::start(|path| {
        let declared = head("200 OK", &[("Content-Length", "500")]);
        let part = [declared.as_bytes(), b"the image"].concat();
        match path {
            "/cut" => Reply::Bytes(part),
            "/silent" => Reply::ThenSilence(part),
            _ => Reply::status("200 OK", &CHUNKED, b"9\r\nthe image\r\n"),
        }
    })
    .await;
    for (path, code) in [
        ("/cut", "fetch_interrupted"),
        ("/silent", "fetch_timeout"),
        ("/chunked", "fetch_interrupted"),
    ] {
        assert_eq!(
            judged(&server, path).await,
            (b"the image".to_vec(), Some(code)),
            "{path}"
        );
    }
}

#[tokio::test]
async fn answers_in_unusual_forms_are_read() {
    let server = Server::start(|path| {
        let head = |lines: &str| format!("{lines}\r\n\r\n").into_bytes();
        let with = |lines: &str, body: &[u8]| Reply::Bytes([&head(lines)[..], body].concat());
        match path {
            "/old" => with("HTTP/1.0 200 OK", b"image"),
            "/no-reason" => with("HTTP/1.1 200\r\nContent-Length: 5", b"image"),
            "/odd-case" => with(
                "HTTP/1.1 200 ok\r\ncontent-LENGTH:5\r\nCONTENT-type:",
                b"image",
            ),
            "/spaced" => with("HTTP/1.1 200 OK\r\nContent-Length : 5", b"image"),
            "/folded" => with(
                "HTTP/1.1 200 OK\r\nX-Note: one\r\n  two\r\nContent-Length: 5",
                b"image",
            ),
            "/odd-header" => with(
                "HTTP/1.1 200 OK\r\n\u{fc}berschrift: x\r\nContent-Length: 5",
                b"image",
            ),
            "/line-feeds" => Reply::Bytes(b"HTTP/1.1 200 OK\nContent-Length: 5\n\nimage".to_vec()),
            "/listed-twice" => with("HTTP/1.1 200 OK\r\nContent-Length: 5, 5", b"image"),
            "/to-the-end" => with("HTTP/1.1 200 OK\r\nConnection: close", b"image"),
            "/twice" => with(
                "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5",
                b"image",
            ),
            "/trailers" => with(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum",
                b"3;note=x\r\nima\r\n2\r\nge\r\n0\r\nX-Sum: 1\r\n\r\n",
            ),
            "/early-hints" => Reply::Bytes(
                [
                    &head("HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload")[..],
                    &head("HTTP/1.1 100 Continue"),
                    &head("HTTP/1.1 200 OK\r\nContent-Length: 5"),
                    b"image",
                ]
                .concat(),
            ),
            "/many-headers" => with(
                &format!(
                    "HTTP/1.1 200 OK{}\r\nContent-Length: 5",
                    "\r\nSet-Cookie: a=b".repeat(400)
                ),
                b"image",
            ),
            "/extensions" => with(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked",
                b"0003 ;a=\"b;c\"\r\nima\r\n2;x\r\nge\r\n00\r\n\r\n",
            ),
            "/both-lengths" => with(
                "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked",
                b"5\r\nimage\r\n0\r\n\r\n",
            ),
            "/identity" => with("HTTP/1.1 200 OK\r\nTransfer-Encoding: identity", b"image"),
            "/203" => with(
                "HTTP/1.1 203 Non-Authoritative Information\r\nContent-Length: 5",
                b"image",
            ),
            "/206" => with(
                "HTTP/1.1 206 Partial Content\r\nContent-Length: 5",
                b"image",
            ),
            "/206-whole" => with(
                "HTTP/1.1 206 Partial Content\r\nContent-Length: 5\r\nContent-Range: bytes 0-4/5",
                b"image",
            ),
            "/206-odd" => with(
                "HTTP/1.1 206 Partial Content\r\nContent-Length: 5\r\nContent-Range: Bytes=0-4/5",
                b"image",
            ),
            "/206-open" => with(
                "HTTP/1.1 206 Partial Content\r\nContent-Length: 5\r\nContent-Range: bytes 0-4/*",
                b"image",
            ),
            "/206-later" => with(
                "HTTP/1.1 206 Partial Content\r\nContent-Length: 5\r\nContent-Range: bytes 4-8/9",
                b"image",
            ),
            _ => with(
                "HTTP/1.1 206 Partial Content\r\nContent-Length: 5\r\nContent-Range: bytes 0-4/9",
                b"image",
            ),
        }
    })
    .await;
    for path in [
        "/old",
        "/no-reason",
        "/odd-case",
        "/spaced",
        "/folded",
        "/odd-header",
        "/line-feeds",
        "/listed-twice",
        "/to-the-end",
        "/twice",
        "/trailers",
        "/early-hints",
        "/many-headers",
        "/extensions",
        "/both-lengths",
        "/identity",
        "/203",
        "/206",
        "/206-whole",
        "/206-odd",
    ] {
        assert_eq!(
            judged(&server, path).await,
            (b"image".to_vec(), None),
            "{path}"
        );
    }
    // A beginning may be all there is, and whoever can judge the bytes may have them.
    for path in ["/206-part", "/206-open"] {
        let doubted = (b"image".to_vec(), Some("fetch_status"));
        assert_eq!(judged(&server, path).await, doubted, "{path}");
    }
    for path in ["/206-part", "/206-open", "/206-later"] {
        let error = fetch(small(1000), &server.url(path)).await.unwrap_err();
        assert_eq!(error.code(), "fetch_status", "{path}");
    }
    let methods: Vec<_> = server
        .requests()
        .iter()
        .map(|r| r[..4].to_owned())
        .collect();
    assert!(
        methods.iter().all(|method| method == "GET "),
        "never asked with HEAD"
    );
}

#[tokio::test]
async fn a_slow_drip_ends_with_the_total_time() {
    // Each silence is short, so only the limit of the whole can end this.
    let server = Server::start(|path| {
        let every = Duration::from_millis(5);
        match path {
            "/body" => {
                let head = head("200 OK", &[("Content-Length", "100000")]);
                Reply::ThenDrip(head.into(), b"x".to_vec(), every)
            }
            _ => Reply::ThenDrip(b"HTTP/1.1 200 OK\r\nX: ".to_vec(), b"x".to_vec(), every),
        }
    })
    .await;
    let limit = Duration::from_millis(300);
    for path in ["/body", "/head"] {
        let policy = FetchPolicy {
            total_timeout: limit,
            ..local_policy()
        };
        let error = fetch(policy, &server.url(path)).await.unwrap_err();
        let FetchError::Timeout {
            phase,
            limit: named,
            ..
        } = &error
        else {
            panic!("{error:?}");
        };
        assert_eq!((*phase, *named), ("the whole transfer", limit), "{path}");
        assert_eq!(error.class(), FetchClass::Retryable);
    }
}

#[tokio::test]
async fn a_silence_within_the_body_ends_with_the_idle_time() {
    let server = Server::start(|_| {
        Reply::ThenSilence(
            [head("200 OK", &[("Content-Length", "10")]), "x".into()]
                .concat()
                .into(),
        )
    })
    .await;
    let policy = FetchPolicy {
        idle_timeout: Duration::from_millis(100),
        ..local_policy()
    };
    let error = fetch(policy, &server.url("/?sig=TOPSECRET"))
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("a silence within the answer"),
        "{error}"
    );
}

#[tokio::test]
async fn a_server_that_never_answers_ends_with_the_first_byte_time() {
    let server = Server::start(|_| Reply::ThenSilence(Vec::new())).await;
    let policy = FetchPolicy {
        connect_timeout: Duration::from_secs(1),
        first_byte_timeout: Duration::from_millis(100),
        ..local_policy()
    };
    let error = fetch(policy, &server.url("/")).await.unwrap_err();
    assert_eq!(error.code(), "fetch_timeout");
    assert!(error.to_string().contains("first byte"), "{error}");
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn endless_headers_are_cut_off() {
    let server = Server::start(|_| {
        Reply::ThenEndless(
            b"HTTP/1.1 200 OK\r\n".to_vec(),
            b"X-Filler: filler\r\n".repeat(100),
        )
    })
    .await;
    let error = fetch(local_policy(), &server.url("/")).await.unwrap_err();
    assert_eq!(error.code(), "fetch_interrupted");
}

#[tokio::test]
async fn an_answer_that_is_no_http_is_an_interruption() {
    for (bytes, said) in [
        (
            b"SSH-2.0-OpenSSH_9.2\r\n".to_vec(),
            "cannot be read as HTTP",
        ),
        (Vec::new(), "broke before"),
        (vec![0; 100], "cannot be read as HTTP"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nimage".to_vec(),
            "Content-Length",
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nimage".to_vec(),
            "Content-Length",
        ),
    ] {
        let server = Server::start(move |_| Reply::Bytes(bytes.clone())).await;
        let error = fetch(local_policy(), &server.url("/")).await.unwrap_err();
        assert_eq!(error.code(), "fetch_interrupted");
        assert!(error.to_string().contains(said), "{error}");
    }
}

#[tokio::test]
async fn statuses_are_told_apart_by_what_they_mean_for_the_next_attempt() {
    let server = Server::start(|path| {
        let status = format!("{} Said", path.trim_start_matches('/'));
        Reply::status(
            &status,
            &[("Content-Length", "0"), ("Retry-After", "17")],
            b"",
        )
    })
    .await;
    for (status, code, class, wait) in [
        (204, "fetch_status", FetchClass::Permanent, None),
        (304, "fetch_status", FetchClass::Permanent, None),
        (401, "fetch_status", FetchClass::Permanent, None),
        (403, "fetch_status", FetchClass::Permanent, None),
        (404, "fetch_status", FetchClass::Permanent, None),
        (410, "fetch_status", FetchClass::Permanent, None),
        (408, "fetch_unavailable", FetchClass::Retryable, Some(17)),
        (429, "fetch_unavailable", FetchClass::Retryable, Some(17)),
        (500, "fetch_unavailable", FetchClass::Retryable, Some(17)),
        (503, "fetch_unavailable", FetchClass::Retryable, Some(17)),
    ] {
        let error = fetch(local_policy(), &server.url(&format!("/{status}")))
            .await
            .unwrap_err();
        assert_eq!((error.code(), error.class()), (code, class), "{status}");
        assert_eq!(
            error.retry_after(),
            wait.map(Duration::from_secs),
            "{status}"
        );
        assert!(error.to_string().contains(&status.to_string()));
    }
}

#[tokio::test]
async fn a_closed_port_and_a_port_without_tls_are_told_apart() {
    // Held, so that nobody else listens there meanwhile.
    let held = tokio::net::TcpSocket::new_v4().unwrap();
    held.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = held.local_addr().unwrap();
    let closed = format!("http://{address}/?sig=TOPSECRET").parse().unwrap();
    let error = fetch(local_policy(), &closed).await.unwrap_err();
    assert_eq!(
        (error.code(), error.class()),
        ("fetch_connect_failed", FetchClass::Retryable)
    );

    let server = Server::start(|_| Reply::ok(b"")).await;
    let mut url = server.url("/?sig=TOPSECRET");
    url.set_scheme("https").unwrap();
    let error = fetch(local_policy(), &url).await.unwrap_err();
    assert_eq!(
        (error.code(), error.class()),
        ("fetch_tls_failed", FetchClass::Permanent)
    );
    assert!(error.to_string().contains("does not speak TLS"), "{error}");
}
