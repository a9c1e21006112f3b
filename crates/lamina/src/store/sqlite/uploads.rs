//! SQL of uploads.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::kept::{self, Bounded};
use super::rows::{self, id_list};
use super::{SqliteStore, incoming};
use crate::access::StorageCaps;
use crate::jobs::{OwnerId, UnixMs, UploadId};
use crate::store::{
    Incoming, KeptBytes as _, KeptKind, NewUpload, SourceInfo, StoreError, UploadRecord,
    UploadStore,
};

pub(super) fn create(
    connection: &Connection,
    upload: &NewUpload,
    caps: StorageCaps,
) -> Bounded<()> {
    let bytes = upload.info.bytes;
    if let Err(full) = kept::room(connection, &upload.owner, KeptKind::Upload, bytes, caps)? {
        return Ok(Err(full));
    }
    insert(connection, upload).map(Ok)
}

pub(super) fn insert(connection: &Connection, upload: &NewUpload) -> rusqlite::Result<()> {
    let info = upload.info;
    let mut statement = connection.prepare_cached(
        "insert into uploads (id, owner, media, width, height, bytes, created_at, expires_at)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    statement.execute(params![
        upload.id.to_string(),
        upload.owner.as_str(),
        info.media_type.extension(),
        info.width,
        info.height,
        info.bytes,
        upload.created_at.0,
        upload.expires_at.0,
    ])?;
    Ok(())
}

pub(super) fn get(
    connection: &Connection,
    owner: &OwnerId,
    id: UploadId,
    now: UnixMs,
) -> rusqlite::Result<Option<UploadRecord>> {
    connection
        .prepare_cached("select * from uploads where id = ?1 and owner = ?2 and expires_at > ?3")?
        .query_row(params![id.to_string(), owner.as_str(), now.0], |row| {
            Ok(UploadRecord {
                id: rows::parsed(row, "id")?,
                info: SourceInfo {
                    media_type: rows::media(row, "media")?,
                    width: row.get("width")?,
                    height: row.get("height")?,
                    bytes: row.get("bytes")?,
                },
                expires_at: UnixMs(row.get("expires_at")?),
            })
        })
        .optional()
}

pub(super) fn expired(
    connection: &Connection,
    now: UnixMs,
    limit: u32,
    except: &[UploadId],
) -> rusqlite::Result<Vec<UploadId>> {
    rows::ids(
        connection,
        "select id from uploads where expires_at <= ?1 and id not in (select value from json_each(?3))
         order by expires_at limit ?2",
        params![now.0, limit, id_list(except)],
    )
}

pub(super) fn is_live(
    connection: &Connection,
    id: UploadId,
    now: UnixMs,
) -> rusqlite::Result<bool> {
    connection
        .prepare_cached("select exists (select 1 from uploads where id = ?1 and expires_at > ?2)")?
        .query_row(params![id.to_string(), now.0], |row| row.get(0))
}

pub(super) fn forget(connection: &Connection, id: UploadId) -> rusqlite::Result<()> {
    connection
        .prepare_cached("delete from uploads where id = ?1")?
        .execute([id.to_string()])?;
    Ok(())
}

pub(super) fn existing(
    connection: &Connection,
    ids: &[UploadId],
) -> rusqlite::Result<Vec<UploadId>> {
    rows::ids(
        connection,
        "select id from uploads where id in (select value from json_each(?1))
         union select id from incoming where id in (select value from json_each(?1))",
        [id_list(ids)],
    )
}

#[async_trait]
impl UploadStore for SqliteStore {
    async fn upload_create(&self, upload: NewUpload) -> Result<(), StoreError> {
        let caps = self.storage_caps();
        let created = self.write(move |db| create(db, &upload, caps));
        Ok(created.await??)
    }

    async fn upload_get(
        &self,
        owner: &OwnerId,
        id: UploadId,
        now: UnixMs,
    ) -> Result<Option<UploadRecord>, StoreError> {
        let owner = owner.clone();
        self.read(move |db| get(db, &owner, id, now)).await
    }

    async fn upload_expired(
        &self,
        now: UnixMs,
        limit: u32,
        except: &[UploadId],
    ) -> Result<Vec<UploadId>, StoreError> {
        let except = except.to_vec();
        self.read(move |db| expired(db, now, limit, &except)).await
    }

    async fn upload_forget(&self, id: UploadId) -> Result<(), StoreError> {
        self.forget(None, move |db| forget(db, id)).await
    }

    async fn incoming_create(&self, upload: Incoming) -> Result<(), StoreError> {
        let caps = self.storage_caps();
        let created = self.write(move |db| incoming::create(db, &upload, caps));
        Ok(created.await??)
    }

    async fn incoming_get(
        &self,
        id: UploadId,
        now: UnixMs,
    ) -> Result<Option<Incoming>, StoreError> {
        self.read(move |db| incoming::get(db, id, now)).await
    }

    async fn incoming_declare(&self, id: UploadId, bytes: u64) -> Result<bool, StoreError> {
        let caps = self.storage_caps();
        let declared = self.write(move |db| incoming::declare(db, id, bytes, caps));
        Ok(declared.await??)
    }

    async fn incoming_check(&self, upload: NewUpload) -> Result<bool, StoreError> {
        let caps = self.storage_caps();
        let checked = self.forget(None, move |db| incoming::check(db, &upload, caps));
        Ok(checked.await??)
    }

    async fn incoming_expired(
        &self,
        now: UnixMs,
        limit: u32,
        except: &[UploadId],
    ) -> Result<Vec<UploadId>, StoreError> {
        let except = except.to_vec();
        self.read(move |db| incoming::expired(db, now, limit, &except))
            .await
    }

    async fn incoming_forget(&self, id: UploadId) -> Result<(), StoreError> {
        self.forget(None, move |db| incoming::forget(db, id).map(|_| ()))
            .await
    }

    async fn upload_existing(&self, ids: &[UploadId]) -> Result<Vec<UploadId>, StoreError> {
        let ids = ids.to_vec();
        self.read(move |db| existing(db, &ids)).await
    }
}
