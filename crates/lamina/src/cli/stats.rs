//! `lamina stats`: the service in numbers.

use std::path::Path;
use std::process::ExitCode;

use reqwest::Method;
use serde_json::Value;

use super::jobs::shown;
use super::operator::Target;
use super::{finish, table};
use crate::app::Absent;

/// Arguments of `lamina stats`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    target: Target,
}

impl Args {
    pub(super) fn run(self, file: Option<&Path>) -> ExitCode {
        let asked = self.target.open(file, Absent::Refuse).and_then(|service| {
            let stats = service.ask(Method::GET, "/api/admin/stats", None)?;
            shown(&stats, self.target.json, people);
            Ok(())
        });
        finish(asked)
    }
}

fn people(stats: &Value) {
    let jobs = stats["jobs"].as_object().into_iter().flatten();
    let jobs = jobs.map(|(state, count)| vec![state.clone(), count.to_string()]);
    table::print(&["STATE", "JOBS"], jobs);
    table::line("");
    table::of(
        &["QUEUE", "DUE", "LATER", "OLDEST DUE, S"],
        &["state", "due", "later", "oldest_due_seconds"],
        &stats["queue"],
    );
    table::line("");
    table::of(
        &["OWNER", "ENGINE", "USD TODAY", "USD IN 30 DAYS"],
        &["owner", "engine", "usd_today", "usd_30_days"],
        &stats["spending"],
    );
    table::line("");
    table::of(
        &[
            "RUNS OF",
            "BELOW MP",
            "LAYERS",
            "RUNS",
            "MEDIAN, S",
            "P90, S",
            "LONGEST, S",
        ],
        &[
            "engine",
            "below_megapixels",
            "num_layers",
            "runs",
            "median_seconds",
            "p90_seconds",
            "longest_seconds",
        ],
        &stats["runs"],
    );
    table::line("");
    table::of(
        &[
            "ESTIMATES OF",
            "MADE AT",
            "JOBS",
            "MEDIAN ERROR",
            "P90 ERROR",
            "LEAN",
        ],
        &["engine", "at", "jobs", "median_error", "p90_error", "lean"],
        &stats["estimates"],
    );
    table::line("");
    table::of(
        &["OWNER", "BYTES"],
        &["owner", "bytes"],
        &stats["storage"]["owners"],
    );
    table::line("");
    let whole = [
        "usd_today",
        "usd_30_days",
        "usd_a_day_at_most",
        "unknown_submissions",
    ];
    let storage = [
        "source_bytes",
        "layer_bytes",
        "upload_bytes",
        "incoming_bytes",
        "counted_bytes",
        "counted_bytes_at_most",
        "owner_bytes_at_most",
    ];
    let row = |from: &Value, field: &str| vec![field.to_owned(), table::cell(from, field)];
    let rows = whole.iter().map(|field| row(stats, field));
    let rows = rows.chain(storage.iter().map(|field| row(&stats["storage"], field)));
    table::print(&["ALL", ""], rows);
}
