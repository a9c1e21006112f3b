//! Jobs that were read a moment ago, so that an app that polls costs no SQL and no thread hop.
//! A hit is never older than the last acknowledged write: SQLite itself reports each row of `jobs`
//! that a write touches, and a touched row is read from the file until its transaction is over.
//! Jobs that are gone are not kept, and nothing is: a process that starts knows nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use quick_cache::sync::Cache;

use crate::jobs::{JobId, OwnerId, UnixMs};
use crate::store::JobRecord;

/// Jobs that are kept; about 2 kB each with four layers.
const JOBS: usize = 4096;
/// Rows share a version when their numbers are equal modulo this. A power of two.
const VERSIONS: usize = 4096;

/// The jobs read last.
#[derive(Debug)]
pub(super) struct JobCache {
    jobs: Cache<JobId, CachedJob>,
    /// Even: no write is going on, and entries of this version are true. Odd: a write has touched
    /// such a row and is not over.
    versions: Box<[AtomicU64]>,
    /// The versions made odd by the running transaction.
    touched: Mutex<Vec<usize>>,
}

#[derive(Clone, Debug)]
struct CachedJob {
    row: i64,
    version: u64,
    job: Arc<JobRecord>,
}

/// The version of a row from before it was read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    row: i64,
    version: u64,
}

impl JobCache {
    pub(super) fn new() -> Self {
        Self {
            jobs: Cache::new(JOBS),
            versions: (0..VERSIONS).map(|_| AtomicU64::new(0)).collect(),
            touched: Mutex::default(),
        }
    }

    /// The job, if it is known and no write has touched it since it was read.
    pub(super) fn get(&self, owner: &OwnerId, id: JobId) -> Option<Arc<JobRecord>> {
        let cached = self.jobs.get(&id)?;
        let current = self.version(cached.row).load(Ordering::Acquire);
        (cached.version == current && cached.job.owner == *owner).then_some(cached.job)
    }

    /// When the job is over, if it is known as [`JobCache::get`] knows it; whose it is does not matter.
    pub(super) fn expiry(&self, id: JobId) -> Option<UnixMs> {
        let cached = self.jobs.get(&id)?;
        let current = self.version(cached.row).load(Ordering::Acquire);
        (cached.version == current).then_some(cached.job.expires_at)
    }

    /// To be called before a row is read that may be kept; `None` while a write has touched it.
    pub(super) fn look(&self, row: i64) -> Option<Seen> {
        let version = self.version(row).load(Ordering::Acquire);
        version.is_multiple_of(2).then_some(Seen { row, version })
    }

    /// Keeps what was read after `seen`, unless a write has touched the row since.
    pub(super) fn keep(&self, seen: Seen, job: &Arc<JobRecord>) {
        if self.version(seen.row).load(Ordering::Acquire) == seen.version {
            let cached = CachedJob {
                row: seen.row,
                version: seen.version,
                job: Arc::clone(job),
            };
            self.jobs.insert(job.id, cached);
        }
    }

    /// A write of the running transaction has touched this row of `jobs`. Only the writer calls.
    pub(super) fn touch(&self, row: i64) {
        let version = self.version(row);
        if version.load(Ordering::Acquire).is_multiple_of(2) {
            version.fetch_add(1, Ordering::AcqRel);
            self.lock().push(slot(row));
        }
    }

    /// The transaction is over, committed or not. Only the writer calls.
    pub(super) fn end_transaction(&self) {
        for slot in self.lock().drain(..) {
            self.versions[slot].fetch_add(1, Ordering::AcqRel);
        }
    }

    fn version(&self, row: i64) -> &AtomicU64 {
        &self.versions[slot(row)]
    }

    fn lock(&self) -> parking_lot::MutexGuard<'_, Vec<usize>> {
        self.touched.lock()
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "only the low bits count"
)]
fn slot(row: i64) -> usize {
    row as usize % VERSIONS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::{EngineKind, Estimate, Params, Phase};

    #[test]
    fn what_a_write_touched_between_look_and_keep_is_not_kept() {
        let cached = JobCache::new();
        let job = Arc::new(JobRecord {
            id: JobId::new(UnixMs(1)),
            owner: OwnerId::named("a"),
            phase: Phase::Prepare,
            engine: EngineKind::Local,
            params: Params::default(),
            source: None,
            estimate: Estimate {
                reported: 0.0,
                floor: 0.0,
                accepted_at: None,
                expected: std::time::Duration::ZERO,
            },
            queue_position: None,
            failure: None,
            created_at: UnixMs(1),
            expires_at: UnixMs(2),
            layers: Vec::new(),
        });
        let owner = job.owner.clone();
        let seen = cached.look(7).unwrap();
        cached.keep(seen, &job);
        assert!(cached.get(&owner, job.id).is_some());
        cached.touch(7);
        assert!(cached.get(&owner, job.id).is_none() && cached.look(7).is_none());
        cached.keep(seen, &job);
        assert!(cached.get(&owner, job.id).is_none());
        cached.touch(7);
        cached.end_transaction();
        cached.keep(seen, &job);
        assert!(cached.get(&owner, job.id).is_none());
        cached.keep(cached.look(7).unwrap(), &job);
        assert!(cached.get(&owner, job.id).is_some());
        assert!(cached.get(&OwnerId::named("another"), job.id).is_none());
    }
}
