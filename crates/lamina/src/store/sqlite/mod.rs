//! The store over one SQLite file: WAL, `synchronous=FULL`, one writer thread with group commit,
//! a few reader threads. One process owns the file. An answered write survives power loss.

mod accounts;
mod claim;
mod expiry;
mod incoming;
mod jobs;
mod kept;
mod keys;
mod lock;
mod migrate;
mod oversight;
mod queue;
mod readers;
mod recent;
#[cfg(test)]
mod released;
mod replace;
mod rows;
mod settle;
mod snapshot;
mod spending;
mod standing;
mod store;
mod submissions;
#[cfg(test)]
mod tests;
mod uploads;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::RwLock;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};
use tokio::sync::oneshot;

pub use migrate::NEWEST as NEWEST_SCHEMA;
pub use replace::Replacement;
pub use snapshot::{Living, LivingJob, living, snapshot};

use super::{Signal, StoreError};
use crate::access::StorageCaps;
use crate::metrics::DatabaseMetrics;
use lock::FileLock;
use readers::Readers;
use recent::RecentJobs;
use writer::Writer;

/// How long a statement waits for a lock that another program holds on the file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
const READERS: usize = 3;

/// Why a database file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process owns the file.
    #[error("the database {} is in use by another lamina process; stop that one first, or give this one another DATABASE_PATH", path.display())]
    OwnedByAnother {
        /// The database.
        path: PathBuf,
    },
    /// A newer lamina wrote the file.
    #[error(
        "the database has schema {found}, and this lamina knows schemas up to {known}; start a newer lamina, or restore a backup that was made before the upgrade"
    )]
    TooNew {
        /// Its schema.
        found: usize,
        /// The newest schema this binary knows.
        known: usize,
    },
    /// There is none.
    #[error("there is no database at {}; run this with the options of the service (DATABASE_PATH) and in its folder, or start lamina once, which makes one", path.display())]
    Missing {
        /// Where one was expected, from the root of the file system.
        path: PathBuf,
    },
    /// The folder or file cannot be made, read or written.
    #[error("the database {} cannot be opened: {text}; check that DATABASE_PATH names a writable place", path.display())]
    Unusable {
        /// What was opened.
        path: PathBuf,
        /// What the system said.
        text: String,
    },
    /// SQLite failed while it was opened or migrated.
    #[error(
        "the database could not be prepared: {0}; check that DATABASE_PATH names a file that lamina made, or a new one"
    )]
    Sqlite(#[from] rusqlite::Error),
}

/// The store over one SQLite file.
#[derive(Debug)]
pub struct SqliteStore {
    open: RwLock<Option<std::sync::Arc<Threads>>>,
    signal: Signal,
    turns: std::sync::Arc<claim::Turns>,
    /// Bounds on what is kept.
    caps: RwLock<StorageCaps>,
    writer_ended: tokio::sync::Mutex<Option<oneshot::Receiver<()>>>,
}

/// Dropped to close: the writer finishes its queue first.
#[derive(Debug)]
struct Threads {
    writer: Writer,
    readers: Readers,
    recent: std::sync::Arc<RecentJobs>,
    _lock: FileLock,
}

impl SqliteStore {
    /// Opens, locks and migrates a database; its folder is made if missing.
    ///
    /// # Errors
    /// [`OpenError`]
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        Self::open_measured(path, DatabaseMetrics::default())
    }

    /// [`SqliteStore::open`], and counts its writes.
    ///
    /// # Errors
    /// [`OpenError`]
    pub fn open_measured(path: &Path, metrics: DatabaseMetrics) -> Result<Self, OpenError> {
        let unusable = |error: std::io::Error| OpenError::Unusable {
            path: path.to_owned(),
            text: error.to_string(),
        };
        let (lock, mut connection, _) = own(path)?;
        let readers = (0..READERS)
            .map(|_| connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY))
            .collect::<Result<_, _>>()?;
        let readers = Readers::start(readers, metrics.clone()).map_err(unusable)?;
        let recent = std::sync::Arc::new(RecentJobs::new());
        let touched = std::sync::Arc::clone(&recent);
        connection.update_hook(Some(move |_, _: &str, table: &str, row| {
            if table == "jobs" {
                touched.touch(row);
            }
        }))?;
        let settled = std::sync::Arc::clone(&recent);
        let (writer, ended) =
            Writer::start(connection, metrics, move || settled.settle()).map_err(unusable)?;
        Ok(Self {
            open: RwLock::new(Some(std::sync::Arc::new(Threads {
                writer,
                readers,
                recent,
                _lock: lock,
            }))),
            signal: Signal::default(),
            turns: std::sync::Arc::default(),
            caps: RwLock::default(),
            writer_ended: tokio::sync::Mutex::new(Some(ended)),
        })
    }

    /// Migrates a database, or makes one, without serving it; returns how many migrations were
    /// applied.
    ///
    /// # Errors
    /// [`OpenError`]
    pub fn migrate(path: &Path) -> Result<usize, OpenError> {
        own(path).map(|(_, _, applied)| applied)
    }

    fn threads(&self) -> Result<std::sync::Arc<Threads>, StoreError> {
        let open = self
            .open
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        open.clone().ok_or(StoreError::Closed)
    }

    async fn read<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        self.threads()?.readers.read(work).await
    }

    async fn write<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        self.threads()?.writer.write(work, || {}).await
    }

    /// Like [`Self::write`], and rings `bell` once the write is durable.
    async fn write_and_ring<T, F>(
        &self,
        bell: &std::sync::Arc<tokio::sync::Notify>,
        work: F,
    ) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let bell = std::sync::Arc::clone(bell);
        self.threads()?
            .writer
            .write(work, move || bell.notify_one())
            .await
    }
}

/// Makes sure that there is a database, for what would be no use over a new and empty one. It makes
/// nothing.
///
/// # Errors
/// [`OpenError::Missing`]
pub fn present(path: &Path) -> Result<(), OpenError> {
    if path.exists() {
        return Ok(());
    }
    Err(OpenError::Missing {
        path: std::path::absolute(path).unwrap_or_else(|_| path.to_owned()),
    })
}

/// Takes the lock of a database and brings it to this binary's schema; it and its folder are made if
/// missing. Returns the number of migrations too.
fn own(path: &Path) -> Result<(FileLock, Connection, usize), OpenError> {
    let unusable = |error: std::io::Error| OpenError::Unusable {
        path: path.to_owned(),
        text: error.to_string(),
    };
    let folder = path.parent().filter(|path| !path.as_os_str().is_empty());
    if let Some(folder) = folder {
        std::fs::create_dir_all(folder).map_err(unusable)?;
    }
    let lock = FileLock::take(path)?;
    let mut connection = connect(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE,
    )?;
    keep_private(path).map_err(unusable)?;
    let applied = migrate::migrate(&mut connection)?;
    Ok((lock, connection, applied))
}

fn connect(path: &Path, flags: OpenFlags) -> Result<Connection, OpenError> {
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)
        .map_err(|error| OpenError::Unusable {
            path: path.to_owned(),
            text: error.to_string(),
        })?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "foreign_keys", "on")?;
    connection.pragma_update(None, "temp_store", "memory")?;
    if flags.contains(OpenFlags::SQLITE_OPEN_READ_WRITE) {
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "synchronous", "full")?;
        connection.pragma_update(None, "journal_size_limit", 64 * 1024 * 1024)?;
        // Overwrites what it deletes: a forgotten prompt or URL must not stay in free pages.
        connection.pragma_update(None, "secure_delete", "on")?;
    }
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

/// Prompts and source URLs stand in the file; nobody else on the machine needs to read it.
fn keep_private(path: &Path) -> std::io::Result<()> {
    #[cfg(unix)]
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    Ok(())
}

fn store_error(error: &rusqlite::Error) -> StoreError {
    let text = error.to_string();
    match error.sqlite_error_code() {
        Some(
            ErrorCode::DiskFull
            | ErrorCode::ReadOnly
            | ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::SystemIoFailure
            | ErrorCode::CannotOpen
            | ErrorCode::OutOfMemory,
        ) => StoreError::Unavailable(text),
        Some(_) | None => StoreError::Defect(text),
    }
}
