//! The key and the data of users appear in no message.

use fal_queue::models::qwen_image_layered::Input;
use fal_queue::{Client, Config, ConfigError, SubmitOptions};
use serde_json::{Value, json};

use crate::server::{Server, reply};
use crate::{KEY, client, config, model};

fn assert_silent(text: &str) {
    assert!(!text.contains("ksecret"), "{text}");
    assert!(!text.contains(KEY), "{text}");
}

#[tokio::test]
async fn nothing_prints_the_key() {
    let server = Server::start([]).await;
    let config = config(&server.url);
    assert_silent(&format!("{config:?}"));
    let client = Client::new(config).unwrap();
    assert_silent(&format!("{client:?} {:?}", client.clone()));
}

#[tokio::test]
async fn an_answer_that_echoes_the_key_is_cleaned() {
    let echo = json!({"detail": format!("Key {KEY} is unknown (ksecret-0123456789)")});
    let server = Server::start([
        reply(401, &echo),
        reply(403, format!("<p>{KEY}</p>")),
        reply(200, format!("<p>{KEY}</p>")),
        reply(401, &echo),
    ])
    .await;
    let client = client(&server.url);
    for _ in 0..3 {
        let error = client.result::<Value>(&model(), "r").await.unwrap_err();
        assert_silent(&format!("{error} {error:?}"));
        if let Some(failure) = error.failure() {
            assert!(failure.message().contains("[key]"), "{error}");
        }
    }
    let error = client
        .submit(&model(), &json!({}), &SubmitOptions::default())
        .await
        .unwrap_err();
    assert_silent(&format!("{error} {error:?}"));
}

/// Every shape of an answer, with a text of the input in every place that holds text.
#[tokio::test]
async fn an_answer_that_echoes_the_input_is_in_no_message() {
    const PROMPT: &str = "lighthouse";
    let item = json!({"loc": ["body", PROMPT], "msg": PROMPT, "type": PROMPT, "url": PROMPT,
        "ctx": {PROMPT: PROMPT}, "input": PROMPT});
    let shapes = [
        json!({"detail": [item]}),
        json!({"detail": PROMPT, "error_type": PROMPT}),
        json!({"detail": PROMPT, "error_type": "internal_error"}),
        json!({"detail": {"prompt": PROMPT}}),
        json!({"message": PROMPT}),
        json!({"error": PROMPT}),
        json!({"status": PROMPT, "error": PROMPT, "error_type": PROMPT, "request_id": 7}),
        json!(PROMPT),
        json!([PROMPT]),
    ];
    let bodies = shapes.iter().map(Value::to_string);
    let bodies: Vec<String> = bodies
        .chain([
            format!("<p>{PROMPT}</p>"),
            format!("{{\"images\": \"{PROMPT}\""),
        ])
        .collect();
    let server = Server::start([]).await;
    let client = client(&server.url);
    for status in [200, 400, 401, 403, 404, 422, 429, 499, 500, 503] {
        for body in &bodies {
            let echo = || {
                reply(status, body)
                    .with("x-fal-error-type", PROMPT)
                    .with("retry-after", PROMPT)
            };
            for _ in 0..5 {
                server.push(echo());
            }
            let model = model();
            let asked = client.status(&model, "r", true).await;
            let fetched = client
                .result::<fal_queue::models::qwen_image_layered::Output>(&model, "r")
                .await;
            let cancelled = client.cancel(&model, "r").await;
            let listed = client.history(&model, 0).await;
            let submitted = client
                .submit(
                    &model,
                    &json!({"prompt": PROMPT}),
                    &SubmitOptions::default(),
                )
                .await;
            // An id is fal's to choose.
            let refused = submitted.as_ref().err();
            let mut said = format!("{asked:?} {fetched:?} {cancelled:?} {listed:?} {refused:?}");
            for error in [
                asked.err(),
                fetched.err(),
                cancelled.err(),
                listed.err(),
                submitted.err().map(|failed| failed.error),
            ] {
                said += &error.map(|error| error.to_string()).unwrap_or_default();
            }
            assert!(!said.contains(PROMPT), "{status} {body}: {said}");
        }
    }
}

#[test]
fn what_a_run_says_is_in_no_debug_output() {
    let output = json!({"images": [{"url": "https://cdn.test/lighthouse.png", "file_name": "lighthouse.png",
        "content_type": "lighthouse"}], "prompt": "lighthouse", "seed": 1});
    let output: fal_queue::models::qwen_image_layered::Output =
        serde_json::from_value(output).unwrap();
    assert!(!format!("{output:?}").contains("lighthouse"), "{output:?}");
    let body = br#"{"request_id": "r", "status": "ERROR", "error": "lighthouse", "payload_error": "lighthouse",
        "payload": {"detail": "lighthouse"}}"#;
    let body = fal_queue::webhook::WebhookBody::parse(body).unwrap();
    assert!(!format!("{body:?}").contains("lighthouse"), "{body:?}");
}

#[tokio::test]
async fn a_transport_error_names_no_address() {
    let base = crate::raw::nobody().await;
    let options = SubmitOptions {
        webhook_url: Some("https://app.example/hook?nonce=deadbeef".parse().unwrap()),
        ..Default::default()
    };
    let error = client(&base)
        .submit(&model(), &json!({}), &options)
        .await
        .unwrap_err();
    assert!(
        !format!("{error} {error:?}").contains("deadbeef"),
        "{error:?}"
    );
}

#[test]
fn debug_of_an_input_shows_no_picture() {
    let input = Input::new("data:image/png;base64,iVBORw0KGgo");
    let text = format!("{input:?}");
    assert!(
        text.contains("data:image/png;base64") && !text.contains("iVBOR"),
        "{text}"
    );
    let signed = Input::new("https://bucket.example/a.png?sig=abc");
    assert!(!format!("{signed:?}").contains("abc"));
}

#[test]
fn a_wrong_setting_is_refused_without_repeating_secrets() {
    let error = Client::new(Config::with_key("kid:ksecret\n")).unwrap_err();
    assert!(matches!(error, ConfigError::Key));
    assert_silent(&format!("{error} {error:?}"));
    for address in [
        "ftp://host/",
        "http://user:ksecret@host/",
        "https://host/?a=ksecret",
        "data:x",
        "https://host/#f",
    ] {
        let config = Config {
            rest_url: address.parse().unwrap(),
            ..Config::default()
        };
        let error = Client::new(config).unwrap_err();
        assert!(
            matches!(error, ConfigError::Address("rest_url", _)),
            "{address}"
        );
        assert_silent(&error.to_string());
    }
}
