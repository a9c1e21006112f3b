//! The deployment's own row, its SQL, and the journal that is emptied into the deployment's file.

use std::sync::atomic::Ordering;

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension as _};

use super::SqliteStore;
use super::remains::PASSED;
use crate::jobs::UnixMs;
use crate::store::{Deployment, DeploymentStore, StoreError};

#[async_trait]
impl DeploymentStore for SqliteStore {
    async fn deployment(&self) -> Result<Deployment, StoreError> {
        self.read(get).await
    }

    async fn deployment_seen(&self, now: UnixMs) -> Result<(), StoreError> {
        self.write(move |db| seen(db, now)).await
    }

    async fn deployment_adopted(&self, now: UnixMs) -> Result<(), StoreError> {
        self.write(move |db| adopted(db, now)).await
    }

    async fn journal_empty(&self) -> Result<bool, StoreError> {
        let threads = self.threads()?;
        threads.reserve.keep();
        let forgotten = self.forgotten.swap(false, Ordering::AcqRel);
        if !forgotten && self.pass.load(Ordering::Acquire) >= PASSED {
            return Ok(true);
        }
        let emptied = self.empty_journal_and_remains().await;
        if !matches!(emptied, Ok(true)) {
            self.forgotten.store(true, Ordering::Release);
        }
        emptied
    }
}

pub(super) fn get(connection: &Connection) -> rusqlite::Result<Deployment> {
    let has_rows = connection
        .prepare_cached(
            "select exists (select 1 from jobs) or exists (select 1 from uploads)
                 or exists (select 1 from incoming) or exists (select 1 from submissions)",
        )?
        .query_row([], |row| row.get(0))?;
    let newest = connection
        .prepare_cached(
            "select max(id) from (select max(id) as id from jobs union all select max(id) from uploads
                 union all select max(id) from incoming)",
        )?
        .query_row([], |row| row.get(0))?;
    connection
        .prepare_cached("select id, seen_at, adopted_at from deployment")?
        .query_row([], |row| {
            Ok(Deployment {
                id: row.get("id")?,
                seen_at: UnixMs(row.get("seen_at")?),
                adopted_at: UnixMs(row.get("adopted_at")?),
                newest,
                has_rows,
            })
        })
}

pub(super) fn seen(connection: &Connection, now: UnixMs) -> rusqlite::Result<()> {
    connection
        .prepare_cached("update deployment set seen_at = max(seen_at, ?1)")?
        .execute([now.0])?;
    Ok(())
}

pub(super) fn adopted(connection: &Connection, now: UnixMs) -> rusqlite::Result<()> {
    connection
        .prepare_cached("update deployment set adopted_at = max(adopted_at, ?1)")?
        .execute([now.0])?;
    Ok(())
}

/// The id of a database of any schema; `None` before the one that has it.
pub(super) fn id(connection: &Connection) -> rusqlite::Result<Option<String>> {
    let has = connection
        .query_row(
            "select 1 from sqlite_schema where name = 'deployment'",
            [],
            |_| Ok(()),
        )
        .optional()?;
    match has {
        Some(()) => connection
            .query_row("select id from deployment", [], |row| row.get(0))
            .map(Some),
        None => Ok(None),
    }
}
