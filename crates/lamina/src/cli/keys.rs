//! `lamina keys new|list|revoke|limit`. A new key goes to standard output alone, so that a script
//! can catch it; what people need to know goes to standard error.

use std::path::Path;
use std::process::ExitCode;

use reqwest::Method;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::jobs::shown;
use super::operator::{Service, Target};
use super::{finish, say, table};
use crate::access::{OWNER_NAME, Rate, owner_name, parse_usd};
use crate::app::Absent;

/// Arguments of `lamina keys`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    target: Target,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Make a key, and show it this once
    New {
        /// The owner of what is made with it; an owner may have several keys
        #[arg(value_parser = name)]
        name: String,
        /// Let it open the operator's routes (/api/admin) too
        #[arg(long)]
        admin: bool,
        #[command(flatten)]
        limits: Limits,
    },
    /// List keys and limits; no key is shown
    List,
    /// Revoke a key, at once and for ever; what its owner made stays
    Revoke {
        /// The key's id, as the list shows it
        id: String,
    },
    /// Set all limits of an owner; those left out are the defaults again
    Limit {
        /// The owner
        #[arg(value_parser = name)]
        name: String,
        #[command(flatten)]
        limits: Limits,
    },
}

/// Limits of an owner.
#[derive(Debug, clap::Args)]
struct Limits {
    /// Requests, such as 20/s or 600/m burst 100
    #[arg(long, value_name = "RATE")]
    rate: Option<Rate>,
    /// Jobs at work at once
    #[arg(long, value_name = "JOBS", value_parser = clap::value_parser!(u32).range(1..))]
    concurrent: Option<u32>,
    /// Spending in a UTC day, in US dollars
    #[arg(long, value_name = "USD", value_parser = dollars)]
    daily_usd: Option<Box<RawValue>>,
    /// Bytes kept at once, promised ones too
    #[arg(long, value_name = "BYTES")]
    storage_bytes: Option<u64>,
}

/// Refused before anything is opened or made.
fn name(text: &str) -> Result<String, String> {
    let named = owner_name(text).map(|owner| owner.to_string());
    named.ok_or_else(|| {
        format!("expected {OWNER_NAME}, because API_KEYS is read as name:key,name:key")
    })
}

/// Kept as it is written: money is not to pass through a floating-point number.
fn dollars(text: &str) -> Result<Box<RawValue>, String> {
    let wanted = "expected US dollars such as 25 or 0.50".to_owned();
    parse_usd(text).ok_or_else(|| wanted.clone())?;
    RawValue::from_string(text.to_owned()).map_err(|_| wanted)
}

#[derive(serde::Serialize)]
struct Body<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    admin: bool,
    rate: Option<String>,
    max_jobs: Option<u32>,
    daily_usd: Option<&'a RawValue>,
    storage_bytes: Option<u64>,
}

impl Limits {
    fn body<'a>(&'a self, name: Option<&'a str>, admin: bool) -> Result<String, String> {
        let body = Body {
            name,
            admin,
            rate: self.rate.map(|rate| rate.to_string()),
            max_jobs: self.concurrent,
            daily_usd: self.daily_usd.as_deref(),
            storage_bytes: self.storage_bytes,
        };
        serde_json::to_string(&body).map_err(|error| error.to_string())
    }
}

impl Args {
    pub(super) fn run(self, file: Option<&Path>) -> ExitCode {
        let json = self.target.json;
        // A new operator makes a key before the first start.
        let absent = match &self.command {
            Command::New { .. } => Absent::Make,
            Command::List | Command::Revoke { .. } | Command::Limit { .. } => Absent::Refuse,
        };
        let opened = self.target.open(file, absent);
        finish(opened.and_then(|service| self.command.run(&service, json)))
    }
}

impl Command {
    fn run(self, service: &Service, json: bool) -> Result<(), String> {
        match self {
            Self::New {
                name,
                admin,
                limits,
            } => {
                let body = limits.body(Some(&name), admin)?;
                let made = service.ask(Method::POST, "/api/admin/keys", Some(body))?;
                shown(&made, json, new);
            }
            Self::List => {
                let list = service.ask(Method::GET, "/api/admin/keys", None)?;
                shown(&list, json, listed);
            }
            Self::Revoke { id } => {
                let path = format!("/api/admin/keys/{}", segment(&id));
                let revoked = service.ask(Method::DELETE, &path, None)?;
                shown(&revoked, json, |revoked| {
                    let name = table::cell(revoked, "name");
                    say(&format!("{id} of {name} is revoked; jobs of {name} stay"));
                });
            }
            Self::Limit { name, limits } => {
                let path = format!("/api/admin/owners/{}/limits", segment(&name));
                let set = service.ask(Method::PUT, &path, Some(limits.body(None, false)?))?;
                shown(&set, json, |set| owners(&json!([set])));
            }
        }
        Ok(())
    }
}

fn new(made: &Value) {
    table::line(&table::cell(made, "key"));
    say(&format!(
        "{} is a key of {}; it is not kept and cannot be shown again",
        table::cell(made, "id"),
        table::cell(made, "name")
    ));
}

fn listed(list: &Value) {
    let rows = list["keys"].as_array().into_iter().flatten();
    let rows = rows.map(|key| {
        ["id", "name", "admin", "created_at", "revoked_at"]
            .map(|f| table::cell(key, f))
            .to_vec()
    });
    let configured = list["configured"].as_array().into_iter().flatten();
    let configured = configured.map(|name| {
        let name = name.as_str().unwrap_or_default().to_owned();
        vec![
            "(API_KEYS)".to_owned(),
            name,
            "no".to_owned(),
            "-".to_owned(),
            "-".to_owned(),
        ]
    });
    table::print(
        &["ID", "NAME", "ADMIN", "MADE", "REVOKED"],
        rows.chain(configured),
    );
    if list["owners"]
        .as_array()
        .is_some_and(|owners| !owners.is_empty())
    {
        table::line("");
        owners(&list["owners"]);
    }
}

fn owners(owners: &Value) {
    table::of(
        &["NAME", "RATE", "JOBS", "USD A DAY", "BYTES KEPT"],
        &["name", "rate", "max_jobs", "daily_usd", "storage_bytes"],
        owners,
    );
}

/// A part of a path, whatever it holds.
pub(super) fn segment(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes())
        .collect::<String>()
        .replace('+', "%20")
}
