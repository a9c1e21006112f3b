//! The store over one SQLite file: WAL, `synchronous=FULL`, one writer thread with group commit,
//! a few reader threads. One process owns the file. An answered write survives power loss.

mod admin;
mod apply;
mod changed;
mod claim;
mod damage;
mod deployment;
mod ended;
mod expiry;
mod file;
mod incoming;
mod job_cache;
mod jobs;
mod kept;
mod keys;
mod known_room;
mod layer_variants;
mod lock;
mod migrate;
mod open_error;
mod overview;
mod owners;
mod queue;
mod readers;
#[cfg(test)]
mod released;
mod remains;
mod replace;
mod reserve;
mod rows;
mod snapshot;
mod sources;
mod spending;
mod stats;
#[cfg(test)]
mod steps;
mod store;
mod submissions;
#[cfg(test)]
mod tests;
mod told;
mod uploads;
mod webhooks;
mod writer;

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::JoinHandle;

use parking_lot::{Mutex, RwLock};
use rusqlite::{Connection, OpenFlags};

pub use file::{deployment_of, present};
pub use migrate::NEWEST as NEWEST_SCHEMA;
pub use open_error::OpenError;
pub use replace::Replacement;
pub use snapshot::{Living, LivingJob, Snapshot, copy_whole, living};

use super::{ChangeFeed, Signal, StoreError};
use crate::access::StorageCaps;
use crate::metrics::DatabaseMetrics;
use changed::ChangedPages;
use damage::{Damage, Look};
use file::{Owned, close_whole, connect, empty_journal, keep_private, own};
use job_cache::JobCache;
use known_room::KnownRoom;
use lock::FileLock;
use open_error::store_error;
use readers::Readers;
use reserve::Reserve;
use told::Untold;
use writer::{Held, Writer};

const READERS: usize = 3;

/// The store over one SQLite file.
#[derive(Debug)]
pub struct SqliteStore {
    open: RwLock<Option<std::sync::Arc<Threads>>>,
    signal: Signal,
    changes: ChangeFeed,
    turns: std::sync::Arc<claim::Turns>,
    /// Bounds on what is kept.
    caps: RwLock<StorageCaps>,
    /// Whether something was deleted or overwritten since the journal was emptied, or may have been
    /// before this process began.
    forgotten: std::sync::Arc<AtomicBool>,
    /// The next page of the pass over the whole file that this process makes once (`remains.rs`).
    pass: AtomicU32,
    /// The writer's thread, which ends last.
    writer: Mutex<Option<JoinHandle<()>>>,
}

/// Dropped to close: the writer finishes its queue, waits for the readers, and closes last.
#[derive(Debug)]
struct Threads {
    _look: Look,
    writer: Writer,
    readers: std::sync::Arc<Readers>,
    job_cache: std::sync::Arc<JobCache>,
    known_room: std::sync::Arc<KnownRoom>,
    damage: Damage,
    lock: std::sync::Arc<FileLock>,
    reserve: std::sync::Arc<Reserve>,
    changed: std::sync::Arc<Mutex<ChangedPages>>,
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
        let readers = std::sync::Arc::new(readers);
        let (job_cache, changes) = (std::sync::Arc::new(JobCache::new()), ChangeFeed::default());
        let untold = Untold::new(changes.clone(), std::sync::Arc::clone(&job_cache));
        let untold = std::sync::Arc::new(untold);
        let (signal, deliveries) = (
            Signal::default(),
            std::sync::Arc::new(AtomicBool::new(false)),
        );
        let deliver = std::sync::Arc::clone(&signal.deliver);
        watch_rows(&mut connection, &job_cache, &untold, &deliveries)?;
        let known_room = std::sync::Arc::new(KnownRoom::default());
        KnownRoom::watch(&known_room, &connection)?;
        let room = std::sync::Arc::clone(&known_room);
        let changed = std::sync::Arc::new(Mutex::new(ChangedPages::of(&path)));
        file::checkpoint_by(&mut connection, std::sync::Arc::clone(&changed))?;
        let cache = std::sync::Arc::clone(&job_cache);
        let (lock, reserve) = (std::sync::Arc::new(lock), std::sync::Arc::new(reserve));
        let held = Held {
            connection,
            readers: reading,
            reserve: std::sync::Arc::clone(&reserve),
            changed: std::sync::Arc::clone(&changed),
            lock: std::sync::Arc::clone(&lock),
        };
        let looks = std::sync::Arc::downgrade(&readers);
        let (writer, thread) = Writer::start(held, metrics, damage.clone(), move || {
            cache.end_transaction();
            room.end_transaction();
            untold.end_transaction(&looks);
            if deliveries.swap(false, Ordering::AcqRel) {
                deliver.notify_one();
            }
        })
        .map_err(unusable)?;
        Ok(Self {
            open: RwLock::new(Some(std::sync::Arc::new(Threads {
                _look: look,
                writer,
                readers,
                job_cache,
                known_room,
                damage,
                lock,
                reserve,
                changed,
            }))),
            signal,
            changes,
            turns: std::sync::Arc::default(),
            caps: RwLock::default(),
            forgotten: std::sync::Arc::new(AtomicBool::new(true)),
            pass: AtomicU32::new(1),
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
        F: Fn(&Connection) -> rusqlite::Result<T> + Send + 'static,
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
        F: Fn(&Connection) -> rusqlite::Result<T> + Send + 'static,
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
        F: Fn(&Connection) -> rusqlite::Result<T> + Send + 'static,
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

impl Drop for SqliteStore {
    /// Whoever does not close in order leaves a whole file all the same.
    fn drop(&mut self) {
        if let Some(writer) = self.let_go() {
            // One that panicked has told so.
            let _ = writer.join();
        }
    }
}

/// Tells the cache, the feed and the deliveries of each row that is written.
fn watch_rows(
    connection: &mut Connection,
    job_cache: &std::sync::Arc<JobCache>,
    untold: &std::sync::Arc<Untold>,
    deliveries: &std::sync::Arc<AtomicBool>,
) -> rusqlite::Result<()> {
    let (cache, untold, deliveries) = (
        std::sync::Arc::clone(job_cache),
        std::sync::Arc::clone(untold),
        std::sync::Arc::clone(deliveries),
    );
    connection.update_hook(Some(move |_, _: &str, table: &str, row| {
        if table == "deliveries" {
            deliveries.store(true, Ordering::Release);
        }
        if table == "jobs" {
            cache.touch(row);
            untold.touch(row);
        }
    }))?;
    let committing = std::sync::Arc::clone(job_cache);
    connection.commit_hook(Some(move || {
        committing.commits();
        false
    }))?;
    Ok(())
}
