//! Which calls are repeated, how often, and when not.

use std::time::Duration;

use fal_queue::{Client, Config, Error, Retry, Status};
use serde_json::{Value, json};
use url::Url;

use crate::raw::{Act, Raw};
use crate::server::{Server, reply};
use crate::{config, model};

fn eager(base: &Url) -> Client {
    let retry = Retry {
        attempts: 4,
        min_delay: Duration::from_millis(1),
        max_delay: Duration::from_millis(4),
        ..Retry::default()
    };
    Client::new(Config {
        retry,
        ..config(base)
    })
    .unwrap()
}

#[tokio::test]
async fn a_passing_fault_is_waited_out() {
    let done = json!({"status": "COMPLETED"});
    let server = Server::start([
        reply(503, "busy"),
        reply(429, "slow").with("retry-after", "0"),
        reply(200, "half a"),
        reply(200, &done),
    ])
    .await;
    let status = eager(&server.url)
        .status(&model(), "r", false)
        .await
        .unwrap();
    assert!(matches!(status, Status::Completed { .. }));
    assert_eq!(server.seen().len(), 4);
}

#[tokio::test]
async fn a_dropped_connection_is_made_again() {
    let whole = b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n7".to_vec();
    let cut = b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n7".to_vec();
    let raw = Raw::start([Act::Hang, Act::Say(cut), Act::Say(whole)]).await;
    let result = eager(&raw.url).result::<u8>(&model(), "r").await.unwrap();
    assert_eq!(result.value, 7);
    assert_eq!(raw.requests().await, 2);
}

#[tokio::test]
async fn attempts_are_counted_and_the_last_error_is_returned() {
    let server = Server::start([500, 502, 503, 504].map(|status| reply(status, ""))).await;
    let error = eager(&server.url).cancel(&model(), "r").await.unwrap_err();
    assert_eq!(error.failure().unwrap().status, 504);
    assert_eq!(server.seen().len(), 4);
}

#[tokio::test]
async fn switched_off_means_one_attempt() {
    for attempts in [0, 1] {
        let server = Server::start([reply(503, "")]).await;
        let retry = Retry {
            attempts,
            ..Retry::default()
        };
        let client = Client::new(Config {
            retry,
            ..config(&server.url)
        })
        .unwrap();
        client.status(&model(), "r", false).await.unwrap_err();
        assert_eq!(server.seen().len(), 1);
    }
}

#[tokio::test]
async fn a_wait_beyond_the_total_is_not_begun() {
    let server = Server::start([reply(429, "").with("retry-after", "3600")]).await;
    let client = eager(&server.url);
    let error = crate::soon("the error", client.status(&model(), "r", false))
        .await
        .unwrap_err();
    assert_eq!(error.retry_after(), Some(Duration::from_secs(3600)));
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_retry_after_is_waited_for() {
    let server = Server::start([reply(503, "").with("retry-after", "1"), reply(200, "7")]).await;
    let started = std::time::Instant::now();
    eager(&server.url)
        .result::<u8>(&model(), "r")
        .await
        .unwrap();
    assert!(started.elapsed() >= Duration::from_secs(1));
}

#[tokio::test]
async fn how_a_run_ended_is_not_asked_twice() {
    let model_error = json!({"detail": [{"loc": [], "msg": "m", "type": "internal_server_error"}]});
    let request_error = json!({"detail": "gone", "error_type": "runner_disconnected"});
    for (status, body) in [(500, model_error), (503, request_error)] {
        let server = Server::start([reply(status, body)]).await;
        let error = eager(&server.url)
            .result::<Value>(&model(), "r")
            .await
            .unwrap_err();
        assert!(error.describes_run());
        assert_eq!(server.seen().len(), 1);
    }
}

#[tokio::test]
async fn what_will_not_change_is_not_repeated() {
    let own_timeout = reply(504, "").with("x-fal-request-timeout-type", "user");
    let flagged = reply(500, "").with("x-fal-retryable", "false");
    let plain = [400, 401, 403, 404, 422, 302].map(|status| reply(status, json!({"detail": "no"})));
    let early = reply(400, json!({"detail": "Request is still in progress"}));
    for answer in plain.into_iter().chain([own_timeout, flagged, early]) {
        let server = Server::start([answer]).await;
        let error = eager(&server.url)
            .result::<Value>(&model(), "r")
            .await
            .unwrap_err();
        assert_eq!(server.seen().len(), 1, "{error}");
    }
    let server = Server::start([reply(200, json!({"odd": 1}))]).await;
    let error = eager(&server.url)
        .result::<u8>(&model(), "r")
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Unexpected(_)));
}
