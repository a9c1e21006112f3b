//! SQL of the queue: claim, lease, wake. What a step learnt is written by `settle.rs`. Every write after a claim names the lease's token
//! and changes nothing when it is not the job's own any more.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, Row, named_params, params};
use url::Url;

use super::rows::{self, id_list, text, time};
use super::settle::settled;
use super::submissions;
use crate::jobs::{JobId, OwnerId, Phase, UnixMs};
use crate::store::{Claimed, Ended, Lease, Settled, StoredSource};

pub(super) fn claim(
    connection: &Connection,
    worker: &str,
    wants: &[(Phase, u32)],
    now: UnixMs,
    lease: Duration,
    max_rescues: u32,
) -> rusqlite::Result<Vec<Claimed>> {
    // A lease that has run out belongs to a worker that died or hangs: taking it over is a rescue.
    let mut statement = connection.prepare_cached(
        "update jobs set lease_owner = :worker, lease_token = lease_token + 1, lease_until = :until, woken = 0,
                         rescues = rescues + (lease_owner is not null)
         where id in (select id from jobs
                      where phase = :phase and run_at <= :now
                        and (lease_until is null or (lease_until <= :now and rescues < :max))
                      order by run_at limit :limit)
         returning id, owner, phase, engine, params, source_url, source_media, source_width, source_height,
                   source_bytes, lease_token, attempt, created_at, expires_at, accepted_at, run_at",
    )?;
    let mut claimed = Vec::new();
    for (phase, limit) in wants.iter().filter(|(_, limit)| *limit > 0) {
        let rows = statement.query_map(
            named_params! {
                ":worker": worker, ":until": now.plus(lease).0, ":phase": phase.as_str(), ":now": now.0,
                ":max": max_rescues, ":limit": limit,
            },
            claimed_job,
        )?;
        let mut batch = rows.collect::<Result<Vec<_>, _>>()?;
        batch.sort_by_key(|job| job.due_at);
        claimed.append(&mut batch);
    }
    for job in &mut claimed {
        (job.submission, job.runs) = submissions::latest(connection, job.lease.job)?;
    }
    Ok(claimed)
}

fn claimed_job(row: &Row<'_>) -> rusqlite::Result<Claimed> {
    let source = match rows::source(row)? {
        Some(facts) => StoredSource::Stored(facts),
        None => StoredSource::Url(rows::word(row, "source_url", |text| Url::parse(text).ok())?),
    };
    Ok(Claimed {
        lease: Lease {
            job: rows::parsed(row, "id")?,
            token: row.get("lease_token")?,
        },
        owner: OwnerId::named(row.get_ref("owner")?.as_str()?),
        phase: rows::phase(row)?,
        engine: rows::engine(row)?,
        params: rows::json(row, "params")?,
        source,
        due_at: UnixMs(row.get("run_at")?),
        attempt: row.get("attempt")?,
        created_at: UnixMs(row.get("created_at")?),
        expires_at: UnixMs(row.get("expires_at")?),
        accepted_at: time(row, "accepted_at")?,
        submission: None,
        runs: 0,
    })
}

pub(super) fn next_due(connection: &Connection, now: UnixMs) -> rusqlite::Result<Option<UnixMs>> {
    let mut next: Option<i64> = None;
    // One index seek for each phase; a min() over all of them would scan.
    let mut statement = connection.prepare_cached(
        "select run_at from jobs where phase = ?1 and run_at > ?2 and lease_until is null order by run_at limit 1",
    )?;
    for phase in Phase::ACTIVE {
        let due: Option<i64> = statement
            .query_row(params![phase.as_str(), now.0], |row| row.get(0))
            .optional()?;
        next = match (next, due) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
    }
    Ok(next.map(UnixMs))
}

pub(super) fn renew(
    connection: &Connection,
    lease: &Lease,
    until: UnixMs,
) -> rusqlite::Result<Settled> {
    let mut statement = connection.prepare_cached(
        "update jobs set lease_until = ?3 where id = ?1 and lease_token = ?2 and lease_owner is not null",
    )?;
    Ok(settled(statement.execute(params![
        text(lease.job),
        lease.token,
        until.0
    ])?))
}

pub(super) fn release(connection: &Connection, lease: &Lease) -> rusqlite::Result<Settled> {
    let mut statement = connection.prepare_cached(
        "update jobs set lease_owner = null, lease_until = null
         where id = ?1 and lease_token = ?2 and lease_owner is not null",
    )?;
    Ok(settled(
        statement.execute(params![text(lease.job), lease.token])?,
    ))
}

pub(super) fn end_all_others(
    connection: &Connection,
    worker: &str,
    now: UnixMs,
) -> rusqlite::Result<u64> {
    let ended = connection
        .prepare_cached(
            "update jobs set lease_until = ?2
             where lease_owner is not null and lease_owner <> ?1 and lease_until > ?2",
        )?
        .execute(params![worker, now.0])?;
    // Callbacks that came while nobody listened are not repeated for ever.
    connection
        .prepare_cached("update jobs set run_at = ?1 where phase = 'wait' and run_at > ?1")?
        .execute([now.0])?;
    Ok(ended as u64)
}

pub(super) fn fail_poisoned(
    connection: &Connection,
    max_rescues: u32,
    now: UnixMs,
    failure: &crate::jobs::Failure,
) -> rusqlite::Result<Vec<Ended>> {
    let ids: Vec<JobId> = rows::ids(
        connection,
        "select id from jobs where phase in ('prepare', 'submit', 'wait', 'collect')
           and lease_until <= ?1 and rescues >= ?2 limit 100",
        params![now.0, max_rescues],
    )?;
    let mut statement = connection.prepare_cached(
        "update jobs set phase = 'failed', error_code = ?2, error = ?3, finished_at = ?4,
                         lease_owner = null, lease_until = null, lease_token = lease_token + 1
         where id in (select value from json_each(?1))
         returning id, owner, engine, created_at, false as was_finished",
    )?;
    let ended = statement.query_map(
        params![id_list(&ids), failure.code, failure.sentence, now.0],
        rows::ended,
    )?;
    ended.collect()
}

/// A wake-up during a step is kept in `woken`, so that the step's own schedule cannot lose it.
pub(super) fn wake(
    connection: &Connection,
    id: JobId,
    nonce: &str,
    now: UnixMs,
) -> rusqlite::Result<bool> {
    let mut statement = connection.prepare_cached(
        "update jobs set woken = 1, run_at = min(run_at, ?3)
         where id = ?1 and phase in ('submit', 'wait')
           and exists (select 1 from submissions where job_id = ?1 and nonce = ?2)",
    )?;
    Ok(statement.execute(params![text(id), nonce, now.0])? == 1)
}

pub(super) fn counts(connection: &Connection) -> rusqlite::Result<crate::store::WaitCounts> {
    connection.query_row(
        "select count(*) filter (where phase in ('prepare', 'submit', 'wait', 'collect')),
                count(*) filter (where lease_owner is not null),
                count(*) filter (where phase = 'completed'),
                count(*) filter (where phase = 'failed'),
                count(*) filter (where gone_at is not null and erased_at is null)
         from jobs",
        [],
        |row| {
            Ok(crate::store::WaitCounts {
                active: row.get(0)?,
                leased: row.get(1)?,
                completed: row.get(2)?,
                failed: row.get(3)?,
                erasable: row.get(4)?,
            })
        },
    )
}
