//! SQL of expiry and erasure. A job is marked gone first, erased as often as it takes, and its row
//! is forgotten last, so that a crash anywhere repeats work and skips none.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::jobs::{FORGET_WORDS, NOTHING_TO_CANCEL};
use super::rows::{self, id_list, text};
use crate::jobs::{JobId, Phase, RequestId, UnixMs};
use crate::store::{Cancellable, Ended};

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
