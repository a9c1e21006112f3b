//! SQL of expiry and erasure. A job is marked gone first, erased as often as it takes, and its row
//! is forgotten last, so that a crash anywhere repeats work and skips none.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::jobs::{FORGET_WORDS, NOTHING_TO_CANCEL};
use super::rows::{self, id_list, text};
use super::{SqliteStore, queue, uploads};
use crate::jobs::{JobId, Phase, RequestId, UnixMs, UploadId};
use crate::store::{Cancellable, Ended, ExpiryStore, StoreError, WaitCounts};

pub(super) fn expire(
    connection: &Connection,
    now: UnixMs,
    limit: u32,
) -> rusqlite::Result<Vec<Ended>> {
    let ids: Vec<JobId> = rows::ids(
        connection,
        "select id from jobs where gone_at is null and expires_at <= ?1 order by expires_at limit ?2",
        params![now.0, limit],
    )?;
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let (list, sql) = (
        id_list(&ids),
        format!(
            "update jobs set phase = 'expired', gone_at = ?2, cancelled_at = iif({NOTHING_TO_CANCEL}, ?2, null), {FORGET_WORDS}
             where id in (select value from json_each(?1))
             returning id, owner, engine, created_at, finished_at is not null as was_finished"
        ),
    );
    let ended = connection
        .prepare_cached(&sql)?
        .query_map(params![list, now.0], rows::ended)?
        .collect::<Result<_, _>>()?;
    connection
        .prepare_cached(
            "delete from idempotency where job_id in (select value from json_each(?1))",
        )?
        .execute([&list])?;
    connection
        .prepare_cached("delete from sources where job_id in (select value from json_each(?1))")?
        .execute([&list])?;
    Ok(ended)
}

pub(super) fn overdue(
    connection: &Connection,
    now: UnixMs,
    limit: u32,
) -> rusqlite::Result<Vec<JobId>> {
    rows::ids(
        connection,
        "select id from jobs where gone_at is null and expires_at <= ?1 order by expires_at limit ?2",
        params![now.0, limit],
    )
}

pub(super) fn erasable(
    connection: &Connection,
    limit: u32,
    except: &[JobId],
) -> rusqlite::Result<Vec<JobId>> {
    rows::ids(
        connection,
        "select id from jobs where gone_at is not null and erased_at is null
             and id not in (select value from json_each(?2))
         order by gone_at limit ?1",
        params![limit, id_list(except)],
    )
}

/// A job that ended before its layers were stored may have a run at its engine, or the result of one,
/// whatever phase it was in. One that is not accepted yet may still become so.
pub(super) fn cancellable(
    connection: &Connection,
    limit: u32,
    except: &[JobId],
) -> rusqlite::Result<Vec<Cancellable>> {
    let mut statement = connection.prepare_cached(
        "select jobs.id, jobs.engine, s.request_id, s.place from jobs
         join submissions s on s.nonce = (select nonce from submissions where job_id = jobs.id
             and state = 'accepted' order by rowid desc limit 1)
         where gone_at is not null and cancelled_at is null
             and jobs.id not in (select value from json_each(?2))
         order by gone_at limit ?1",
    )?;
    let rows = statement.query_map(params![limit, id_list(except)], |row| {
        Ok(Cancellable {
            id: rows::parsed(row, "id")?,
            engine: rows::engine(row)?,
            request: RequestId(row.get("request_id")?),
            place: row.get("place")?,
        })
    })?;
    rows.collect()
}

pub(super) fn cancelled(connection: &Connection, id: JobId, now: UnixMs) -> rusqlite::Result<()> {
    connection
        .prepare_cached("update jobs set cancelled_at = ?2 where id = ?1 and gone_at is not null")?
        .execute(params![text(id), now.0])?;
    Ok(())
}

pub(super) fn is_live(connection: &Connection, id: JobId, now: UnixMs) -> rusqlite::Result<bool> {
    connection
        .prepare_cached(
            "select exists (select 1 from jobs where id = ?1 and gone_at is null and expires_at > ?2)",
        )?
        .query_row(params![text(id), now.0], |row| row.get(0))
}

pub(super) fn erased(connection: &Connection, id: JobId, now: UnixMs) -> rusqlite::Result<()> {
    connection
        .prepare_cached("update jobs set erased_at = ?2 where id = ?1 and gone_at is not null")?
        .execute(params![text(id), now.0])?;
    connection
        .prepare_cached("delete from layers where job_id = ?1")?
        .execute([text(id)])?;
    Ok(())
}

pub(super) fn phase(connection: &Connection, id: JobId) -> rusqlite::Result<Option<Phase>> {
    connection
        .prepare_cached("select phase from jobs where id = ?1")?
        .query_row([text(id)], rows::phase)
        .optional()
}

pub(super) fn forget(connection: &Connection, before: UnixMs, limit: u32) -> rusqlite::Result<u64> {
    let mut statement = connection.prepare_cached(
        "delete from jobs where id in
             (select id from jobs where erased_at is not null and gone_at < ?1 order by gone_at limit ?2)",
    )?;
    Ok(statement.execute(params![before.0, limit])? as u64)
}

pub(super) fn with_bytes(connection: &Connection, ids: &[JobId]) -> rusqlite::Result<Vec<JobId>> {
    rows::ids(
        connection,
        "select id from jobs where id in (select value from json_each(?1)) and erased_at is null",
        [id_list(ids)],
    )
}

#[async_trait]
impl ExpiryStore for SqliteStore {
    async fn job_expire(&self, now: UnixMs, limit: u32) -> Result<Vec<Ended>, StoreError> {
        self.forget(None, move |db| expire(db, now, limit)).await
    }

    async fn job_overdue(&self, now: UnixMs, limit: u32) -> Result<Vec<JobId>, StoreError> {
        self.read(move |db| overdue(db, now, limit)).await
    }

    async fn job_erasable(&self, limit: u32, except: &[JobId]) -> Result<Vec<JobId>, StoreError> {
        let except = except.to_vec();
        self.read(move |db| erasable(db, limit, &except)).await
    }

    async fn job_cancellable(
        &self,
        limit: u32,
        except: &[JobId],
    ) -> Result<Vec<Cancellable>, StoreError> {
        let except = except.to_vec();
        self.read(move |db| cancellable(db, limit, &except)).await
    }

    async fn job_cancelled(&self, id: JobId, now: UnixMs) -> Result<(), StoreError> {
        self.write(move |db| cancelled(db, id, now)).await
    }

    async fn job_is_live(&self, id: JobId, now: UnixMs) -> Result<bool, StoreError> {
        if let Some(expires_at) = self.threads()?.job_cache.expiry(id) {
            return Ok(expires_at > now);
        }
        self.read(move |db| is_live(db, id, now)).await
    }

    async fn upload_is_live(&self, id: UploadId, now: UnixMs) -> Result<bool, StoreError> {
        self.read(move |db| uploads::is_live(db, id, now)).await
    }

    async fn job_erased(&self, id: JobId, now: UnixMs) -> Result<(), StoreError> {
        self.forget(None, move |db| erased(db, id, now)).await
    }

    async fn job_forget(&self, before: UnixMs, limit: u32) -> Result<u64, StoreError> {
        self.forget(None, move |db| forget(db, before, limit)).await
    }

    async fn job_with_bytes(&self, ids: &[JobId]) -> Result<Vec<JobId>, StoreError> {
        let ids = ids.to_vec();
        self.read(move |db| with_bytes(db, &ids)).await
    }

    async fn job_phase(&self, id: JobId) -> Result<Option<Phase>, StoreError> {
        self.read(move |db| phase(db, id)).await
    }

    async fn job_counts(&self) -> Result<WaitCounts, StoreError> {
        self.read(queue::counts).await
    }
}
