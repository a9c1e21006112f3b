//! A copy of a database as it is at one moment, made beside the process that owns it, and what such a
//! copy says is still needed of pictures. It writes nothing to the database that it copies.
//!
//! Reading from a second process is safe: the ownership lock keeps other *writers* out, and SQLite's
//! WAL gives every reader the last commit before it began, while the writer goes on. The copy is made
//! in one step: one that yields in between begins anew whenever the owner commits.

use std::fs::File;
use std::io::{self, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};

use super::rows;
use super::{NEWEST_SCHEMA, OpenError, connect, present};
use crate::jobs::{JobId, MediaType, OwnerId, Phase, UnixMs, UploadId};

/// What a database says is alive.
#[derive(Clone, Debug, Default)]
pub struct Living {
    /// Jobs that are neither deleted nor expired, oldest first.
    pub jobs: Vec<LivingJob>,
    /// Uploads whose time is not over.
    pub uploads: Vec<UploadId>,
}

/// A job that is neither deleted nor expired.
#[derive(Clone, Debug)]
pub struct LivingJob {
    pub id: JobId,
    pub owner: OwnerId,
    /// Where it stands.
    pub phase: Phase,
    /// The format of its source in the blob store, once there is one.
    pub source: Option<MediaType>,
    /// Its layers, bottom first: order, format, SHA-256 in lower-case hex.
    pub layers: Vec<(u32, MediaType, String)>,
}

/// A copy of a database as it was at one moment. It has no name, so that no way of ending, not even a
/// killed process, leaves it behind.
pub struct Snapshot {
    pub schema: usize,
    connection: Connection,
    file: File,
    path: PathBuf,
}

impl Snapshot {
    /// Copies `database` as it is now. `folder` is where there is room for it. A process that owns the
    /// database goes on meanwhile.
    ///
    /// # Errors
    /// [`OpenError`]
    pub fn take(database: &Path, folder: &Path) -> Result<Self, OpenError> {
        let unusable = |path: &Path, text: String| OpenError::Unusable {
            path: path.to_owned(),
            text,
        };
        present(database)?;
        let source = connect(database, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let schema = schema(&source)?;
        let io = |error: io::Error| unusable(folder, error.to_string());
        let named = tempfile::Builder::new()
            .prefix(".lamina-backup-")
            .tempfile_in(folder)
            .map_err(io)?;
        let mut connection = Connection::open(named.path())?;
        // It is written once; whoever is interrupted begins again.
        connection.pragma_update(None, "journal_mode", "off")?;
        connection.pragma_update(None, "temp_store", "memory")?;
        let (file, path) = named.into_parts();
        let path = path.to_path_buf();
        #[cfg(unix)]
        std::fs::remove_file(&path).map_err(io)?;
        let step = Backup::new(&source, &mut connection)?.step(-1)?;
        if step != StepResult::Done {
            return Err(unusable(
                database,
                "it is locked by another program".to_owned(),
            ));
        }
        drop(source);
        without_journal(&file).map_err(io)?;
        connection.pragma_update(None, "shrink_memory", "")?;
        sound(&connection, database)?;
        Ok(Self {
            schema,
            connection,
            file,
            path,
        })
    }

    /// What it says is alive at `now`.
    ///
    /// # Errors
    /// [`OpenError`]
    pub fn living(&self, now: UnixMs) -> Result<Living, OpenError> {
        all_living(&self.connection, self.schema, now)
    }

    /// Its bytes, from the first.
    ///
    /// # Errors
    /// The disk's.
    pub fn bytes(&self) -> io::Result<&File> {
        (&self.file).rewind()?;
        Ok(&self.file)
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        if !cfg!(unix) {
            // Here it had to keep its name.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// What reads and writes the file, 1 without a journal of its own and 2 with one, and the counter by which a
/// reader notices a change: <https://www.sqlite.org/fileformat.html#the_database_header>.
const JOURNAL_VERSIONS: u64 = 18;

/// Makes the copy of a database with a write-ahead log one file, whole without a journal beside it. (SQLite
/// itself would do it through a journal with a name.)
fn without_journal(file: &File) -> io::Result<()> {
    let mut file = file;
    file.seek(io::SeekFrom::Start(JOURNAL_VERSIONS))?;
    file.write_all(&[1, 1])?;
    file.sync_all()
}

/// Copies `database` into the new file `copy`, whole without a journal beside it.
///
/// # Errors
/// [`OpenError`]
pub fn copy_whole(database: &Path, copy: &Path) -> Result<(), OpenError> {
    let folder = copy.parent().unwrap_or(Path::new(""));
    let snapshot = Snapshot::take(database, folder)?;
    let copied = snapshot
        .bytes()
        .and_then(|mut bytes| io::copy(&mut bytes, &mut File::create(copy)?));
    copied.map(|_| ()).map_err(|error| OpenError::Unusable {
        path: copy.to_owned(),
        text: error.to_string(),
    })
}

/// What `database` says is alive at `now`.
///
/// # Errors
/// [`OpenError`]; one that is damaged is [`OpenError::Damaged`].
pub fn living(database: &Path, now: UnixMs) -> Result<Living, OpenError> {
    let connection = connect(database, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let schema = schema(&connection)?;
    sound(&connection, database)?;
    all_living(&connection, schema, now)
}

/// The first schema that keeps small sources beside their jobs' rows.
const WITH_SOURCES: usize = 12;

/// The first schema that numbers layers' files.
const WITH_FILES: usize = 20;

fn all_living(connection: &Connection, schema: usize, now: UnixMs) -> Result<Living, OpenError> {
    let file = if schema >= WITH_FILES { "file" } else { "ord" };
    let mut layers = connection.prepare(&format!(
        "select {file}, media, sha256 from layers where job_id = ?1 order by ord"
    ))?;
    let in_the_row = if schema >= WITH_SOURCES {
        "exists (select 1 from sources where job_id = jobs.id)"
    } else {
        "false"
    };
    let mut jobs = connection.prepare(&format!(
        "select id, owner, phase, iif({in_the_row}, null, source_media) as source_media from jobs
         where gone_at is null and expires_at > ?1 order by id"
    ))?;
    let jobs = jobs.query_map([now.0], |row| {
        let id: JobId = rows::parsed(row, "id")?;
        let owned = layers.query_map([rows::text(id)], |row| {
            Ok((row.get(0)?, rows::media(row, "media")?, row.get(2)?))
        })?;
        Ok(LivingJob {
            id,
            owner: OwnerId::named(row.get_ref("owner")?.as_str()?),
            phase: rows::phase(row)?,
            source: match row.get_ref("source_media")? {
                rusqlite::types::ValueRef::Null => None,
                _ => Some(rows::media(row, "source_media")?),
            },
            layers: owned.collect::<Result<_, _>>()?,
        })
    })?;
    let jobs = jobs.collect::<Result<_, _>>()?;
    let uploads = rows::ids(
        connection,
        "select id from uploads where expires_at > ?1",
        [now.0],
    )?;
    Ok(Living { jobs, uploads })
}

fn schema(connection: &Connection) -> Result<usize, OpenError> {
    let found =
        connection.query_row("select user_version from pragma_user_version", [], |row| {
            row.get(0)
        })?;
    if found > NEWEST_SCHEMA {
        return Err(OpenError::TooNew {
            found,
            known: NEWEST_SCHEMA,
        });
    }
    Ok(found)
}

fn sound(connection: &Connection, path: &Path) -> Result<(), OpenError> {
    let text: String = connection.query_row("pragma integrity_check(1)", [], |row| row.get(0))?;
    if text == "ok" {
        return Ok(());
    }
    Err(OpenError::Damaged {
        path: path.to_owned(),
        text,
    })
}
