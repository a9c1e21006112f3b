//! The two steps of an upload.

use std::time::Duration;

use bytes::Bytes;
use fal_queue::{Class, Client, Config, Error, Retry};
use serde_json::{Value, json};

use crate::server::{Reply, Server, reply};
use crate::{client, config};

fn target(server: &Server) -> Reply {
    let upload_url = server.url.join("bucket/a.png?X-Sig=0123").unwrap();
    reply(
        200,
        json!({"upload_url": upload_url, "file_url": "https://v3.fal.media/files/b/1/a.png"}),
    )
}

async fn upload(client: &Client) -> Result<url::Url, Error> {
    let bytes = Bytes::from_static(b"\x89PNG bytes");
    client
        .upload(bytes, "image/png", "a.png", Some(Duration::from_secs(3600)))
        .await
}

#[tokio::test]
async fn the_key_goes_to_the_first_step_and_not_to_the_second() {
    let server = Server::start([]).await;
    server.push(target(&server));
    server.push(reply(200, ""));
    let url = upload(&client(&server.url)).await.unwrap();
    assert_eq!(url.as_str(), "https://v3.fal.media/files/b/1/a.png");

    let [first, second] = server.seen().try_into().unwrap();
    assert_eq!(first.method, "POST");
    assert_eq!(
        first.target,
        "/storage/upload/initiate?storage_type=fal-cdn-v3"
    );
    assert_eq!(
        first.header("authorization"),
        Some("Key kid-1:ksecret-0123456789")
    );
    assert_eq!(first.header("content-type"), Some("application/json"));
    assert_eq!(
        first.header("x-fal-object-lifecycle"),
        Some(r#"{"expiration_duration_seconds":3600}"#)
    );
    let wanted: Value = serde_json::from_slice(&first.body).unwrap();
    assert_eq!(
        wanted,
        json!({"content_type": "image/png", "file_name": "a.png"})
    );

    assert_eq!(
        (second.method.as_str(), second.target.as_str()),
        ("PUT", "/bucket/a.png?X-Sig=0123")
    );
    assert_eq!(second.header("authorization"), None);
    assert_eq!(second.header("content-type"), Some("image/png"));
    assert_eq!(second.header("content-length"), Some("10"));
    assert!(
        second
            .headers
            .keys()
            .all(|name| !name.as_str().starts_with("x-fal"))
    );
    assert_eq!(second.body, b"\x89PNG bytes");
}

#[tokio::test]
async fn each_step_is_repeated_by_itself() {
    let server = Server::start([reply(503, "")]).await;
    server.push(target(&server));
    server.push(reply(500, ""));
    server.push(reply(201, ""));
    let retry = Retry {
        attempts: 2,
        min_delay: Duration::from_millis(1),
        ..Retry::default()
    };
    let client = Client::new(Config {
        retry,
        ..config(&server.url)
    })
    .unwrap();
    upload(&client).await.unwrap();
    let methods: Vec<_> = server.seen().into_iter().map(|seen| seen.method).collect();
    assert_eq!(methods, ["POST", "POST", "PUT", "PUT"]);
}

#[tokio::test]
async fn a_locked_account_is_said_by_the_first_step() {
    let locked = json!({"detail": "User is locked. Reason: Exhausted balance."});
    let server = Server::start([reply(403, locked)]).await;
    assert_eq!(
        upload(&client(&server.url)).await.unwrap_err().class(),
        Class::Locked
    );
}

#[tokio::test]
async fn a_refusal_of_the_bucket_does_not_blame_the_key() {
    for status in [401, 403, 404] {
        let server = Server::start([]).await;
        server.push(target(&server));
        server.push(reply(
            status,
            "<Error><Code>SignatureDoesNotMatch</Code></Error>",
        ));
        let error = upload(&client(&server.url)).await.unwrap_err();
        assert!(matches!(error, Error::Http(_)), "{error}");
        assert_eq!(error.class(), Class::Permanent);
    }
}

#[tokio::test]
async fn a_strange_target_gets_no_bytes() {
    let server = Server::start([]).await;
    for (upload_url, file_url) in [
        ("ftp://127.0.0.1/a", "https://v3.fal.media/a"),
        ("https://v3.fal.media/a", "file:///etc/passwd"),
        ("not a url", "https://v3.fal.media/a"),
    ] {
        server.push(reply(
            200,
            json!({"upload_url": upload_url, "file_url": file_url}),
        ));
        let error = upload(&client(&server.url)).await.unwrap_err();
        assert!(matches!(error, Error::Unexpected(_)), "{error}");
    }
}

#[tokio::test]
async fn what_cannot_be_uploaded_is_refused_first() {
    let server = Server::start([]).await;
    let client = client(&server.url);
    let small = Bytes::from_static(b"x");
    let large = Bytes::from(vec![0; (90 << 20) + 1]);
    for error in [
        client.upload(large, "image/png", "a", None).await,
        client.upload(small.clone(), "image/png\n", "a", None).await,
        client
            .upload(small, "image/png", "a", Some(Duration::ZERO))
            .await,
    ] {
        assert!(matches!(error.unwrap_err(), Error::Invalid(_)));
    }
    assert!(server.seen().is_empty());
}
