//! The synchronous endpoint, under `/run`.

use fal_emulator::{Config, Fault, GatewayBody, MODEL, RequestError};
use serde_json::json;

use crate::bench::{Bench, body, input};

#[tokio::test]
async fn a_run_answers_with_the_bare_output() {
    let bench = Bench::start().await;
    let answered = bench.post(&format!("/run/{MODEL}"), &input()).await;
    assert_eq!(answered.status(), 200);
    assert_eq!(answered.headers()["x-fal-billable-units"], "1");
    let id = answered.headers()["x-fal-request-id"]
        .to_str()
        .expect("ASCII")
        .to_owned();
    assert_eq!(
        body(answered).await["images"].as_array().map(Vec::len),
        Some(4)
    );
    let seen = bench.emulator.requests();
    assert_eq!(seen[0].request_id, id);
    assert!(seen[0].sync);
}

#[tokio::test]
async fn a_run_beyond_the_account_s_limit_is_429() {
    let bench = Bench::with(Config {
        concurrency: Some(1),
        hold: true,
        ..Config::default()
    });
    let bench = bench.await;
    let queued = bench.submit(&input()).await;
    bench
        .emulator
        .begin(queued["request_id"].as_str().expect("an id"));
    assert_eq!(
        bench
            .post(&format!("/run/{MODEL}"), &input())
            .await
            .status(),
        429
    );
    assert_eq!(bench.emulator.submissions_count(), 1);
}

#[tokio::test]
async fn a_run_fails_with_the_model_s_own_status() {
    let bench = Bench::start().await;
    let invalid = bench.post(&format!("/run/{MODEL}"), &json!({})).await;
    assert_eq!(invalid.status(), 422);
    assert_eq!(invalid.headers()["x-fal-billable-units"], "0");
    assert_eq!(
        body(invalid).await["detail"][0]["loc"],
        json!(["body", "image_url"])
    );

    bench
        .emulator
        .script(Fault::RequestError(RequestError::RunnerDisconnected));
    let broken = bench.post(&format!("/run/{MODEL}"), &input()).await;
    assert_eq!(broken.status(), 503);
    assert_eq!(broken.headers()["x-fal-needs-retry"], "1");

    bench.emulator.script(Fault::Gateway {
        status: 502,
        body: GatewayBody::Nginx,
    });
    let gateway = bench.post(&format!("/run/{MODEL}"), &input()).await;
    assert_eq!(gateway.status(), 502);
    assert!(!gateway.headers().contains_key("x-fal-request-id"));
    assert!(gateway.text().await.expect("a body").contains("nginx"));
}
