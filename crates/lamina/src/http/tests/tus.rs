//! Resumable uploads, header by header. That a stock client gets its picture through cut connections
//! and a killed server is tested over real sockets.

use std::convert::Infallible;

use crate::store::UploadStore as _;
use aws_lc_rs::digest;
use futures_util::{StreamExt as _, stream};
use serde_json::json;

use super::*;

const PART: &str = "application/offset+octet-stream";

/// A request of a client that speaks the protocol.
fn tus(method: &str, path: &str, headers: &[(&str, &str)]) -> axum::http::request::Builder {
    let begun = request(method, path).header("tus-resumable", "1.0.0");
    headers.iter().fold(begun, |request, (name, value)| {
        request.header(*name, *value)
    })
}

impl TestServer {
    async fn tus(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        let request = tus(method, path, headers).body(Body::empty());
        self.send(request.unwrap()).await
    }

    /// Begins an upload of this size and returns its path.
    async fn begun(&self, bytes: usize) -> String {
        let length = bytes.to_string();
        let answer = self
            .tus("POST", "/api/uploads/tus", &[("upload-length", &length)])
            .await;
        assert_eq!(answer.status, StatusCode::CREATED, "{:?}", answer.body);
        answer.header("location").to_owned()
    }

    async fn part(&self, path: &str, offset: usize, body: impl Into<Body>) -> Answer {
        self.part_with(path, offset, &[], body).await
    }

    async fn part_with(
        &self,
        path: &str,
        offset: usize,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Answer {
        let request = tus("PATCH", path, headers)
            .header("content-type", PART)
            .header("upload-offset", offset.to_string());
        self.send(request.body(body.into()).unwrap()).await
    }

    async fn offset(&self, path: &str) -> String {
        let answer = self.tus("HEAD", path, &[]).await;
        assert_eq!(answer.header("tus-resumable"), "1.0.0");
        format!(
            "{} {}",
            answer.status.as_u16(),
            answer.header("upload-offset")
        )
        .trim()
        .to_owned()
    }

    async fn job_of(&self, path: &str) -> Answer {
        let id = path.rsplit('/').next().unwrap();
        self.post_json(json!({ "upload_id": id }).to_string()).await
    }
}

/// A body that stands still after its first bytes, and tells when it does.
pub(super) fn hanging(first: Vec<u8>) -> (Body, tokio::sync::oneshot::Receiver<()>) {
    let (signal, signalled) = tokio::sync::oneshot::channel();
    let mut signal = Some(signal);
    let body =
        stream::iter([Ok::<_, Infallible>(Bytes::from(first))]).chain(stream::poll_fn(move |_| {
            if let Some(signal) = signal.take() {
                let _ = signal.send(());
            }
            std::task::Poll::Pending
        }));
    (Body::from_stream(body), signalled)
}

fn cut(first: Vec<u8>) -> Body {
    let error = std::io::Error::other("reset by peer");
    Body::from_stream(stream::iter([Ok(Bytes::from(first)), Err(error)]))
}

fn arrived(server: &TestServer) -> usize {
    let count = |name| {
        let folder = server.folder.path().join(name);
        std::fs::read_dir(folder).unwrap().count()
    };
    count("incoming") + count("spool")
}

#[tokio::test]
async fn a_picture_in_three_parts_is_an_upload_like_any_other() {
    let server = TestServer::new();
    let file = png(40, 30);
    let metadata = ("upload-metadata", "filename YS5wbmc=,is_confidential");
    let length = file.len().to_string();
    let created = server
        .tus(
            "POST",
            "/api/uploads/tus",
            &[("upload-length", &length), metadata],
        )
        .await;
    assert_eq!(created.status, StatusCode::CREATED);
    assert_eq!(
        created.header("upload-expires"),
        "Mon, 23 Nov 2026 14:11:57 GMT"
    );
    assert_eq!(created.header("tus-resumable"), "1.0.0");
    let path = created.header("location").to_owned();
    assert!(path.starts_with("/api/uploads/tus/"), "{path}");
    assert_eq!(server.offset(&path).await, "200 0");
    assert_eq!(server.job_of(&path).await.code().1, "upload_pending");
    for (from, to) in [(0, 20), (20, 21), (21, file.len())] {
        let answer = server.part(&path, from, file[from..to].to_vec()).await;
        assert_eq!(answer.status, StatusCode::NO_CONTENT, "{:?}", answer.body);
        assert_eq!(answer.header("upload-offset"), to.to_string());
        assert_eq!(
            answer.header("upload-expires"),
            created.header("upload-expires")
        );
    }
    let head = server.tus("HEAD", &path, &[]).await;
    assert_eq!(head.header("upload-length"), length);
    assert_eq!(head.header("upload-metadata"), metadata.1);
    assert_eq!(head.header("cache-control"), "no-store");
    let state = server.get(&path.replace("/tus", "")).await.json();
    assert_eq!(state["status"], "received");
    assert_eq!(server.job_of(&path).await.status, StatusCode::ACCEPTED);
    let state = server.get(&path.replace("/tus", "")).await.json();
    assert_eq!(state["upload"]["width"], 40);
    assert_eq!(arrived(&server), 0);
    assert_eq!(server.offset(&path).await, "404", "it is an upload now");
}

#[tokio::test]
async fn a_part_anywhere_but_at_the_end_changes_nothing() {
    let server = TestServer::new();
    let path = server.begun(10).await;
    server.part(&path, 0, "12345").await;
    for wrong in [0, 4, 6, 10, usize::MAX] {
        let answer = server.part(&path, wrong, "xxx").await;
        assert_eq!(answer.code(), (409, "upload_offset_mismatch".into()));
        assert!(answer.json()["detail"].as_str().unwrap().contains("byte 5"));
    }
    assert_eq!(server.offset(&path).await, "200 5");
    let more = server.part(&path, 5, "67890x").await;
    assert_eq!(more.code(), (413, "body_too_large".into()));
    let chunks = stream::iter(["678", "90x"].map(Ok::<_, Infallible>));
    let more = server.part(&path, 5, Body::from_stream(chunks)).await;
    assert_eq!(more.code(), (413, "body_too_large".into()));
    assert_eq!(server.offset(&path).await, "200 8", "what fitted is kept");
}

#[tokio::test]
async fn what_came_before_a_cut_or_a_silence_is_kept() {
    let server = TestServer::with(|state| state.limits.upload_idle = Duration::from_millis(30));
    let file = png(200, 100);
    let path = server.begun(file.len()).await;
    let half = file.len() / 2;
    let answer = server.part(&path, 0, cut(file[..half].to_vec())).await;
    assert_eq!(answer.code(), (400, "body_incomplete".into()));
    assert_eq!(server.offset(&path).await, format!("200 {half}"));
    let (silent, _told) = hanging(file[half..half + 9].to_vec());
    let answer = server.part(&path, half, silent).await;
    assert_eq!(answer.code(), (408, "request_timeout".into()));
    let rest = half + 9;
    assert_eq!(server.offset(&path).await, format!("200 {rest}"));
    server.part(&path, rest, file[rest..].to_vec()).await;
    assert_eq!(server.job_of(&path).await.status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn a_dead_connection_does_not_lock_the_retry_out() {
    let server = TestServer::new();
    let file = png(200, 100);
    for asks_first in [true, false] {
        let path = server.begun(file.len()).await;
        let (body, signalled) = hanging(file[..1000].to_vec());
        let (first, _) = tokio::join!(server.part(&path, 0, body), async {
            signalled.await.unwrap();
            if asks_first {
                assert_eq!(server.offset(&path).await, "200 1000");
            }
            let rest = server.part(&path, 1000, file[1000..].to_vec()).await;
            assert_eq!(rest.status, StatusCode::NO_CONTENT, "{:?}", rest.body);
        });
        assert_eq!(first.code(), (409, "upload_taken_over".into()));
        assert_eq!(server.job_of(&path).await.status, StatusCode::ACCEPTED);
    }
}

fn checksum(method: &str, part: &[u8]) -> String {
    let algorithm = match method {
        "sha1" => &digest::SHA1_FOR_LEGACY_USE_ONLY,
        "sha256" => &digest::SHA256,
        _ => &digest::SHA512,
    };
    let digest = digest::digest(algorithm, part);
    format!("{method} {}", STANDARD.encode(digest))
}

#[tokio::test]
async fn a_part_with_a_checksum_counts_when_it_is_whole_and_right() {
    let server = TestServer::new();
    let file = png(200, 100);
    let path = server.begun(file.len()).await;
    let mut offset = 0;
    for method in ["sha1", "sha256", "sha512"] {
        let part = &file[offset..offset + 100];
        let right = checksum(method, part);
        let with = [("upload-checksum", right.as_str())];
        let mut wrong = part.to_vec();
        wrong[7] ^= 1;
        let answer = server.part_with(&path, offset, &with, wrong).await;
        assert_eq!(answer.code(), (460, "upload_checksum_mismatch".into()));
        assert_eq!(answer.json()["title"], "Checksum Mismatch");
        let short = cut(part[..50].to_vec());
        let answer = server.part_with(&path, offset, &with, short).await;
        assert_eq!(answer.code().1, "body_incomplete");
        assert_eq!(server.offset(&path).await, format!("200 {offset}"));
        let answer = server.part_with(&path, offset, &with, part.to_vec()).await;
        assert_eq!(answer.status, StatusCode::NO_CONTENT, "{:?}", answer.body);
        offset += 100;
    }
    let unknown = [("upload-checksum", "crc32 AAAAAA==")];
    let answer = server.part_with(&path, offset, &unknown, "x").await;
    assert_eq!(answer.code(), (400, "upload_checksum_unsupported".into()));
    server.part(&path, offset, file[offset..].to_vec()).await;
    assert_eq!(server.job_of(&path).await.status, StatusCode::ACCEPTED);
    assert_eq!(arrived(&server), 0);
}

#[tokio::test]
async fn an_upload_may_begin_with_its_first_part_and_tell_its_length_later() {
    let server = TestServer::new();
    let file = png(40, 30);
    let defers = [("upload-defer-length", "1"), ("content-type", PART)];
    let first = tus("POST", "/api/uploads/tus", &defers).body(file[..30].to_vec().into());
    let created = server.send(first.unwrap()).await;
    assert_eq!(created.status, StatusCode::CREATED, "{:?}", created.body);
    assert_eq!(created.header("upload-offset"), "30");
    let path = created.header("location").to_owned();
    let head = server.tus("HEAD", &path, &[]).await;
    assert_eq!(head.header("upload-defer-length"), "1");
    assert_eq!(head.header("upload-length"), "");
    assert_eq!(server.job_of(&path).await.code().1, "upload_pending");
    let length = file.len().to_string();
    for (declared, status) in [("29", 400), (&*length, 204), ("31", 400), (&*length, 204)] {
        let with = [("upload-length", declared)];
        let answer = server.part_with(&path, 30, &with, Body::empty()).await;
        assert_eq!(
            answer.status.as_u16(),
            status,
            "{declared}: {:?}",
            answer.body
        );
    }
    server.part(&path, 30, file[30..].to_vec()).await;
    assert_eq!(server.job_of(&path).await.status, StatusCode::ACCEPTED);
    // A beginning that fails leaves nothing, as nobody would ever learn its address.
    let bad = [
        ("upload-length", "9"),
        ("content-type", PART),
        ("upload-checksum", &checksum("sha1", b"a")),
    ];
    for body in [
        Body::from("b"),
        cut(b"abc".to_vec()),
        Body::from("0123456789"),
    ] {
        let answer = server
            .send(tus("POST", "/api/uploads/tus", &bad).body(body).unwrap())
            .await;
        assert!(answer.status.is_client_error(), "{}", answer.status);
    }
    assert_eq!(arrived(&server), 0);
    let left = server
        .store
        .incoming_expired(T0.plus(DAY * 9), 9, &[])
        .await
        .unwrap();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn an_upload_can_be_ended_and_is_gone_then() {
    let server = TestServer::new();
    let path = server.begun(10).await;
    server.part(&path, 0, "12345").await;
    assert_eq!(arrived(&server), 1);
    let ended = server.tus("DELETE", &path, &[]).await;
    assert_eq!(ended.status, StatusCode::NO_CONTENT);
    assert_eq!(arrived(&server), 0);
    assert_eq!(server.offset(&path).await, "404");
    assert_eq!(
        server.part(&path, 5, "67890").await.code().1,
        "upload_missing"
    );
    assert_eq!(
        server.tus("DELETE", &path, &[]).await.code().1,
        "upload_missing"
    );
    assert_eq!(server.job_of(&path).await.code().1, "upload_not_found");
}

#[tokio::test]
async fn an_expired_upload_is_gone_for_everybody() {
    let server = TestServer::new();
    let path = server.begun(5).await;
    server.part(&path, 0, "12345").await;
    server.clock.advance(DAY);
    assert_eq!(server.offset(&path).await, "404");
    assert_eq!(server.part(&path, 5, "").await.code().1, "upload_missing");
}

#[tokio::test]
async fn what_the_server_understands_is_announced_also_to_pages_of_other_origins() {
    for cors in [CorsOrigins::None, CorsOrigins::Any] {
        let with_cors = matches!(cors, CorsOrigins::Any);
        let server = TestServer::with(|state| state.cors = cors);
        let asked = request("OPTIONS", "/api/uploads/tus")
            .header("origin", "https://app.example")
            .header("access-control-request-method", "PATCH")
            .header(
                "access-control-request-headers",
                "tus-resumable,upload-offset",
            );
        let answer = server.send(asked.body(Body::empty()).unwrap()).await;
        assert!(answer.status.is_success());
        assert_eq!(answer.header("tus-version"), "1.0.0");
        assert_eq!(answer.header("tus-max-size"), (20 << 20).to_string());
        assert_eq!(
            answer.header("tus-checksum-algorithm"),
            "sha1,sha256,sha512"
        );
        assert!(answer.header("tus-extension").contains("creation,"));
        if !with_cors {
            continue;
        }
        assert!(
            answer
                .header("access-control-allow-methods")
                .contains("PATCH")
        );
        let allowed = answer.header("access-control-allow-headers").to_owned();
        for name in [
            "tus-resumable",
            "upload-offset",
            "upload-length",
            "upload-metadata",
            "upload-checksum",
            "x-http-method-override",
        ] {
            assert!(allowed.contains(name), "{name}");
        }
        let created = tus("POST", "/api/uploads/tus", &[("upload-length", "5")])
            .header("origin", "https://app.example");
        let created = server.send(created.body(Body::empty()).unwrap()).await;
        let exposed = created.header("access-control-expose-headers").to_owned();
        for name in [
            "location",
            "upload-offset",
            "upload-length",
            "tus-resumable",
            "upload-expires",
        ] {
            assert!(exposed.contains(name), "{name}");
        }
    }
}

#[tokio::test]
async fn another_version_is_refused_with_the_one_that_is_spoken() {
    let server = TestServer::new();
    let path = server.begun(5).await;
    for version in [None, Some("0.2.2"), Some("1.0.1"), Some("")] {
        for (method, path) in [
            ("POST", "/api/uploads/tus"),
            ("PATCH", &path),
            ("DELETE", &path),
        ] {
            let mut asked = request(method, path).header("upload-length", "5");
            if let Some(version) = version {
                asked = asked.header("tus-resumable", version);
            }
            let answer = server.send(asked.body(Body::empty()).unwrap()).await;
            assert_eq!(answer.code(), (412, "tus_version_unsupported".into()));
            assert_eq!(answer.header("tus-version"), "1.0.0");
        }
    }
    assert_eq!(server.offset(&path).await, "200 0");
}

#[tokio::test]
async fn clients_that_can_only_post_are_served_too() {
    let server = TestServer::new();
    let path = server.begun(5).await;
    let over = |method: &'static str| {
        tus("POST", &path, &[("x-http-method-override", method)])
            .header("content-type", PART)
            .header("upload-offset", "0")
    };
    let part = server
        .send(over("PATCH").body("12345".into()).unwrap())
        .await;
    assert_eq!(part.status, StatusCode::NO_CONTENT);
    let head = server.send(over("HEAD").body(Body::empty()).unwrap()).await;
    assert_eq!(head.header("upload-offset"), "5");
    for method in ["GET", "PUT", "patch", ""] {
        let answer = server.send(over(method).body(Body::empty()).unwrap()).await;
        assert_eq!(
            answer.code(),
            (405, "method_not_allowed".into()),
            "{method}"
        );
    }
    let ended = server
        .send(over("DELETE").body(Body::empty()).unwrap())
        .await;
    assert_eq!(ended.status, StatusCode::NO_CONTENT);
    assert_eq!(server.offset(&path).await, "404");
}

#[tokio::test]
async fn another_owner_can_neither_see_nor_stop_an_upload() {
    let server = TestServer::with(|state| state.keys = ApiKeys::new([("app", "a"), ("web", "b")]));
    let (mine, other) = (("authorization", "Bearer a"), ("authorization", "Bearer b"));
    let length = ("upload-length", "9");
    let created = server
        .tus("POST", "/api/uploads/tus", &[mine, length])
        .await;
    let path = created.header("location").to_owned();
    let (body, signalled) = hanging(b"some".to_vec());
    let owned = [mine];
    let (first, ()) = tokio::join!(server.part_with(&path, 0, &owned, body), async {
        signalled.await.unwrap();
        assert_eq!(server.tus("HEAD", &path, &[other]).await.status, 404);
        assert_eq!(server.tus("DELETE", &path, &[other]).await.status, 404);
        assert_eq!(server.part_with(&path, 4, &[other], "x").await.status, 404);
        let mine = server.tus("HEAD", &path, &[mine]).await;
        assert_eq!(mine.header("upload-offset"), "4");
    });
    assert_eq!(first.code().1, "upload_taken_over");
}

/// An answer for each code of this protocol alone.
pub(super) async fn codes(add: &mut impl FnMut(&Answer)) {
    let server = TestServer::new();
    add(&server.tus("POST", "/api/uploads/tus", &[]).await);
    let old = request("POST", "/api/uploads/tus").body(Body::empty());
    add(&server.send(old.unwrap()).await);
    let path = server.begun(9).await;
    add(&server.part(&path, 1, "x").await);
    for checksum in [checksum("sha1", b"y"), "md5 AAAA".to_owned()] {
        let with = [("upload-checksum", checksum.as_str())];
        add(&server.part_with(&path, 0, &with, "x").await);
    }
    let (body, signalled) = hanging(b"x".to_vec());
    let (first, _) = tokio::join!(server.part(&path, 0, body), async {
        signalled.await.unwrap();
        server.offset(&path).await
    });
    add(&first);
}

#[tokio::test]
async fn parts_that_bring_bytes_are_not_counted_and_everything_else_is() {
    const PART_BYTES: usize = 64 << 10;
    let server = super::admin::operated();
    let (key, _) = server.new_key(r#"{"name":"web","rate":"2/h"}"#).await;
    let bearer = format!("Bearer {key}");
    let auth = ("authorization", bearer.as_str());
    let whole = (20 * PART_BYTES + 9).to_string();
    let length = ("upload-length", whole.as_str());
    let begun = server
        .tus("POST", "/api/uploads/tus", &[length, auth])
        .await;
    assert_eq!(begun.header("ratelimit"), "\"default\";r=1;t=1800");
    let path = begun.header("location").to_owned();
    let large = vec![7; PART_BYTES];
    for count in 0..20 {
        let offset = count * PART_BYTES;
        let part = server
            .part_with(&path, offset, &[auth], large.clone())
            .await;
        assert_eq!(part.status, StatusCode::NO_CONTENT, "{offset}");
        assert!(!part.headers.contains_key("ratelimit"));
    }
    // A quota of its own, four times as large as the other: eight.
    let end = 20 * PART_BYTES;
    let asked = server.tus("HEAD", &path, &[auth]).await;
    assert_eq!(asked.header("upload-offset"), end.to_string());
    assert_eq!(asked.header("ratelimit"), "\"uploads\";r=7;t=450");
    let empty = server.part_with(&path, end, &[auth], Body::empty()).await;
    assert_eq!(empty.status, StatusCode::NO_CONTENT);
    let override_ = [("x-http-method-override", "HEAD"), auth];
    let asked = server.tus("POST", &path, &override_).await;
    assert_eq!(asked.header("ratelimit"), "\"uploads\";r=5;t=1350");
    // The last part is as small as it is.
    let last = server.part_with(&path, end, &[auth], vec![7; 9]).await;
    assert_eq!(last.status, StatusCode::NO_CONTENT);
    // Parts that are large and come to nothing, and guesses at uploads of others.
    let again = server.part_with(&path, 3, &[auth], large.clone()).await;
    assert_eq!(again.code(), (409, "upload_offset_mismatch".into()));
    assert_eq!(again.header("ratelimit"), "\"uploads\";r=3;t=2250");
    let guess = "/api/uploads/tus/01999999-9999-7999-8999-999999999999";
    for _ in 0..3 {
        let missing = server.tus("HEAD", guess, &[auth]).await;
        assert_eq!(missing.status, StatusCode::NOT_FOUND);
    }
    for _ in 0..2 {
        // The first was answered before it was counted; the next is not looked at.
        let refused = server.part_with(&path, 3, &[auth], large.clone()).await;
        assert_eq!(refused.code(), (429, "rate_limited".into()));
    }
    let refused = server.tus("HEAD", &path, &[auth]).await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    // The other quota is as it was.
    let listed = server.with_key(&key, "GET", "/api/jobs", "").await;
    assert_eq!(listed.header("ratelimit"), "\"default\";r=0;t=3600");
}
