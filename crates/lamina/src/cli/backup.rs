//! `lamina backup FILE`: a deployment's database and pictures in one file, made while it serves, and
//! what that file holds.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::{count, finish, runtime, say, with_config};
use crate::app;
use crate::backup::{Backup, Made};
use crate::clock::{Clock as _, SystemClock};
use crate::config::{Config, StorageConfig};
use crate::store::sqlite::present;
use crate::telemetry;

/// Arguments of `lamina backup`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The file to write; it must not exist
    file: PathBuf,
    /// Leave the pictures out, as with a bucket, where they stay
    #[arg(long)]
    database_only: bool,
    /// Leave the signing secret out that lamina made for itself; links made before end with a restore
    #[arg(long)]
    without_secret: bool,
}

impl Args {
    pub(super) fn run(self, file: Option<&Path>) -> ExitCode {
        with_config(Config::load(file), |config| {
            let _log = telemetry::start(&config.log);
            finish(self.back_up(&config))
        })
    }

    fn back_up(&self, config: &Config) -> Result<(), String> {
        // Before the storage is opened, which would make its folder.
        present(&config.database_path).map_err(|error| error.to_string())?;
        let in_folder = matches!(config.storage, StorageConfig::Folder(_));
        let pictures = (in_folder && !self.database_only)
            .then(|| app::open_blobs(&config.storage).map_err(|error| error.to_string()))
            .transpose()?;
        let own_secret = config.signing_secrets.is_empty() && !self.without_secret;
        let backup = Backup {
            pictures,
            secret_of: own_secret.then(|| super::data_folder(config).to_owned()),
            database: config.database_path.clone(),
        };
        let now = SystemClock::default().wall();
        let made = runtime()?
            .block_on(backup.write(&self.file, now))
            .map_err(|error| error.to_string())?;
        self.report(&made, in_folder)
    }

    fn report(&self, made: &Made, in_folder: bool) -> Result<(), String> {
        let Made {
            jobs,
            uploads,
            pictures,
            bytes,
            secret,
            damaged,
        } = made;
        let file = self.file.display();
        say(&format!(
            "{file}: {}, {}, {}, {bytes} bytes{}",
            count(*jobs as u64, "job"),
            count(*uploads as u64, "upload"),
            count(*pictures, "picture"),
            if *secret { ", the signing secret" } else { "" }
        ));
        if !in_folder {
            say("the pictures stay in the bucket");
        }
        if damaged.is_empty() {
            return Ok(());
        }
        for id in damaged {
            say(&format!("lacks a picture: {id}"));
        }
        Err(format!(
            "pictures are missing in the storage, of {}; everything else is in {file}",
            count(damaged.len() as u64, "job")
        ))
    }
}
