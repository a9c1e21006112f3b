//! What a submit sends, and what is known about it when it fails.

use std::time::Duration;

use fal_queue::models::qwen_image_layered::{Acceleration, Input, OutputFormat};
use fal_queue::{
    Class, Client, Config, Delivery, Error, Priority, Retry, SubmitError, SubmitOptions,
};
use serde_json::{Value, json};
use url::Url;

use crate::raw::{Act, Raw, nobody};
use crate::server::{Server, reply};
use crate::{client, config, model};

async fn submit_to(base: &Url) -> Result<fal_queue::Submitted, SubmitError> {
    let input = json!({"image_url": "https://example.com/a.png"});
    client(base)
        .submit(&model(), &input, &SubmitOptions::default())
        .await
}

async fn failed(base: &Url) -> SubmitError {
    submit_to(base).await.expect_err("the submit fails")
}

#[tokio::test]
async fn a_plain_submit_sends_the_input_and_nothing_more() {
    let server = Server::start([reply(
        200,
        json!({
            "status": "IN_QUEUE", "request_id": "0190-a", "queue_position": 3, "logs": null, "metrics": {},
            "response_url": "https://queue.fal.run/fal-ai/qwen-image-layered/requests/0190-a",
            "status_url": "https://queue.fal.run/fal-ai/qwen-image-layered/requests/0190-a/status",
            "cancel_url": "https://queue.fal.run/fal-ai/qwen-image-layered/requests/0190-a/cancel",
            "gateway_request_id": "0190-b",
        }),
    )])
    .await;
    let input = Input {
        num_layers: Some(4),
        seed: Some(u64::MAX),
        guidance_scale: Some(5.5),
        output_format: Some(OutputFormat::Webp),
        acceleration: Some(Acceleration::None),
        ..Input::new("https://example.com/a.png")
    };
    let lora = "fal-ai/qwen-image-layered/lora".parse().unwrap();
    let submitted = client(&server.url)
        .submit(&lora, &input, &SubmitOptions::default())
        .await
        .unwrap();
    assert_eq!(submitted.request_id, "0190-a");
    assert_eq!(submitted.queue_position, Some(3));
    assert_eq!(submitted.gateway_request_id.as_deref(), Some("0190-b"));
    assert!(submitted.cancel_url.unwrap().path().ends_with("/cancel"));

    let [seen] = server.seen().try_into().unwrap();
    assert_eq!(
        (seen.method.as_str(), seen.target.as_str()),
        ("POST", "/fal-ai/qwen-image-layered/lora")
    );
    assert_eq!(
        seen.header("authorization"),
        Some("Key kid-1:ksecret-0123456789")
    );
    assert_eq!(seen.header("content-type"), Some("application/json"));
    assert!(seen.header("user-agent").unwrap().starts_with("fal-queue/"));
    assert!(
        seen.headers
            .keys()
            .all(|name| !name.as_str().starts_with("x-fal")),
        "{:?}",
        seen.headers
    );
    let sent: Value = serde_json::from_slice(&seen.body).unwrap();
    assert_eq!(
        sent,
        json!({
            "image_url": "https://example.com/a.png", "num_layers": 4, "seed": u64::MAX,
            "guidance_scale": 5.5, "output_format": "webp", "acceleration": "none",
        })
    );
}

#[tokio::test]
async fn every_option_reaches_its_header_or_query() {
    let server = Server::start([reply(201, json!({"request_id": "r"}))]).await;
    let options = SubmitOptions {
        webhook_url: Some("https://app.example/hook?x=1&y=a b".parse().unwrap()),
        priority: Some(Priority::Low),
        start_timeout: Some(Duration::from_secs(30)),
        no_retry: true,
        store_io: Some(false),
        object_lifetime: Some(Duration::from_secs(3600)),
        max_queue_length: Some(7),
        runner_hint: Some("h1".into()),
        tags: vec![
            ("lamina-job".into(), "a b".into()),
            ("x".into(), "1".into()),
        ],
        disable_fallback: true,
    };
    // The base may have a path of its own, with or without a slash at its end.
    let base = server.url.join("base/").unwrap();
    let submitted = client(&base)
        .submit(&model(), &json!({}), &options)
        .await
        .unwrap();
    assert_eq!(submitted.request_id, "r");
    assert_eq!(submitted.status_url, None);
    let [seen] = server.seen().try_into().unwrap();
    let target = server.url.join(&seen.target).unwrap();
    assert_eq!(target.path(), "/base/fal-ai/qwen-image-layered");
    let query: Vec<_> = target.query_pairs().into_owned().collect();
    assert_eq!(
        query,
        [
            (
                "fal_webhook".into(),
                "https://app.example/hook?x=1&y=a%20b".to_owned()
            ),
            ("fal_max_queue_length".into(), "7".to_owned()),
        ]
    );
    for (name, value) in [
        ("x-fal-queue-priority", "low"),
        ("x-fal-request-timeout", "30"),
        ("x-fal-no-retry", "1"),
        ("x-fal-store-io", "0"),
        (
            "x-fal-object-lifecycle-preference",
            r#"{"expiration_duration_seconds":3600}"#,
        ),
        ("x-fal-runner-hint", "h1"),
        ("x-fal-tags", "lamina-job=a b,x=1"),
        ("x-app-fal-disable-fallback", "1"),
    ] {
        assert_eq!(seen.header(name), Some(value), "{name}");
    }
}

#[tokio::test]
async fn tags_that_fal_would_drop_are_refused_before_anything_is_sent() {
    let client = client(&nobody().await);
    let long = "x".repeat(257);
    let many = vec![("a", "b"); 11];
    let large = vec![("a", &long[..200]); 6];
    for tags in [
        vec![("Upper", "x")],
        vec![("fal.x", "x")],
        vec![("", "x")],
        vec![("a", "")],
        vec![("a", "b,c")],
        vec![("a", "é")],
        vec![("a", "b\n")],
        vec![("a", &*long)],
        many,
        large,
    ] {
        let tags = tags.into_iter().map(|(n, v)| (n.to_owned(), v.to_owned()));
        let options = SubmitOptions {
            tags: tags.collect(),
            ..Default::default()
        };
        let error = client.submit(&model(), &json!({}), &options).await;
        let error = error.unwrap_err();
        assert_eq!(error.delivery, Delivery::NotSent);
        assert!(matches!(error.error, Error::Invalid(_)), "{error}");
    }
}

#[tokio::test]
async fn options_that_make_no_sense_are_refused_before_anything_is_sent() {
    let base = nobody().await;
    for options in [
        SubmitOptions {
            start_timeout: Some(Duration::from_secs(1)),
            ..Default::default()
        },
        SubmitOptions {
            object_lifetime: Some(Duration::from_millis(900)),
            ..Default::default()
        },
        SubmitOptions {
            runner_hint: Some("a\nb".into()),
            ..Default::default()
        },
    ] {
        let error = client(&base)
            .submit(&model(), &json!({}), &options)
            .await
            .unwrap_err();
        assert_eq!(error.delivery, Delivery::NotSent);
        assert!(matches!(error.error, Error::Invalid(_)), "{error}");
    }
}

#[tokio::test]
async fn a_refused_connection_sent_nothing() {
    let error = failed(&nobody().await).await;
    assert_eq!(error.delivery, Delivery::NotSent);
    assert!(matches!(error.error, Error::Connect(_)), "{error}");
    assert_eq!(error.error.class(), Class::Retryable);
}

#[tokio::test]
async fn a_broken_tls_handshake_sent_nothing() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base: Url = format!("https://{}/", listener.local_addr().unwrap())
        .parse()
        .unwrap();
    let plain_speaker = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut stream, b"HTTP/1.1 400 Bad Request\r\n\r\n")
            .await
            .unwrap();
    });
    let error = failed(&base).await;
    plain_speaker.await.unwrap();
    assert_eq!(error.delivery, Delivery::NotSent, "{error}");
    assert!(matches!(error.error, Error::Connect(_)), "{error}");
}

#[tokio::test]
async fn a_tls_handshake_without_an_answer_sent_nothing() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base: Url = format!("https://{}/", listener.local_addr().unwrap())
        .parse()
        .unwrap();
    let impatient = Config {
        connect_timeout: Duration::from_millis(200),
        ..config(&base)
    };
    let client = Client::new(impatient).unwrap();
    let error = client
        .submit(&model(), &json!({}), &SubmitOptions::default())
        .await
        .unwrap_err();
    assert_eq!(error.delivery, Delivery::NotSent, "{error}");
    assert!(matches!(error.error, Error::Connect(_)), "{error}");
    drop(listener);
}

#[tokio::test]
async fn a_connection_that_closes_without_an_answer_leaves_it_unknown() {
    for acts in [
        Act::Hang,
        Act::Say(Vec::new()),
        Act::Say(b"HTTP/1.1 200 OK\r\nconte".to_vec()),
    ] {
        let raw = Raw::start([acts]).await;
        let error = failed(&raw.url).await;
        assert_eq!(error.delivery, Delivery::Unknown, "{error}");
        assert!(matches!(error.error, Error::Interrupted(_)), "{error}");
        raw.requests().await;
    }
}

#[tokio::test]
async fn an_answer_cut_in_the_middle_leaves_it_unknown() {
    let head = "HTTP/1.1 200 OK\r\nx-fal-request-id: 0190-c\r\n";
    for rest in [
        "content-length: 90\r\n\r\n{\"request_id\": \"0190-c\", ",
        "transfer-encoding: chunked\r\n\r\n18\r\n{\"request_id\": \"0190-c\", ",
        // Without a length the cut shows only in the JSON.
        "connection: close\r\n\r\n{\"request_id\": \"0190-c\", ",
    ] {
        let raw = Raw::start([Act::Say(format!("{head}{rest}").into_bytes())]).await;
        let error = failed(&raw.url).await;
        assert_eq!(error.delivery, Delivery::Unknown, "{error}");
        assert!(
            matches!(error.error, Error::Interrupted(_) | Error::Malformed(_)),
            "{error}"
        );
        assert_eq!(error.request_id.as_deref(), Some("0190-c"));
        assert_eq!(raw.requests().await, 1);
    }
}

#[tokio::test]
async fn silence_and_a_slow_drip_end_in_a_time_out_and_leave_it_unknown() {
    let head = b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n".to_vec();
    let times_out = async |act| {
        let raw = Raw::start([act]).await;
        // The server never finishes; the limit only has to let the request arrive.
        let impatient = Config {
            request_timeout: Duration::from_secs(2),
            ..config(&raw.url)
        };
        let client = Client::new(impatient).unwrap();
        let error = client
            .submit(&model(), &json!({}), &SubmitOptions::default())
            .await
            .unwrap_err();
        assert_eq!(error.delivery, Delivery::Unknown, "{error}");
        assert!(matches!(error.error, Error::Timeout(_)), "{error}");
        drop(client);
        assert_eq!(raw.requests().await, 1);
    };
    tokio::join!(
        times_out(Act::SayAndHold(Vec::new())),
        times_out(Act::SayAndHold(head.clone())),
        times_out(Act::Drip(head)),
    );
}

#[tokio::test]
async fn a_success_that_cannot_be_read_leaves_it_unknown() {
    for (body, class) in [
        ("<html>welcome</html>", Class::Retryable),
        ("", Class::Retryable),
        (r#"{"status": "IN_QUEUE"}"#, Class::Permanent),
        (r#"{"request_id": ""}"#, Class::Permanent),
        (r#"{"request_id": 7}"#, Class::Permanent),
    ] {
        let server = Server::start([reply(200, body)]).await;
        let error = failed(&server.url).await;
        assert_eq!(
            (error.delivery, error.error.class()),
            (Delivery::Unknown, class),
            "{body}"
        );
    }
    let server = Server::start([reply(200, "x".repeat(5000))]).await;
    let small = Config {
        max_answer_bytes: 1000,
        ..config(&server.url)
    };
    let error = Client::new(small)
        .unwrap()
        .submit(&model(), &json!({}), &SubmitOptions::default())
        .await;
    let error = error.unwrap_err();
    assert_eq!(error.delivery, Delivery::Unknown);
    assert!(
        matches!(error.error, Error::TooLarge { limit: 1000 }),
        "{error}"
    );
}

#[tokio::test]
async fn the_code_of_an_answer_says_whether_it_was_refused() {
    use Delivery::{Refused, Unknown};
    for (status, id, delivery) in [
        (302, false, Refused),
        (303, false, Unknown),
        (307, false, Refused),
        (400, true, Refused),
        (401, true, Refused),
        (402, true, Refused),
        (403, true, Refused),
        (404, true, Refused),
        (408, false, Refused),
        (413, false, Refused),
        (422, true, Refused),
        (429, true, Refused),
        (499, true, Unknown),
        (500, true, Unknown),
        (500, false, Unknown),
        (502, false, Unknown),
        (503, false, Refused),
        (503, true, Unknown),
        (504, true, Unknown),
        (520, false, Unknown),
    ] {
        let answer = reply(status, json!({"detail": "no"}));
        let answer = if id {
            answer.with("x-fal-request-id", "0190-d")
        } else {
            answer
        };
        let server = Server::start([answer]).await;
        let error = failed(&server.url).await;
        assert_eq!(error.delivery, delivery, "{status}, id {id}");
        assert_eq!(error.request_id.is_some(), id);
        assert_eq!(error.error.failure().unwrap().status, status);
    }
}

#[tokio::test]
async fn a_refusal_stays_a_refusal_when_its_body_is_cut() {
    let answer =
        b"HTTP/1.1 403 Forbidden\r\ncontent-length: 500\r\n\r\n{\"detail\": \"User is locked. Rea"
            .to_vec();
    let raw = Raw::start([Act::Say(answer)]).await;
    let error = failed(&raw.url).await;
    assert_eq!(error.delivery, Delivery::Refused);
    assert_eq!(error.error.class(), Class::Locked);
}

#[tokio::test]
async fn a_submit_is_never_repeated_whatever_the_retry_setting_says() {
    for status in [408, 429, 500, 502, 503, 504] {
        let server = Server::start([reply(status, "busy").with("retry-after", "0")]).await;
        let eager = Config {
            retry: Retry {
                attempts: 5,
                min_delay: Duration::from_millis(1),
                ..Retry::default()
            },
            ..config(&server.url)
        };
        let client = Client::new(eager).unwrap();
        client
            .submit(&model(), &json!({}), &SubmitOptions::default())
            .await
            .unwrap_err();
        assert_eq!(server.seen().len(), 1, "{status}");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_the_key_does_not_travel() {
    let elsewhere = Server::start([]).await;
    let server = Server::start([
        reply(307, "").with("location", elsewhere.url.as_str()),
        reply(302, "").with("location", elsewhere.url.as_str()),
    ])
    .await;
    assert_eq!(failed(&server.url).await.delivery, Delivery::Refused);
    let error = client(&server.url)
        .status(&model(), "r", false)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Http(_)), "{error}");
    assert!(elsewhere.seen().is_empty());
}
