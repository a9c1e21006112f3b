//! The files for Prometheus and Grafana: they name only what is exported, their syntax is sound,
//! and every alert tells a person what to do.

use std::collections::{BTreeMap, BTreeSet};

use lamina::metrics::{Kind, Metrics};
use serde_json::Value;

use super::queries::{Asked, asked};
use super::{promtool, root};

/// Exported names and their labels, with those that Prometheus adds.
fn exported() -> BTreeMap<String, BTreeSet<String>> {
    let owned = |labels: &[&str]| -> BTreeSet<String> {
        let added = ["job", "instance"];
        let all = labels.iter().chain(&added);
        all.map(|label| (*label).to_owned()).collect()
    };
    let mut exported = BTreeMap::from([("up".to_owned(), owned(&[]))]);
    for entry in Metrics::new().entries() {
        let labels = owned(entry.labels);
        match entry.kind {
            Kind::Histogram => {
                let mut buckets = labels.clone();
                buckets.insert("le".to_owned());
                exported.insert(format!("{}_bucket", entry.name), buckets);
                exported.insert(format!("{}_sum", entry.name), labels.clone());
                exported.insert(format!("{}_count", entry.name), labels);
            }
            Kind::Counter | Kind::Gauge => {
                exported.insert(entry.name.to_owned(), labels);
            }
        }
    }
    exported
}

/// What a query asks for that is not there.
fn unknown(query: &str, exported: &BTreeMap<String, BTreeSet<String>>) -> Vec<Asked> {
    let is_known = |asked: &Asked| {
        let labels = exported.get(&asked.metric);
        labels.is_some_and(|labels| asked.labels.is_subset(labels))
    };
    let mut asked = asked(query);
    assert!(!asked.is_empty(), "{query}");
    asked.retain(|asked| !is_known(asked));
    asked
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap()
}

/// The queries of the dashboard, with Grafana's variables filled in.
fn dashboard() -> Vec<String> {
    let dashboard: Value =
        serde_json::from_str(&read("deploy/grafana/dashboards/lamina.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels
        .iter()
        .flat_map(|panel| panel["targets"].as_array().into_iter().flatten());
    let queries = targets.map(|target| {
        let query = target["expr"].as_str().unwrap();
        query
            .replace("$__rate_interval", "1m")
            .replace("$__range", "1h")
    });
    queries.collect()
}

/// Each alert's lines, by its name. The file is ours, so its form is known.
fn alerts() -> Vec<(String, String)> {
    let text = read("deploy/prometheus/alerts.yml");
    let mut parts = text.split("- alert: ");
    parts.next();
    let named = parts.map(|part| {
        let (name, rest) = part.split_once('\n').unwrap();
        (name.to_owned(), rest.to_owned())
    });
    named.collect()
}

/// The expression of an alert's lines, folded or not.
fn expression(lines: &str) -> String {
    let (_, rest) = lines.split_once("expr: ").unwrap();
    let mut lines = rest.lines();
    let first = lines.next().unwrap();
    if first != ">-" {
        return first.to_owned();
    }
    let folded: Vec<&str> = lines
        .take_while(|line| line.starts_with("          "))
        .collect();
    folded.join(" ")
}

#[test]
fn the_dashboard_names_only_what_is_exported() {
    let (queries, exported) = (dashboard(), exported());
    assert!(queries.len() > 40, "{}", queries.len());
    let wrong: Vec<Asked> = queries
        .iter()
        .flat_map(|query| unknown(query, &exported))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn alerts_name_only_what_is_exported_and_lead_to_what_to_do() {
    let (alerts, exported) = (alerts(), exported());
    assert!(alerts.len() > 15, "{}", alerts.len());
    let runbook = read("docs/operations.md");
    for (name, lines) in &alerts {
        let wrong = unknown(&expression(lines), &exported);
        assert!(wrong.is_empty(), "{name}: {wrong:#?}");
        let anchor = format!("runbook: docs/operations.md#{}\n", name.to_lowercase());
        assert!(lines.contains(&anchor), "{name} lacks {anchor}");
        assert!(lines.contains("summary: "), "{name} has no summary");
        let heading = format!("\n### {name}\n");
        assert!(
            runbook.contains(&heading),
            "docs/operations.md lacks {heading}"
        );
    }
    let headings = runbook
        .lines()
        .filter(|line| line.starts_with("### Lamina"));
    assert_eq!(headings.count(), alerts.len(), "a section is of no alert");
}

#[test]
fn every_metric_of_the_service_is_on_the_dashboard_or_in_an_alert() {
    let alerts = alerts();
    let queries: Vec<String> = dashboard()
        .into_iter()
        .chain(alerts.iter().map(|(_, lines)| expression(lines)))
        .collect();
    let names: BTreeSet<String> = queries
        .iter()
        .flat_map(|q| asked(q))
        .map(|a| a.metric)
        .collect();
    let metrics = Metrics::new();
    let unused = metrics.entries().iter().filter(|entry| {
        let ends = ["", "_bucket", "_sum", "_count"];
        !ends
            .iter()
            .any(|end| names.contains(&format!("{}{end}", entry.name)))
    });
    let unused: Vec<&str> = unused.map(|entry| entry.name).collect();
    // Only ever of use beside process_open_fds.
    assert_eq!(unused, ["process_max_fds"]);
}

#[test]
fn prometheus_takes_the_files_and_the_alerts_fire_when_they_should() {
    let folder = root().join("deploy/prometheus");
    let file = |name: &str| folder.join(name).display().to_string();
    let checks = [
        ["check", "config", &file("prometheus.yml")],
        ["test", "rules", &file("alerts_test.yml")],
    ];
    for arguments in checks {
        if let Some(checked) = promtool(&arguments, "") {
            checked.unwrap_or_else(|said| panic!("{arguments:?}: {said}"));
        }
    }
    // promtool reads queries of rules only.
    let rules: String = dashboard()
        .iter()
        .enumerate()
        .map(|(number, query)| format!("- {{record: query_{number}, expr: {query:?}}}\n"))
        .collect();
    let written = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(
        written.path(),
        format!(
            "groups:\n- name: dashboard\n  rules:\n{}",
            rules.replace("- {", "  - {")
        ),
    )
    .unwrap();
    let path = written.path().display().to_string();
    if let Some(checked) = promtool(&["check", "rules", &path], "") {
        checked.unwrap_or_else(|said| panic!("the dashboard: {said}"));
    }
}
