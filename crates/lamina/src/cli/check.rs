//! `lamina check`: tries each part that a start needs, one line each, and says how to fix what is
//! wrong. It changes nothing besides making the folders that a start would make, and bringing a
//! database that is there to this version's schema; what it stores to prove that pictures can be
//! reached, it removes.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use secrecy::ExposeSecret as _;

use super::{connectivity, count, runtime};
use crate::app::{self, StartError};
use crate::blobs::{BlobError, Ownership};
use crate::config::{Config, ConfigError, StorageConfig};
use crate::engines;
use crate::store::sqlite::{NEWEST_SCHEMA, OpenError, SqliteStore, deployment_of, present};
use crate::store::{HookStore as _, OwnerStore as _, StoreError, SubmissionStore as _};

/// What was found of one part.
pub(super) enum Found {
    /// It works, as far as this says.
    Good(String),
    /// It could not be proven, or works with a restriction.
    Unsure(String),
    /// It does not work; how to fix it.
    Bad(String),
}

impl From<Result<String, String>> for Found {
    fn from(found: Result<String, String>) -> Self {
        match found {
            Ok(text) => Self::Good(text),
            Err(text) => Self::Bad(text),
        }
    }
}

pub(super) fn run(config: &Result<Config, Vec<ConfigError>>) -> ExitCode {
    let mut bad = false;
    let mut report = |part: &str, found: Found| {
        bad |= matches!(found, Found::Bad(_));
        print(part, &found);
    };
    match config {
        Ok(config) => parts(config, &mut report),
        Err(errors) => {
            for error in errors {
                report("configuration", Found::Bad(error.to_string()));
            }
        }
    }
    if bad {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

fn parts(config: &Config, report: &mut dyn FnMut(&str, Found)) {
    report("configuration", Found::Good("every option is valid".into()));
    let (found, serving, keys) = database(config);
    report("access", access(config, keys, serving).into());
    report("database", found.into());
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(error) => return report("storage", Found::Bad(error)),
    };
    let stored = runtime.block_on(storage(config));
    let usable = stored.is_ok();
    report("storage", stored.into());
    report("webhooks", hooks(config, &runtime));
    if usable {
        report("deployment", runtime.block_on(deployment(config)));
    }
    if usable {
        report("links", runtime.block_on(connectivity::links(config)));
    }
    report("engine", Found::Good(engine(config)));
    report("networks", networks(config).into());
    report("fal key", fal_key(config).into());
    if let Some(fal) = config.fal.as_ref().filter(|_| usable) {
        let way = runtime.block_on(connectivity::way(config, fal, serving));
        report("way to fal", way);
        if let Some(public) = config.public_url.as_ref().filter(|_| fal.webhooks) {
            report(
                "callbacks",
                runtime.block_on(connectivity::callbacks(public)),
            );
        }
    }
}

/// `kept`: keys there ever were in the database. While a service runs there, it knows.
fn access(config: &Config, kept: usize, serving: bool) -> Result<String, String> {
    let (listen, configured) = (config.listen, config.api_keys.len());
    if serving {
        return Ok(format!(
            "{} in API_KEYS on {listen}; lamina keys list tells those of the database",
            count(configured as u64, "API key")
        ));
    }
    if app::nobody_may_call(config, kept > 0) {
        return Err(StartError::Nobody(listen.ip()).to_string());
    }
    if configured + kept == 0 && (listen.ip().is_loopback() || config.allow_anonymous) {
        return Ok(format!("anybody who reaches {listen} may use the API"));
    }
    Ok(format!(
        "{} in API_KEYS and {kept} in the database, on {listen}",
        count(configured as u64, "API key")
    ))
}

/// And whether a lamina runs on it now, and how many keys it has.
fn database(config: &Config) -> (Result<String, String>, bool, usize) {
    if let Err(OpenError::Missing { path }) = present(&config.database_path) {
        return (room_for_one(&path), false, 0);
    }
    let path = config.database_path.display();
    match SqliteStore::open(&config.database_path) {
        Ok(store) => {
            let counted = runtime().and_then(|runtime| {
                let count = runtime.block_on(async {
                    let unknown = store.submission_unknown_count().await?;
                    Ok::<_, StoreError>((unknown, store.key_list().await?.len()))
                });
                count.map_err(|error| error.to_string())
            });
            let keys = counted.as_ref().map_or(0, |(_, keys)| *keys);
            let found = counted.map(|(unknown, _)| {
                format!(
                    "{path} opens, schema {NEWEST_SCHEMA}; {} of unknown fate",
                    count(unknown, "submission")
                )
            });
            (found, false, keys)
        }
        Err(OpenError::OwnedByAnother { .. }) => {
            (Ok(format!("{path} is in use by a running lamina")), true, 0)
        }
        Err(error) => (Err(error.to_string()), false, 0),
    }
}

/// Whether the addresses that owners set for their webhooks may be called. Nothing is sent there.
fn hooks(config: &Config, runtime: &tokio::runtime::Runtime) -> Found {
    if present(&config.database_path).is_err() {
        return Found::Good("no owner has set an address".into());
    }
    let store = match SqliteStore::open(&config.database_path) {
        Ok(store) => store,
        Err(OpenError::OwnedByAnother { .. }) => {
            return Found::Unsure(
                "addresses that owners set are not looked at while a lamina runs on the database; lamina_webhook_attempts_total tells how they do".into(),
            );
        }
        // Said of the database already.
        Err(error) => return Found::Unsure(error.to_string()),
    };
    let addresses = match runtime.block_on(store.hook_addresses()) {
        Ok(addresses) => addresses,
        Err(error) => return Found::Bad(error.to_string()),
    };
    let policy = app::receiver_policy(config, None);
    for (owner, address) in &addresses {
        let refused = match address.parse::<url::Url>() {
            Ok(url) => policy.check_url(&url).err().map(|error| error.to_string()),
            Err(error) => Some(error.to_string()),
        };
        if let Some(why) = refused {
            return Found::Bad(format!(
                "the address that {owner} set for its webhooks may not be called: {why}. Set another with PUT /api/webhooks and its key, or allow it (FETCH_ALLOW_HTTP, FETCH_ALLOW_NETS)"
            ));
        }
    }
    match addresses.len() {
        0 => Found::Good("no owner has set an address".into()),
        some => Found::Good(format!(
            "{} of owners may be called; whether anybody answers there is not tried",
            count(some as u64, "address").replace("addresss", "addresses")
        )),
    }
}

/// Whether a start could make a database at a place where none is.
fn room_for_one(path: &Path) -> Result<String, String> {
    let folder = path.parent().unwrap_or(path);
    let made = std::fs::create_dir_all(folder).and_then(|()| tempfile::tempfile_in(folder));
    match made {
        Ok(_) => Ok(format!("none at {} yet; a start makes it", path.display())),
        Err(error) => Err(format!(
            "none at {}, and none can be made: {error}; check that DATABASE_PATH names a writable place",
            path.display()
        )),
    }
}

async fn storage(config: &Config) -> Result<String, String> {
    match &config.storage {
        StorageConfig::Folder(folder) => {
            let folder = folder.display();
            let fix = |error: BlobError| {
                format!("{error}; make {folder} writable for this user, or make room")
            };
            let blobs = app::open_blobs(&config.storage).map_err(fix)?;
            blobs.probe_write().await.map_err(fix)?;
            Ok(format!("{folder} can be written"))
        }
        StorageConfig::Bucket { settings, .. } => {
            let blobs = app::open_blobs(&config.storage).map_err(|error| error.to_string())?;
            let probed = blobs.probe_write().await;
            probed.map_err(|error| error.to_string())?;
            Ok(format!("the bucket {} can be written", settings.name))
        }
    }
}

/// Whether the storage is the database's own.
async fn deployment(config: &Config) -> Found {
    let own = match deployment_of(&config.database_path) {
        Ok(own) => own,
        Err(OpenError::Missing { .. }) => None,
        Err(error) => return Found::Bad(error.to_string()),
    };
    let marked = match app::open_blobs(&config.storage) {
        Ok(blobs) => blobs.mark().await,
        Err(error) => Err(error),
    };
    let mark = match marked {
        Ok(mark) => mark,
        Err(error) => return Found::Bad(error.to_string()),
    };
    let Some(own) = own else {
        return match mark {
            None => {
                Found::Good("neither database nor storage is marked yet; a start does it".into())
            }
            Some(mark) => Found::Unsure(format!(
                "the storage belongs to the database {}, and there is none here: a new one will not sweep it; check DATABASE_PATH and STORAGE_URL, or restore a backup",
                mark.deployment
            )),
        };
    };
    let id = &own.id;
    match Ownership::of(mark, id, own.seen_at, true) {
        Ownership::Own | Ownership::Unmarked | Ownership::Unknown => {
            Found::Good(format!("{id}: the storage is this database's, or unmarked"))
        }
        Ownership::Foreign { deployment } => Found::Unsure(format!(
            "the storage belongs to the database {deployment}, and this one is {id}: nothing is swept; check DATABASE_PATH and STORAGE_URL, or run lamina blobs adopt"
        )),
        Ownership::Newer => Found::Unsure(format!(
            "{id}: the storage knows a later state of this database, as after an older copy was put back: what it does not know is not swept until lamina blobs adopt"
        )),
    }
}

fn engine(config: &Config) -> String {
    match &config.fal {
        Some(fal) => format!(
            "{} by default; fal {}",
            config.engine.as_str(),
            if fal.webhooks {
                "calls back"
            } else {
                "is asked"
            }
        ),
        None => "local; no fal key is set".to_owned(),
    }
}

/// Reads and tries what runs the embedded engine, as a start would.
fn networks(config: &Config) -> Result<String, String> {
    let files = &config.local.networks;
    engines::networks(files, config.local.threads).map_err(|error| error.to_string())?;
    let by = |own: &Option<PathBuf>, built_in: &str| match own {
        Some(path) => format!("{} (read and tried once)", path.display()),
        None => built_in.to_owned(),
    };
    Ok(format!(
        "subject: {}; fill: {}; run by {}",
        by(&files.subject_model, "built in"),
        by(&files.fill_model, "built in, without a network"),
        match &files.onnxruntime {
            Some(library) => library.display().to_string(),
            None => "lamina itself".to_owned(),
        }
    ))
}

fn fal_key(config: &Config) -> Result<String, String> {
    let Some(fal) = &config.fal else {
        return Ok("none".into());
    };
    fal_queue::check_key_shape(fal.key.expose_secret()).map_err(|error| error.to_string())?;
    Ok("has the shape of a key; only fal knows whether it is one".into())
}

#[expect(clippy::print_stdout, reason = "the report is this command's output")]
fn print(part: &str, found: &Found) {
    match found {
        Found::Good(text) => println!("ok   {part:<14} {text}"),
        Found::Unsure(text) => println!("?    {part:<14} {text}"),
        Found::Bad(text) => println!("BAD  {part:<14} {text}"),
    }
}
