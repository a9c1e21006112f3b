//! What comes out is what the catalog says.

use std::collections::BTreeSet;
use std::time::Duration;

use super::*;
use crate::jobs::{EngineKind, FailureCode, Phase, Quality};

fn everything() -> Metrics {
    let metrics = Metrics::new();
    let second = Duration::from_secs(1);
    let begun = metrics.requests.begin();
    begun.answered("/api/jobs/{id}", "GET", 200, Duration::from_millis(3));
    metrics.requests.problem("job_not_found");
    let jobs = &metrics.jobs;
    jobs.created(EngineKind::Fal);
    jobs.ended(EngineKind::Fal, Phase::Failed, Some("engine_auth"));
    for timing in [Timing::Whole, Timing::EngineRun, Timing::Added] {
        jobs.took(timing, EngineKind::Local, second);
    }
    jobs.step_ended(Phase::Wait, StepEnd::Snooze, second);
    jobs.claimed(Phase::Submit, second);
    jobs.stack(EngineKind::Fal, Some(&Quality::example(None)));
    let engines = &metrics.engines;
    engines.called(EngineKind::Fal, EngineCall::Submit, second);
    engines.failed(EngineKind::Fal, EngineCall::Submit, FailureCode::EngineAuth);
    metrics
        .forecast
        .compared(EngineKind::Local, EstimateAt::Began, 0.125);
    metrics.blobs.called(BlobOperation::Put, false, second);
    drop(metrics.database.read());
    metrics.database.wrote(second);
    metrics.database.committed(3, false, second);
    metrics.sampled.show_ready(&[("database", true)]);
    metrics.sampled.show(Some(&Sample {
        queue: vec![(Phase::Wait, 2, 3, second)],
        submissions: vec![
            (EngineKind::Fal, "accepted", 4, 200_000),
            (EngineKind::Fal, "failed", 1, 50_000),
            (EngineKind::Fal, "unknown", 1, 50_000),
        ],
        disk: Some((1, 2)),
        kept: vec![("upload", 3)],
        ..Sample::default()
    }));
    metrics
}

#[test]
fn every_entry_is_exported_under_its_name_type_and_labels() {
    let metrics = everything();
    let text = metrics.text();
    for entry in metrics.entries() {
        let kind = format!("# TYPE {} {}", entry.name, entry.kind.as_str());
        assert!(
            text.lines().any(|line| line == kind),
            "no {kind} in\n{text}"
        );
        let help = format!("# HELP {} {}.", entry.name, entry.help);
        assert!(text.lines().any(|line| line == help), "no {help}");
        let sample = match entry.kind {
            Kind::Histogram => format!("{}_count", entry.name),
            Kind::Counter | Kind::Gauge => entry.name.to_owned(),
        };
        let line = text
            .lines()
            .find(|line| {
                line.strip_prefix(&sample)
                    .is_some_and(|rest| rest.starts_with([' ', '{']))
            })
            .unwrap_or_else(|| panic!("no sample of {}", entry.name));
        let labels = line.split_once('{').map_or("", |(_, rest)| rest);
        let labels: BTreeSet<&str> = labels
            .split("\",")
            .filter_map(|pair| Some(pair.split_once('=')?.0))
            .collect();
        let wanted: BTreeSet<&str> = entry.labels.iter().copied().collect();
        assert_eq!(labels, wanted, "{line}");
    }
    let types = text.lines().filter(|line| line.starts_with("# TYPE"));
    assert_eq!(types.count(), metrics.entries().len());
}

#[test]
fn spending_is_what_the_engine_took_whether_its_run_failed_or_not() {
    let text = everything().text();
    assert!(
        text.contains("lamina_spend_usd_total{engine=\"fal\"} 0.25\n"),
        "{text}"
    );
    assert!(
        text.contains("lamina_spend_at_risk_usd{engine=\"fal\"} 0.05\n"),
        "{text}"
    );
}

#[test]
fn an_invented_method_is_no_series_of_its_own() {
    let metrics = Metrics::new();
    for method in ["BREW", "STEEP"] {
        let begun = metrics.requests.begin();
        begun.answered("unmatched", method, 405, Duration::ZERO);
    }
    let text = metrics.text();
    assert!(!text.contains("BREW"), "{text}");
    let line =
        "lamina_http_requests_total{route=\"unmatched\",method=\"other\",status=\"405\"} 2\n";
    assert!(text.contains(line), "{text}");
}

#[test]
fn a_request_whose_client_left_is_counted_as_abandoned() {
    let metrics = Metrics::new();
    drop(metrics.requests.begin());
    let text = metrics.text();
    assert!(
        text.contains("lamina_http_requests_abandoned_total 1\n"),
        "{text}"
    );
    assert!(
        text.contains("lamina_http_requests_in_flight 0\n"),
        "{text}"
    );
}

#[test]
fn two_services_in_one_process_count_apart() {
    let (one, other) = (Metrics::new(), Metrics::new());
    one.jobs.created(EngineKind::Local);
    let line = "lamina_jobs_created_total{engine=\"local\"} 1\n";
    assert!(one.text().contains(line));
    assert!(!other.text().contains(line));
}
