//! Jobs as the worker sees them: claims, leases, the ends of steps, and the clock that the queue waits by. A part of [`super::Store`].

use std::time::Duration;

use async_trait::async_trait;

use super::{Claimed, ClockSeen, Ended, FencedWrite, Lease, StepOutput, StoreError, Want};
use crate::jobs::{Change, JobId, Moment, Nonce, Stage, UnixMs};

/// Jobs as the worker sees them: claims, leases, the ends of steps, and the clock that the queue waits by.
#[async_trait]
pub trait QueueStore: std::fmt::Debug + Send + Sync {
    /// Claims due jobs for `worker`, as many as it wants of each stage and fair by owner: from those
    /// who hold fewest first, in turn, each owner's oldest `run_at` first. Jobs of another worker
    /// whose lease ran out are taken over.
    async fn job_claim(
        &self,
        worker: &str,
        wants: Vec<Want>,
        now: UnixMs,
        lease: Duration,
    ) -> Result<Vec<Claimed>, StoreError>;
    /// How many jobs of each stage could be claimed now, in the order of [`Stage::ALL`], counted up
    /// to `most`.
    async fn job_due(&self, now: UnixMs, most: u32) -> Result<[u32; Stage::ALL.len()], StoreError>;
    /// When the next job becomes due, if any is not yet.
    async fn job_next_due(&self, now: UnixMs) -> Result<Option<UnixMs>, StoreError>;
    /// Extends a lease. [`FencedWrite::LostLease`] tells the step to stop.
    async fn lease_renew(&self, lease: &Lease, until: UnixMs) -> Result<FencedWrite, StoreError>;
    /// Of a job that is worked on, shows at least so much progress from now on, 0 to 1.
    async fn job_progress(&self, lease: &Lease, least: f32) -> Result<FencedWrite, StoreError>;
    /// Gives a lease back untouched: the attempt is not counted, the job is due as before.
    async fn lease_release(&self, lease: &Lease) -> Result<FencedWrite, StoreError>;
    /// Ends leases of workers that cannot be alive, because this process owns the store alone, and
    /// returns how many. `computed` are the jobs whose pictures were being computed when the last
    /// process died: they are suspects, and a single one is counted (see
    /// [`QueueStore::job_fail_poisoned`]). Jobs that wait for an engine are due at once, since a callback
    /// may have come while nobody listened.
    async fn lease_end_all_others(
        &self,
        worker: &str,
        computed: &[JobId],
        now: UnixMs,
    ) -> Result<u64, StoreError>;
    /// Applies a step's change and output in one fenced transaction. With `keep` the lease stays.
    async fn job_apply(
        &self,
        lease: &Lease,
        change: Change,
        output: StepOutput,
        keep: bool,
        moment: Moment,
    ) -> Result<FencedWrite, StoreError>;
    /// Makes a waiting job due now, if `nonce` is one of its submissions, or tells its next claim alone where tries
    /// failed and it rests after them. A wake-up during a step is kept. False when nothing matched.
    async fn job_wake(&self, id: JobId, nonce: &Nonce, now: UnixMs) -> Result<bool, StoreError>;
    /// Fails jobs that nothing is done for and that were alone being computed when a process died,
    /// `max_rescues` times since they last got through. Returns them.
    async fn job_fail_poisoned(
        &self,
        max_rescues: u32,
        wall: UnixMs,
    ) -> Result<Vec<Ended>, StoreError>;
    /// What the last process saw of the clock, if one did.
    async fn clock_seen(&self) -> Result<Option<ClockSeen>, StoreError>;
    /// Remembers it for the next process.
    async fn clock_see(&self, seen: ClockSeen) -> Result<(), StoreError>;
    /// Moves every time that the queue waits by, because the clock they were read from is another
    /// one now. Nothing becomes due later by that.
    async fn queue_shift(&self, millis: i64) -> Result<(), StoreError>;
}
