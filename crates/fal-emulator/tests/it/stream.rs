//! The status as server-sent events.

use std::time::Duration;

use fal_emulator::{Config, Fault};
use reqwest::Response;
use serde_json::{Value, json};

use crate::bench::{Bench, input, request_path};

/// Reads a stream event by event.
struct Events {
    answered: Response,
    text: String,
}

impl Events {
    async fn open(bench: &Bench, path: &str) -> Self {
        let answered = bench.get(path).await;
        assert_eq!(answered.status(), 200);
        let content_type = answered.headers()["content-type"].to_str().expect("ASCII");
        assert!(content_type.starts_with("text/event-stream"));
        Self {
            answered,
            text: String::new(),
        }
    }

    /// The next block up to a blank line; `None` at the end.
    async fn block(&mut self) -> Option<String> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.text = rest;
                return Some(block);
            }
            let chunk = self.answered.chunk().await.expect("no break")?;
            self.text
                .push_str(std::str::from_utf8(&chunk).expect("UTF-8"));
        }
    }

    async fn event(&mut self) -> Option<Value> {
        loop {
            let block = self.block().await?;
            if let Some(data) = block.strip_prefix("data: ") {
                return Some(serde_json::from_str(data).expect("one line of JSON"));
            }
        }
    }
}

fn messages(event: &Value) -> Vec<&str> {
    let logs = event["logs"].as_array().expect("a list of logs");
    logs.iter()
        .filter_map(|entry| entry["message"].as_str())
        .collect()
}

#[tokio::test]
async fn events_tell_each_change_and_only_new_logs() {
    let bench = Bench::with(Config {
        hold: true,
        ..Config::default()
    });
    let bench = bench.await;
    let submitted = bench.submit(&input()).await;
    let id = submitted["request_id"].as_str().expect("an id");
    let path = format!("{}/status/stream?logs=1", request_path(&submitted));
    let mut events = Events::open(&bench, &path).await;

    let queued = events.event().await.expect("the first event");
    assert_eq!(queued["status"], "IN_QUEUE");
    assert_eq!(queued["metrics"], json!({}));
    assert!(messages(&queued).is_empty());
    bench.emulator.report(id, "one");
    assert_eq!(messages(&events.event().await.expect("a log")), ["one"]);
    bench.emulator.report(id, "two");
    assert_eq!(messages(&events.event().await.expect("a log")), ["two"]);
    bench.emulator.release(id);
    let mut last = Value::Null;
    let mut rest = Vec::new();
    while let Some(event) = events.event().await {
        rest.extend(messages(&event).iter().map(|&text| text.to_owned()));
        last = event;
    }
    assert_eq!(rest, ["step 28/28"]);
    assert_eq!(last["status"], "COMPLETED");
    assert!(last["metrics"]["inference_time"].is_f64());
}

#[tokio::test]
async fn silence_is_filled_with_comments() {
    let bench = Bench::with(Config {
        hold: true,
        ping_interval: Duration::from_millis(10),
        ..Config::default()
    });
    let bench = bench.await;
    let submitted = bench.submit(&input()).await;
    let path = format!("{}/status/stream", request_path(&submitted));
    let mut events = Events::open(&bench, &path).await;
    let first = events.event().await.expect("the first event");
    assert_eq!(first["logs"], Value::Null);
    assert_eq!(events.block().await.as_deref(), Some(": ping"));
    assert_eq!(events.block().await.as_deref(), Some(": ping"));
}

#[tokio::test]
async fn a_stream_of_a_finished_request_is_one_event() {
    let bench = Bench::start().await;
    bench.emulator.script(Fault::DetailString);
    let submitted = bench.submit(&input()).await;
    bench.emulator.wait_for_completed(1).await;
    let path = format!("{}/status/stream?logs=0", request_path(&submitted));
    let mut events = Events::open(&bench, &path).await;
    let only = events.event().await.expect("one event");
    assert_eq!(only["status"], "COMPLETED");
    assert_eq!(only["error"], "The input could not be processed");
    assert_eq!(events.event().await, None);
}
