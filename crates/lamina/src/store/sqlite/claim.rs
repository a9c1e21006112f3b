//! SQL of the claim: which due jobs a worker gets. Fair by owner: jobs are taken from one owner
//! after the other, from those that hold fewest first, however many one of them has waiting, and
//! within the shares that the worker allows (`jobs/share.rs`).
//!
//! It costs the same whatever has ended and however long one owner's line is: a short queue is read
//! whole, and in a long one each owner's first jobs are sought by index.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use parking_lot::Mutex;
use rusqlite::{Connection, OptionalExtension as _, Row, named_params, params};
use url::Url;

use super::rows::{self, id_list, text, time};
use super::{jobs, submissions};
use crate::jobs::{JobId, OwnerId, Stage, UnixMs};
use crate::store::{Claimed, FirstStack, KeptInput, Lease, StoredSource, Want};

/// Due jobs of a stage that are read whole. More than any stage has slots.
const WINDOW: usize = 256;
/// Owners looked at in one claim of a longer queue; the next claim goes on behind them.
const OWNERS: usize = 256;

/// Whose turn it was last, for each stage.
#[derive(Debug, Default)]
pub(super) struct Turns(Mutex<[String; Stage::ALL.len()]>);

/// A job that could be claimed.
struct Candidate {
    id: String,
    owner: String,
    /// Where its picture is, if it has to be fetched.
    host: Option<String>,
    was_called: bool,
}

pub(super) fn claim(
    connection: &Connection,
    worker: &str,
    wants: Vec<Want>,
    now: UnixMs,
    lease: Duration,
    turns: &Turns,
) -> rusqlite::Result<Vec<Claimed>> {
    end_leases_that_ran_out(connection, worker, now)?;
    let mut turns = turns.0.lock();
    let mut claimed = Vec::new();
    for want in wants.into_iter().filter(|want| want.limit > 0) {
        let turn = &mut turns[want.stage.index()];
        let found = candidates(connection, want.stage, now, turn)?;
        let chosen = choose(found, want, turn);
        if !chosen.is_empty() {
            claimed.append(&mut take(connection, worker, &chosen, now.plus(lease))?);
        }
    }
    for (job, has_first) in &mut claimed {
        let id = job.lease.job;
        (job.submission, job.runs) = submissions::latest(connection, id)?;
        if *has_first {
            job.first = Some(first_stack(connection, id)?);
        }
    }
    Ok(claimed.into_iter().map(|(job, _)| job).collect())
}

fn first_stack(connection: &Connection, id: JobId) -> rusqlite::Result<FirstStack> {
    let quality = connection
        .prepare_cached("select quality from jobs where id = ?1")?
        .query_row([text(id)], |row| rows::json(row, "quality"))?;
    Ok(FirstStack {
        layers: jobs::layers(connection, id)?,
        quality,
    })
}

/// A worker whose lease ran out died or hangs, or cannot reach the store. It has no effect on the
/// claiming worker's own leases: that one is alive, and knows what it works on.
fn end_leases_that_ran_out(
    connection: &Connection,
    worker: &str,
    now: UnixMs,
) -> rusqlite::Result<usize> {
    connection
        .prepare_cached(
            "update jobs set lease_owner = null, lease_until = null, lease_token = lease_token + 1
             where lease_owner is not null and lease_until <= ?2 and lease_owner <> ?1",
        )?
        .execute(params![worker, now.0])
}

fn candidates(
    connection: &Connection,
    stage: Stage,
    now: UnixMs,
    turn: &str,
) -> rusqlite::Result<Vec<Candidate>> {
    let due = connection
        .prepare_cached(
            "select id, owner, source_url, woken from jobs
             where stage = ?1 and run_at <= ?2 and lease_owner is null order by run_at limit ?3",
        )?
        .query_map(params![stage.as_str(), now.0, WINDOW], candidate)?
        .collect::<Result<Vec<_>, _>>()?;
    if due.len() < WINDOW {
        return Ok(due);
    }
    let mut next_owner = connection.prepare_cached(
        "select owner from jobs where stage = ?1 and owner > ?2 order by owner limit 1",
    )?;
    let mut of_owner = connection.prepare_cached(
        "select id, owner, source_url, woken from jobs
         where stage = ?1 and owner = ?2 and run_at <= ?3 and lease_owner is null order by run_at limit ?4",
    )?;
    let (mut found, mut after, mut wrapped) = (Vec::new(), turn.to_owned(), false);
    for _ in 0..OWNERS {
        let owner: Option<String> = next_owner
            .query_row(params![stage.as_str(), after], |row| row.get(0))
            .optional()?;
        let Some(owner) = owner else {
            if std::mem::replace(&mut wrapped, true) {
                break;
            }
            after = String::new();
            continue;
        };
        if wrapped && owner.as_str() > turn {
            break;
        }
        let jobs =
            of_owner.query_map(params![stage.as_str(), owner, now.0, WINDOW / 4], candidate)?;
        for job in jobs {
            found.push(job?);
        }
        after = owner;
    }
    Ok(found)
}

fn candidate(row: &Row<'_>) -> rusqlite::Result<Candidate> {
    let url: Option<String> = row.get("source_url")?;
    let url = url.and_then(|url| Url::parse(&url).ok());
    Ok(Candidate {
        id: row.get("id")?,
        owner: row.get("owner")?,
        host: url.and_then(|url| url.host_str().map(str::to_owned)),
        was_called: row.get("woken")?,
    })
}

/// Takes from the owner that holds fewest, and among those from the one whose turn it is.
fn choose(found: Vec<Candidate>, mut want: Want, turn: &mut String) -> Vec<Candidate> {
    let mut lines: BTreeMap<String, VecDeque<Candidate>> = BTreeMap::new();
    for job in found {
        lines.entry(job.owner.clone()).or_default().push_back(job);
    }
    let mut chosen = Vec::new();
    while chosen.len() < want.limit as usize {
        let next = lines
            .keys()
            .filter(|owner| want.owners.may_take(owner))
            .min_by_key(|owner| (want.owners.held(owner), **owner <= *turn, (*owner).clone()))
            .cloned();
        let Some(owner) = next else { break };
        let line = lines.entry(owner.clone()).or_default();
        let free = line.iter().position(|job| {
            let host = job.host.as_deref();
            host.is_none_or(|host| want.hosts.may_take(host))
        });
        let Some(job) = free.and_then(|index| line.remove(index)) else {
            lines.remove(&owner);
            continue;
        };
        want.owners.take(&owner);
        if let Some(host) = &job.host {
            want.hosts.take(host);
        }
        chosen.push(job);
        *turn = owner;
    }
    chosen
}

/// Each with whether it has a first stack.
fn take(
    connection: &Connection,
    worker: &str,
    chosen: &[Candidate],
    until: UnixMs,
) -> rusqlite::Result<Vec<(Claimed, bool)>> {
    let mut statement = connection.prepare_cached(
        "update jobs set lease_owner = :worker, lease_token = lease_token + 1, lease_until = :until, woken = 0
         where id in (select value from json_each(:ids)) and lease_owner is null
         returning id, owner, phase, engine, params, source_url, source_media, source_width, source_height,
                   source_bytes, lease_token, attempt, created_at, expires_at, accepted_at, expected_ms, run_at, suspect, input_address, input_until, first_stack",
    )?;
    let ids: Vec<&str> = chosen.iter().map(|job| job.id.as_str()).collect();
    let bound = named_params! { ":worker": worker, ":until": until.0, ":ids": id_list(&ids) };
    let was_called = |id: &str| chosen.iter().any(|job| job.id == id && job.was_called);
    let mut batch = statement
        .query_map(bound, |row| {
            let was_called = was_called(row.get_ref("id")?.as_str()?);
            Ok((claimed_job(row, was_called)?, row.get("first_stack")?))
        })?
        .collect::<Result<Vec<_>, _>>()?;
    batch.sort_by_key(|(job, _)| job.due_at);
    Ok(batch)
}

fn claimed_job(row: &Row<'_>, was_called: bool) -> rusqlite::Result<Claimed> {
    let source = match rows::source(row)? {
        Some(output) => StoredSource::Stored(output),
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
        was_called,
        attempt: row.get("attempt")?,
        created_at: UnixMs(row.get("created_at")?),
        expires_at: UnixMs(row.get("expires_at")?),
        accepted_at: time(row, "accepted_at")?,
        expected: Duration::from_millis(row.get("expected_ms")?),
        suspect: row.get("suspect")?,
        input: kept_input(row)?,
        submission: None,
        runs: 0,
        first: None,
    })
}

fn kept_input(row: &Row<'_>) -> rusqlite::Result<Option<KeptInput>> {
    let address: Option<String> = row.get("input_address")?;
    let until = time(row, "input_until")?;
    Ok(address
        .zip(until)
        .map(|(address, until)| KeptInput { address, until }))
}

/// How many jobs of each stage could be claimed now, up to `most` of each.
pub(super) fn due(
    connection: &Connection,
    now: UnixMs,
    most: u32,
) -> rusqlite::Result<[u32; Stage::ALL.len()]> {
    let mut statement = connection.prepare_cached(
        "select count(*) from (select 1 from jobs
             where stage = ?1 and run_at <= ?2 and lease_owner is null limit ?3)",
    )?;
    let mut due = [0; Stage::ALL.len()];
    for stage in Stage::ALL {
        due[stage.index()] =
            statement.query_row(params![stage.as_str(), now.0, most], |row| row.get(0))?;
    }
    Ok(due)
}

pub(super) fn next_due(connection: &Connection, now: UnixMs) -> rusqlite::Result<Option<UnixMs>> {
    // One index seek for each stage; a min() over all of them would scan.
    let mut statement = connection.prepare_cached(
        "select run_at from jobs where stage = ?1 and run_at > ?2 and lease_owner is null order by run_at limit 1",
    )?;
    let mut next: Option<i64> = None;
    for stage in Stage::ALL {
        let due: Option<i64> = statement
            .query_row(params![stage.as_str(), now.0], |row| row.get(0))
            .optional()?;
        next = match (next, due) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
    }
    Ok(next.map(UnixMs))
}
