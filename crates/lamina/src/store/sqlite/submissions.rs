//! SQL of submissions: the ledger of every call to an engine. Opening one is in `spending.rs`.

use std::time::Duration;

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::rows::{self, id_list, text, unreadable};
use super::{SqliteStore, queue, spending};
use crate::access::SpendCaps;
use crate::jobs::{EngineKind, JobId, Moment, Nonce, OwnerId, Params, RequestId, UnixMs};
use crate::store::{
    Abandoned, Call, FencedWrite, KeptInput, Lease, Opening, PastRun, StoreError, Submission,
    SubmissionState, SubmissionStore,
};

pub(super) fn close(
    connection: &Connection,
    nonce: &Nonce,
    state: SubmissionState,
    request: Option<&RequestId>,
    now: UnixMs,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(
        "update submissions set state = ?2, request_id = coalesce(?3, request_id), closed_at = ?4
         where nonce = ?1 and state in ('open', 'refused', 'unknown')",
    )?;
    statement.execute(params![
        nonce.as_str(),
        state.as_str(),
        request.map(|request| &request.0),
        now.0
    ])?;
    Ok(())
}

pub(super) fn run_failed(connection: &Connection, nonce: &Nonce) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(
        "update submissions set state = 'failed' where nonce = ?1 and state = 'accepted'",
    )?;
    statement.execute([nonce.as_str()])?;
    Ok(())
}

/// The layers of its run are stored.
pub(super) fn collected(connection: &Connection, nonce: &Nonce) -> rusqlite::Result<()> {
    let mut statement =
        connection.prepare_cached("update submissions set collected = 1 where nonce = ?1")?;
    statement.execute([nonce.as_str()])?;
    Ok(())
}

/// Whether the request was not known before. Any submission whose answer never came is accepted then, since it was paid: an
/// older one, one that fal's list did not show, and one of a job that is gone, too. The caller wakes the job.
fn adopt(
    connection: &Connection,
    id: JobId,
    nonce: &Nonce,
    request: &RequestId,
    wall: UnixMs,
) -> rusqlite::Result<bool> {
    let known: Option<i64> = connection
        .prepare_cached("select 1 from submissions where nonce = ?1 and job_id = ?2 and state in ('open', 'refused', 'unknown')")?
        .query_row(params![nonce.as_str(), text(id)], |row| row.get(0))
        .optional()?;
    if known.is_none() {
        return Ok(false);
    }
    close(
        connection,
        nonce,
        SubmissionState::Accepted,
        Some(request),
        wall,
    )?;
    end_again(connection, id)?;
    Ok(true)
}

/// A job that is gone turns out to have a run at its engine: it is erased once more, and that run
/// is cancelled and the engine's copies deleted.
pub(super) fn end_again(connection: &Connection, id: JobId) -> rusqlite::Result<()> {
    let mut statement = connection
        .prepare_cached("update jobs set erased_at = null, cancelled_at = null where id = ?1 and gone_at is not null")?;
    statement.execute([text(id)])?;
    Ok(())
}

pub(super) fn exists(connection: &Connection, id: JobId, nonce: &Nonce) -> rusqlite::Result<bool> {
    connection
        .prepare_cached(
            "select exists (select 1 from submissions where nonce = ?1 and job_id = ?2)",
        )?
        .query_row(params![nonce.as_str(), text(id)], |row| row.get(0))
}

pub(super) fn asked(
    connection: &Connection,
    nonce: &Nonce,
    found: Option<&RequestId>,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "update submissions set asked = asked + 1, found = ?2 where nonce = ?1 and state = 'open'",
        )?
        .execute(params![nonce.as_str(), found.map(|request| &request.0)])?;
    Ok(())
}

pub(super) fn known(
    connection: &Connection,
    requests: &[RequestId],
) -> rusqlite::Result<Vec<RequestId>> {
    let ids: Vec<&str> = requests.iter().map(|request| request.0.as_str()).collect();
    connection
        .prepare_cached(
            "select distinct request_id from submissions where request_id in (select value from json_each(?1))",
        )?
        .query_map([id_list(&ids)], |row| row.get(0).map(RequestId))?
        .collect()
}

pub(super) fn rivals(
    connection: &Connection,
    engine: EngineKind,
    nonce: &Nonce,
    from: UnixMs,
    to: UnixMs,
) -> rusqlite::Result<u64> {
    connection
        .prepare_cached(
            "select (select count(*) from submissions where state = 'open'
                     and engine = ?1 and nonce <> ?2 and opened_at between ?3 and ?4)
                  + (select count(*) from submissions where state = 'unknown'
                     and engine = ?1 and nonce <> ?2 and opened_at between ?3 and ?4)",
        )?
        .query_row(
            params![engine.as_str(), nonce.as_str(), from.0, to.0],
            |row| row.get(0),
        )
}

pub(super) fn abandon(
    connection: &Connection,
    before: UnixMs,
    now: UnixMs,
    limit: u32,
) -> rusqlite::Result<Vec<Abandoned>> {
    connection
        .prepare_cached(
            "update submissions set state = 'unknown', closed_at = ?2
             where nonce in
                 (select s.nonce from submissions s left join jobs j on j.id = s.job_id
                  where s.state = 'open' and coalesce(s.waits_since, s.opened_at) < ?1
                    and coalesce(j.phase, '') not in ('prepare', 'submit', 'wait', 'collect')
                  order by s.opened_at limit ?3)
             returning job_id, owner, engine",
        )?
        .query_map(params![before.0, now.0, limit], |row| {
            Ok(Abandoned {
                job: rows::parsed(row, "job_id")?,
                owner: OwnerId::named(row.get_ref("owner")?.as_str()?),
                engine: rows::engine(row)?,
            })
        })?
        .collect()
}

/// The newest submission of a job, and how many the engine took. The newest by its row: by the machine's
/// clock, which may have been set back between two, the older could seem to be the newer.
pub(super) fn latest(
    connection: &Connection,
    job: JobId,
) -> rusqlite::Result<(Option<Submission>, u32)> {
    let newest = connection
        .prepare_cached(
            "select nonce, state, request_id, coalesce(waits_since, opened_at) as waits_since, opened_at, asked, found, place, collected, count(*) filter (where state in ('accepted', 'failed')) over () as count from submissions
             where job_id = ?1 order by rowid desc limit 1",
        )?
        .query_row([text(job)], |row| {
            let submission = Submission {
                nonce: rows::parsed(row, "nonce")?,
                state: rows::word(row, "state", |word| {
                    SubmissionState::ALL
                        .into_iter()
                        .find(|state| state.as_str() == word)
                })?,
                request: row.get::<_, Option<String>>("request_id")?.map(RequestId),
                opened_at: UnixMs(row.get("waits_since")?),
                called_at: UnixMs(row.get("opened_at")?),
                asked: row.get("asked")?,
                found: row.get::<_, Option<String>>("found")?.map(RequestId),
                place: row.get("place")?,
                collected: row.get("collected")?,
            };
            Ok((submission, row.get("count")?))
        })
        .optional()?;
    Ok(newest.map_or((None, 0), |(submission, count)| (Some(submission), count)))
}

pub(super) fn unknown_count(connection: &Connection) -> rusqlite::Result<u64> {
    connection.query_row(
        "select count(*) from submissions where state = 'unknown'",
        [],
        |row| row.get(0),
    )
}

/// A job that is gone has forgotten how many layers it was asked for, as if it had left that to the engine.
pub(super) fn past_runs(
    connection: &Connection,
    engine: EngineKind,
    limit: u32,
) -> rusqlite::Result<Vec<PastRun>> {
    let mut statement = connection.prepare_cached(
        "select engine_ms, source_width, source_height, params from jobs
         where engine = ?1 and engine_ms is not null and finished_at is not null and source_width is not null
         order by finished_at desc limit ?2",
    )?;
    let rows = statement.query_map(params![engine.as_str(), limit], |row| {
        let params: Params = serde_json::from_str(row.get_ref("params")?.as_str()?)
            .map_err(|error| unreadable("params", &error.to_string()))?;
        Ok(PastRun {
            size: (row.get("source_width")?, row.get("source_height")?),
            layers: params.num_layers.into(),
            took: Duration::from_millis(row.get("engine_ms")?),
        })
    })?;
    let mut runs = rows.collect::<rusqlite::Result<Vec<_>>>()?;
    runs.reverse();
    Ok(runs)
}

#[async_trait]
impl SubmissionStore for SqliteStore {
    async fn submission_open(
        &self,
        lease: &Lease,
        nonce: &Nonce,
        call: Call,
        caps: SpendCaps,
        moment: Moment,
    ) -> Result<Opening, StoreError> {
        let (lease, nonce) = (lease.clone(), nonce.clone());
        self.write(move |db| spending::open(db, &lease, &nonce, &call, caps, moment))
            .await
    }

    async fn submission_affordable(
        &self,
        owner: &OwnerId,
        price_microusd: u64,
        caps: SpendCaps,
        now: UnixMs,
    ) -> Result<bool, StoreError> {
        let owner = owner.clone();
        self.read(move |db| spending::affordable(db, &owner, price_microusd, caps, now))
            .await
    }

    async fn input_keep(&self, lease: &Lease, input: KeptInput) -> Result<FencedWrite, StoreError> {
        let lease = lease.clone();
        self.write(move |db| queue::keep_input(db, &lease, &input))
            .await
    }

    async fn submission_asked(
        &self,
        nonce: &Nonce,
        found: Option<&RequestId>,
    ) -> Result<(), StoreError> {
        let (nonce, found) = (nonce.clone(), found.cloned());
        self.write(move |db| asked(db, &nonce, found.as_ref()))
            .await
    }

    async fn submission_known(&self, requests: &[RequestId]) -> Result<Vec<RequestId>, StoreError> {
        let requests = requests.to_vec();
        self.read(move |db| known(db, &requests)).await
    }

    async fn submission_rivals(
        &self,
        engine: EngineKind,
        nonce: &Nonce,
        from: UnixMs,
        to: UnixMs,
    ) -> Result<u64, StoreError> {
        let nonce = nonce.clone();
        self.read(move |db| rivals(db, engine, &nonce, from, to))
            .await
    }

    async fn submission_abandon(
        &self,
        before: UnixMs,
        now: UnixMs,
        limit: u32,
    ) -> Result<Vec<Abandoned>, StoreError> {
        self.write(move |db| abandon(db, before, now, limit)).await
    }

    async fn submission_close(
        &self,
        nonce: &Nonce,
        state: SubmissionState,
        request: Option<&RequestId>,
        now: UnixMs,
    ) -> Result<(), StoreError> {
        let (nonce, request) = (nonce.clone(), request.cloned());
        self.write(move |db| close(db, &nonce, state, request.as_ref(), now))
            .await
    }

    async fn submission_called_back(
        &self,
        id: JobId,
        nonce: &Nonce,
        request: &RequestId,
        moment: Moment,
    ) -> Result<bool, StoreError> {
        let (nonce, request) = (nonce.clone(), request.clone());
        self.write_and_notify(&self.signal.due, move |db| {
            let adopted = adopt(db, id, &nonce, &request, moment.wall)?;
            queue::wake(db, id, &nonce, adopted, moment.now)?;
            Ok(adopted)
        })
        .await
    }

    async fn submission_exists(&self, id: JobId, nonce: &Nonce) -> Result<bool, StoreError> {
        let nonce = nonce.clone();
        self.read(move |db| exists(db, id, &nonce)).await
    }

    async fn submission_unknown_count(&self) -> Result<u64, StoreError> {
        self.read(unknown_count).await
    }

    async fn past_runs(&self, engine: EngineKind, limit: u32) -> Result<Vec<PastRun>, StoreError> {
        self.read(move |db| past_runs(db, engine, limit)).await
    }
}
