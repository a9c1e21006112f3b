//! Links: what they open, to whom, how long, and in which parts.

use super::*;
use crate::store::{ExpiryStore as _, JobStore as _};

/// A stored layer and its link.
async fn layer(server: &TestServer) -> String {
    let key = BlobKey::Layer(server.row().await, 0, MediaType::Png);
    server
        .blobs
        .put(&key, Bytes::from_static(b"0123456789"))
        .await
        .unwrap();
    server.link(&key)
}

async fn with(server: &TestServer, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = request(method, path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    server.send(request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn a_link_opens_without_a_header_and_says_all_about_its_file() {
    let server = TestServer::with(|state| state.keys = ApiKeys::new([("app", "key")]));
    let answer = server.get(&layer(&server).await).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.body, &b"0123456789"[..]);
    let shown: Vec<String> = [
        "content-type",
        "content-length",
        "content-disposition",
        "cache-control",
        "accept-ranges",
        "access-control-allow-origin",
        "cross-origin-resource-policy",
        "content-security-policy",
        "x-content-type-options",
    ]
    .iter()
    .map(|name| format!("{name}: {}", answer.header(name)))
    .collect();
    insta::assert_snapshot!(shown.join("\n"), @r#"
    content-type: image/png
    content-length: 10
    content-disposition: inline; filename="layer_0.png"
    cache-control: private, max-age=86400, immutable
    accept-ranges: bytes
    access-control-allow-origin: *
    cross-origin-resource-policy: cross-origin
    content-security-policy: default-src 'none'; sandbox
    x-content-type-options: nosniff
    "#);
    assert!(answer.header("etag").starts_with("\"layer_0.png-10-"));
}

#[tokio::test]
async fn head_says_the_same_as_get_without_the_bytes() {
    let server = TestServer::new();
    let link = layer(&server).await;
    let (get, head) = (
        server.get(&link).await,
        with(&server, "HEAD", &link, &[]).await,
    );
    assert_eq!(head.status, StatusCode::OK);
    assert!(head.body.is_empty());
    for name in [
        "content-length",
        "content-type",
        "etag",
        "accept-ranges",
        "cache-control",
    ] {
        assert_eq!(head.header(name), get.header(name), "{name}");
    }
    let part = with(&server, "HEAD", &link, &[("range", "bytes=2-3")]).await;
    assert_eq!(
        (part.status, part.header("content-length")),
        (StatusCode::PARTIAL_CONTENT, "2")
    );
}

#[tokio::test]
async fn a_range_gives_its_part() {
    let server = TestServer::new();
    let link = layer(&server).await;
    for (range, body, content_range) in [
        ("bytes=2-4", "234", "bytes 2-4/10"),
        ("bytes=7-", "789", "bytes 7-9/10"),
        ("bytes=-2", "89", "bytes 8-9/10"),
        ("bytes=5-99", "56789", "bytes 5-9/10"),
    ] {
        let answer = with(&server, "GET", &link, &[("range", range)]).await;
        assert_eq!(answer.status, StatusCode::PARTIAL_CONTENT, "{range}");
        assert_eq!(answer.body, body);
        assert_eq!(answer.header("content-range"), content_range);
        assert_eq!(answer.header("content-length"), body.len().to_string());
    }
    let answer = with(&server, "GET", &link, &[("range", "bytes=10-")]).await;
    assert_eq!(answer.code(), (416, "range_not_satisfiable".into()));
    assert_eq!(answer.header("content-range"), "bytes */10");
}

#[tokio::test]
async fn a_range_of_an_older_version_gives_the_whole_file() {
    let server = TestServer::new();
    let link = layer(&server).await;
    let tag = server.get(&link).await.header("etag").to_owned();
    let range = ("range", "bytes=0-1");
    let current = with(&server, "GET", &link, &[range, ("if-range", &tag)]).await;
    assert_eq!(current.status, StatusCode::PARTIAL_CONTENT);
    let older = with(&server, "GET", &link, &[range, ("if-range", "\"older\"")]).await;
    assert_eq!((older.status, older.body.len()), (StatusCode::OK, 10));
}

#[tokio::test]
async fn a_reader_that_has_the_file_is_told_so() {
    let server = TestServer::new();
    let link = layer(&server).await;
    let tag = server.get(&link).await.header("etag").to_owned();
    for method in ["GET", "HEAD"] {
        let answer = with(
            &server,
            method,
            &link,
            &[("if-none-match", &tag), ("range", "bytes=0-1")],
        )
        .await;
        assert_eq!(answer.status, StatusCode::NOT_MODIFIED);
        assert_eq!(answer.header("etag"), tag);
        assert!(answer.body.is_empty());
    }
}

#[tokio::test]
async fn a_link_that_was_changed_is_wrong_whatever_it_names() {
    let server = TestServer::new();
    let link = layer(&server).await;
    let other = BlobKey::Layer(JobId::new(T0), 0, MediaType::Png).path();
    let (path, query) = link.split_once('?').unwrap();
    for changed in [
        path.to_owned(),
        format!("/files/{other}?{query}"),
        link.replace("exp=", "exp=1"),
        link.replace("exp=", "exp=0"),
        link.replace("exp=", "exp=+"),
        link.replace("exp=", "exp=%30"),
        link.replace("exp=", "exp=1&exp="),
        link.replace("&sig=", "&sig=&sig="),
        format!("{link}&sig=x"),
        format!("{link}="),
        link.replace("sig=", "sig=A"),
        format!("{path}?sig=x"),
        format!("{}?{query}", path.replace("layer_0", "layer_1")),
        "/files/jobs/x/..%2f..%2flamina.db?exp=1&sig=x".to_owned(),
        "/files/..%2f..%2f/etc/passwd?exp=1&sig=x".to_owned(),
    ] {
        let answer = server.get(&changed).await;
        assert_eq!(answer.code(), (403, "link_invalid".into()), "{changed}");
        assert_eq!(answer.header("access-control-allow-origin"), "*");
    }
}

#[tokio::test]
async fn a_link_ends_with_its_time_and_with_its_file() {
    let server = TestServer::new();
    let link = layer(&server).await;
    server
        .blobs
        .erase_job(link.split('/').nth(3).unwrap().parse().unwrap())
        .await
        .unwrap();
    assert_eq!(server.get(&link).await.code(), (410, "file_gone".into()));
    server.clock.advance(DAY);
    assert_eq!(server.get(&link).await.code(), (410, "link_expired".into()));
}

#[tokio::test]
async fn a_page_of_any_origin_may_ask_for_a_part() {
    let server = TestServer::new();
    let link = layer(&server).await;
    let answer = with(
        &server,
        "OPTIONS",
        &link,
        &[
            ("origin", "https://app.example"),
            ("access-control-request-method", "GET"),
            (
                "access-control-request-headers",
                "authorization,range,x-app",
            ),
        ],
    )
    .await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("access-control-allow-origin"), "*");
    // By name: the asterisk does not stand for `authorization`, which many apps always send.
    let allowed = answer.header("access-control-allow-headers");
    for name in ["authorization", "range", "if-none-match", "x-app"] {
        assert!(
            allowed.split(',').any(|allowed| allowed == name),
            "{allowed}"
        );
    }
    assert!(
        answer
            .header("access-control-allow-methods")
            .contains("GET")
    );
    let read = with(&server, "GET", &link, &[("origin", "https://app.example")]).await;
    assert!(
        read.header("access-control-expose-headers")
            .contains("content-range")
    );
}

#[tokio::test]
async fn links_begin_where_the_client_reached_the_service() {
    let url = async |server: &TestServer, headers: &[(&str, &str)]| {
        let mut request = Request::builder().method("POST").uri("/api/upload");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = server.send(request.body(png(2, 2).into()).unwrap()).await;
        match answer.status.as_u16() {
            201 => {
                let url = answer.json()["url"].as_str().unwrap().to_owned();
                url.split("/files/").next().unwrap().to_owned()
            }
            _ => answer.code().1,
        }
    };
    let plain = TestServer::new();
    let forwarded = ("x-forwarded-proto", "https");
    assert_eq!(
        url(&plain, &[("host", "10.0.2.2:8080")]).await,
        "http://10.0.2.2:8080"
    );
    assert_eq!(
        url(&plain, &[("host", "a.example"), forwarded]).await,
        "http://a.example"
    );
    assert_eq!(url(&plain, &[]).await, "invalid_host");
    assert_eq!(
        url(&plain, &[("host", "a\"><script>")]).await,
        "invalid_host"
    );
    let proxied = TestServer::with(|state| state.trust_proxy = true);
    assert_eq!(
        url(&proxied, &[("host", "a.example"), forwarded]).await,
        "https://a.example"
    );
    let twice = ("x-forwarded-proto", "https, http");
    assert_eq!(
        url(&proxied, &[("host", "a.example"), twice]).await,
        "https://a.example"
    );
    assert_eq!(
        url(&proxied, &[("host", "a.example")]).await,
        "http://a.example"
    );
    let public = TestServer::with(|state| {
        state.public_url = Some("https://cdn.example/lamina/".parse().unwrap());
    });
    assert_eq!(
        url(&public, &[("host", "127.0.0.1:8080")]).await,
        "https://cdn.example/lamina"
    );
}

#[tokio::test]
async fn a_link_ends_with_its_job_while_the_bytes_are_still_there() {
    for ends in ["deleted", "expired"] {
        let server = TestServer::new();
        let link = layer(&server).await;
        assert_eq!(server.get(&link).await.status, StatusCode::OK);
        let id = link.split('/').nth(3).unwrap().to_owned();
        if ends == "deleted" {
            let owner = OwnerId::named("app");
            let gone = server.store.job_delete(&owner, id.parse().unwrap(), T0);
            gone.await.unwrap();
        } else {
            server.store.job_expire(T0.plus(DAY), 1).await.unwrap();
        }
        let answer = server.get(&link).await;
        assert_eq!(answer.code(), (410, "file_gone".into()), "{ends}");
    }
}
