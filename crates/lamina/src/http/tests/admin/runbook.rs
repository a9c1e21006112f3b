//! The operator's words are those of the documentation.

use std::collections::BTreeMap;

use crate::http::routes::admin::runbook::{AlertText, Runbook, runbook};

const OPERATIONS: &str = include_str!("../../../../../../docs/operations.md");
const ERRORS: &str = include_str!("../../../../../../docs/errors.md");
const RULES: &str = include_str!("../../../../../../deploy/prometheus/alerts.yml");

/// Text without links, on one line.
fn plain(text: &str) -> String {
    let mut said = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('[') {
        said.push_str(before);
        match after.split_once("](") {
            Some((words, link)) if !words.contains('[') => {
                said.push_str(words);
                rest = link.split_once(')').map_or("", |(_, rest)| rest);
            }
            _ => {
                said.push('[');
                rest = after;
            }
        }
    }
    said.push_str(rest);
    said.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The cells of a row of a table.
fn cells(line: &str) -> Option<Vec<String>> {
    let row = line.trim().strip_prefix('|')?.strip_suffix('|')?;
    let cells = row.replace("\\|", "\u{0}");
    Some(
        cells
            .split('|')
            .map(|cell| plain(&cell.replace('\u{0}', "|")))
            .collect(),
    )
}

fn named(cell: &str) -> Option<String> {
    Some(cell.strip_prefix('`')?.strip_suffix('`')?.to_owned())
}

fn section<'a>(page: &'a str, title: &str) -> &'a str {
    let begin = page
        .find(&format!("\n{title}\n"))
        .unwrap_or_else(|| panic!("no {title}"));
    let rest = &page[begin + title.len() + 2..];
    let level = format!("\n{} ", title.split(' ').next().unwrap());
    rest.find(&level).map_or(rest, |end| &rest[..end])
}

fn alert(rules: &str, name: &str) -> AlertText {
    let value = |field: &str| {
        let line = rules
            .lines()
            .find_map(|line| line.trim().strip_prefix(field));
        line.unwrap_or_else(|| panic!("{name}: {field}"))
            .trim()
            .to_owned()
    };
    let severity = value("labels: { severity:")
        .trim_end_matches('}')
        .trim()
        .to_owned();
    let about = section(OPERATIONS, &format!("### {name}"));
    let (tables, words): (Vec<_>, Vec<_>) = about.lines().partition(|line| line.starts_with('|'));
    let rows = tables.iter().filter_map(|line| cells(line));
    let parts = rows.filter_map(|row| Some((named(&row[0])?, row[1].clone())));
    AlertText {
        severity,
        summary: value("summary:").trim_matches('"').to_owned(),
        todo: plain(&words.join(" ")),
        parts: parts.collect(),
    }
}

fn written() -> Runbook {
    let rules = RULES.split("- alert: ").skip(1).map(|rule| {
        let (name, rule) = rule.split_once('\n').unwrap();
        (name.to_owned(), alert(rule, name))
    });
    // A failed job has a code of its own, or that of its picture or address. What to do stands last in each row.
    let of_source = |code: &str| code.starts_with("image_") || code.starts_with("fetch_");
    let mut codes = BTreeMap::new();
    for (text, is_meant) in [
        (ERRORS, &of_source as &dyn Fn(&str) -> bool),
        (section(ERRORS, "## Jobs"), &|_| true),
    ] {
        for mut row in text.lines().filter_map(cells).filter(|row| row.len() > 2) {
            let code = named(&row[0]).filter(|code| is_meant(code));
            if let (Some(code), Some(todo)) = (code, row.pop()) {
                codes.insert(code, todo);
            }
        }
    }
    Runbook {
        alerts: rules.collect(),
        codes,
    }
}

#[test]
fn the_checked_in_runbook_is_what_the_documentation_says() {
    let written = written();
    if std::env::var_os("UPDATE_RUNBOOK").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/runbook.json");
        let text = serde_json::to_string_pretty(&written).unwrap();
        std::fs::write(path, text + "\n").unwrap();
        return;
    }
    assert_eq!(
        *runbook(),
        written,
        "the documentation changed; run the tests with UPDATE_RUNBOOK=1"
    );
}

#[test]
fn every_code_of_a_failed_job_has_a_line() {
    for code in crate::jobs::FailureCode::ALL {
        let code = code.as_str();
        assert!(runbook().codes.contains_key(code), "{code}");
    }
    for code in ["image_unrecognised", "image_empty"] {
        assert!(runbook().codes.contains_key(code), "{code}");
    }
}

#[test]
fn an_alert_is_said_with_the_values_that_prometheus_would_put_in() {
    let text = AlertText {
        summary: "{{ $value | humanizePercentage }} of the jobs of {{ $labels.engine }} on {{ $labels.instance }} fail".to_owned(),
        ..AlertText::default()
    };
    assert_eq!(
        text.said(&["40 %", "fal"]),
        "40 % of the jobs of fal on this service fail"
    );
    let text = AlertText {
        summary: "{{ $labels.instance }} takes no work: {{ $labels.part }}".to_owned(),
        ..AlertText::default()
    };
    assert_eq!(
        text.said(&["database"]),
        "This service takes no work: database"
    );
}
