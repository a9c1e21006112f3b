//! SQL of looks at the whole: the queue and the ledger, for metrics and for people. Every query
//! reads an index or a handful of rows, whatever the number of jobs.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, params};

use super::rows;
use crate::access::UtcDay;
use crate::jobs::{Phase, Stage, UnixMs};
use crate::store::{Ledger, LedgerLine, PhaseStats, QueueStats, SubmissionState};

/// Counting stops here: a queue of this length is known to be too long.
const MOST: u32 = 100_000;

pub(super) fn queue(connection: &Connection, now: UnixMs) -> rusqlite::Result<QueueStats> {
    let mut phases = Vec::with_capacity(Phase::ACTIVE.len());
    for phase in Phase::ACTIVE {
        phases.push(of_phase(connection, phase, now)?);
    }
    let erasable = connection
        .prepare_cached(
            "select count(*) from (select 1 from jobs where gone_at is not null and erased_at is null limit ?1)",
        )?
        .query_row([MOST], |row| row.get(0))?;
    Ok(QueueStats { phases, erasable })
}

fn of_phase(connection: &Connection, phase: Phase, now: UnixMs) -> rusqlite::Result<PhaseStats> {
    let mut stats = PhaseStats {
        phase,
        due: 0,
        later: 0,
        oldest_due: Duration::ZERO,
    };
    for stage in Stage::ALL
        .into_iter()
        .filter(|stage| stage.phase() == phase)
    {
        let count = |sql: &str| -> rusqlite::Result<u64> {
            connection
                .prepare_cached(sql)?
                .query_row(params![stage.as_str(), now.0, MOST], |row| row.get(0))
        };
        stats.due += count(
            "select count(*) from (select 1 from jobs where stage = ?1 and run_at <= ?2 limit ?3)",
        )?;
        stats.later += count(
            "select count(*) from (select 1 from jobs where stage = ?1 and run_at > ?2 limit ?3)",
        )?;
        // Leased jobs come before it at most as often as there are slots.
        let oldest: Option<i64> = connection
            .prepare_cached(
                "select run_at from jobs where stage = ?1 and run_at <= ?2 and lease_until is null order by run_at limit 1",
            )?
            .query_row(params![stage.as_str(), now.0], |row| row.get(0))
            .optional()?;
        let oldest = oldest.map_or(Duration::ZERO, |run_at| now.since(UnixMs(run_at)));
        stats.oldest_due = stats.oldest_due.max(oldest);
    }
    Ok(stats)
}

pub(super) fn ledger(connection: &Connection, now: UnixMs) -> rusqlite::Result<Ledger> {
    let today_microusd = connection
        .prepare_cached("select coalesce(sum(microusd), 0) from spending_days where day = ?1")?
        .query_row([UtcDay::of(now).0], |row| row.get(0))?;
    let mut statement =
        connection.prepare_cached("select engine, state, submissions, microusd from account")?;
    let lines = statement.query_map([], |row| {
        Ok(LedgerLine {
            engine: rows::engine(row)?,
            state: rows::word(row, "state", |word| {
                SubmissionState::ALL
                    .into_iter()
                    .find(|state| state.as_str() == word)
            })?,
            submissions: row.get("submissions")?,
            microusd: row.get("microusd")?,
        })
    })?;
    Ok(Ledger {
        lines: lines.collect::<Result<_, _>>()?,
        today_microusd,
    })
}
