//! The database's file: found, owned, brought to this binary's schema, private to its user, and closed whole.

use std::ffi::c_int;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rusqlite::config::DbConfig;
use rusqlite::hooks::Wal;
use rusqlite::{Connection, OpenFlags};

use super::changed::ChangedPages;
use super::lock::FileLock;
use super::open_error::OpenError;
use super::reserve::Reserve;
use super::{deployment, migrate, replace};
use crate::store::Deployment;

/// How long a statement waits for a lock that another program holds on the file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How long emptying the journal may hold up writers while somebody reads; it is tried again later.
const EMPTYING_WAITS: Duration = Duration::from_millis(250);
/// Pages in the journal from which on a commit brings them into the file: SQLite's own number, 4 MB.
const JOURNAL_PAGES: c_int = 1000;

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
pub(super) struct Owned {
    pub(super) connection: Connection,
    pub(super) applied: usize,
    pub(super) reserve: Reserve,
    pub(super) lock: FileLock,
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
pub(super) fn own(path: &Path) -> Result<Owned, OpenError> {
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

pub(super) fn prepare(path: &Path) -> Result<(Connection, usize), OpenError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
    let mut connection = connect(path, flags)?;
    let applied = migrate::migrate(&mut connection)?;
    Ok((connection, applied))
}

/// Brings everything into the file itself and closes it, so that whoever copies the file has it all.
pub(super) fn close_whole(connection: Connection) {
    if !empty_journal(&connection) {
        tracing::warn!(
            "another program reads the database, so a part of it stays in its journal (-wal)"
        );
    }
    if let Err((_, error)) = connection.close() {
        tracing::error!(%error, "the database did not close cleanly");
    }
}

/// When the journal goes into the file. A long read, such as the look through the whole file at the start, keeps it from beginning
/// anew, and each further try sorts all that it holds: at each commit that is more and more work for nothing.
#[derive(Debug, Default)]
struct Checkpoints {
    /// Pages at the last commit, and at which the next try is due.
    last: c_int,
    next: c_int,
}

impl Checkpoints {
    /// Whether to try at so many pages: first at the size at which SQLite does that by itself, then each time that the journal has grown
    /// by a quarter.
    fn is_due(&mut self, pages: c_int) -> bool {
        if pages < self.last {
            // It began anew.
            self.next = 0;
        }
        self.last = pages;
        let is_due = pages >= self.next.max(JOURNAL_PAGES);
        if is_due {
            self.next = pages.saturating_add(pages / 4);
        }
        is_due
    }
}

/// The journal goes into the file when that is due, but not before what it holds was noted: after that it begins anew.
pub(super) fn checkpoint_by(
    connection: &mut Connection,
    changed: Arc<Mutex<ChangedPages>>,
) -> rusqlite::Result<()> {
    changed.lock().note();
    let mut checkpoints = Checkpoints::default();
    connection.wal_hook(Some(move |journal: &mut Wal, pages| {
        if pages >= JOURNAL_PAGES {
            changed
                .lock()
                .note_committed(u64::try_from(pages).unwrap_or(0));
        }
        if checkpoints.is_due(pages) {
            // As with SQLite's own: what was committed stands, and a later commit tries again.
            let _ = journal.checkpoint();
        }
        Ok(())
    }))
}

/// Whether nothing is left in the journal. Waits a moment for readers.
pub(super) fn empty_journal(connection: &Connection) -> bool {
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

pub(super) fn connect(path: &Path, flags: OpenFlags) -> Result<Connection, OpenError> {
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
    // Else a statement with `limit ?` is prepared anew for every value that it is run with.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

/// Prompts and source URLs stand in the file; nobody else on the machine needs to read it, at no
/// moment.
pub(super) fn make_private(path: &Path) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.create_new(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => keep_private(path),
        made => made.map(drop),
    }
}

pub(super) fn keep_private(path: &Path) -> std::io::Result<()> {
    #[cfg(unix)]
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_that_cannot_begin_anew_is_tried_less_and_less() {
        let mut checkpoints = Checkpoints::default();
        let tries = (1..=2_000).filter(|commit| checkpoints.is_due(commit * 100));
        // 1,000 pages by quarters up to 200,000.
        assert_eq!(tries.count(), 23);
        // Begun anew, with a first commit of any size.
        for first in [100, 1_500] {
            assert_eq!(checkpoints.is_due(first), first >= JOURNAL_PAGES);
            assert!(checkpoints.is_due(2_000));
        }
    }

    #[test]
    fn after_a_long_read_the_journal_is_as_small_as_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lamina.db");
        let (mut writer, _) = prepare(&path).unwrap();
        let changed = Arc::new(Mutex::new(ChangedPages::of(&path)));
        checkpoint_by(&mut writer, changed).unwrap();
        writer
            .execute_batch("create table filled (id integer primary key, bytes blob)")
            .unwrap();
        let fill = |writer: &Connection, commits: u32| {
            for _ in 0..commits {
                writer
                    .execute("insert into filled (bytes) values (zeroblob(40000))", [])
                    .unwrap();
            }
        };
        let journal = || {
            std::fs::metadata(super::super::lock::beside(&path, "-wal"))
                .unwrap()
                .len()
        };
        let reader = connect(&path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
        reader
            .execute_batch("begin; select count(*) from filled")
            .unwrap();
        fill(&writer, 400);
        let long = journal();
        reader.execute_batch("commit").unwrap();
        fill(&writer, 400);
        // What a quarter more takes until the next try, and no more.
        assert!(journal() <= long * 3 / 2, "{long} and then {}", journal());
        let busy: bool = writer
            .query_row("pragma wal_checkpoint(truncate)", [], |row| row.get(0))
            .unwrap();
        assert!(!busy);
        fill(&writer, 400);
        assert!(journal() < 8_000_000, "{}", journal());
    }
}
