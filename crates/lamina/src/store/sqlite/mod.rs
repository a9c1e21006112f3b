//! The store over one SQLite file: WAL, `synchronous=FULL`, one writer thread with group commit,
//! a few reader threads. One process owns the file. An answered write survives power loss.

mod admin;
mod apply;
mod claim;
mod damage;
mod deployment;
mod expiry;
mod incoming;
mod job_cache;
mod jobs;
mod kept;
mod keys;
mod lock;
mod migrate;
mod owners;
mod queue;
mod readers;
#[cfg(test)]
mod released;
mod replace;
mod reserve;
mod rows;
mod snapshot;
mod spending;
mod stats;
mod store;
mod submissions;
#[cfg(test)]
mod tests;
mod uploads;
mod writer;

use parking_lot::{Mutex, RwLock};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};

pub use migrate::NEWEST as NEWEST_SCHEMA;
pub use replace::Replacement;
pub use snapshot::{Living, LivingJob, Snapshot, copy_whole, living};

use super::{Deployment, Signal, StoreError};
use crate::access::StorageCaps;
use crate::metrics::DatabaseMetrics;
use damage::{Damage, Look};
use job_cache::JobCache;
use lock::FileLock;
use readers::Readers;
use reserve::Reserve;
use writer::{Held, Writer};

/// How long a statement waits for a lock that another program holds on the file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
const READERS: usize = 3;
/// How long emptying the journal may hold up writers while somebody reads; it is tried again later.
const EMPTYING_WAITS: Duration = Duration::from_millis(250);

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
    /// What the file holds is not whole.
    #[error("the database {} is damaged: {text}; restore a backup with \"lamina restore FILE --force\", or recover what is left of it with sqlite3's .recover into a new file", path.display())]
    Damaged {
        /// The database.
        path: PathBuf,
        /// What SQLite found.
        text: String,
    },
    /// There was a database here, and its file is empty.
    #[error("the database {} is an empty file, and it was the database of the deployment {deployment}: its content is lost; restore a backup with \"lamina restore FILE --force\", or remove the file to begin with a new database, which then does not know what the storage holds", path.display())]
    Emptied {
        /// The database.
        path: PathBuf,
        deployment: String,
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
    /// Whether something was deleted or overwritten since the journal was emptied, or may have been
    /// before this process began.
    forgotten: std::sync::Arc<AtomicBool>,
    /// The writer's thread, which ends last.
    writer: Mutex<Option<JoinHandle<()>>>,
}

/// Dropped to close: the writer finishes its queue, waits for the readers, and closes last.
#[derive(Debug)]
struct Threads {
    _look: Look,
    writer: Writer,
    readers: Readers,
    job_cache: std::sync::Arc<JobCache>,
    damage: Damage,
    lock: std::sync::Arc<FileLock>,
    reserve: std::sync::Arc<Reserve>,
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
        let Owned {
            mut connection,
            reserve,
            lock,
            ..
        } = own(path)?;
        let (path, damage) = (lock.path().to_owned(), Damage::default());
        let look = Look::begin(&path, &damage)?;
        let readers = (0..READERS)
            .map(|_| connect(&path, OpenFlags::SQLITE_OPEN_READ_ONLY))
            .collect::<Result<_, _>>()?;
        let (readers, reading) =
            Readers::start(readers, metrics.clone(), damage.clone()).map_err(unusable)?;
        let job_cache = std::sync::Arc::new(JobCache::new());
        let touched = std::sync::Arc::clone(&job_cache);
        connection.update_hook(Some(move |_, _: &str, table: &str, row| {
            if table == "jobs" {
                touched.touch(row);
            }
        }))?;
        let cache = std::sync::Arc::clone(&job_cache);
        let (lock, reserve) = (std::sync::Arc::new(lock), std::sync::Arc::new(reserve));
        let held = Held {
            connection,
            readers: reading,
            reserve: std::sync::Arc::clone(&reserve),
            lock: std::sync::Arc::clone(&lock),
        };
        let (writer, thread) = Writer::start(held, metrics, damage.clone(), move || {
            cache.end_transaction();
        })
        .map_err(unusable)?;
        Ok(Self {
            open: RwLock::new(Some(std::sync::Arc::new(Threads {
                _look: look,
                writer,
                readers,
                job_cache,
                damage,
                lock,
                reserve,
            }))),
            signal: Signal::default(),
            turns: std::sync::Arc::default(),
            caps: RwLock::default(),
            forgotten: std::sync::Arc::new(AtomicBool::new(true)),
            writer: Mutex::new(Some(thread)),
        })
    }

    /// Migrates a database, or makes one, without serving it; returns how many migrations were
    /// applied.
    ///
    /// # Errors
    /// [`OpenError`]
    pub fn migrate(path: &Path) -> Result<usize, OpenError> {
        let owned = own(path)?;
        close_whole(owned.connection);
        Ok(owned.applied)
    }

    /// Lets go of the threads; the writer's is handed over to be waited for.
    fn let_go(&self) -> Option<JoinHandle<()>> {
        let threads = self.open.write().take();
        drop(threads);
        let mut writer = self.writer.lock();
        writer.take()
    }

    fn threads(&self) -> Result<std::sync::Arc<Threads>, StoreError> {
        let open = self.open.read();
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

    /// Like [`Self::write`], and notifies `wake` once the write is durable.
    async fn write_and_notify<T, F>(
        &self,
        wake: &std::sync::Arc<tokio::sync::Notify>,
        work: F,
    ) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let wake = std::sync::Arc::clone(wake);
        self.threads()?
            .writer
            .write(work, move || wake.notify_one())
            .await
    }
}

impl SqliteStore {
    /// A write after which words that were there are gone, so that the journal wants emptying; notifies
    /// `wake` as well once it is durable.
    async fn forget<T, F>(
        &self,
        wake: Option<&std::sync::Arc<tokio::sync::Notify>>,
        work: F,
    ) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let (wake, forgotten) = (wake.cloned(), std::sync::Arc::clone(&self.forgotten));
        let on_commit = move || {
            forgotten.store(true, Ordering::Release);
            if let Some(wake) = wake {
                wake.notify_one();
            }
        };
        self.threads()?.writer.write(work, on_commit).await
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

/// A database that is this process's own, in the order in which it is let go: its lock last, since
/// closing any of its files ends what SQLite has locked there.
struct Owned {
    connection: Connection,
    applied: usize,
    reserve: Reserve,
    lock: FileLock,
}

/// What a database says of its deployment, read beside whoever owns it; `None` of one that is older than
/// that.
///
/// # Errors
/// [`OpenError`]
pub fn deployment_of(path: &Path) -> Result<Option<Deployment>, OpenError> {
    present(path)?;
    let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    match deployment::id(&connection)? {
        Some(_) => Ok(Some(deployment::get(&connection)?)),
        None => Ok(None),
    }
}

/// Takes the lock of a database and brings it to this binary's schema; it and its folder are made if
/// missing.
fn own(path: &Path) -> Result<Owned, OpenError> {
    let unusable = |error: std::io::Error| OpenError::Unusable {
        path: path.to_owned(),
        text: error.to_string(),
    };
    let folder = path.parent().filter(|path| !path.as_os_str().is_empty());
    if let Some(folder) = folder {
        std::fs::create_dir_all(folder).map_err(unusable)?;
    }
    let mut lock = FileLock::take(path)?;
    let real = lock.path().to_owned();
    let is_empty = std::fs::metadata(&real).is_ok_and(|meta| meta.is_file() && meta.len() == 0);
    if let Some(deployment) = lock.made_for().filter(|_| is_empty) {
        return Err(OpenError::Emptied {
            path: path.to_owned(),
            deployment,
        });
    }
    let reserve = Reserve::of(&real);
    replace::clear(&real);
    make_private(&real).map_err(unusable)?;
    lock.take_file(path)?;
    let (connection, applied) = prepare(&real).map_err(|error| error.of(path))?;
    let deployment = deployment::id(&connection)?;
    // Only what makes an emptied file known as such; a disk that is full must not stop the start.
    if let Err(error) = lock.remember(deployment.as_deref().unwrap_or_default()) {
        tracing::warn!(%error, "the file beside the database could not be written");
    }
    reserve.keep();
    Ok(Owned {
        connection,
        applied,
        reserve,
        lock,
    })
}

fn prepare(path: &Path) -> Result<(Connection, usize), OpenError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
    let mut connection = connect(path, flags)?;
    let applied = migrate::migrate(&mut connection)?;
    Ok((connection, applied))
}

impl OpenError {
    /// The error with the file's name, where it says that the file is damaged.
    fn of(self, path: &Path) -> Self {
        match self {
            Self::Sqlite(error) if matches!(store_error(&error), StoreError::Damaged(_)) => {
                Self::Damaged {
                    path: path.to_owned(),
                    text: error.to_string(),
                }
            }
            other => other,
        }
    }
}

/// Brings everything into the file itself and closes it, so that whoever copies the file has it all.
fn close_whole(connection: Connection) {
    if !empty_journal(&connection) {
        tracing::warn!(
            "another program reads the database, so a part of it stays in its journal (-wal)"
        );
    }
    if let Err((_, error)) = connection.close() {
        tracing::error!(%error, "the database did not close cleanly");
    }
}

/// Whether nothing is left in the journal. Waits a moment for readers.
fn empty_journal(connection: &Connection) -> bool {
    let emptied = connection
        .busy_timeout(EMPTYING_WAITS)
        .and_then(|()| {
            connection.query_row("pragma wal_checkpoint(truncate)", [], |row| row.get(0))
        })
        .map(|blocked: bool| !blocked);
    let emptied = emptied.unwrap_or_else(|error| {
        tracing::warn!(%error, "the journal of the database could not be emptied");
        false
    });
    if let Err(error) = connection.busy_timeout(BUSY_TIMEOUT) {
        tracing::warn!(%error, "the database waits for no lock any more");
    }
    emptied
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

/// Prompts and source URLs stand in the file; nobody else on the machine needs to read it, at no
/// moment.
fn make_private(path: &Path) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.create_new(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => keep_private(path),
        made => made.map(drop),
    }
}

fn keep_private(path: &Path) -> std::io::Result<()> {
    #[cfg(unix)]
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    Ok(())
}

fn store_error(error: &rusqlite::Error) -> StoreError {
    let text = error.to_string();
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => StoreError::Full(text),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => StoreError::Damaged(text),
        Some(
            ErrorCode::ReadOnly
            | ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::SystemIoFailure
            | ErrorCode::CannotOpen
            | ErrorCode::OutOfMemory,
        ) => StoreError::Unavailable(text),
        Some(_) | None => StoreError::Defect(text),
    }
}

impl Drop for SqliteStore {
    /// Whoever does not close in order leaves a whole file all the same.
    fn drop(&mut self) {
        if let Some(writer) = self.let_go() {
            // One that panicked has told so.
            let _ = writer.join();
        }
    }
}
