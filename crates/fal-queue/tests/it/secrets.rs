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
        assert!(error.to_string().contains("[key]"), "{error}");
    }
    let error = client
        .submit(&model(), &json!({}), &SubmitOptions::default())
        .await
        .unwrap_err();
    assert_silent(&format!("{error} {error:?}"));
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
