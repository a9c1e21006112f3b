//! `lamina blobs copy FROM TO`: moves a deployment's pictures between folder and bucket, and says
//! what it did. It changes nothing at FROM and no configuration.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use indicatif::{ProgressBar, ProgressStyle};

use super::{count, finish, runtime, say, with_config};
use crate::app;
use crate::blobs::{Blobs, Done, Journal, Mark, Tally, Transfer};
use crate::clock::{Clock as _, SystemClock};
use crate::config::{Config, StorageConfig};
use crate::store::sqlite::{SqliteStore, present};
use crate::store::{DeploymentStore as _, Store as _};
use crate::telemetry;

/// Arguments of `lamina blobs`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Copy every picture from one storage to another and verify it; run it again to go on
    Copy(CopyArgs),
    /// Say that the storage is this database's, after it was found to be another's or a later one's;
    /// what the database does not know is swept from then on
    Adopt,
}

/// Arguments of `lamina blobs copy`. A bucket's endpoint and key come from the configuration.
#[derive(Debug, clap::Args)]
struct CopyArgs {
    /// Where the pictures are, as STORAGE_URL has it: file:FOLDER or s3://BUCKET/PREFIX
    from: String,
    /// Where they go
    to: String,
    /// What was verified, for the next run
    #[arg(long, value_name = "FILE", default_value = "lamina-blobs-copy.journal")]
    journal: PathBuf,
}

impl Args {
    pub(super) fn run(self, file: Option<&Path>) -> ExitCode {
        let copy = match self.command {
            Command::Copy(copy) => copy,
            Command::Adopt => {
                return with_config(Config::load(file), |config| {
                    let _log = telemetry::start(&config.log);
                    finish(adopt(&config))
                });
            }
        };
        // Options that speak of the storage in use would be wrong for one of the two.
        let load = |url: &str| {
            let over = [
                ("STORAGE_URL", url),
                ("STORAGE_LINKS", "auto"),
                ("FAL_IMAGE", "data"),
            ];
            Config::load_with(file, over)
        };
        with_config(load(&copy.from), |from| {
            with_config(load(&copy.to), |to| {
                let _log = telemetry::start(&to.log);
                finish(copy.run(&from.storage, &to.storage))
            })
        })
    }
}

/// Marks the storage as the database's, which nobody may have open.
fn adopt(config: &Config) -> Result<(), String> {
    present(&config.database_path).map_err(|error| error.to_string())?;
    let store = SqliteStore::open(&config.database_path).map_err(|error| error.to_string())?;
    let blobs = app::open_blobs(&config.storage).map_err(|error| error.to_string())?;
    let id = runtime()?.block_on(async {
        let now = SystemClock::default().wall();
        let told = async {
            store.deployment_adopted(now).await?;
            store.deployment_seen(now).await?;
            store.deployment().await
        };
        let own = told.await.map_err(|error| error.to_string())?;
        let mark = Mark::new(&own.id, own.seen_at);
        let marked = blobs.set_mark(&mark).await;
        store.close().await;
        marked.map(|()| own.id).map_err(|error| error.to_string())
    })?;
    say(&format!(
        "the storage is the database's ({id}) from now on; what the database does not know is swept from it once it is an hour old"
    ));
    Ok(())
}

impl CopyArgs {
    fn run(&self, from: &StorageConfig, to: &StorageConfig) -> Result<(), String> {
        if self.from == self.to {
            return Err("FROM and TO are the same".to_owned());
        }
        if let StorageConfig::Folder(folder) = from
            && !folder.is_dir()
        {
            return Err(format!("there is no folder {}", folder.display()));
        }
        let open = |storage| app::open_blobs(storage).map_err(|error| error.to_string());
        let (from, to) = (open(from)?, open(to)?);
        let mut journal = Journal::open(&self.journal, &self.from, &self.to)
            .map_err(|error| error.to_string())?;
        let tally = runtime()?.block_on(transfer(from, to, &mut journal))?;
        self.report(&tally)
    }

    fn report(&self, tally: &Tally) -> Result<(), String> {
        let Tally {
            copied,
            bytes,
            there,
            gone,
            removed,
            different,
            others,
        } = tally;
        say(&format!(
            "{copied} copied and read back ({bytes} bytes), {there} there already, {gone} erased meanwhile, {removed} removed at the target because they are erased at the source"
        ));
        if *others > 0 {
            let others = count(*others as u64, "file");
            say(&format!("left alone, as no picture of lamina: {others}"));
        }
        if different.is_empty() {
            say("everything at the source is at the target");
            return Ok(());
        }
        for key in different {
            say(&format!("differs: {key}"));
        }
        Err(format!(
            "different at the two: {}; the target's were left as they are. Remove them at {} if they are not needed, and run this again",
            count(different.len() as u64, "picture"),
            self.to
        ))
    }
}

async fn transfer(from: Blobs, to: Blobs, journal: &mut Journal) -> Result<Tally, String> {
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} {msg} {eta}") {
        bar.set_style(style);
    }
    let mut begun = false;
    let report = |all: usize, done: Option<Done>| {
        if !begun {
            begun = true;
            let all = count(all as u64, "picture");
            say(&format!("{all} at the source"));
        }
        bar.set_length(all as u64);
        if done.is_some() {
            bar.inc(1);
        }
        let (at, step) = (bar.position(), (all as u64 / 10).max(1));
        // A log has no bar; it gets a line at every tenth.
        if bar.is_hidden() && done.is_some() && at % step == 0 {
            say(&format!("{at} of {all}"));
        }
    };
    let copied = Transfer { from, to }.run(journal, report).await;
    bar.finish_and_clear();
    copied.map_err(|error| format!("{error}; run the same command again to go on"))
}
