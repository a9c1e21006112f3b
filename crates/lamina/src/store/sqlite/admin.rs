//! SQL of an operator's view, and [`AdminStore`] over it. Conditions of a list are put together of
//! fixed pieces; what the operator wrote is bound, never pasted.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension as _, Row, named_params, params};

use super::rows::{self, text, time};
use super::{SqliteStore, jobs};
use crate::access::UtcDay;
use crate::jobs::{EngineKind, Event, JobId, OwnerId, RequestId, UnixMs, transition};
use crate::store::{
    AdminStore, Deletion, DeliveryDetail, JobDetail, JobFilter, JobOverview, Retrial, SpendingLine,
    StepDetail, StoreError, SubmissionDetail, SubmissionState, UsageStats,
};

#[async_trait]
impl AdminStore for SqliteStore {
    async fn job_list_all(
        &self,
        filter: JobFilter,
        cursor: Option<JobId>,
        limit: u32,
    ) -> Result<Vec<JobOverview>, StoreError> {
        self.read(move |db| list_all(db, &filter, cursor, limit))
            .await
    }

    async fn job_detail(&self, id: JobId) -> Result<Option<JobDetail>, StoreError> {
        self.read(move |db| detail(db, id)).await
    }

    async fn job_retry(
        &self,
        id: JobId,
        pay_again: bool,
        now: UnixMs,
    ) -> Result<Retrial, StoreError> {
        let wake = Arc::clone(&self.signal.due);
        self.write_and_notify(&wake, move |db| retry(db, id, pay_again, now))
            .await
    }

    async fn job_cancel(&self, id: JobId, now: UnixMs) -> Result<Deletion, StoreError> {
        let wake = Arc::clone(&self.signal.erase);
        self.write_and_notify(&wake, move |db| {
            let owner = db
                .prepare_cached("select owner from jobs where id = ?1")?
                .query_row([text(id)], owner)
                .optional()?;
            match owner {
                Some(owner) => jobs::delete(db, &owner, id, now),
                None => Ok(Deletion::Missing),
            }
        })
        .await
    }

    async fn usage_stats(&self, since: UtcDay, today: UtcDay) -> Result<UsageStats, StoreError> {
        self.read(move |db| usage_stats(db, since, today)).await
    }
}

const OVERVIEW: &str = "id, owner, phase, engine, error_code, created_at, finished_at, expires_at";

fn list_all(
    connection: &Connection,
    filter: &JobFilter,
    cursor: Option<JobId>,
    limit: u32,
) -> rusqlite::Result<Vec<JobOverview>> {
    let mut wanted = vec!["id < :after"];
    // Ids are UUIDv7, so their order is the order of creation. '~' sorts after every id.
    let after = cursor.map_or_else(|| "~".to_owned(), text);
    let phases = rows::id_list(&filter.phases);
    let mut bound: Vec<(&str, &dyn rusqlite::ToSql)> = vec![(":after", &after), (":limit", &limit)];
    if !filter.phases.is_empty() {
        wanted.push("phase in (select value from json_each(:phases))");
        bound.push((":phases", &phases));
    }
    let owner = filter.owner.as_ref().map(OwnerId::as_str);
    if owner.is_some() {
        wanted.push("owner = :owner");
        bound.push((":owner", &owner));
    }
    let engine = filter.engine.map(EngineKind::as_str);
    if engine.is_some() {
        wanted.push("engine = :engine");
        bound.push((":engine", &engine));
    }
    if filter.error_code.is_some() {
        wanted.push("error_code = :code");
        bound.push((":code", &filter.error_code));
    }
    let sql = format!(
        "select {OVERVIEW} from jobs where {} order by id desc limit :limit",
        wanted.join(" and ")
    );
    let mut statement = connection.prepare_cached(&sql)?;
    statement.query_map(&bound[..], overview)?.collect()
}

fn overview(row: &Row<'_>) -> rusqlite::Result<JobOverview> {
    Ok(JobOverview {
        id: rows::parsed(row, "id")?,
        owner: owner(row)?,
        phase: rows::phase(row)?,
        engine: rows::engine(row)?,
        error_code: row.get("error_code")?,
        created_at: UnixMs(row.get("created_at")?),
        finished_at: time(row, "finished_at")?,
        expires_at: UnixMs(row.get("expires_at")?),
    })
}

fn owner(row: &Row<'_>) -> rusqlite::Result<OwnerId> {
    Ok(OwnerId::named(row.get_ref("owner")?.as_str()?))
}

fn detail(connection: &Connection, id: JobId) -> rusqlite::Result<Option<JobDetail>> {
    let sql = format!(
        "select {OVERVIEW}, error, run_at, lease_until, attempt, rescues, accepted_at, engine_ms, gone_at,
                source_bytes,
                (select count(*) from layers where job_id = jobs.id) as layers,
                (select coalesce(sum(bytes), 0) from layers where job_id = jobs.id) as layer_bytes
         from jobs where id = ?1"
    );
    let found = connection
        .prepare_cached(&sql)?
        .query_row([text(id)], |row| {
            let engine_ms: Option<u64> = row.get("engine_ms")?;
            Ok(JobDetail {
                overview: overview(row)?,
                error: row.get("error")?,
                run_at: UnixMs(row.get("run_at")?),
                lease_until: time(row, "lease_until")?,
                attempt: row.get("attempt")?,
                rescues: row.get("rescues")?,
                accepted_at: time(row, "accepted_at")?,
                engine_time: engine_ms.map(Duration::from_millis),
                gone_at: time(row, "gone_at")?,
                source_bytes: row.get("source_bytes")?,
                layers: row.get("layers")?,
                layer_bytes: row.get("layer_bytes")?,
                submissions: Vec::new(),
                steps: Vec::new(),
                deliveries: Vec::new(),
            })
        });
    let Some(mut detail) = found.optional()? else {
        return Ok(None);
    };
    let mut statement = connection.prepare_cached(
        "select state, request_id, price_microusd, repeatable, opened_at, closed_at from submissions
         where job_id = ?1 order by rowid",
    )?;
    detail.submissions = statement
        .query_map([text(id)], submission)?
        .collect::<Result<_, _>>()?;
    let mut statement = connection.prepare_cached(
        "select phase, ended_at, took_ms, code from steps where job_id = ?1 order by number",
    )?;
    detail.steps = statement
        .query_map([text(id)], step)?
        .collect::<Result<_, _>>()?;
    let mut statement = connection.prepare_cached(
        "select event, state, attempts, created_at, tried_at, status, error from deliveries
         where job_id = ?1 order by number",
    )?;
    detail.deliveries = statement
        .query_map([text(id)], delivery)?
        .collect::<Result<_, _>>()?;
    Ok(Some(detail))
}

fn step(row: &Row<'_>) -> rusqlite::Result<StepDetail> {
    Ok(StepDetail {
        phase: rows::phase(row)?,
        ended_at: UnixMs(row.get("ended_at")?),
        took: Duration::from_millis(row.get("took_ms")?),
        code: row.get("code")?,
    })
}

fn delivery(row: &Row<'_>) -> rusqlite::Result<DeliveryDetail> {
    Ok(DeliveryDetail {
        event: row.get("event")?,
        state: row.get("state")?,
        attempts: row.get("attempts")?,
        created_at: UnixMs(row.get("created_at")?),
        tried_at: time(row, "tried_at")?,
        status: row.get("status")?,
        error: row.get("error")?,
    })
}

fn submission(row: &Row<'_>) -> rusqlite::Result<SubmissionDetail> {
    Ok(SubmissionDetail {
        state: state(row)?,
        request: row.get::<_, Option<String>>("request_id")?.map(RequestId),
        price_microusd: row.get("price_microusd")?,
        repeatable: row.get("repeatable")?,
        opened_at: UnixMs(row.get("opened_at")?),
        closed_at: time(row, "closed_at")?,
    })
}

fn state(row: &Row<'_>) -> rusqlite::Result<SubmissionState> {
    rows::word(row, "state", |word| {
        SubmissionState::ALL
            .into_iter()
            .find(|state| state.as_str() == word)
    })
}

fn retry(
    connection: &Connection,
    id: JobId,
    pay_again: bool,
    now: UnixMs,
) -> rusqlite::Result<Retrial> {
    let found = connection
        .prepare_cached("select phase from jobs where id = ?1")?
        .query_row([text(id)], rows::phase)
        .optional()?;
    let Some(phase) = found else {
        return Ok(Retrial::Missing);
    };
    if let Some(gone) = jobs::gone(phase) {
        return Ok(Retrial::Gone(gone));
    }
    let Ok(next) = transition(phase, Event::Retried) else {
        return Ok(Retrial::NotFailed(phase));
    };
    if !pay_again && payment_unknown(connection, id)? {
        return Ok(Retrial::PaymentUnknown);
    }
    if pay_again {
        give_up_submissions(connection, id, now)?;
    }
    connection
        .prepare_cached(
            "update jobs set phase = :phase, error_code = null, error = null, finished_at = null, engine_ms = null,
                             run_at = :now, woken = 0, attempt = 0, rescues = 0, suspect = 0, accepted_at = null,
                             queue_position = null, lease_token = lease_token + 1
             where id = :id",
        )?
        .execute(named_params! { ":phase": next.as_str(), ":now": now.0, ":id": text(id) })?;
    Ok(Retrial::Done)
}

/// Whether the job would be handed over anew while an earlier call may have been taken. A newest one
/// that surely was is asked for again, which costs nothing, and a repeatable one is simply made again.
fn payment_unknown(connection: &Connection, id: JobId) -> rusqlite::Result<bool> {
    connection
        .prepare_cached(
            "select exists (select 1 from submissions where job_id = ?1 and state in ('open', 'unknown') and repeatable = 0)
                and coalesce((select state from submissions where job_id = ?1
                              order by rowid desc limit 1), '') <> 'accepted'",
        )?
        .query_row([text(id)], |row| row.get(0))
}

/// Nothing that cost something is waited for any more, so that the next step calls anew. All of it stays
/// counted.
fn give_up_submissions(connection: &Connection, id: JobId, now: UnixMs) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "update submissions set state = 'unknown', closed_at = ?2 where job_id = ?1 and state = 'open' and repeatable = 0",
        )?
        .execute(params![text(id), now.0])?;
    connection
        .prepare_cached(
            "update submissions set state = 'failed' where job_id = ?1 and state = 'accepted' and repeatable = 0",
        )?
        .execute([text(id)])?;
    Ok(())
}

fn usage_stats(
    connection: &Connection,
    since: UtcDay,
    today: UtcDay,
) -> rusqlite::Result<UsageStats> {
    let jobs = connection
        .prepare_cached("select phase, count(*) as count from jobs group by phase")?
        .query_map([], |row| Ok((rows::phase(row)?, row.get("count")?)))?
        .collect::<Result<_, _>>()?;
    let spending = connection
        .prepare_cached(
            "select owner, engine, sum(iif(day = ?2, microusd, 0)) as today, sum(microusd) as whole
             from spending where day between ?1 and ?2 group by owner, engine order by whole desc, owner, engine",
        )?
        .query_map([since.0, today.0], |row| {
            Ok(SpendingLine {
                owner: owner(row)?,
                engine: rows::engine(row)?,
                today_microusd: row.get("today")?,
                all_microusd: row.get("whole")?,
            })
        })?
        .collect::<Result<_, _>>()?;
    connection
        .prepare_cached(
            "select (select coalesce(sum(source_bytes), 0) from jobs where erased_at is null) as sources,
                    (select coalesce(sum(bytes), 0) from layers) as layers,
                    (select coalesce(sum(bytes), 0) from uploads) as uploads",
        )?
        .query_row([], |row| {
            Ok(UsageStats {
                jobs,
                spending,
                source_bytes: row.get("sources")?,
                layer_bytes: row.get("layers")?,
                upload_bytes: row.get("uploads")?,
            })
        })
}
