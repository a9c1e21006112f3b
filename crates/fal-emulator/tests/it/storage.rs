//! Uploads by every flow that the stock clients know.

use std::time::Duration;

use fal_emulator::{Clock, Config, Fault};
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::bench::{Bench, body, png};

const INITIATE: &str = "/storage/upload/initiate?storage_type=fal-cdn-v3";

fn announcement() -> Value {
    json!({"content_type": "image/png", "file_name": "my cat.png"})
}

async fn put(bench: &Bench, url: &str, bytes: Vec<u8>) -> Response {
    let call = bench.client.put(url).header("content-type", "image/png");
    call.body(bytes).send().await.expect("an answer")
}

async fn read(bench: &Bench, url: &Value) -> Response {
    let url = url.as_str().expect("a URL");
    bench.client.get(url).send().await.expect("an answer")
}

#[tokio::test]
async fn an_announced_upload_becomes_a_file() {
    let bench = Bench::start().await;
    for path in [
        INITIATE,
        "/storage/upload/initiate",
        "/storage/upload/initiate?storage_type=gcs",
    ] {
        let announced = body(bench.post(path, &announcement()).await).await;
        assert_eq!(read(&bench, &announced["file_url"]).await.status(), 404);
        let upload_url = announced["upload_url"].as_str().expect("a URL");
        let (bare, _) = upload_url.split_once('?').expect("a signed URL");
        assert_eq!(put(&bench, bare, png(40, 40)).await.status(), 403);
        assert_eq!(put(&bench, upload_url, png(40, 40)).await.status(), 200);
        let file = read(&bench, &announced["file_url"]).await;
        assert_eq!(file.status(), 200);
        assert_eq!(file.headers()["content-type"], "image/png");
        assert_eq!(file.bytes().await.expect("bytes"), png(40, 40));
    }
    let uploads = bench.emulator.uploads();
    assert_eq!(uploads.len(), 3);
    assert_eq!(uploads[0].file_name, "my cat.png");
    assert!(uploads[0].path.ends_with("/my_cat.png"));
}

#[tokio::test]
async fn large_files_come_in_numbered_parts() {
    let bench = Bench::start().await;
    let path = INITIATE.replace("initiate", "initiate-multipart");
    let announced = body(bench.post(&path, &announcement()).await).await;
    let upload_url = announced["upload_url"].as_str().expect("a URL");
    let (place, query) = upload_url.split_once('?').expect("a signed URL");
    let mut parts = Vec::new();
    for (number, bytes) in [(1, b"hello ".to_vec()), (2, b"world".to_vec())] {
        let answered = put(&bench, &format!("{place}/{number}?{query}"), bytes).await;
        assert_eq!(answered.status(), 200);
        let part = body(answered).await;
        assert_eq!(part["partNumber"], number);
        parts.push(part);
    }
    let complete = format!("{place}/complete?{query}");
    let missing = json!({"parts": [{"partNumber": 3, "etag": "x"}]});
    let refused = bench.client.post(&complete).json(&missing).send().await;
    assert_eq!(refused.expect("an answer").status(), 400);
    let done = bench
        .client
        .post(&complete)
        .json(&json!({"parts": parts}))
        .send()
        .await;
    assert_eq!(done.expect("an answer").status(), 200);
    let file = read(&bench, &announced["file_url"]).await;
    assert_eq!(file.bytes().await.expect("bytes"), "hello world");
}

#[tokio::test]
async fn a_token_opens_the_cdn_s_own_endpoints() {
    let bench = Bench::start().await;
    let path = "/storage/auth/token?storage_type=fal-cdn-v3";
    let token = body(bench.post(path, &json!({})).await).await;
    assert_eq!(token["token_type"], "Bearer");
    assert_eq!(token["base_url"], bench.emulator.cdn_url());
    assert!(
        token["expires_at"]
            .as_str()
            .expect("a time")
            .ends_with("+00:00")
    );
    let bearer = format!("Bearer {}", token["token"].as_str().expect("a token"));

    let upload = |bearer: &str| {
        let call = bench
            .client
            .post(format!("{}/files/upload", bench.emulator.cdn_url()));
        let call = call
            .header("authorization", bearer)
            .header("x-fal-file-name", "a.png");
        call.header("content-type", "image/png")
            .body(png(40, 40))
            .send()
    };
    assert_eq!(
        upload("Bearer stolen").await.expect("an answer").status(),
        401
    );
    let stored = body(upload(&bearer).await.expect("an answer")).await;
    assert_eq!(read(&bench, &stored["access_url"]).await.status(), 200);

    let begin = bench.client.post(format!(
        "{}/files/upload/multipart",
        bench.emulator.cdn_url()
    ));
    let begin = begin
        .header("authorization", &bearer)
        .header("x-fal-file-name", "b.bin");
    let begun = body(begin.send().await.expect("an answer")).await;
    let access_url = begun["access_url"].as_str().expect("a URL");
    let session = format!(
        "{access_url}/multipart/{}",
        begun["uploadId"].as_str().expect("an id")
    );
    let mut parts = Vec::new();
    for (number, bytes) in [(2, b"b"), (1, b"a")] {
        let call = bench.call(Method::PUT, &format!("{session}/{number}"));
        let answered = call.body(bytes.to_vec()).send().await.expect("an answer");
        let etag = answered.headers()["etag"]
            .to_str()
            .expect("ASCII")
            .to_owned();
        parts.push(json!({"partNumber": number, "etag": etag}));
    }
    let done = bench
        .post(&format!("{session}/complete"), &json!({"parts": parts}))
        .await;
    assert_eq!(done.status(), 200);
    let file = read(&bench, &begun["access_url"]).await;
    assert_eq!(file.bytes().await.expect("bytes"), "ab");
}

#[tokio::test]
async fn lifecycles_are_recorded_and_obeyed() {
    let bench = Bench::with(Config {
        clock: Clock::from_fn(|| 1_800_000_000_000),
        ..Config::default()
    });
    let bench = bench.await;
    let wish = r#"{"expiration_duration_seconds": 60, "initial_acl": {"default": "forbid"}}"#;
    let call = bench.call(Method::POST, INITIATE).json(&announcement());
    let announced = call.header("x-fal-object-lifecycle", wish).send().await;
    let announced = body(announced.expect("an answer")).await;
    put(
        &bench,
        announced["upload_url"].as_str().expect("a URL"),
        png(40, 40),
    )
    .await;
    assert_eq!(bench.emulator.uploads()[0].lifecycle.as_deref(), Some(wish));
    let url = &announced["file_url"];
    assert_eq!(read(&bench, url).await.status(), 403);
    assert_eq!(bench.get(url.as_str().expect("a URL")).await.status(), 200);
    bench.emulator.skip(Duration::from_secs(60));
    assert_eq!(read(&bench, url).await.status(), 404);
}

#[tokio::test]
async fn a_locked_account_reads_and_neither_uploads_nor_submits() {
    let bench = Bench::start().await;
    let submitted = bench.submit(&crate::bench::input()).await;
    bench.emulator.set_locked(true);
    let path = crate::bench::request_path(&submitted);
    for (path, body_sent) in [
        ("/fal-ai/qwen-image-layered", crate::bench::input()),
        (INITIATE, announcement()),
        ("/storage/auth/token", json!({})),
    ] {
        let refused = bench.post(path, &body_sent).await;
        assert_eq!(refused.status(), 403);
        let detail = body(refused).await["detail"].clone();
        assert!(
            detail
                .as_str()
                .expect("text")
                .starts_with("User is locked. Reason: ")
        );
    }
    bench.emulator.wait_for_completed(1).await;
    assert_eq!(bench.get(&format!("{path}/status")).await.status(), 200);
    bench.emulator.set_locked(false);

    // Scripted, the lock meets whichever call comes first, and only that one.
    bench.emulator.script(Fault::Locked);
    assert_eq!(bench.post(INITIATE, &announcement()).await.status(), 403);
    assert_eq!(bench.post(INITIATE, &announcement()).await.status(), 200);
    bench.submit(&crate::bench::input()).await;
}
