//! Traces, as a collector receives them from the real binary.

use std::sync::Arc;
use std::time::Duration;

use fal_emulator::{Fault, ModelError};
use lamina::clock::ManualClock;
use lamina::jobs::{JobId, Phase, UnixMs};
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{Span, Status};
use serde_json::json;

use crate::support::{
    Collector, Process, Setup, TestApp, Way, emulator, fal_options, held_emulator, hex, json_of,
    picture, png_base64, until,
};

/// A caller's, as in W3C's own examples.
const CALLER_TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER_SPAN: &str = "00f067aa0ba902b7";

/// Each name of a part of a job with the only names that its parent may have.
const UNDER: [(&str, &[&str]); 10] = [
    ("prepare", &["job"]),
    ("submit", &["job"]),
    ("wait", &["job"]),
    ("collect", &["job"]),
    ("engine input", &["submit"]),
    ("engine submit", &["submit"]),
    ("engine check", &["wait", "collect"]),
    // In collect the picture is read to be compared with its layers.
    (
        "blob get",
        &["prepare", "engine input", "engine submit", "collect"],
    ),
    ("blob open", &["prepare", "engine input", "engine submit"]),
    ("blob put", &["prepare", "collect"]),
];

/// Whether every span of a job's trace is where it belongs and says of which job it is.
fn well_formed(spans: &[Span], id: &str, engine: &str) {
    let trace = id.replace('-', "");
    let of_job: Vec<&Span> = spans
        .iter()
        .filter(|span| hex(&span.trace_id) == trace)
        .collect();
    assert!(of_job.len() > 3, "{of_job:#?}");
    for span in &of_job {
        let is_call = span.name.contains(' ');
        let kind = if is_call {
            SpanKind::Client
        } else {
            SpanKind::Internal
        };
        assert_eq!(span.kind(), kind, "{span:#?}");
        if !is_call {
            let said = |name| attribute(span, name);
            assert_eq!(said("lamina.job.id").as_deref(), Some(id), "{span:#?}");
            assert_eq!(said("lamina.engine").as_deref(), Some(engine), "{span:#?}");
            assert!(said("lamina.outcome").is_some(), "{span:#?}");
        }
        if span.name == "job" {
            assert_eq!(hex(&span.span_id), trace[16..]);
            assert!(span.parent_span_id.is_empty(), "{span:#?}");
            continue;
        }
        let under = UNDER.iter().find(|(name, _)| *name == span.name);
        let (_, parents) = under.unwrap_or_else(|| panic!("where does it belong? {span:#?}"));
        let parent = of_job.iter().find(|s| s.span_id == span.parent_span_id);
        let parent = parent.unwrap_or_else(|| panic!("its parent is not there: {span:#?}"));
        assert!(parents.contains(&&*parent.name), "{parent:#?}\n{span:#?}");
        if is_call {
            // A call lies within its step.
            assert!(parent.start_time_unix_nano <= span.start_time_unix_nano);
            assert!(parent.end_time_unix_nano >= span.end_time_unix_nano);
        }
    }
}

/// The one span of a job's whole life.
fn whole<'a>(spans: &'a [Span], id: &str) -> &'a Span {
    let trace = id.replace('-', "");
    let mut found = spans
        .iter()
        .filter(|span| span.name == "job" && hex(&span.trace_id) == trace);
    let whole = found.next().unwrap_or_else(|| panic!("{spans:#?}"));
    assert_eq!(found.next(), None);
    whole
}

fn status(span: &Span) -> StatusCode {
    span.status.as_ref().map(Status::code).unwrap_or_default()
}

fn attribute(span: &Span, name: &str) -> Option<String> {
    let found = span.attributes.iter().find(|pair| pair.key == name)?;
    match found.value.clone()?.value? {
        Any::StringValue(text) => Some(text),
        Any::IntValue(number) => Some(number.to_string()),
        other => panic!("{name} is {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_is_one_trace_across_a_restart_and_its_creator_has_a_link_to_it() {
    let (collector, emulator) = (Collector::start().await, held_emulator().await);
    let folder = tempfile::tempdir().unwrap();
    let mut options = fal_options(&emulator);
    let database = folder.path().join("lamina.db").display().to_string();
    options.push(("DATABASE_PATH", database));
    options.push(("PORT", "0".to_owned()));
    options.push(("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint.clone()));
    options.push((
        "OTEL_RESOURCE_ATTRIBUTES",
        "service.namespace=tests".to_owned(),
    ));
    let options: Vec<(&str, &str)> = options.iter().map(|(n, v)| (*n, v.as_str())).collect();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();

    let first = Process::start(&options).await;
    // Larger than the engine takes, so that there is something to prepare.
    let body =
        json!({ "image_base64": png_base64(&picture(1600, 40)), "prompt": "a secret prompt" });
    let created = client
        .post(format!("{}/api/jobs", first.base))
        .header("traceparent", format!("00-{CALLER_TRACE}-{CALLER_SPAN}-01"))
        .json(&body);
    let created = json_of(created.send().await.unwrap()).await;
    let id = created["job_id"].as_str().unwrap().to_owned();
    emulator.wait_for_submissions(1).await;
    let processing = |base: String| {
        let (client, url) = (client.clone(), format!("{base}/api/jobs/{id}"));
        async move { json_of(client.get(url).send().await.unwrap()).await }
    };
    until("the acceptance to be written", || async {
        (processing(first.base.clone()).await["status"] == "processing").then_some(())
    })
    .await;
    assert!(first.terminate().await.0.success());
    let before = collector.spans().len();

    let second = Process::start(&options).await;
    emulator.set_hold(false);
    emulator.complete(&emulator.requests()[0].request_id).await;
    until("the job's end", || async {
        (processing(second.base.clone()).await["status"] == "completed").then_some(())
    })
    .await;
    assert!(second.terminate().await.0.success());

    let spans = collector.spans();
    let trace = id.replace('-', "");
    let of_job: Vec<&Span> = spans.iter().filter(|s| hex(&s.trace_id) == trace).collect();
    let (earlier, later) = (&spans[..before], &spans[before..]);
    let named = |spans: &[Span], name: &str| {
        let mut of_job = spans.iter().filter(|span| hex(&span.trace_id) == trace);
        of_job.any(|span| span.name == name)
    };
    for name in ["prepare", "submit", "engine submit"] {
        assert!(named(earlier, name), "{name} is not in {earlier:#?}");
    }
    for name in ["wait", "engine check", "collect", "blob put", "job"] {
        assert!(named(later, name), "{name} is not in {later:#?}");
    }
    well_formed(&spans, &id, "fal");
    let whole = whole(&spans, &id);
    assert_eq!(attribute(whole, "lamina.outcome").unwrap(), "completed");
    assert_eq!(status(whole), StatusCode::Unset);
    let begins = of_job.iter().map(|span| span.start_time_unix_nano).min();
    assert_eq!(begins, Some(whole.start_time_unix_nano));

    let create = spans
        .iter()
        .find(|span| span.name == "POST /api/jobs")
        .unwrap();
    assert_eq!(hex(&create.trace_id), CALLER_TRACE);
    assert_eq!(hex(&create.parent_span_id), CALLER_SPAN);
    let linked: Vec<String> = create
        .links
        .iter()
        .map(|link| hex(&link.trace_id))
        .collect();
    assert_eq!(linked, std::slice::from_ref(&trace));
    assert_eq!(hex(&create.links[0].span_id), trace[16..]);
    assert_eq!(create.kind(), SpanKind::Server);
    for (name, value) in [
        ("http.request.method", "POST"),
        ("http.route", "/api/jobs"),
        ("lamina.job.id", id.as_str()),
    ] {
        assert_eq!(attribute(create, name).as_deref(), Some(value));
    }
    assert_eq!(
        attribute(create, "http.response.status_code").unwrap(),
        "202"
    );

    // fal is told which trace called it.
    let told = &emulator.requests()[0].headers["traceparent"];
    let call = spans.iter().find(|span| span.name == "engine submit");
    let call = hex(&call.unwrap().span_id);
    assert_eq!(*told, format!("00-{trace}-{call}-01"));
    for request in collector.requests() {
        let text = format!("{request:?}");
        assert!(text.contains("tests") && text.contains("lamina"), "{text}");
        for secret in [&emulator.key(), "secret prompt", "127.0.0.1", "iVBOR"] {
            assert!(!text.contains(secret), "{secret} is in {text}");
        }
    }
    emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_failed_says_why_and_so_does_its_step() {
    let (collector, emulator) = (Collector::start().await, emulator().await);
    let refused = ModelError::ContentPolicyViolation;
    emulator.script_for_prompt("[bad]", Fault::ModelError(refused));
    let setup =
        Setup::new(Way::FalPolling).with("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.endpoint);
    let app = TestApp::start_with(setup, Some(&emulator)).await;
    let failed = app.split(json!({ "prompt": "[bad]" })).await;
    let id = failed["job_id"].as_str().unwrap().to_owned();
    assert_eq!(failed["error_code"], "content_refused");
    // It has ended; there is nothing more to tell of its life.
    let url = format!("{}/api/jobs/{id}", app.base);
    assert_eq!(app.client.delete(url).send().await.unwrap().status(), 204);
    // Of the requests, one is the client's fault and one the server's.
    assert_eq!(app.get("/no/such").send().await.unwrap().status(), 404);
    app.store.close().await;
    assert_eq!(app.get("/api/jobs").send().await.unwrap().status(), 503);
    app.stop().await;
    let spans = collector.spans();
    for (code, wanted) in [("404", StatusCode::Unset), ("503", StatusCode::Error)] {
        let is_it =
            |span: &&Span| attribute(span, "http.response.status_code").as_deref() == Some(code);
        assert_eq!(status(spans.iter().find(is_it).unwrap()), wanted, "{code}");
    }
    well_formed(&spans, &id, "fal");
    let whole = whole(&spans, &id);
    assert_eq!(attribute(whole, "lamina.outcome").unwrap(), "failed");
    let gave_up = spans
        .iter()
        .find(|span| attribute(span, "lamina.outcome").as_deref() == Some("give_up"));
    for span in [whole, gave_up.unwrap()] {
        assert_eq!(status(span), StatusCode::Error, "{span:#?}");
        assert_eq!(attribute(span, "error.type").unwrap(), "content_refused");
    }
    emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_trace_of_a_job_that_goes_while_it_is_under_way_has_an_end() {
    let (collector, emulator) = (Collector::start().await, held_emulator().await);
    let clock = ManualClock::at(UnixMs(1_795_356_717_000));
    let mut setup = Setup::new(Way::FalPolling)
        .with("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.endpoint)
        .with("ADMIN_KEY", "the-key-of-the-operator")
        .with("ENGINE_TIMEOUT", "48h");
    setup.clock = Arc::new(clock.clone());
    let app = TestApp::start_with(setup, Some(&emulator)).await;
    let body = json!({ "image_base64": png_base64(&picture(64, 48)) });
    let mut ids = Vec::new();
    for number in 1..=3 {
        let id = app.create(&body).await;
        emulator.wait_for_submissions(number).await;
        until("the acceptance to be written", || async {
            (app.job(&id).await["status"] == "processing").then_some(())
        })
        .await;
        ids.push(id);
    }
    clock.advance(Duration::from_secs(60));
    let url = |admin: &str, id: &str| format!("{}/api{admin}/jobs/{id}", app.base);
    let by_owner = app.client.delete(url("", &ids[0]));
    let by_operator = app.client.delete(url("/admin", &ids[1]));
    for request in [by_owner, by_operator.bearer_auth("the-key-of-the-operator")] {
        assert_eq!(request.send().await.unwrap().status(), 204);
    }
    clock.advance(Duration::from_secs(24 * 3600));
    // It answers 410 at once; the end of its trace comes with the mark.
    let expiring: JobId = ids[2].parse().unwrap();
    until("the expiry", || async {
        let phase = app.store.job_phase(expiring).await.unwrap();
        (phase == Some(Phase::Expired)).then_some(())
    })
    .await;
    let deleted = "lamina_jobs_ended_total{engine=\"fal\",outcome=\"deleted\",code=\"\"} 2";
    let scraped = app.scrape().await;
    assert!(scraped.lines().any(|line| line == deleted), "{scraped}");
    app.stop().await;

    let spans = collector.spans();
    let (day, minute) = (24 * 3600, 60);
    for (id, outcome, seconds) in [
        (&ids[0], "deleted", minute),
        (&ids[1], "deleted", minute),
        (&ids[2], "expired", minute + day),
    ] {
        well_formed(&spans, id, "fal");
        let whole = whole(&spans, id);
        assert_eq!(attribute(whole, "lamina.outcome").unwrap(), outcome);
        let lasted = whole.end_time_unix_nano - whole.start_time_unix_nano;
        assert_eq!(lasted / 1_000_000_000, seconds);
        let (wanted, code) = match outcome {
            "deleted" => (StatusCode::Unset, None),
            _ => (StatusCode::Error, Some("job_expired".to_owned())),
        };
        assert_eq!(
            (status(whole), attribute(whole, "error.type")),
            (wanted, code)
        );
    }
    emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_is_not_there_costs_spans_and_nothing_else() {
    let emulator = emulator().await;
    let setup =
        Setup::new(Way::FalPolling).with("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9");
    let app = TestApp::start_with(setup, Some(&emulator)).await;
    assert_eq!(app.split(json!({})).await["status"], "completed");
    until("the drops to be counted", || async {
        let text = app.scrape().await;
        let line = text
            .lines()
            .find(|l| l.starts_with("lamina_trace_spans_dropped_total "));
        let dropped: f64 = line.unwrap().rsplit_once(' ').unwrap().1.parse().unwrap();
        (dropped > 3.0).then_some(())
    })
    .await;
    app.stop().await;
    emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_sampled_is_not_sent() {
    let collector = Collector::start().await;
    let setup = Setup::new(Way::Local)
        .with("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.endpoint)
        .with("OTEL_TRACES_SAMPLER_ARG", "0");
    let app = TestApp::start_with(setup, None).await;
    assert_eq!(app.split(json!({})).await["status"], "completed");
    let kept = app
        .get("/api/jobs")
        .header("traceparent", format!("00-{CALLER_TRACE}-{CALLER_SPAN}-01"));
    assert_eq!(kept.send().await.unwrap().status(), 200);
    app.stop().await;
    let names: Vec<String> = collector
        .spans()
        .into_iter()
        .map(|span| span.name)
        .collect();
    assert_eq!(names, ["GET /api/jobs"], "only what its caller keeps");
}
