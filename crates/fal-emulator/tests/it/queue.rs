//! The queue API: what is answered when, and in which order requests run.

use std::time::Duration;

use fal_emulator::{Clock, Config, MODEL};
use reqwest::Method;
use serde_json::{Value, json};

use crate::bench::{Bench, body, input, prompted, request_path};

fn held() -> Config {
    Config {
        hold: true,
        ..Config::default()
    }
}

#[tokio::test]
async fn a_request_goes_from_queue_to_progress_to_result() {
    let bench = Bench::with(held()).await;
    let submitted = bench.submit(&input()).await;
    let id = submitted["request_id"].as_str().expect("an id").to_owned();
    let url = format!("{}{}", bench.emulator.url(), request_path(&submitted));
    assert_eq!(submitted["status"], "IN_QUEUE");
    assert_eq!(submitted["queue_position"], 0);
    assert_eq!(submitted["response_url"], url);
    assert_eq!(submitted["status_url"], format!("{url}/status"));
    assert_eq!(submitted["cancel_url"], format!("{url}/cancel"));
    assert_eq!(submitted.get("gateway_request_id"), None);

    let queued = bench.get(&format!("{url}/status")).await;
    assert_eq!(queued.status(), 202);
    assert_eq!(queued.headers()["x-fal-request-id"], id.as_str());
    let queued = body(queued).await;
    assert_eq!(queued["status"], "IN_QUEUE");
    assert_eq!(queued["queue_position"], 0);
    assert_eq!(queued["logs"], Value::Null);
    assert_eq!(queued["metrics"], json!({}));

    bench.emulator.begin(&id);
    bench.emulator.report(&id, "warming up");
    let running = bench.get(&format!("{url}/status/?logs=true")).await;
    assert_eq!(running.status(), 202);
    let running = body(running).await;
    assert_eq!(running["status"], "IN_PROGRESS");
    assert_eq!(running.get("queue_position"), None);
    assert_eq!(running["logs"][0]["message"], "warming up");
    let stamp = running["logs"][0]["timestamp"].as_str().expect("a time");
    assert_eq!(stamp.len(), "2026-01-01T00:00:00.000000Z".len());

    let early = bench.get(&url).await;
    assert_eq!(early.status(), 400);
    assert_eq!(body(early).await["detail"], "Request is still in progress");

    bench.emulator.complete(&id).await;
    let done = bench.get(&format!("{url}/status?logs=0")).await;
    assert_eq!(done.status(), 200);
    let done = body(done).await;
    assert_eq!(done["status"], "COMPLETED");
    assert!(done["metrics"]["inference_time"].is_f64());
    assert_eq!(done.get("error"), None);

    let logged = &bench.emulator.requests()[0].logs;
    assert_eq!(*logged, ["warming up", "step 28/28"]);

    let result = bench.get(&format!("{url}/")).await;
    assert_eq!(result.status(), 200);
    assert_eq!(result.headers()["x-fal-request-id"], id.as_str());
    assert_eq!(result.headers()["x-fal-billable-units"], "1");
    let result = body(result).await;
    assert_eq!(result["images"].as_array().map(Vec::len), Some(4));
    assert_eq!(bench.emulator.billable_units(), 1);
    assert!((bench.emulator.billed_usd() - 0.05).abs() < 1e-9);
}

#[tokio::test]
async fn the_path_of_a_model_is_dropped_after_submission() {
    let bench = Bench::with(held()).await;
    let answered = bench.post(&format!("/{MODEL}/lora"), &input()).await;
    let submitted = body(answered).await;
    let path = request_path(&submitted);
    assert!(
        submitted["status_url"]
            .as_str()
            .expect("a URL")
            .ends_with(&format!("{path}/status"))
    );
    let with_path = path.replace("/requests", "/lora/requests");
    assert_eq!(bench.get(&format!("{path}/status")).await.status(), 202);
    assert_eq!(
        bench.get(&format!("{with_path}/status")).await.status(),
        405
    );
    assert_eq!(
        bench.put(&format!("{with_path}/cancel")).await.status(),
        405
    );
    assert_eq!(bench.emulator.requests()[0].model, format!("{MODEL}/lora"));
}

#[tokio::test]
async fn unknown_requests_and_applications_are_404() {
    let bench = Bench::start().await;
    for path in ["", "/status", "/status/stream"] {
        let answered = bench.get(&format!("/{MODEL}/requests/nobody{path}")).await;
        assert_eq!(answered.status(), 404);
        assert!(answered.headers().contains_key("x-fal-request-id"));
        let told = body(answered).await;
        if path == "/status" {
            assert_eq!(told, json!({"status": "NOT_FOUND"}));
        } else {
            assert!(told["detail"].is_string());
        }
    }
    let cancelled = bench.put(&format!("/{MODEL}/requests/nobody/cancel")).await;
    assert_eq!(cancelled.status(), 404);
    assert_eq!(body(cancelled).await["status"], "NOT_FOUND");
    assert_eq!(bench.post("/fal-ai/other", &input()).await.status(), 404);
    // A path that the application does not have is found out by the runner.
    let answered = bench.post(&format!("/{MODEL}/other"), &input()).await;
    assert_eq!(answered.status(), 200);
    let path = request_path(&body(answered).await);
    bench.emulator.wait_for_completed(1).await;
    assert_eq!(bench.get(&path).await.status(), 404);
}

#[tokio::test]
async fn keys_are_checked_on_every_call() {
    let bench = Bench::start().await;
    let submitted = bench.submit(&input()).await;
    let url = format!("{}{}", bench.emulator.url(), request_path(&submitted));
    for (key, text) in [
        (Some("Key who:knows"), "No user found for Key ID and Secret"),
        (
            Some("Key nonsense"),
            "Invalid Key Authorization header format. Expected '<key_id>:<key_secret>'.",
        ),
        (
            None,
            "Authentication is required to access this application",
        ),
    ] {
        for call in [
            bench
                .client
                .post(format!("{}/{MODEL}", bench.emulator.url()))
                .json(&input()),
            bench.client.get(format!("{url}/status")),
            bench.client.get(&url),
            bench.client.put(format!("{url}/cancel")),
        ] {
            let call = match key {
                Some(key) => call.header("authorization", key),
                None => call,
            };
            let answered = call.send().await.expect("an answer");
            assert_eq!(answered.status(), 401);
            assert_eq!(body(answered).await["detail"], text);
        }
    }
    assert_eq!(bench.emulator.counters().submissions, 1);
    assert_eq!(bench.emulator.counters().attempts, 4);
    let open = Bench::with(Config {
        any_key: true,
        ..Config::default()
    });
    let open = open.await;
    let call = open
        .client
        .post(format!("{}/{MODEL}", open.emulator.url()))
        .json(&input());
    let answered = call.header("authorization", "Key who:knows").send().await;
    assert_eq!(answered.expect("an answer").status(), 200);
}

#[tokio::test]
async fn cancelling_depends_on_how_far_a_request_is() {
    let bench = Bench::with(held()).await;
    let queued = bench.submit(&input()).await;
    let running = bench.submit(&input()).await;
    let finished = bench.submit(&input()).await;
    bench
        .emulator
        .begin(running["request_id"].as_str().expect("an id"));
    bench
        .emulator
        .complete(finished["request_id"].as_str().expect("an id"))
        .await;

    for (submitted, status, word) in [
        (&queued, 200, "OK"),
        (&running, 202, "CANCELLATION_REQUESTED"),
        (&finished, 400, "ALREADY_COMPLETED"),
    ] {
        let answered = bench
            .put(&format!("{}/cancel", request_path(submitted)))
            .await;
        assert_eq!(answered.status(), status);
        assert_eq!(body(answered).await, json!({"status": word}));
    }
    bench.emulator.wait_for_completed(3).await;
    for submitted in [&queued, &running] {
        let path = request_path(submitted);
        let status = bench.get(&format!("{path}/status")).await;
        assert_eq!(status.status(), 200);
        let status = body(status).await;
        assert_eq!(status["status"], "COMPLETED");
        assert_eq!(status["error_type"], "client_cancelled");
        let result = bench.get(&path).await;
        assert_eq!(result.status(), 499);
        assert_eq!(result.headers()["x-fal-error-type"], "client_cancelled");
        assert_eq!(result.headers()["x-fal-billable-units"], "0");
    }
    assert_eq!(bench.emulator.cancelled().len(), 2);
    assert_eq!(bench.emulator.billable_units(), 1);
}

#[tokio::test]
async fn low_priority_waits_behind_all_normal_requests() {
    let bench = Bench::with(Config {
        concurrency: Some(1),
        ..held()
    });
    let bench = bench.await;
    let submit = async |priority: &str| {
        let call = bench
            .call(Method::POST, &format!("/{MODEL}"))
            .json(&input());
        let answered = call.header("x-fal-queue-priority", priority).send().await;
        body(answered.expect("an answer")).await
    };
    let running = submit("normal").await;
    bench
        .emulator
        .begin(running["request_id"].as_str().expect("an id"));
    let low = submit("low").await;
    assert_eq!(low["queue_position"], 0);
    let normal = submit("normal").await;
    assert_eq!(normal["queue_position"], 0);
    let status = bench.get(&format!("{}/status", request_path(&low))).await;
    assert_eq!(body(status).await["queue_position"], 1);

    // Both may begin, one runner is there: the normal one is first, though it came later.
    for waiting in [&low, &normal] {
        bench
            .emulator
            .begin(waiting["request_id"].as_str().expect("an id"));
    }
    bench
        .emulator
        .complete(running["request_id"].as_str().expect("an id"))
        .await;
    let states = bench.emulator.requests();
    let states: Vec<_> = states.iter().map(|request| request.status).collect();
    assert_eq!(states, ["COMPLETED", "IN_QUEUE", "IN_PROGRESS"]);
}

#[tokio::test]
async fn the_account_runs_as_many_as_its_limit_allows() {
    for (limit, running) in [(Some(2), 2), (None, 5)] {
        let bench = Bench::with(Config {
            concurrency: limit,
            ..held()
        });
        let bench = bench.await;
        for _ in 0..5 {
            let submitted = bench.submit(&input()).await;
            bench
                .emulator
                .begin(submitted["request_id"].as_str().expect("an id"));
        }
        let states = bench.emulator.requests();
        let count = states
            .iter()
            .filter(|one| one.status == "IN_PROGRESS")
            .count();
        assert_eq!(count, running);
    }
}

#[tokio::test]
async fn a_queue_longer_than_the_caller_allows_refuses() {
    let bench = Bench::with(held()).await;
    for _ in 0..2 {
        bench.submit(&input()).await;
    }
    let full = bench
        .post(&format!("/{MODEL}?fal_max_queue_length=1"), &input())
        .await;
    assert_eq!(full.status(), 429);
    let fits = bench
        .post(&format!("/{MODEL}?fal_max_queue_length=2"), &input())
        .await;
    assert_eq!(fits.status(), 200);
}

#[tokio::test]
async fn a_request_that_does_not_start_in_time_ends_with_504() {
    let bench = Bench::with(held()).await;
    let submit = async |timeout: &str| {
        let call = bench
            .call(Method::POST, &format!("/{MODEL}"))
            .json(&input());
        let call = call.header("x-fal-request-timeout", timeout);
        call.send().await.expect("an answer")
    };
    let submitted = body(submit("0.2").await).await;
    bench.emulator.wait_for_completed(1).await;
    let result = bench.get(&request_path(&submitted)).await;
    assert_eq!(result.status(), 504);
    assert_eq!(result.headers()["x-fal-request-timeout-type"], "user");
    assert_eq!(body(result).await["error_type"], "request_timeout");
    for malformed in ["soon", "0.1", "-3"] {
        let refused = submit(malformed).await;
        assert_eq!(refused.status(), 400);
        assert_eq!(refused.headers()["x-fal-error-type"], "bad_request");
    }
}

#[tokio::test]
async fn results_are_forgotten_after_an_hour_or_six_minutes() {
    let bench = Bench::with(Config {
        clock: Clock::from_fn(|| 1_800_000_000_000),
        ..Config::default()
    });
    let bench = bench.await;
    let submit = async |store: &str, input: &Value| {
        let call = bench.call(Method::POST, &format!("/{MODEL}")).json(input);
        let answered = call.header("x-fal-store-io", store).send().await;
        request_path(&body(answered.expect("an answer")).await)
    };
    let mut big = input();
    big["sync_mode"] = true.into();
    let stored = submit("1", &input()).await;
    let small = submit("0", &input()).await;
    let large = submit("0", &big).await;
    bench.emulator.wait_for_completed(3).await;
    for (minutes, expected) in [
        (0, [200, 200, 200]),
        (6, [200, 200, 404]),
        (54, [200, 404, 404]),
    ] {
        bench.emulator.skip(Duration::from_secs(minutes * 60));
        for (path, expected) in [&stored, &small, &large].into_iter().zip(expected) {
            assert_eq!(
                bench.get(path).await.status(),
                expected,
                "after {minutes} more minutes"
            );
        }
    }
    assert_eq!(bench.get(&format!("{small}/status")).await.status(), 200);
}

#[tokio::test]
async fn latency_is_filled_with_a_queue_time_and_steps() {
    let bench = Bench::with(Config {
        latency: Duration::from_millis(20),
        queue_time: Duration::from_millis(5),
        ..Config::default()
    });
    let bench = bench.await;
    let mut input = prompted("a card");
    input["num_inference_steps"] = 3.into();
    let submitted = bench.submit(&input).await;
    bench.emulator.wait_for_completed(1).await;
    let status = bench
        .get(&format!("{}/status?logs=1", request_path(&submitted)))
        .await;
    let status = body(status).await;
    let lines: Vec<_> = status["logs"].as_array().expect("logs").iter().collect();
    let texts: Vec<_> = lines.iter().map(|line| line["message"].as_str()).collect();
    assert_eq!(
        texts,
        [Some("step 1/3"), Some("step 2/3"), Some("step 3/3")]
    );
    assert!(
        status["metrics"]["inference_time"]
            .as_f64()
            .expect("seconds")
            >= 0.02
    );
}

#[tokio::test]
async fn nothing_is_left_after_a_stop() {
    let bench = Bench::with(held()).await;
    bench.submit(&input()).await;
    let address = bench.emulator.address();
    bench.emulator.stop().await;
    let refused = tokio::net::TcpStream::connect(address).await;
    assert_eq!(
        refused.expect_err("closed").kind(),
        std::io::ErrorKind::ConnectionRefused
    );
}
