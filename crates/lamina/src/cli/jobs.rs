//! `lamina jobs list|show|retry|cancel`: every owner's jobs, from the command line.

use std::path::Path;
use std::process::ExitCode;

use reqwest::Method;
use serde_json::{Value, json};
use url::form_urlencoded;

use super::keys::segment;
use super::operator::{Service, Target};
use super::{finish, say, table};
use crate::app::Absent;

/// Arguments of `lamina jobs`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    target: Target,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List jobs of every owner, newest first
    List(Filter),
    /// Show what is known of a job: phases, attempts, calls to its engine and what they cost
    Show {
        /// The job's id
        id: String,
    },
    /// Let a failed job begin anew; what its engine has taken is asked for again and not paid anew
    Retry {
        /// The job's id
        id: String,
        /// Hand it over anew, although it may have been paid
        #[arg(long)]
        pay_again: bool,
    },
    /// Delete a job: it is cancelled at its engine, and its files are erased
    Cancel {
        /// The job's id
        id: String,
    },
}

/// Which jobs.
#[derive(Debug, clap::Args)]
struct Filter {
    /// A phase (prepare, submit, wait, collect, completed, failed, deleted, expired), or active for the first four
    #[arg(long)]
    state: Option<String>,
    /// Of this owner
    #[arg(long)]
    owner: Option<String>,
    /// On this engine: local or fal
    #[arg(long)]
    engine: Option<String>,
    /// Failed with this code
    #[arg(long)]
    error_code: Option<String>,
    /// Most jobs
    #[arg(long, default_value_t = 50)]
    limit: u32,
    /// Go on after this job, as the end of the list before says
    #[arg(long)]
    cursor: Option<String>,
}

impl Args {
    pub(super) fn run(self, file: Option<&Path>) -> ExitCode {
        let json = self.target.json;
        let opened = self.target.open(file, Absent::Refuse);
        finish(opened.and_then(|service| self.command.run(&service, json)))
    }
}

impl Command {
    fn run(self, service: &Service, json: bool) -> Result<(), String> {
        match self {
            Self::List(filter) => {
                let page = service.ask(Method::GET, &filter.path(), None)?;
                shown(&page, json, listed);
            }
            Self::Show { id } => {
                let job = service.ask(Method::GET, &path(&id), None)?;
                shown(&job, json, detail);
            }
            Self::Retry { id, pay_again } => {
                let body = json!({ "pay_again": pay_again }).to_string();
                let retry = format!("{}/retry", path(&id));
                let job = service.ask(Method::POST, &retry, Some(body))?;
                shown(&job, json, detail);
            }
            Self::Cancel { id } => {
                service.ask(Method::DELETE, &path(&id), None)?;
                say(&format!(
                    "{id} is deleted; its files are erased by the running service"
                ));
            }
        }
        Ok(())
    }
}

impl Filter {
    fn path(&self) -> String {
        let limit = self.limit.to_string();
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (name, value) in [
            ("state", self.state.as_deref()),
            ("owner", self.owner.as_deref()),
            ("engine", self.engine.as_deref()),
            ("error_code", self.error_code.as_deref()),
            ("cursor", self.cursor.as_deref()),
            ("limit", Some(limit.as_str())),
        ] {
            if let Some(value) = value {
                query.append_pair(name, value);
            }
        }
        format!("/api/admin/jobs?{}", query.finish())
    }
}

fn path(id: &str) -> String {
    format!("/api/admin/jobs/{}", segment(id))
}

pub(super) fn shown(answer: &Value, json: bool, people: impl FnOnce(&Value)) {
    if json {
        table::json(answer);
    } else {
        people(answer);
    }
}

fn listed(page: &Value) {
    table::of(
        &[
            "JOB", "OWNER", "STATE", "ENGINE", "ERROR", "CREATED", "FINISHED",
        ],
        &[
            "job_id",
            "owner",
            "state",
            "engine",
            "error_code",
            "created_at",
            "finished_at",
        ],
        &page["jobs"],
    );
    if let Some(cursor) = page["next_cursor"].as_str() {
        say(&format!("there are more: --cursor {cursor}"));
    }
}

fn detail(job: &Value) {
    let fields = [
        "job_id",
        "owner",
        "state",
        "engine",
        "error_code",
        "error",
        "attempt",
        "rescues",
        "created_at",
        "accepted_at",
        "finished_at",
        "gone_at",
        "expires_at",
        "run_at",
        "lease_until",
        "engine_ms",
        "total_ms",
        "source_bytes",
        "layers",
        "layer_bytes",
    ];
    let rows = fields
        .iter()
        .map(|field| vec![(*field).to_owned(), table::cell(job, field)]);
    table::print(&["FIELD", ""], rows);
    let has = |name: &str| job[name].as_array().is_some_and(|rows| !rows.is_empty());
    if has("steps") {
        table::line("");
        table::of(
            &["STEP", "ENDED", "RAN MS", "ERROR CODE"],
            &["phase", "ended_at", "took_ms", "error_code"],
            &job["steps"],
        );
    }
    if has("submissions") {
        table::line("");
        table::of(
            &["SUBMISSION", "PAID", "USD", "OPENED", "CLOSED", "REQUEST"],
            &[
                "state",
                "paid",
                "usd",
                "opened_at",
                "closed_at",
                "request_id",
            ],
            &job["submissions"],
        );
    }
}
