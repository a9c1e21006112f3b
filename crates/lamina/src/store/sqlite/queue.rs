//! SQL of the queue: lease, wake, what a start finds. Claims are in `claim.rs`; what a step learnt is written by `apply.rs`. Every
//! write after a claim names the lease's token and changes nothing when it is not the job's own any more.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::apply::fenced;
use super::rows::{self, id_list, text};
use super::{SqliteStore, apply, claim};
use crate::jobs::{Change, FailureCode, JobId, Moment, Nonce, Stage, UnixMs, whole_ms};
use crate::store::{
    Claimed, ClockSeen, Ended, FencedWrite, KeptInput, Lease, QueueStore, StepOutput, StoreError,
    Want,
};

/// Notes an input with the job, under its lease.
pub(super) fn keep_input(
    connection: &Connection,
    lease: &Lease,
    input: &KeptInput,
) -> rusqlite::Result<FencedWrite> {
    let mut statement = connection.prepare_cached(
        "update jobs set input_address = ?3, input_until = ?4
         where id = ?1 and lease_token = ?2 and lease_owner is not null",
    )?;
    Ok(fenced(statement.execute(params![
        text(lease.job),
        lease.token,
        input.address,
        input.until.0
    ])?))
}

pub(super) fn renew(
    connection: &Connection,
    lease: &Lease,
    until: UnixMs,
) -> rusqlite::Result<FencedWrite> {
    let mut statement = connection.prepare_cached(
        "update jobs set lease_until = ?3 where id = ?1 and lease_token = ?2 and lease_owner is not null",
    )?;
    Ok(fenced(statement.execute(params![
        text(lease.job),
        lease.token,
        until.0
    ])?))
}

fn raise_progress(
    connection: &Connection,
    lease: &Lease,
    least: f32,
) -> rusqlite::Result<FencedWrite> {
    let mut statement = connection.prepare_cached(
        "update jobs set progress_floor = max(progress_floor, ?3)
         where id = ?1 and lease_token = ?2 and lease_owner is not null",
    )?;
    Ok(fenced(statement.execute(params![
        text(lease.job),
        lease.token,
        least
    ])?))
}

pub(super) fn release(connection: &Connection, lease: &Lease) -> rusqlite::Result<FencedWrite> {
    let mut statement = connection.prepare_cached(
        "update jobs set lease_owner = null, lease_until = null
         where id = ?1 and lease_token = ?2 and lease_owner is not null",
    )?;
    Ok(fenced(
        statement.execute(params![text(lease.job), lease.token])?,
    ))
}

/// Jobs that were being computed when their process died are suspects from now on; one that was
/// computed alone is counted.
pub(super) fn end_all_others(
    connection: &Connection,
    worker: &str,
    computed: &[JobId],
    now: UnixMs,
) -> rusqlite::Result<u64> {
    let ended = connection
        .prepare_cached(
            "update jobs set lease_owner = null, lease_until = null, lease_token = lease_token + 1
             where lease_owner is not null and lease_owner <> ?1",
        )?
        .execute([worker])?;
    connection
        .prepare_cached(
            "update jobs set suspect = 1, rescues = rescues + ?2
             where id in (select value from json_each(?1)) and stage is not null",
        )?
        .execute(params![id_list(computed), computed.len() == 1])?;
    // Callbacks that came while nobody listened are not repeated for ever.
    connection
        .prepare_cached("update jobs set run_at = ?1 where stage = 'wait' and run_at > ?1")?
        .execute([now.0])?;
    Ok(ended as u64)
}

pub(super) fn fail_poisoned(
    connection: &Connection,
    max_rescues: u32,
    wall: UnixMs,
    failure: &crate::jobs::Failure,
) -> rusqlite::Result<Vec<Ended>> {
    let ids: Vec<JobId> = rows::ids(
        connection,
        "select id from jobs where stage is not null and lease_owner is null and rescues >= ?1 limit 100",
        [max_rescues],
    )?;
    // Layers that are stored and paid for are no failure.
    connection
        .prepare_cached(
            "update jobs set phase = 'completed', finished_at = ?2, lease_token = lease_token + 1
             where id in (select value from json_each(?1)) and first_stack = 1",
        )?
        .execute(params![id_list(&ids), wall.0])?;
    let mut statement = connection.prepare_cached(
        "update jobs set phase = 'failed', error_code = ?2, error = ?3, finished_at = ?4,
                         lease_token = lease_token + 1
         where id in (select value from json_each(?1)) and first_stack = 0
         returning id, owner, engine, created_at, false as was_finished",
    )?;
    let ended = statement.query_map(
        params![id_list(&ids), failure.code, failure.sentence, wall.0],
        rows::ended,
    )?;
    ended.collect()
}

/// Moves every time of the queue, because the clock that they were read from is another one now. What
/// is due is never put off by that: it may have been written since.
pub(super) fn shift(connection: &Connection, millis: i64) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "update jobs set run_at = run_at + min(?1, 0), accepted_at = accepted_at + ?1
             where stage is not null",
        )?
        .execute([millis])?;
    connection
        .prepare_cached(
            "update submissions set waits_since = coalesce(waits_since, opened_at) + ?1 where state = 'open'",
        )?
        .execute([millis])?;
    Ok(())
}

pub(super) fn clock_seen(connection: &Connection) -> rusqlite::Result<Option<ClockSeen>> {
    connection
        .prepare_cached("select now, wall, held from clock_seen")?
        .query_row([], |row| {
            Ok(ClockSeen {
                moment: Moment {
                    now: UnixMs(row.get("now")?),
                    wall: UnixMs(row.get("wall")?),
                },
                held: Duration::from_millis(row.get("held")?),
            })
        })
        .optional()
}

pub(super) fn see_clock(connection: &Connection, seen: ClockSeen) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "insert into clock_seen (id, now, wall, held) values (1, ?1, ?2, ?3)
             on conflict do update set now = excluded.now, wall = excluded.wall, held = excluded.held",
        )?
        .execute(params![
            seen.moment.now.0,
            seen.moment.wall.0,
            whole_ms(seen.held)
        ])?;
    Ok(())
}

/// A wake-up during a step is kept in `woken`, so that the step's own schedule cannot lose it. Where tries failed, their pause
/// stays as long as it is: an engine that calls again and again would use all tries up at once. `is_news`: what it says was not
/// known before, so that it comes once.
pub(super) fn wake(
    connection: &Connection,
    id: JobId,
    nonce: &Nonce,
    is_news: bool,
    now: UnixMs,
) -> rusqlite::Result<bool> {
    let mut statement = connection.prepare_cached(
        "update jobs set woken = 1, run_at = case when attempt = 0 or ?4 then min(run_at, ?3) else run_at end
         where id = ?1 and phase in ('submit', 'wait')
           and exists (select 1 from submissions where job_id = ?1 and nonce = ?2)",
    )?;
    Ok(statement.execute(params![text(id), nonce.as_str(), now.0, is_news])? == 1)
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

#[async_trait]
impl QueueStore for SqliteStore {
    async fn job_claim(
        &self,
        worker: &str,
        wants: Vec<Want>,
        now: UnixMs,
        lease: Duration,
    ) -> Result<Vec<Claimed>, StoreError> {
        let (worker, turns) = (worker.to_owned(), Arc::clone(&self.turns));
        self.write(move |db| claim::claim(db, &worker, wants.clone(), now, lease, &turns))
            .await
    }

    async fn job_due(&self, now: UnixMs, most: u32) -> Result<[u32; Stage::ALL.len()], StoreError> {
        self.read(move |db| claim::due(db, now, most)).await
    }

    async fn job_next_due(&self, now: UnixMs) -> Result<Option<UnixMs>, StoreError> {
        self.read(move |db| claim::next_due(db, now)).await
    }

    async fn lease_renew(&self, lease: &Lease, until: UnixMs) -> Result<FencedWrite, StoreError> {
        let lease = lease.clone();
        self.write(move |db| renew(db, &lease, until)).await
    }

    async fn job_progress(&self, lease: &Lease, least: f32) -> Result<FencedWrite, StoreError> {
        let lease = lease.clone();
        self.write(move |db| raise_progress(db, &lease, least))
            .await
    }

    async fn lease_release(&self, lease: &Lease) -> Result<FencedWrite, StoreError> {
        let lease = lease.clone();
        self.write_and_notify(&self.signal.due, move |db| release(db, &lease))
            .await
    }

    async fn lease_end_all_others(
        &self,
        worker: &str,
        computed: &[JobId],
        now: UnixMs,
    ) -> Result<u64, StoreError> {
        let (worker, computed) = (worker.to_owned(), computed.to_vec());
        self.write_and_notify(&self.signal.due, move |db| {
            end_all_others(db, &worker, &computed, now)
        })
        .await
    }

    async fn job_apply(
        &self,
        lease: &Lease,
        change: Change,
        output: StepOutput,
        keep: bool,
        moment: Moment,
    ) -> Result<FencedWrite, StoreError> {
        let lease = lease.clone();
        let work = move |db: &_| apply::apply(db, &lease, &change, &output, keep, moment);
        // A kept lease leaves nothing for another claim to find.
        if keep {
            self.write(work).await
        } else {
            self.write_and_notify(&self.signal.due, work).await
        }
    }

    async fn job_wake(&self, id: JobId, nonce: &Nonce, now: UnixMs) -> Result<bool, StoreError> {
        let nonce = nonce.clone();
        self.write_and_notify(&self.signal.due, move |db| wake(db, id, &nonce, false, now))
            .await
    }

    async fn job_fail_poisoned(
        &self,
        max_rescues: u32,
        wall: UnixMs,
    ) -> Result<Vec<Ended>, StoreError> {
        self.write(move |db| fail_poisoned(db, max_rescues, wall, &FailureCode::CrashLoop.into()))
            .await
    }

    async fn clock_seen(&self) -> Result<Option<ClockSeen>, StoreError> {
        self.read(clock_seen).await
    }

    async fn clock_see(&self, seen: ClockSeen) -> Result<(), StoreError> {
        self.write(move |db| see_clock(db, seen)).await
    }

    async fn queue_shift(&self, millis: i64) -> Result<(), StoreError> {
        self.write_and_notify(&self.signal.due, move |db| shift(db, millis))
            .await
    }
}
