//! `lamina restore FILE`: puts a backup, or a database that was replicated, in the place of this
//! configuration's data, and says what became of its jobs.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::{count, finish, runtime, say, with_config};
use crate::app;
use crate::backup::{Restore, Restored};
use crate::clock::{Clock as _, SystemClock};
use crate::config::Config;
use crate::engines;
use crate::telemetry;
use crate::worker::UnknownPolicy;

/// Arguments of `lamina restore`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A file that `lamina backup` made, or an SQLite database that was replicated
    file: PathBuf,
    /// Replace a database that is there; what it has is lost
    #[arg(long)]
    force: bool,
    /// Run jobs that were not handed to fal yet, although the original may have been charged for them
    /// since; right when it was stopped before the backup. SUBMIT_UNKNOWN=retry does the same
    #[arg(long)]
    resume: bool,
}

impl Args {
    pub(super) fn run(self, file: Option<&Path>) -> ExitCode {
        with_config(Config::load(file), |config| {
            let _log = telemetry::start(&config.log);
            finish(self.restore(&config))
        })
    }

    fn restore(&self, config: &Config) -> Result<(), String> {
        let own_secret = config.signing_secrets.is_empty();
        let restore = Restore {
            pictures: app::open_blobs(&config.storage).map_err(|error| error.to_string())?,
            secret_to: own_secret.then(|| super::data_folder(config).to_owned()),
            database: config.database_path.clone(),
            force: self.force,
            resume: self.resume || config.submit_unknown == UnknownPolicy::Retry,
            repeatable: engines::repeatable,
            price_microusd: config.fal.as_ref().map_or(0, |fal| fal.price_microusd),
        };
        let now = SystemClock::default().wall();
        let restored = runtime()?
            .block_on(restore.run(&self.file, now))
            .map_err(|error| error.to_string())?;
        report(config, &restored);
        Ok(())
    }
}

fn report(config: &Config, restored: &Restored) {
    let Restored {
        made_at,
        jobs,
        uploads,
        pictures,
        expired,
        deleted,
        unknown,
        secret,
        holds_more,
    } = restored;
    let made = made_at.map_or_else(String::new, |when| format!(" of {when}"));
    say(&format!(
        "{}: the data{made} is in place: {}, {}, {}{}",
        config.database_path.display(),
        count(*jobs as u64, "job"),
        count(*uploads as u64, "upload"),
        count(*pictures, "picture"),
        if *secret { ", the signing secret" } else { "" }
    ));
    if *holds_more {
        say(
            "the storage holds more than this backup knows, or belongs to another database: nothing is swept from it until lamina blobs adopt says that it is this one's",
        );
    }
    if *expired > 0 {
        let expired = count(*expired as u64, "job");
        say(&format!("{expired} had expired: erased"));
    }
    if *deleted > 0 {
        let deleted = count(*deleted as u64, "job");
        say(&format!(
            "{deleted} deleted while the backup was made: not brought back"
        ));
    }
    if *unknown > 0 {
        say(&format!(
            "{} failed as submission_unknown: not handed to fal yet at the backup, and perhaps since; --resume lets such jobs run",
            count(*unknown as u64, "job")
        ));
    }
}
