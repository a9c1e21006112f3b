//! Traces, as a collector receives them from the real binary.

use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::json;

use crate::support::{
    Collector, Process, Setup, TestApp, Way, emulator, fal_options, held_emulator, hex, json_of,
    picture, png_base64, until,
};

/// A caller's, as in W3C's own examples.
const CALLER_TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER_SPAN: &str = "00f067aa0ba902b7";

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
    let body = json!({ "image_base64": png_base64(&picture(64, 48)), "prompt": "a secret prompt" });
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
    // One tree: every parent is there, and the whole job is the only root.
    let ids: Vec<&[u8]> = of_job.iter().map(|span| &span.span_id[..]).collect();
    for span in &of_job {
        let is_root = span.name == "job";
        assert_eq!(span.parent_span_id.is_empty(), is_root, "{span:#?}");
        assert!(
            is_root || ids.contains(&&span.parent_span_id[..]),
            "{span:#?}"
        );
    }
    let whole: Vec<&&Span> = of_job.iter().filter(|span| span.name == "job").collect();
    assert_eq!(whole.len(), 1);
    assert_eq!(hex(&whole[0].span_id), trace[16..]);
    assert_eq!(attribute(whole[0], "lamina.outcome").unwrap(), "completed");
    let begins = of_job.iter().map(|span| span.start_time_unix_nano).min();
    assert_eq!(begins, Some(whole[0].start_time_unix_nano));

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
    assert_eq!(
        attribute(create, "http.response.status_code").unwrap(),
        "202"
    );

    // fal is told which trace called it.
    let told = &emulator.requests()[0].headers["traceparent"];
    assert!(told.starts_with(&format!("00-{trace}-")), "{told}");
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
