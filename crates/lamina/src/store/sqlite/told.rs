//! From rows that a commit touched to the feed of changes. SQLite itself reports each row of `jobs` that a write
//! touches (as to `job_cache.rs`), so that no statement can forget to tell. The rows are looked at on a reader's
//! thread, one look for each however many listen, and not at all while nobody does.
//!
//! Invariant: a change is told after its commit, to everybody who listened before it. One look goes on at a time, so
//! that the order is that of the commits; rows that are written meanwhile wait for it, each once.

use std::collections::BTreeSet;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use rusqlite::{Connection, OptionalExtension as _};

use super::job_cache::JobCache;
use super::jobs::{get_and_keep, gone};
use super::readers::Readers;
use super::rows;
use crate::jobs::OwnerId;
use crate::store::feed::{ChangeFeed, Changed};

/// Rows that were touched and not told.
#[derive(Debug)]
pub(super) struct Untold {
    feed: ChangeFeed,
    job_cache: Arc<JobCache>,
    rows: Mutex<Rows>,
}

#[derive(Debug, Default)]
struct Rows {
    /// By the running transaction.
    touched: BTreeSet<i64>,
    /// By those that are committed.
    committed: BTreeSet<i64>,
    /// Whether a reader is telling them.
    telling: bool,
}

impl Untold {
    pub(super) fn new(feed: ChangeFeed, job_cache: Arc<JobCache>) -> Self {
        Self {
            feed,
            job_cache,
            rows: Mutex::default(),
        }
    }

    /// A write of the running transaction has touched this row of `jobs`. Only the writer calls.
    pub(super) fn touch(&self, row: i64) {
        self.rows.lock().touched.insert(row);
    }

    /// The transaction is over; one that was rolled back changed nothing, and telling does no harm then. Only the
    /// writer calls.
    pub(super) fn end_transaction(self: &Arc<Self>, readers: &Weak<Readers>) {
        {
            let mut rows = self.rows.lock();
            let mut touched = std::mem::take(&mut rows.touched);
            // Whoever begins to listen from here on reads what is committed.
            if touched.is_empty() || !self.feed.has_listeners() {
                return;
            }
            rows.committed.append(&mut touched);
            if rows.telling {
                return;
            }
            rows.telling = true;
        }
        let untold = Arc::clone(self);
        // A store that closes has nobody left to tell.
        if let Some(readers) = readers.upgrade() {
            readers.begin(move |connection| untold.tell(connection));
        }
    }

    fn tell(&self, connection: &Connection) {
        let _telling = Telling(self);
        while let Some(committed) = self.next() {
            let looks = committed.into_iter().map(|row| self.look(connection, row));
            match looks.filter_map(Result::transpose).collect() {
                Ok(changed) => self.tell_all(changed),
                Err(error) => {
                    tracing::warn!(%error, "a job that was written could not be looked at, so all who wait for one look");
                    self.feed.tell_everybody();
                }
            }
        }
    }

    /// Ends in their order, so that nobody takes one for missed that only comes later.
    fn tell_all(&self, mut changed: Vec<Changed>) {
        changed.sort_by_key(|changed| changed.ended);
        for changed in &changed {
            self.feed.tell(changed);
        }
    }

    fn next(&self) -> Option<BTreeSet<i64>> {
        let mut rows = self.rows.lock();
        let committed = std::mem::take(&mut rows.committed);
        rows.telling = !committed.is_empty();
        rows.telling.then_some(committed)
    }

    /// The job of a row; none when it was forgotten. One that is waited for is read for all who wait.
    fn look(&self, connection: &Connection, row: i64) -> rusqlite::Result<Option<Changed>> {
        let found = connection
            .prepare_cached("select id, owner, phase, ended_seq from jobs where rowid = ?1")?
            .query_row([row], |row| {
                Ok(Changed {
                    id: rows::parsed(row, "id")?,
                    owner: OwnerId::named(row.get_ref("owner")?.as_str()?),
                    gone: gone(rows::phase(row)?),
                    ended: row.get("ended_seq")?,
                })
            })
            .optional()?;
        if let Some(changed) = &found
            && changed.gone.is_none()
            && self.feed.is_watched(changed.id, &changed.owner)
        {
            get_and_keep(connection, &changed.owner, changed.id, &self.job_cache)?;
        }
        Ok(found)
    }
}

/// Lets the next commit tell again, should this thread not come to its end.
struct Telling<'a>(&'a Untold);

impl Drop for Telling<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.rows.lock().telling = false;
        }
    }
}
