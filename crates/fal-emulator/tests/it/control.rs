//! The controls over HTTP, and the proxy convention.

use fal_emulator::{Config, Fault, MODEL};
use reqwest::Method;
use serde_json::{Value, json};

use crate::bench::{Bench, body, input, prompted};

#[tokio::test]
async fn a_script_can_be_posted() {
    let bench = Bench::start().await;
    let post = async |path: &str, sent: Value| {
        let url = format!("{}/_emulator{path}", bench.emulator.url());
        let answered = bench
            .client
            .post(url)
            .json(&sent)
            .send()
            .await
            .expect("an answer");
        (answered.status().as_u16(), body(answered).await)
    };
    let faults = json!(["gateway_503_nginx", {"rate_limited": {"retry_after": 3}},
        ["empty_images", "webhook_never"]]);
    let (status, told) = post("/script", json!({"faults": faults})).await;
    assert_eq!((status, &told["script_pending"]), (200, &json!(3)));
    let answered = bench.post(&format!("/{MODEL}"), &input()).await;
    assert_eq!(answered.status(), 503);
    let answered = bench.post(&format!("/{MODEL}"), &input()).await;
    assert_eq!(answered.headers()["retry-after"], "3");
    bench.submit(&input()).await;
    assert_eq!(
        bench.emulator.requests()[0].faults,
        ["empty_images", "webhook_never"]
    );

    let rule = json!({"faults": ["nsfw"], "prompt_contains": "beach"});
    assert_eq!(post("/script", rule).await.0, 200);
    bench.submit(&prompted("a beach")).await;
    assert_eq!(bench.emulator.requests()[1].faults, ["nsfw"]);
    let rule = json!({"faults": ["data_uris"], "prompt_contains": "hill", "once": true});
    assert_eq!(post("/script", rule).await.0, 200);
    for faults in [&["data_uris"][..], &[]] {
        bench.submit(&prompted("a hill")).await;
        assert_eq!(bench.emulator.requests().last().unwrap().faults, faults);
    }
    let (status, told) = post("/script", json!({"faults": ["nonsense"]})).await;
    assert_eq!(status, 422);
    assert!(told["detail"].as_str().expect("text").contains("nonsense"));
    assert_eq!(post("/script", json!({"fault": 1})).await.0, 422);

    assert_eq!(post("/reset", json!({})).await.0, 200);
    assert_eq!(bench.emulator.counters(), fal_emulator::Counters::default());
    assert!(bench.emulator.requests().is_empty());
}

#[tokio::test]
async fn held_requests_are_released_and_seen_over_http() {
    let bench = Bench::with(Config {
        hold: true,
        ..Config::default()
    });
    let bench = bench.await;
    let call = async |method: Method, path: &str| {
        let url = format!("{}/_emulator{path}", bench.emulator.url());
        body(
            bench
                .client
                .request(method, url)
                .send()
                .await
                .expect("an answer"),
        )
        .await
    };
    bench.submit(&input()).await;
    let seen = call(Method::GET, "/requests?at_least=1").await;
    let id = seen[0]["request_id"].as_str().expect("an id");
    assert_eq!(seen[0]["status"], "IN_QUEUE");
    assert_eq!(seen[0]["input"], input());
    assert_eq!(seen[0]["headers"].get("authorization"), None);
    assert_eq!(seen[0]["headers"]["content-type"], "application/json");
    assert_eq!(
        call(Method::POST, &format!("/release/{id}")).await,
        json!({"ok": true})
    );
    bench.emulator.wait_for_completed(1).await;
    let summary = call(Method::GET, "").await;
    assert_eq!(call(Method::GET, "/").await, summary);
    assert_eq!(summary["requests"], json!({"COMPLETED": 1}));
    assert_eq!(summary["counters"]["billed_units"], 1);
    let faults = call(Method::GET, "/faults").await;
    assert_eq!(faults.as_array().map(Vec::len), Some(Fault::all().len()));
    assert!(call(Method::POST, "/release/nobody").await["detail"].is_string());
}

#[tokio::test]
async fn the_proxy_convention_reaches_queue_run_and_storage() {
    let bench = Bench::start().await;
    let through = |method: Method, target: &str, sent: Value| {
        let call = bench
            .call(method, "/api/fal/proxy")
            .header("x-fal-target-url", target);
        call.json(&sent).send()
    };
    let target = format!("https://queue.fal.run/{MODEL}");
    let submitted = through(Method::POST, &target, input())
        .await
        .expect("an answer");
    let submitted = body(submitted).await;
    bench.emulator.wait_for_completed(1).await;
    let id = submitted["request_id"].as_str().expect("an id");
    let target = format!("{target}/requests/{id}/status?logs=1");
    let status = through(Method::GET, &target, json!(null))
        .await
        .expect("an answer");
    assert_eq!(body(status).await["logs"][0]["message"], "step 28/28");
    let target = format!("https://fal.run/{MODEL}");
    assert_eq!(
        through(Method::POST, &target, input())
            .await
            .expect("an answer")
            .status(),
        200
    );
    let target = "https://rest.fal.ai/storage/upload/initiate?storage_type=fal-cdn-v3";
    let sent = json!({"content_type": "image/png", "file_name": "a.png"});
    let announced = through(Method::POST, target, sent)
        .await
        .expect("an answer");
    let upload_url = body(announced).await["upload_url"].clone();
    assert!(
        upload_url
            .as_str()
            .expect("a URL")
            .starts_with(&bench.emulator.url())
    );
    let foreign = through(Method::GET, "https://example.com/", json!(null)).await;
    assert_eq!(foreign.expect("an answer").status(), 400);
}

#[tokio::test]
async fn apps_in_a_browser_may_call_it() {
    let bench = Bench::start().await;
    let url = format!("{}/{MODEL}", bench.emulator.url());
    let call = bench.client.request(Method::OPTIONS, url);
    let call = call.header("origin", "http://app.example");
    let call = call.header("access-control-request-method", "POST");
    let call = call.header(
        "access-control-request-headers",
        "authorization,x-fal-target-url",
    );
    let answered = call.send().await.expect("an answer");
    assert_eq!(answered.headers()["access-control-allow-origin"], "*");
    assert_eq!(answered.status(), 200);
}
