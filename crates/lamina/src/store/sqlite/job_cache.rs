//! Jobs that were read a moment ago, so that an app that polls costs no SQL and no thread hop.
//! A hit is never older than the last acknowledged write: SQLite itself reports each row of `jobs`
//! that a write touches. What was known before is true until that write's transaction begins to commit, and what is read
//! meanwhile until then as well: so that many who read a job at once, while it is written, cost one look. From there on
//! until it is over, one reader may see the new row already, so nobody is given the old one.
//! Jobs that are gone are not kept, and nothing is: a process that starts knows nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use crate::jobs::{JobId, OwnerId, UnixMs};
use crate::store::JobRecord;

/// Jobs that are kept, with four layers each; and what all of them come to, each layer and each job without any counted as
/// one: about 0.4 kB, so 8 MB together.
const JOBS: usize = 4096;
const WEIGHT: u64 = 5 * JOBS as u64;
/// Rows share a version when their numbers are equal modulo this. A power of two.
const VERSIONS: usize = 4096;
/// Turns of reading. A power of two.
const TURNS: usize = 256;

/// The jobs read last.
#[derive(Debug)]
pub(super) struct JobCache {
    jobs: Cache<JobId, CachedJob, Weight>,
    /// Of three that follow each other: no write is going on, and entries of this version are true; a write has touched
    /// such a row, and entries of this version and of the one before are true; it commits, and no entry is.
    versions: Box<[AtomicU64]>,
    /// The versions that the running transaction has touched.
    touched: Mutex<Vec<usize>>,
    /// Of those who read a job that was written, one reads at a time; jobs share a turn by their ids.
    turns: Box<[tokio::sync::Mutex<()>]>,
}

#[derive(Clone, Debug)]
struct CachedJob {
    row: i64,
    version: u64,
    job: Arc<JobRecord>,
}

#[derive(Clone, Debug)]
struct Weight;

impl Weighter<JobId, CachedJob> for Weight {
    fn weight(&self, _: &JobId, kept: &CachedJob) -> u64 {
        1 + kept.job.layers.len() as u64
    }
}

/// What a version says.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Still,
    Touched,
    Commits,
}

impl State {
    fn of(version: u64) -> Self {
        match version % 3 {
            0 => Self::Still,
            1 => Self::Touched,
            _ => Self::Commits,
        }
    }
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
            jobs: Cache::with_weighter(JOBS, WEIGHT, Weight),
            versions: (0..VERSIONS).map(|_| AtomicU64::new(0)).collect(),
            touched: Mutex::default(),
            turns: (0..TURNS).map(|_| tokio::sync::Mutex::default()).collect(),
        }
    }

    /// The turn to read a job that was known and was written since. Whoever gets it looks here again: the one before may
    /// have kept it. None of a job that was never known: its readers need not wait for each other.
    pub(super) async fn turn(&self, id: JobId) -> Option<tokio::sync::MutexGuard<'_, ()>> {
        if !self.jobs.contains_key(&id) {
            return None;
        }
        let turn = id.as_u128() as usize % TURNS;
        Some(self.turns[turn].lock().await)
    }

    /// The job, if it is known and no write has touched it since it was read.
    pub(super) fn get(&self, owner: &OwnerId, id: JobId) -> Option<Arc<JobRecord>> {
        let cached = self.jobs.get(&id)?;
        (self.is_true(&cached) && cached.job.owner == *owner).then_some(cached.job)
    }

    /// When the job is over, if it is known as [`JobCache::get`] knows it; whose it is does not matter.
    pub(super) fn expiry(&self, id: JobId) -> Option<UnixMs> {
        let cached = self.jobs.get(&id)?;
        self.is_true(&cached).then_some(cached.job.expires_at)
    }

    fn is_true(&self, cached: &CachedJob) -> bool {
        let current = self.version(cached.row).load(Ordering::Acquire);
        // No write that has touched it since can be seen by anybody.
        match State::of(current) {
            State::Still => current == cached.version,
            State::Touched => current == cached.version || current == cached.version + 1,
            State::Commits => false,
        }
    }

    /// To be called before a row is read that may be kept.
    pub(super) fn look(&self, row: i64) -> Seen {
        let version = self.version(row).load(Ordering::Acquire);
        Seen { row, version }
    }

    /// Keeps what was read after `seen`, unless a write has touched the row since, or has ended.
    pub(super) fn keep(&self, seen: Seen, job: &Arc<JobRecord>) {
        let current = self.version(seen.row).load(Ordering::Acquire);
        if current == seen.version && State::of(current) != State::Commits {
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
        if State::of(version.load(Ordering::Acquire)) == State::Still {
            version.fetch_add(1, Ordering::AcqRel);
            self.lock().push(slot(row));
        }
    }

    /// The transaction begins to commit: before anybody can see what it wrote. Only the writer calls.
    pub(super) fn commits(&self) {
        for slot in self.lock().iter() {
            self.leave(*slot, State::Touched);
        }
    }

    /// The transaction is over, committed or not. Only the writer calls.
    pub(super) fn end_transaction(&self) {
        for slot in self.lock().drain(..) {
            self.leave(slot, State::Touched);
            self.leave(slot, State::Commits);
        }
    }

    fn leave(&self, slot: usize, state: State) {
        if State::of(self.versions[slot].load(Ordering::Acquire)) == state {
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
    use crate::jobs::{EngineKind, Estimate, Layer, LayerLabels, MediaType, Params, Phase};

    fn job() -> Arc<JobRecord> {
        Arc::new(JobRecord {
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
            quality: None,
        })
    }

    fn layer() -> Layer {
        Layer {
            order: 0,
            file: 0,
            labels: LayerLabels::default(),
            media_type: MediaType::Png,
            width: 1,
            height: 1,
            bytes: 1,
            sha256: String::new(),
            bbox: None,
            coverage: 0.0,
            thumbhash: None,
            fidelity_bytes: None,
        }
    }

    #[test]
    fn fewer_jobs_are_kept_where_each_has_many_layers() {
        let kept = |layers| {
            let (cached, mut job) = (JobCache::new(), job());
            for number in 0..JOBS as i64 {
                let record = Arc::make_mut(&mut job);
                record.id = JobId::new(UnixMs(number));
                record.layers = vec![layer(); layers];
                cached.keep(cached.look(number), &job);
            }
            cached.jobs.len()
        };
        assert!(kept(4) > JOBS * 9 / 10);
        assert!(kept(64) <= usize::try_from(WEIGHT).unwrap() / 65);
    }

    #[test]
    fn what_a_write_touched_between_look_and_keep_is_not_kept() {
        let cached = JobCache::new();
        let job = job();
        let owner = job.owner.clone();
        let seen = cached.look(7);
        cached.touch(7);
        cached.keep(seen, &job);
        assert!(cached.get(&owner, job.id).is_none());
        cached.touch(7);
        cached.end_transaction();
        cached.keep(seen, &job);
        assert!(cached.get(&owner, job.id).is_none());
        cached.keep(cached.look(7), &job);
        assert!(cached.get(&owner, job.id).is_some());
        assert!(cached.get(&OwnerId::named("another"), job.id).is_none());
    }

    #[test]
    fn what_is_known_holds_until_a_write_that_touches_it_is_over() {
        let (cached, job) = (JobCache::new(), job());
        let known = || cached.get(&job.owner, job.id).is_some();
        cached.keep(cached.look(7), &job);
        cached.touch(7);
        assert!(known());
        cached.end_transaction();
        assert!(!known());
        // Read while it is written: what is committed by then, or a moment later.
        cached.touch(7);
        cached.keep(cached.look(7), &job);
        assert!(known());
        cached.end_transaction();
        assert!(!known());
        cached.touch(7);
        assert!(!known());
    }
    #[test]
    fn nothing_old_is_given_once_a_reader_may_have_seen_the_new() {
        let (cached, job) = (JobCache::new(), job());
        let known = || cached.get(&job.owner, job.id).is_some();
        for read_while_touched in [false, true] {
            cached.keep(cached.look(7), &job);
            cached.touch(7);
            if read_while_touched {
                cached.keep(cached.look(7), &job);
            }
            assert!(known());
            let before = cached.look(7);
            cached.commits();
            assert!(!known());
            // Read before the commit, or by who knows when.
            cached.keep(before, &job);
            cached.keep(cached.look(7), &job);
            assert!(!known());
            cached.end_transaction();
            assert!(!known());
            cached.keep(cached.look(7), &job);
            assert!(known());
        }
    }
}
