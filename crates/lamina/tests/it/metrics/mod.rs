//! What a scraper sees of a real service: the right numbers, names that are documented, nothing
//! that tells who or what; and files for Prometheus and Grafana that name only what is there.

mod files;
mod queries;
mod samples;
mod trouble;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use fal_emulator::{Fault, ModelError};
use lamina::metrics::{Kind, Metrics};
use reqwest::StatusCode;
use serde_json::json;

use crate::support::{Setup, TestApp, Way, emulator, left_out, until};
use samples::Samples;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

/// `promtool`, where Debian's package `prometheus` (or anything else) put it.
fn promtool(arguments: &[&str], input: &str) -> Option<Result<(), String>> {
    use std::io::Write as _;
    let started = Command::new("promtool")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = started else {
        left_out("promtool is not installed (Debian: apt-get install prometheus)");
        return None;
    };
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).unwrap();
    drop(stdin);
    let ended = child.wait_with_output().unwrap();
    let said = [ended.stdout, ended.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    Some(if ended.status.success() {
        Ok(())
    } else {
        Err(said)
    })
}

/// Scrapes until `wanted` is there; what is looked at only now and then takes its time.
async fn scraped(app: &TestApp, wanted: impl Fn(&Samples) -> bool) -> Samples {
    until("the numbers", || async {
        let samples = Samples::parse(&app.scrape().await);
        wanted(&samples).then_some(samples)
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scraper_sees_what_was_done_and_what_it_cost_across_a_restart() {
    let emulator = emulator().await;
    let app = TestApp::start(Way::FalWebhooks, Some(&emulator)).await;
    let done = app.split(json!({})).await;
    assert_eq!(done["status"], "completed");
    let refused = ModelError::ContentPolicyViolation;
    emulator.script_for_prompt("[bad]", Fault::ModelError(refused));
    let failed = app.split(json!({ "prompt": "[bad]" })).await;
    assert_eq!(failed["error_code"], "content_refused");
    let id = done["job_id"].as_str().unwrap();
    let url = format!("{}/api/jobs/{id}", app.base);
    let deleted = app.client.delete(url).send().await.unwrap();
    assert_eq!(deleted.status(), StatusCode::NO_CONTENT);
    assert_eq!(app.get("/no/such").send().await.unwrap().status(), 404);

    let spend = |samples: &Samples| samples.of("lamina_spend_usd_total{engine=\"fal\"}");
    let samples = scraped(&app, |samples| spend(samples) == Some(0.1)).await;
    let wanted = [
        ("lamina_jobs_created_total{engine=\"fal\"}", 2.0),
        (
            "lamina_jobs_ended_total{engine=\"fal\",outcome=\"completed\",code=\"\"}",
            1.0,
        ),
        (
            "lamina_jobs_ended_total{engine=\"fal\",outcome=\"failed\",code=\"content_refused\"}",
            1.0,
        ),
        (
            "lamina_jobs_ended_total{engine=\"fal\",outcome=\"deleted\",code=\"\"}",
            1.0,
        ),
        ("lamina_job_duration_seconds_count{engine=\"fal\"}", 1.0),
        ("lamina_job_added_seconds_count{engine=\"fal\"}", 1.0),
        (
            "lamina_engine_run_duration_seconds_count{engine=\"fal\"}",
            1.0,
        ),
        (
            "lamina_step_duration_seconds_count{step=\"submit\",outcome=\"done\"}",
            2.0,
        ),
        (
            "lamina_step_duration_seconds_count{step=\"collect\",outcome=\"done\"}",
            1.0,
        ),
        ("lamina_steps_running{step=\"collect\"}", 0.0),
        (
            "lamina_engine_call_duration_seconds_count{engine=\"fal\",call=\"submit\"}",
            2.0,
        ),
        (
            "lamina_engine_errors_total{engine=\"fal\",call=\"run\",code=\"content_refused\"}",
            1.0,
        ),
        ("lamina_submissions{engine=\"fal\",state=\"accepted\"}", 2.0),
        (
            "lamina_http_requests_total{route=\"/api/jobs\",method=\"POST\",status=\"202\"}",
            2.0,
        ),
        (
            "lamina_http_requests_total{route=\"/api/jobs/{id}\",method=\"DELETE\",status=\"204\"}",
            1.0,
        ),
        (
            "lamina_http_requests_total{route=\"unmatched\",method=\"GET\",status=\"404\"}",
            1.0,
        ),
        ("lamina_database_up", 1.0),
        ("lamina_queue_jobs{phase=\"wait\",state=\"due\"}", 0.0),
    ];
    for (sample, value) in wanted {
        assert_eq!(
            samples.of(sample),
            Some(value),
            "{sample}\n{}",
            samples.text
        );
    }
    for positive in [
        "lamina_blob_operation_duration_seconds_count{operation=\"put\",outcome=\"ok\"}",
        "lamina_database_commit_writes_count",
        "lamina_database_read_duration_seconds_count",
        concat!(
            "lamina_build_info{version=\"",
            env!("CARGO_PKG_VERSION"),
            "\"}"
        ),
        "lamina_disk_free_bytes",
        "lamina_http_connections",
        #[cfg(target_os = "linux")]
        "process_resident_memory_bytes",
    ] {
        assert!(
            samples.of(positive) > Some(0.0),
            "{positive}\n{}",
            samples.text
        );
    }
    // Nothing tells who or what: no id, no owner, no address.
    for secret in [id, "anonymous", "127.0.0.1", "[bad]"] {
        assert!(!samples.text.contains(secret), "{secret}");
    }
    let unknown = samples.names().difference(&exported()).count();
    assert_eq!(unknown, 0, "{}", samples.text);
    if let Some(checked) = promtool(&["check", "metrics"], &samples.text) {
        checked.unwrap();
    }

    let folder = app.stop().await;
    let again = TestApp::start_in(folder, Setup::new(Way::FalWebhooks), Some(&emulator)).await;
    let samples = Samples::parse(&again.scrape().await);
    assert_eq!(spend(&samples), Some(0.1), "{}", samples.text);
    let created = "lamina_jobs_created_total{engine=\"fal\"}";
    assert_eq!(samples.of(created), Some(0.0));
    again.stop().await;
    emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_api_does_not_serve_metrics_and_their_listener_serves_nothing_else() {
    let app = TestApp::start(Way::Local, None).await;
    let on_the_api = app.get("/metrics").send().await.unwrap();
    assert_eq!(on_the_api.status(), StatusCode::NOT_FOUND);
    let beside = app.metrics.replace("/metrics", "/api/jobs");
    let beside = app.client.get(beside).send().await.unwrap();
    assert_eq!(beside.status(), StatusCode::NOT_FOUND);
    let answer = app.client.get(&app.metrics).send().await.unwrap();
    let kind = &answer.headers()["content-type"];
    assert_eq!(kind, "text/plain; version=0.0.4; charset=utf-8");
    app.stop().await;
}

/// Every name that a query can use.
fn exported() -> BTreeSet<String> {
    let metrics = Metrics::new();
    let names = metrics.entries().iter().flat_map(|entry| match entry.kind {
        Kind::Histogram => ["_bucket", "_sum", "_count"]
            .map(|end| format!("{}{end}", entry.name))
            .to_vec(),
        Kind::Counter | Kind::Gauge => vec![entry.name.to_owned()],
    });
    names.collect()
}

#[test]
fn every_metric_is_documented_as_it_is() {
    let text = std::fs::read_to_string(root().join("docs/metrics.md")).unwrap();
    let found: Vec<&str> = text.lines().filter(|l| l.starts_with("| `")).collect();
    let wanted: Vec<String> = Metrics::new()
        .entries()
        .iter()
        .map(|entry| {
            let labels: Vec<String> = entry.labels.iter().map(|l| format!("`{l}`")).collect();
            let labels = if labels.is_empty() {
                "–".to_owned()
            } else {
                labels.join(", ")
            };
            let (name, kind, help) = (entry.name, entry.kind.as_str(), entry.help);
            format!("| `{name}` | {kind} | {labels} | {help} |")
        })
        .collect();
    let lacking: Vec<&String> = wanted
        .iter()
        .filter(|w| !found.contains(&w.as_str()))
        .collect();
    assert!(
        lacking.is_empty(),
        "docs/metrics.md lacks:\n{}",
        lacking
            .iter()
            .map(|l| l.as_str())
            .collect::<Vec<_>>()
            .join("\n")
    );
    assert_eq!(
        found.len(),
        wanted.len(),
        "docs/metrics.md has rows that are no metric"
    );
}
