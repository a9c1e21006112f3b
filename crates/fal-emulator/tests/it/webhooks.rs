//! Webhooks: bytes, signature, retries, and everything that can be wrong with one.

use fal_emulator::{Config, Fault, MODEL};
use serde_json::{Value, json};

use crate::bench::{Bench, body, input};
use crate::receiver::{Delivery, Receiver};

/// Submits with a webhook and returns the answer.
async fn submit(bench: &Bench, receiver: &Receiver, input: &Value) -> Value {
    let path = format!("/{MODEL}{}", receiver.query("/hook/job-1?nonce=a%2Fb"));
    body(bench.post(&path, input).await).await
}

async fn jwks(bench: &Bench) -> Value {
    let answered = bench.client.get(bench.emulator.jwks_url()).send().await;
    body(answered.expect("public")).await
}

/// Runs one request under `faults` and returns what arrived, after `count` deliveries.
async fn delivered(bench: &Bench, faults: &[Fault], count: u64) -> Vec<Delivery> {
    bench.emulator.reset();
    bench.emulator.script_together(faults.iter().cloned());
    let receiver = Receiver::start(&[]).await;
    submit(bench, &receiver, &input()).await;
    bench.emulator.wait_for_webhooks(count).await;
    receiver.deliveries()
}

#[tokio::test]
async fn a_webhook_is_signed_over_its_raw_bytes() {
    let bench = Bench::start().await;
    let receiver = Receiver::start(&[]).await;
    let mut input = input();
    input["prompt"] = "Grüße".into();
    let submitted = submit(&bench, &receiver, &input).await;
    assert_eq!(submitted["gateway_request_id"], submitted["request_id"]);
    let sent = bench.emulator.wait_for_webhooks(1).await;
    assert_eq!((sent[0].attempt, sent[0].status), (1, Some(200)));

    let delivery = receiver.deliveries().remove(0);
    assert_eq!(delivery.path, "/hook/job-1?nonce=a%2Fb");
    assert_eq!(delivery.header("content-type"), "application/json");
    assert_eq!(
        delivery.header("x-fal-webhook-request-id"),
        submitted["request_id"]
    );
    let keys = jwks(&bench).await;
    assert!(delivery.is_signed_by(&keys));
    let mut altered = delivery.clone();
    altered.body = [&delivery.body[..], b" "].concat().into();
    assert!(!altered.is_signed_by(&keys));

    let told = delivery.json();
    assert_eq!(told["request_id"], submitted["request_id"]);
    assert_eq!(told["gateway_request_id"], submitted["request_id"]);
    assert_eq!(told["status"], "OK");
    assert_eq!(told["error"], Value::Null);
    let result = bench
        .get(submitted["response_url"].as_str().expect("a URL"))
        .await;
    assert_eq!(told["payload"], body(result).await);
    assert!(told["payload"]["seed"].as_u64().expect("a seed") > i64::MAX as u64);

    let text = std::str::from_utf8(&delivery.body).expect("UTF-8");
    assert!(text.starts_with("{\"error\": null, \"gateway_request_id\": \""));
    assert!(text.contains("\"prompt\": \"Gr\\u00fc\\u00dfe\""));
}

#[tokio::test]
async fn a_failed_request_is_told_with_its_status_code() {
    let bench = Bench::start().await;
    let receiver = Receiver::start(&[]).await;
    submit(&bench, &receiver, &json!({"num_layers": 11})).await;
    bench.emulator.wait_for_webhooks(1).await;
    let told = receiver.deliveries()[0].json();
    assert_eq!(told["status"], "ERROR");
    assert_eq!(told["error"], "Invalid status code: 422");
    let kinds: Vec<_> = told["payload"]["detail"]
        .as_array()
        .expect("a list")
        .iter()
        .collect();
    assert_eq!(kinds[0]["type"], "missing");
    assert_eq!(kinds[1]["type"], "less_than_equal");
    assert_eq!(kinds[1]["ctx"], json!({"le": 10.0}));
}

#[tokio::test]
async fn a_delivery_is_repeated_until_it_is_answered_with_2xx() {
    let bench = Bench::with(Config {
        webhook_speed: 10_000.0,
        ..Config::default()
    });
    let bench = bench.await;
    let receiver = Receiver::start(&[500, 404]).await;
    submit(&bench, &receiver, &input()).await;
    let sent = bench.emulator.wait_for_webhooks(3).await;
    let statuses: Vec<_> = sent.iter().map(|one| one.status).collect();
    assert_eq!(statuses, [Some(500), Some(404), Some(200)]);
    let bodies: Vec<_> = receiver
        .deliveries()
        .iter()
        .map(|one| one.body.clone())
        .collect();
    assert_eq!(bodies.len(), 3);
    assert!(bodies.iter().all(|one| *one == bodies[0]));
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_ends_the_delivery() {
    let bench = Bench::with(Config {
        webhook_speed: 1e6,
        ..Config::default()
    });
    let bench = bench.await;
    let receiver = Receiver::start(&[307]).await;
    submit(&bench, &receiver, &input()).await;
    let sent = bench.emulator.wait_for_webhooks(1).await;
    assert_eq!(sent[0].status, Some(307));
    // Nothing of this delivery is left when all tasks have ended.
    bench.emulator.stop().await;
    assert_eq!(receiver.deliveries().len(), 1);
}

#[tokio::test]
async fn a_private_address_gets_no_webhook_where_fal_would_send_none() {
    let bench = Bench::with(Config {
        public_webhooks: true,
        ..Config::default()
    });
    let bench = bench.await;
    let receiver = Receiver::start(&[]).await;
    submit(&bench, &receiver, &input()).await;
    bench.emulator.wait_for_completed(1).await;
    bench.emulator.stop().await;
    assert!(receiver.deliveries().is_empty());
}

#[tokio::test]
async fn a_delivery_is_given_up_after_thirty_retries() {
    let bench = Bench::with(Config {
        webhook_speed: 1e6,
        ..Config::default()
    });
    let bench = bench.await;
    let receiver = Receiver::start(&[500; 40]).await;
    submit(&bench, &receiver, &input()).await;
    bench.emulator.wait_for_webhooks(31).await;
    bench.emulator.stop().await;
    assert_eq!(receiver.deliveries().len(), 31);
}

#[tokio::test]
async fn forged_stale_and_unsigned_webhooks_can_be_told_apart() {
    let bench = Bench::start().await;
    let keys = jwks(&bench).await;
    let forged = delivered(&bench, &[Fault::WebhookForged], 1).await;
    assert!(!forged[0].is_signed_by(&keys));

    let fresh = delivered(&bench, &[Fault::Nothing], 1).await;
    let stale = delivered(&bench, &[Fault::WebhookStale], 1).await;
    assert!(stale[0].is_signed_by(&keys));
    let seconds = |one: &Delivery| one.header("x-fal-webhook-timestamp").parse::<i64>();
    let age = seconds(&fresh[0]).expect("seconds") - seconds(&stale[0]).expect("seconds");
    assert!((590..=600).contains(&age), "{age}");

    let unsigned = delivered(&bench, &[Fault::WebhookUnsigned], 1).await;
    assert!(
        !unsigned[0]
            .headers
            .keys()
            .any(|name| name.as_str().starts_with("x-fal-webhook"))
    );
}

#[tokio::test]
async fn a_rotated_key_is_in_the_set_only_afterwards() {
    let bench = Bench::start().await;
    let before = jwks(&bench).await;
    let rotated = delivered(&bench, &[Fault::WebhookRotatedKey], 1).await;
    assert!(!rotated[0].is_signed_by(&before));
    let after = jwks(&bench).await;
    assert!(rotated[0].is_signed_by(&after));
    // The last key stays for a while, the one before it does not.
    assert_eq!(after["keys"][1], before["keys"][0]);
    bench.emulator.rotate_key();
    assert_eq!(jwks(&bench).await["keys"].as_array().map(Vec::len), Some(2));
    assert!(rotated[0].is_signed_by(&jwks(&bench).await));
}

#[tokio::test]
async fn webhooks_repeat_or_stay_away_when_scripted() {
    let bench = Bench::start().await;
    let twice = delivered(&bench, &[Fault::WebhookTwice], 2).await;
    assert_eq!(twice[0].body, twice[1].body);

    let unknown = delivered(&bench, &[Fault::WebhookUnknownJob], 2).await;
    assert!(unknown[0].is_signed_by(&jwks(&bench).await));
    assert_ne!(unknown[0].path, unknown[1].path);
    assert!(unknown[0].path.starts_with("/hook/"));
    assert_ne!(
        unknown[0].json()["request_id"],
        unknown[1].json()["request_id"]
    );

    let null = delivered(&bench, &[Fault::WebhookNullPayload], 1).await;
    assert_eq!(null[0].json()["payload"], Value::Null);
    assert!(null[0].json()["payload_error"].is_string());

    bench.emulator.reset();
    bench.emulator.script(Fault::WebhookNever);
    let receiver = Receiver::start(&[]).await;
    submit(&bench, &receiver, &input()).await;
    submit(&bench, &receiver, &input()).await;
    // The second request's webhook is the first to arrive, so the first request's never was sent.
    bench.emulator.wait_for_completed(2).await;
    bench.emulator.wait_for_webhooks(1).await;
    bench.emulator.stop().await;
    assert_eq!(receiver.deliveries().len(), 1);
}

#[tokio::test]
async fn a_webhook_can_arrive_before_the_submission_is_answered() {
    let bench = Bench::start().await;
    bench.emulator.script(Fault::WebhookFirst);
    let receiver = Receiver::start(&[]).await;
    let submitted = submit(&bench, &receiver, &input()).await;
    let told = receiver.deliveries();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].json()["request_id"], submitted["request_id"]);
}

#[tokio::test]
async fn a_lost_answer_is_followed_by_a_webhook() {
    let bench = Bench::start().await;
    bench.emulator.script(Fault::DropAfterEnqueue);
    let receiver = Receiver::start(&[]).await;
    let path = format!("/{MODEL}{}", receiver.query("/hook"));
    let lost = bench
        .call(reqwest::Method::POST, &path)
        .json(&input())
        .send()
        .await;
    assert!(lost.is_err());
    bench.emulator.wait_for_webhooks(1).await;
    let paid = bench.emulator.requests();
    assert_eq!(paid.len(), 1);
    assert_eq!(
        receiver.deliveries()[0].json()["request_id"],
        paid[0].request_id
    );
    assert_eq!(bench.emulator.billable_units(), 1);
}

#[tokio::test]
async fn nobody_is_told_about_a_cancelled_request() {
    let bench = Bench::with(Config {
        hold: true,
        ..Config::default()
    });
    let bench = bench.await;
    let receiver = Receiver::start(&[]).await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        let submitted = submit(&bench, &receiver, &input()).await;
        ids.push(submitted["request_id"].as_str().expect("an id").to_owned());
    }
    bench.emulator.begin(&ids[1]);
    for id in &ids[..2] {
        bench.put(&format!("/{MODEL}/requests/{id}/cancel")).await;
    }
    bench.emulator.wait_for_completed(2).await;
    bench.emulator.complete(&ids[2]).await;
    bench.emulator.wait_for_webhooks(1).await;
    bench.emulator.stop().await;
    let told: Vec<_> = receiver.deliveries().iter().map(Delivery::json).collect();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["request_id"], ids[2]);
}
