//! SQL of what is kept: the ledger that triggers keep (`0006_kept.sql`), held against the bounds by
//! whoever holds the only transaction that writes.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::{SqliteStore, rows};
use crate::access::StorageCaps;
use crate::jobs::{OwnerId, UploadId};
use crate::store::{KeptBytes, KeptKind, QuotaExceeded, StorageBound, StorageUsage, StoreError};

/// A write, or why nothing was written.
pub(super) type Bounded<T> = rusqlite::Result<Result<T, QuotaExceeded>>;

/// Whether `owner` may keep so many more bytes of this kind.
pub(super) fn room(
    connection: &Connection,
    owner: &OwnerId,
    kind: KeptKind,
    bytes: u64,
    caps: StorageCaps,
) -> Bounded<()> {
    Ok(of_owner(connection, owner)?.room(kind, bytes, caps))
}

/// What is kept, as far as one owner's bounds go by it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kept {
    of_owner: u64,
    /// Of those, what nobody has looked at.
    incoming: u64,
    total: u64,
    /// The owner's own bound.
    limit: Option<u64>,
}

impl Kept {
    /// Whether so many bytes more of this kind are within all bounds.
    pub(super) fn room(
        self,
        kind: KeptKind,
        bytes: u64,
        caps: StorageCaps,
    ) -> Result<(), QuotaExceeded> {
        let incoming = (kind == KeptKind::Incoming).then_some(self.incoming);
        let of_owner = self.limit.or(caps.owner_bytes);
        let bounds = [
            (StorageBound::Total, Some(self.total), caps.total_bytes),
            (StorageBound::Owner, Some(self.of_owner), of_owner),
            (StorageBound::Incoming, incoming, caps.incoming_bytes),
        ];
        for (bound, kept, limit) in bounds {
            if let (Some(kept), Some(limit)) = (kept, limit)
                && kept.saturating_add(bytes) > limit
            {
                return Err(QuotaExceeded { bound, limit });
            }
        }
        Ok(())
    }
}

pub(super) fn of_owner(connection: &Connection, owner: &OwnerId) -> rusqlite::Result<Kept> {
    let (of_owner, incoming): (u64, u64) = connection
        .prepare_cached(
            "select coalesce(sum(bytes), 0), coalesce(sum(bytes) filter (where kind = 'incoming'), 0)
             from kept where owner = ?1",
        )?
        .query_row([owner.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let total: u64 = connection
        .prepare_cached("select coalesce(sum(bytes), 0) from kept_total")?
        .query_row([], |row| row.get(0))?;
    let limit: Option<u64> = connection
        .prepare_cached("select storage_bytes from owners where name = ?1")?
        .query_row([owner.as_str()], |row| row.get(0))
        .optional()?
        .flatten();
    Ok(Kept {
        of_owner,
        incoming,
        total,
        limit,
    })
}

/// Of an upload that is promised: what is reserved grows as far as there is room, and shrinks always.
pub(super) fn reserve(
    connection: &Connection,
    id: UploadId,
    bytes: u64,
    caps: StorageCaps,
) -> Bounded<bool> {
    let found: Option<(String, bool, u64)> = connection
        .prepare_cached("select owner, arrival = 'bucket', reserved from incoming where id = ?1")?
        .query_row([id.to_string()], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .optional()?;
    let Some((owner, in_bucket, reserved)) = found else {
        return Ok(Ok(false));
    };
    if let Some(more) = bytes.checked_sub(reserved).filter(|more| *more > 0) {
        let kind = if in_bucket {
            KeptKind::Bucket
        } else {
            KeptKind::Incoming
        };
        if let Err(full) = room(connection, &OwnerId::named(&owner), kind, more, caps)? {
            return Ok(Err(full));
        }
    }
    connection
        .prepare_cached("update incoming set reserved = ?2 where id = ?1 and reserved <> ?2")?
        .execute(params![id.to_string(), bytes])?;
    Ok(Ok(true))
}

fn usage(connection: &Connection, owners: u32) -> rusqlite::Result<StorageUsage> {
    let kinds = connection
        .prepare_cached("select kind, bytes from kept_total order by kind")?
        .query_map([], |row| {
            let kind = rows::word(row, "kind", |word| {
                KeptKind::ALL.into_iter().find(|kind| kind.as_str() == word)
            })?;
            Ok((kind, row.get("bytes")?))
        })?
        .collect::<Result<_, _>>()?;
    let owners = connection
        .prepare_cached(
            "select owner, sum(bytes) as whole from kept group by owner having whole > 0
             order by whole desc, owner limit ?1",
        )?
        .query_map([owners], |row| {
            let owner = OwnerId::named(row.get_ref("owner")?.as_str()?);
            Ok((owner, row.get("whole")?))
        })?
        .collect::<Result<_, _>>()?;
    Ok(StorageUsage { kinds, owners })
}

#[async_trait]
impl KeptBytes for SqliteStore {
    fn bound_storage(&self, caps: StorageCaps) {
        *self.caps.write() = caps;
    }

    fn storage_caps(&self) -> StorageCaps {
        *self.caps.read()
    }

    async fn storage_room(&self, owner: &OwnerId, bytes: u64) -> Result<(), StoreError> {
        let (threads, caps) = (self.threads()?, self.storage_caps());
        if threads.known_room.is_enough(owner, bytes, caps) {
            return Ok(());
        }
        let (seen, asked) = (threads.known_room.now(), owner.clone());
        let kept = threads.readers.read(move |db| of_owner(db, &asked)).await?;
        threads.known_room.keep(owner, kept, seen);
        Ok(kept.room(KeptKind::Source, bytes, caps)?)
    }

    async fn storage_usage(&self, owners: u32) -> Result<StorageUsage, StoreError> {
        self.read(move |db| usage(db, owners)).await
    }

    async fn incoming_reserve(&self, id: UploadId, bytes: u64) -> Result<bool, StoreError> {
        let caps = self.storage_caps();
        let reserved = self.write(move |db| reserve(db, id, bytes, caps));
        Ok(reserved.await??)
    }
}
