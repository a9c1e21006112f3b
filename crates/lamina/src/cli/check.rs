//! `lamina check`: tries each part that a start needs, one line each, and says how to fix what is
//! wrong. It changes nothing besides making the folders that a start would make.

use std::process::ExitCode;

use secrecy::ExposeSecret as _;

use super::runtime;
use crate::app;
use crate::blobs::BlobError;
use crate::config::{Config, ConfigError, StorageConfig};
use crate::store::Store as _;
use crate::store::sqlite::{NEWEST_SCHEMA, OpenError, SqliteStore};

/// One line of the report.
struct Line {
    part: &'static str,
    found: Result<String, String>,
}

pub(super) fn run(config: &Result<Config, Vec<ConfigError>>) -> ExitCode {
    let lines = match config {
        Ok(config) => vec![
            Line {
                part: "configuration",
                found: Ok("every option is valid".into()),
            },
            Line {
                part: "access",
                found: Ok(access(config)),
            },
            Line {
                part: "database",
                found: database(config),
            },
            Line {
                part: "storage",
                found: storage(config),
            },
            Line {
                part: "engine",
                found: Ok(engine(config)),
            },
            Line {
                part: "fal key",
                found: fal_key(config),
            },
        ],
        Err(errors) => errors
            .iter()
            .map(|error| Line {
                part: "configuration",
                found: Err(error.to_string()),
            })
            .collect(),
    };
    let bad = lines.iter().filter(|line| line.found.is_err()).count();
    for line in &lines {
        print(line);
    }
    if bad == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn access(config: &Config) -> String {
    match config.api_keys.len() {
        0 => format!("anybody who reaches {} may use the API", config.listen),
        keys => format!("{keys} API keys on {}", config.listen),
    }
}

fn database(config: &Config) -> Result<String, String> {
    let path = config.database_path.display();
    match SqliteStore::open(&config.database_path) {
        Ok(store) => {
            let unknown = runtime()?
                .block_on(store.submission_unknown_count())
                .map_err(|error| error.to_string())?;
            Ok(format!(
                "{path} opens, schema {NEWEST_SCHEMA}; {unknown} submissions of unknown fate"
            ))
        }
        Err(OpenError::OwnedByAnother { .. }) => {
            Ok(format!("{path} is in use by a running lamina"))
        }
        Err(error) => Err(error.to_string()),
    }
}

fn storage(config: &Config) -> Result<String, String> {
    match &config.storage {
        StorageConfig::Folder(folder) => {
            let folder = folder.display();
            let fix = |error: BlobError| {
                format!("{error}; make {folder} writable for this user, or make room")
            };
            let blobs = app::open_blobs(&config.storage).map_err(fix)?;
            runtime()?.block_on(blobs.probe_write()).map_err(fix)?;
            Ok(format!("{folder} can be written"))
        }
        StorageConfig::Bucket { settings, .. } => {
            let blobs = app::open_blobs(&config.storage).map_err(|error| error.to_string())?;
            let probed = runtime()?.block_on(blobs.probe_write());
            probed.map_err(|error| error.to_string())?;
            Ok(format!("the bucket {} can be written", settings.name))
        }
    }
}

fn engine(config: &Config) -> String {
    match &config.fal {
        Some(fal) => format!(
            "{} by default; fal gets pictures by {:?}, {}",
            config.engine.as_str(),
            fal.way,
            if fal.webhooks {
                "calls back"
            } else {
                "is asked"
            }
        ),
        None => "local; no fal key is set".to_owned(),
    }
}

fn fal_key(config: &Config) -> Result<String, String> {
    let Some(fal) = &config.fal else {
        return Ok("none".into());
    };
    fal_queue::check_key_shape(fal.key.expose_secret()).map_err(|error| error.to_string())?;
    Ok("has the shape of a key; only fal knows whether it is one".into())
}

#[expect(clippy::print_stdout, reason = "the report is this command's output")]
fn print(line: &Line) {
    match &line.found {
        Ok(text) => println!("ok   {:<14} {text}", line.part),
        Err(text) => println!("BAD  {:<14} {text}", line.part),
    }
}
