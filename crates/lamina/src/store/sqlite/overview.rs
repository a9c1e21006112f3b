//! SQL of an operator's look at the present.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::SqliteStore;
use super::rows::{self, parsed};
use crate::access::UtcDay;
use crate::jobs::{Moment, OwnerId, Phase, Stage, UnixMs};
use crate::store::{
    FailureLine, LATELY, LOOKED_THROUGH, Overview, OverviewStore, StoreError, UnknownSubmission,
};

const DAY_MS: i64 = 24 * 3600 * 1000;

#[async_trait]
impl OverviewStore for SqliteStore {
    async fn overview(&self, moment: Moment) -> Result<Overview, StoreError> {
        self.read(move |db| look(db, moment.wall)).await
    }
}

fn look(connection: &Connection, wall: UnixMs) -> rusqlite::Result<Overview> {
    let lately = wall.minus(LATELY);
    let mut found = Overview {
        failures: failures(connection, wall, lately)?,
        unknown: unknown(connection)?,
        spending: spending(connection, wall)?,
        ..Overview::default()
    };
    for phase in Phase::ACTIVE {
        found.oldest.extend(oldest(connection, phase)?);
    }
    found.erasable_since = connection
        .prepare_cached(
            "select min(gone_at) from jobs where gone_at is not null and erased_at is null",
        )?
        .query_row([], |row| row.get::<_, Option<i64>>(0))?
        .map(UnixMs);
    let mut statement = connection.prepare_cached(
        "select count(*), max(finished_at) from jobs
         where engine = ?1 and engine_ms is not null and finished_at > ?2",
    )?;
    for engine in crate::jobs::EngineKind::ALL {
        let (runs, last): (u64, Option<i64>) = statement
            .query_row(params![engine.as_str(), lately.0], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?;
        found.runs.push((engine, runs));
        found.last_run = found.last_run.max(last.map(UnixMs));
    }
    Ok(found)
}

fn oldest(
    connection: &Connection,
    phase: Phase,
) -> rusqlite::Result<Option<(Phase, crate::jobs::JobId, UnixMs)>> {
    let mut found = None;
    for stage in Stage::ALL
        .into_iter()
        .filter(|stage| stage.phase() == phase)
    {
        // Ids are UUIDv7, so the first is the oldest.
        let oldest = connection
            .prepare_cached(
                "select id, created_at from (select id, created_at from jobs where stage = ?1 limit ?2) order by id limit 1",
            )?
            .query_row(params![stage.as_str(), LOOKED_THROUGH], |row| {
                Ok((phase, parsed(row, "id")?, UnixMs(row.get("created_at")?)))
            })
            .optional()?;
        found = match (found, oldest) {
            (Some(one), Some(other)) => Some(earlier(one, other)),
            (one, other) => one.or(other),
        };
    }
    Ok(found)
}

fn earlier<T>(
    one: (T, crate::jobs::JobId, UnixMs),
    other: (T, crate::jobs::JobId, UnixMs),
) -> (T, crate::jobs::JobId, UnixMs) {
    if other.2 < one.2 { other } else { one }
}

fn failures(
    connection: &Connection,
    wall: UnixMs,
    lately: UnixMs,
) -> rusqlite::Result<Vec<FailureLine>> {
    connection
        .prepare_cached(
            "select error_code, engine, count(*) as jobs, sum(finished_at > ?2) as lately, max(finished_at) as latest
             from jobs where phase = 'failed' and finished_at > ?1
             group by error_code, engine order by jobs desc, error_code, engine limit 100",
        )?
        .query_map([wall.0 - DAY_MS, lately.0], |row| {
            Ok(FailureLine {
                code: row.get("error_code")?,
                engine: rows::engine(row)?,
                jobs: row.get("jobs")?,
                lately: row.get("lately")?,
                latest: UnixMs(row.get("latest")?),
            })
        })?
        .collect()
}

fn unknown(connection: &Connection) -> rusqlite::Result<Vec<UnknownSubmission>> {
    connection
        .prepare_cached(
            "select s.job_id, j.owner, s.engine, s.price_microusd, s.opened_at, s.closed_at
             from submissions s left join jobs j on j.id = s.job_id
             where s.state = 'unknown' order by s.rowid desc limit 20",
        )?
        .query_map([], |row| {
            Ok(UnknownSubmission {
                job: parsed(row, "job_id")?,
                owner: owner(row)?,
                engine: rows::engine(row)?,
                microusd: row.get("price_microusd")?,
                opened_at: UnixMs(row.get("opened_at")?),
                closed_at: UnixMs(row.get("closed_at")?),
            })
        })?
        .collect()
}

fn owner(row: &Row<'_>) -> rusqlite::Result<Option<OwnerId>> {
    let name: Option<String> = row.get("owner")?;
    Ok(name.map(|name| OwnerId::named(&name)))
}

fn spending(
    connection: &Connection,
    wall: UnixMs,
) -> rusqlite::Result<Vec<(OwnerId, crate::jobs::EngineKind, u64)>> {
    connection
        .prepare_cached(
            "select owner, engine, microusd from spending where day = ?1 and microusd > 0
             order by microusd desc, owner, engine limit 100",
        )?
        .query_map([UtcDay::of(wall).0], |row| {
            let owner = OwnerId::named(row.get_ref("owner")?.as_str()?);
            Ok((owner, rows::engine(row)?, row.get("microusd")?))
        })?
        .collect()
}
