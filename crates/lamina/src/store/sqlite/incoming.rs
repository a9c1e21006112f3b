//! SQL of uploads that were promised and are not checked yet.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::kept::{self, Bounded};
use super::{rows, uploads};
use crate::access::StorageCaps;
use crate::jobs::{OwnerId, UnixMs, UploadId};
use crate::store::{Arrival, Incoming, KeptKind, NewUpload};

pub(super) fn create(connection: &Connection, upload: &Incoming, caps: StorageCaps) -> Bounded<()> {
    let kind = match upload.arrival {
        Arrival::Bucket => KeptKind::Bucket,
        Arrival::Link | Arrival::Resumable => KeptKind::Incoming,
    };
    if let Err(full) = kept::room(connection, &upload.owner, kind, upload.reserved, caps)? {
        return Ok(Err(full));
    }
    connection
        .prepare_cached(
            "insert into incoming (id, owner, arrival, bytes, reserved, metadata, created_at, expires_at)
             values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .execute(params![
            upload.id.to_string(),
            upload.owner.as_str(),
            upload.arrival.as_str(),
            upload.bytes,
            upload.reserved,
            upload.metadata,
            upload.created_at.0,
            upload.expires_at.0,
        ])?;
    Ok(Ok(()))
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
                reserved: row.get("reserved")?,
                metadata: row.get("metadata")?,
                created_at: UnixMs(row.get("created_at")?),
                expires_at: UnixMs(row.get("expires_at")?),
            })
        })
        .optional()
}

pub(super) fn declare(
    connection: &Connection,
    id: UploadId,
    bytes: u64,
    caps: StorageCaps,
) -> Bounded<bool> {
    match kept::reserve(connection, id, bytes, caps)? {
        Ok(true) => {}
        other => return Ok(other),
    }
    let changed = connection
        .prepare_cached("update incoming set bytes = ?2 where id = ?1 and bytes is null")?
        .execute(params![id.to_string(), bytes])?;
    Ok(Ok(changed > 0))
}

/// What was reserved for it and what it is as an upload are not counted both: a refusal leaves the
/// promise as it was.
pub(super) fn check(
    connection: &Connection,
    upload: &NewUpload,
    caps: StorageCaps,
) -> Bounded<bool> {
    if uploads::get(connection, &upload.owner, upload.id, upload.created_at)?.is_some() {
        return Ok(Ok(true));
    }
    let reserved: Option<u64> = connection
        .prepare_cached("select reserved from incoming where id = ?1")?
        .query_row([upload.id.to_string()], |row| row.get(0))
        .optional()?;
    let Some(reserved) = reserved else {
        return Ok(Ok(false));
    };
    let more = upload.info.bytes.saturating_sub(reserved);
    if let Err(full) = kept::room(connection, &upload.owner, KeptKind::Upload, more, caps)? {
        return Ok(Err(full));
    }
    forget(connection, upload.id)?;
    uploads::insert(connection, upload)?;
    Ok(Ok(true))
}

pub(super) fn expired(
    connection: &Connection,
    now: UnixMs,
    limit: u32,
    except: &[UploadId],
) -> rusqlite::Result<Vec<UploadId>> {
    rows::ids(
        connection,
        "select id from incoming where expires_at <= ?1 and id not in (select value from json_each(?3))
         order by expires_at limit ?2",
        params![now.0, limit, rows::id_list(except)],
    )
}

pub(super) fn forget(connection: &Connection, id: UploadId) -> rusqlite::Result<bool> {
    let changed = connection
        .prepare_cached("delete from incoming where id = ?1")?
        .execute([id.to_string()])?;
    Ok(changed > 0)
}
