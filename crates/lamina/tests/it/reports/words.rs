//! Refusals say the real reason, and what to do about that one.

use serde_json::json;

use crate::support::{TestApp, Way, emulator};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_picture_that_fal_refuses_is_told_why_and_what_to_send() {
    let emulator = emulator().await;
    let app = TestApp::start(Way::FalPolling, Some(&emulator)).await;
    for (why, says, never) in [
        ("image_too_large", "Send a smaller one", "larger"),
        ("image_too_small", "Send a larger one", "smaller"),
        ("file_too_large", "Send a smaller one", "larger"),
        ("image_load_error", "could not decode", "smaller"),
        ("unsupported_image_format", "Send a JPEG or PNG", "smaller"),
    ] {
        let prompt = format!(r#"[[emulator:{{"model_error":"{why}"}}]]"#);
        let job = app.split(json!({ "prompt": prompt })).await;
        assert_eq!(job["error_code"], "engine_rejected_image", "{why} {job}");
        let sentence = job["error"].as_str().unwrap();
        assert!(
            sentence.contains(says) && !sentence.contains(never),
            "{why}: {sentence}"
        );
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sentence_that_begins_with_an_address_keeps_it() {
    let app = TestApp::start(Way::Local, None).await;
    for url in ["http://10.0.0.1/x.png", "http://127.0.0.1:9/x.png"] {
        let id = app.create(&json!({ "image_url": url })).await;
        let job = app.finished(&id).await;
        let sentence = job["error"].as_str().unwrap();
        assert!(sentence.contains(url), "{sentence}");
    }
    app.stop().await;
}
