//! Subcommands and their arguments. Each does its work in a file of its own; nothing here knows
//! how the service works inside.

mod backup;
mod blobs;
mod check;
mod connectivity;
mod health;
mod jobs;
mod keys;
mod operator;
mod restore;
mod saved_stack;
mod split;
mod stats;
mod table;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Parser, Subcommand};

use crate::app;
use crate::clock::SystemClock;
use crate::config::{self, Config, ConfigError, Purpose};
use crate::store::sqlite::SqliteStore;
use crate::telemetry;

/// Turns one flat image into an ordered stack of RGBA layers.
#[derive(Debug, Parser)]
#[command(
    name = "lamina",
    version,
    about,
    after_help = "Options come from the environment or lamina.toml; docs/configuration.md lists them."
)]
pub struct Cli {
    /// A TOML file with options [env: LAMINA_CONFIG] [default: lamina.toml, where it exists]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the API (also without a subcommand)
    Serve {
        /// Address to listen on (HOST)
        #[arg(long)]
        host: Option<String>,
        /// Port to listen on (PORT)
        #[arg(long)]
        port: Option<String>,
    },
    /// Split one image and write its layers and manifest.json
    Split(split::Args),
    /// Make, list and revoke API keys, of a running service or a stopped one
    Keys(keys::Args),
    /// List, show, retry and delete jobs of every owner
    Jobs(jobs::Args),
    /// Show jobs, queue, spending and storage in numbers
    Stats(stats::Args),
    /// Bring the database to this version's schema
    Migrate,
    /// Write database and pictures to one file, while the service runs
    Backup(backup::Args),
    /// Put a backup, or a replicated database, in place; the service must be stopped
    Restore(restore::Args),
    /// Say that a storage is this database's, after it was taken for another's
    Blobs(blobs::Args),
    /// Print the licences of everything inside this program
    Notices,
    /// Check configuration, database, storage and the fal key, and say how to fix what is wrong
    Check,
    /// Ask the running service whether it is well; exit status 0 or 1, for container probes
    Health(health::Args),
}

impl Cli {
    /// Runs the command and returns the process's exit code: 0, 1 for a failure, 2 for a wrong
    /// configuration.
    #[must_use]
    pub fn run(self) -> ExitCode {
        let given = self.config.as_deref();
        let of_environment = config::file_of_environment();
        let file = given.or(of_environment.as_deref());
        match self.command.unwrap_or(Command::Serve {
            host: None,
            port: None,
        }) {
            Command::Serve { host, port } => {
                restart(Purpose::Service);
                let over = [("HOST", host), ("PORT", port)];
                let over = over
                    .iter()
                    .filter_map(|(name, value)| Some((*name, value.as_deref()?)));
                with_config(Config::load_with(file, over), |config| serve(&config))
            }
            Command::Split(args) => {
                restart(Purpose::OnePicture);
                args.run(given, file)
            }
            Command::Backup(args) => args.run(file),
            Command::Restore(args) => args.run(file),
            Command::Blobs(args) => args.run(file),
            Command::Keys(args) => args.run(file),
            Command::Jobs(args) => args.run(file),
            Command::Stats(args) => args.run(file),
            Command::Migrate => with_config(Config::load(file), |config| migrate(&config)),
            Command::Health(args) => args.run(file),
            Command::Notices => {
                table::line(include_str!("../../NOTICES.txt").trim_end());
                ExitCode::SUCCESS
            }
            Command::Check => check::run(&Config::load(file)),
        }
    }
}

/// Starts once more where the allocator has to be told something. It returns where it has not, and where that failed: memory goes back later then.
fn restart(purpose: Purpose) {
    #[cfg(not(unix))]
    let _ = purpose;
    #[cfg(unix)]
    if let Some(mut program) = config::restart(purpose) {
        use std::os::unix::process::CommandExt as _;
        let _ = program.exec();
    }
}

fn with_config(
    config: Result<Config, Vec<ConfigError>>,
    run: impl FnOnce(Config) -> ExitCode,
) -> ExitCode {
    match config {
        Ok(config) => run(config),
        Err(errors) => {
            say("lamina cannot start with this configuration:");
            for error in errors {
                say(&format!("  {error}"));
            }
            ExitCode::from(2)
        }
    }
}

fn serve(config: &Config) -> ExitCode {
    let log = telemetry::start(&config.log);
    #[cfg(debug_assertions)]
    if let Some(point) = Config::failpoint() {
        crate::worker::failpoints::arm(point);
    }
    let served = runtime().and_then(|runtime| {
        let served = runtime.block_on(app::run(config, Arc::new(SystemClock::default()), &log));
        served.map_err(|error| error.to_string())
    });
    finish(served)
}

fn migrate(config: &Config) -> ExitCode {
    let path = &config.database_path;
    let is_new = !path.exists();
    finish(
        SqliteStore::migrate(path)
            .map_err(|error| error.to_string())
            .map(|applied| {
                say(&format!(
                    "{}: {}{} applied, schema {}",
                    path.display(),
                    if is_new { "made, " } else { "" },
                    count(applied as u64, "migration"),
                    crate::store::sqlite::NEWEST_SCHEMA
                ));
            }),
    )
}

/// Where the database is, and what lamina keeps beside it.
fn data_folder(config: &Config) -> &Path {
    let folder = config.database_path.parent();
    folder
        .filter(|path| !path.as_os_str().is_empty())
        .unwrap_or_else(|| Path::new("."))
}

fn runtime() -> Result<tokio::runtime::Runtime, String> {
    crate::runtime::runtime("lamina")
        .map_err(|error| format!("the async runtime cannot start: {error}"))
}

/// A number of things as people write it: `1 job`, `2 jobs`.
fn count(number: u64, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

fn finish(result: Result<(), String>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("lamina: {error}"));
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stderr, reason = "this is the command line's voice")]
fn say(line: &str) {
    eprintln!("{line}");
}
