//! SQL of uploads that were promised and are not checked yet.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::{rows, uploads};
use crate::jobs::{OwnerId, UnixMs, UploadId};
use crate::store::{Arrival, Incoming, NewUpload};

pub(super) fn create(connection: &Connection, upload: &Incoming) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "insert into incoming (id, owner, arrival, bytes, metadata, created_at, expires_at)
             values (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            upload.id.to_string(),
            upload.owner.as_str(),
            upload.arrival.as_str(),
            upload.bytes,
            upload.metadata,
            upload.created_at.0,
            upload.expires_at.0,
        ])?;
    Ok(())
}

pub(super) fn get(
    connection: &Connection,
    id: UploadId,
    now: UnixMs,
) -> rusqlite::Result<Option<Incoming>> {
    connection
        .prepare_cached("select * from incoming where id = ?1 and expires_at > ?2")?
        .query_row(params![id.to_string(), now.0], |row| {
            Ok(Incoming {
                id: rows::parsed(row, "id")?,
                owner: OwnerId::named(&row.get::<_, String>("owner")?),
                arrival: rows::word(row, "arrival", |word| {
                    Arrival::ALL.into_iter().find(|way| way.as_str() == word)
                })?,
                bytes: row.get("bytes")?,
                metadata: row.get("metadata")?,
                created_at: UnixMs(row.get("created_at")?),
                expires_at: UnixMs(row.get("expires_at")?),
            })
        })
        .optional()
}

pub(super) fn declare(connection: &Connection, id: UploadId, bytes: u64) -> rusqlite::Result<bool> {
    let changed = connection
        .prepare_cached("update incoming set bytes = ?2 where id = ?1 and bytes is null")?
        .execute(params![id.to_string(), bytes])?;
    Ok(changed > 0)
}

pub(super) fn check(connection: &Connection, upload: &NewUpload) -> rusqlite::Result<bool> {
    if uploads::get(connection, &upload.owner, upload.id, upload.created_at)?.is_some() {
        return Ok(true);
    }
    let promised = forget(connection, upload.id)?;
    if promised {
        uploads::create(connection, upload)?;
    }
    Ok(promised)
}

pub(super) fn expired(
    connection: &Connection,
    now: UnixMs,
    limit: u32,
) -> rusqlite::Result<Vec<UploadId>> {
    rows::ids(
        connection,
        "select id from incoming where expires_at <= ?1 order by expires_at limit ?2",
        params![now.0, limit],
    )
}

pub(super) fn forget(connection: &Connection, id: UploadId) -> rusqlite::Result<bool> {
    let changed = connection
        .prepare_cached("delete from incoming where id = ?1")?
        .execute([id.to_string()])?;
    Ok(changed > 0)
}
