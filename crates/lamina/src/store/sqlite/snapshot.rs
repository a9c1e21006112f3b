//! A copy of a database as it is at one moment, made beside the process that owns it, and what such a
//! copy says is still needed of pictures. It writes nothing to the database that it copies.
//!
//! Reading from a second process is safe: the ownership lock keeps other *writers* out, and SQLite's
//! WAL gives every reader the last commit before it began, while the writer goes on. The copy is made
//! in one step: one that yields in between begins anew whenever the owner commits.

use std::path::Path;

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
    /// Its id.
    pub id: JobId,
    /// Whose it is.
    pub owner: OwnerId,
    /// Where it stands.
    pub phase: Phase,
    /// The format of its stored source, once there is one.
    pub source: Option<MediaType>,
    /// Its layers, bottom first: order, format, SHA-256 in lower-case hex.
    pub layers: Vec<(u32, MediaType, String)>,
}

/// Copies `database` as it is now into the new file `copy`, and returns its schema. A process that
/// owns the database goes on meanwhile.
///
/// # Errors
/// [`OpenError`]
pub fn snapshot(database: &Path, copy: &Path) -> Result<usize, OpenError> {
    let unusable = |text: &str| OpenError::Unusable {
        path: database.to_owned(),
        text: text.to_owned(),
    };
    present(database)?;
    let source = connect(database, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let schema = schema(&source)?;
    let mut target = Connection::open(copy)?;
    let step = Backup::new(&source, &mut target)?.step(-1)?;
    if step != StepResult::Done {
        return Err(unusable("it is locked by another program"));
    }
    // One file, whole without a journal beside it.
    target.pragma_update(None, "journal_mode", "delete")?;
    sound(&target, copy)?;
    Ok(schema)
}

/// What `database` says is alive at `now`.
///
/// # Errors
/// [`OpenError`]; one that is damaged is [`OpenError::Unusable`].
pub fn living(database: &Path, now: UnixMs) -> Result<Living, OpenError> {
    let connection = connect(database, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    schema(&connection)?;
    sound(&connection, database)?;
    let mut layers = connection
        .prepare("select ord, media, sha256 from layers where job_id = ?1 order by ord")?;
    let mut jobs = connection.prepare(
        "select id, owner, phase, source_media from jobs where gone_at is null and expires_at > ?1 order by id",
    )?;
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
        &connection,
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
    Err(OpenError::Unusable {
        path: path.to_owned(),
        text: format!("it is damaged: {text}"),
    })
}
