//! `lamina blobs adopt`: says that a storage is this database's. It moves no picture; rclone does
//! that, as docs/storage.md says.

use std::path::Path;
use std::process::ExitCode;

use super::{finish, runtime, say, with_config};
use crate::app;
use crate::blobs::Mark;
use crate::clock::{Clock as _, SystemClock};
use crate::config::Config;
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
    /// Say that the storage is this database's, after it was found to be another's or a later one's;
    /// what the database does not know is swept from then on
    Adopt,
}

impl Args {
    pub(super) fn run(self, file: Option<&Path>) -> ExitCode {
        match self.command {
            Command::Adopt => with_config(Config::load(file), |config| {
                let _log = telemetry::start(&config.log);
                finish(adopt(&config))
            }),
        }
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
