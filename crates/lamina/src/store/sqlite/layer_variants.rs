//! SQL of other variants of layers' files. Triggers count their bytes and delete them with their layer (`0018_layer_variants.sql`).

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::SqliteStore;
use super::kept::{self, Bounded};
use super::rows::{self, text};
use crate::access::StorageCaps;
use crate::jobs::{JobId, Layer, OwnerId, UnixMs};
use crate::store::{KeptBytes as _, KeptKind, LayerVariantStore, StoreError, VariantOf};

fn get(
    connection: &Connection,
    job: JobId,
    file: u32,
    now: UnixMs,
) -> rusqlite::Result<Option<(OwnerId, Layer)>> {
    connection
        .prepare_cached(
            "select layers.*, jobs.owner from layers join jobs on jobs.id = layers.job_id
             where job_id = ?1 and file = ?2 and phase = 'completed' and gone_at is null and expires_at > ?3",
        )?
        .query_row(params![text(job), file, now.0], |row| {
            let owner = OwnerId::named(row.get_ref("owner")?.as_str()?);
            Ok((owner, rows::layer(row)?))
        })
        .optional()
}

fn keep(
    connection: &Connection,
    of: VariantOf,
    bytes: u64,
    now: UnixMs,
    caps: StorageCaps,
) -> Bounded<bool> {
    let Some((owner, layer)) = get(connection, of.job, of.file, now)? else {
        return Ok(Ok(false));
    };
    // One that was counted and is not there was lost with its storage; it is made again, at most as large.
    forget(connection, of)?;
    if let Err(full) = kept::room(connection, &owner, KeptKind::Layer, bytes, caps)? {
        return Ok(Err(full));
    }
    connection
        .prepare_cached(
            "insert into layer_variants (job_id, ord, name, bytes) values (?1, ?2, ?3, ?4)",
        )?
        .execute(params![text(of.job), layer.order, of.variant.name(), bytes])?;
    Ok(Ok(true))
}

fn forget(connection: &Connection, of: VariantOf) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "delete from layer_variants where job_id = ?1 and name = ?3
                 and ord = (select ord from layers where job_id = ?1 and file = ?2)",
        )?
        .execute(params![text(of.job), of.file, of.variant.name()])?;
    Ok(())
}

#[async_trait]
impl LayerVariantStore for SqliteStore {
    async fn layer_get(
        &self,
        job: JobId,
        file: u32,
        now: UnixMs,
    ) -> Result<Option<(OwnerId, Layer)>, StoreError> {
        self.read(move |db| get(db, job, file, now)).await
    }

    async fn layer_variant_keep(
        &self,
        variant: VariantOf,
        bytes: u64,
        now: UnixMs,
    ) -> Result<bool, StoreError> {
        let caps = self.storage_caps();
        let kept = self.write(move |db| keep(db, variant, bytes, now, caps));
        Ok(kept.await??)
    }

    async fn layer_variant_forget(&self, variant: VariantOf) -> Result<(), StoreError> {
        self.write(move |db| forget(db, variant)).await
    }
}
