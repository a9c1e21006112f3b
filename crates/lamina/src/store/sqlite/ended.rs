//! SQL of an owner's jobs in the order of their ends, and of those that have not ended: what a stream of all its
//! events begins with.

use rusqlite::{Connection, params};

use super::rows::{self, text};
use crate::jobs::{JobId, OwnerId};

/// Ends after the place `after`, in order, with their places. Those that are gone and not forgotten are among them.
pub(super) fn list(
    connection: &Connection,
    owner: &OwnerId,
    after: i64,
    limit: u32,
) -> rusqlite::Result<Vec<(JobId, i64)>> {
    let mut statement = connection.prepare_cached(
        "select id, ended_seq from jobs where owner = ?1 and ended_seq > ?2 order by ended_seq limit ?3",
    )?;
    statement
        .query_map(params![owner.as_str(), after, limit], |row| {
            Ok((rows::parsed(row, "id")?, row.get("ended_seq")?))
        })?
        .collect()
}

/// The place of the last end; 0 before the first.
pub(super) fn last(connection: &Connection, owner: &OwnerId) -> rusqlite::Result<i64> {
    connection
        .prepare_cached(
            "select coalesce(max(ended_seq), 0) from jobs where owner = ?1 and ended_seq is not null",
        )?
        .query_row([owner.as_str()], |row| row.get(0))
}

/// Jobs that have not ended, oldest first, after `after`.
pub(super) fn open(
    connection: &Connection,
    owner: &OwnerId,
    after: Option<JobId>,
    limit: u32,
) -> rusqlite::Result<Vec<JobId>> {
    rows::ids(
        connection,
        "select id from jobs where owner = ?1 and id > ?2 and phase in ('prepare', 'submit', 'wait', 'collect')
         order by id limit ?3",
        params![owner.as_str(), after.map(text).unwrap_or_default(), limit],
    )
}
