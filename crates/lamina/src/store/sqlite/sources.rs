//! SQL of sources that are kept beside their job's row.

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::rows::text;
use crate::jobs::JobId;

pub(super) fn keep(connection: &Connection, job: JobId, bytes: &[u8]) -> rusqlite::Result<()> {
    connection
        .prepare_cached("insert into sources (job_id, bytes) values (?1, ?2)")?
        .execute(params![text(job), bytes])?;
    Ok(())
}

pub(super) fn get(connection: &Connection, job: JobId) -> rusqlite::Result<Option<Bytes>> {
    connection
        .prepare_cached("select bytes from sources where job_id = ?1")?
        .query_row([text(job)], |row| {
            let bytes = row.get_ref("bytes")?.as_blob()?;
            Ok(Bytes::copy_from_slice(bytes))
        })
        .optional()
}

/// Erases it: the connection overwrites what it deletes.
pub(super) fn erase(connection: &Connection, job: JobId) -> rusqlite::Result<()> {
    connection
        .prepare_cached("delete from sources where job_id = ?1")?
        .execute([text(job)])?;
    Ok(())
}
