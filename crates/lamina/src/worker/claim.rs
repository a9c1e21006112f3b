//! The claim loop: holds free places, asks the store for as many due jobs, and starts them at once.
//! Woken by a signal for speed, by the next due time, and by a slow poll for certainty.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Worker;
use super::slots::Slot;
use crate::jobs::UnixMs;
use crate::store::{Claimed, StoreError};

/// The longest time between two looks. Finds jobs whose lease ran out and signals that were lost,
/// both of which are rare, and each look wakes two threads of an idle process.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// From a look that found nothing to the next, however often it is woken: under load, jobs that come within this are
/// claimed together.
const LOOK_PAUSE: Duration = Duration::from_millis(5);
/// After a look that failed.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// The most jobs of one kind in one claim.
const BATCH: u32 = 64;

/// What a look for jobs came to.
enum Look {
    /// Some were claimed; there may be more.
    Claimed,
    /// None was, and at this time these were due: they wait for a place.
    Nothing { at: UnixMs, due: u32 },
}

impl Worker {
    pub(super) async fn claim_loop(self: Arc<Self>, stop: CancellationToken) {
        while !stop.is_cancelled() {
            // Registered before the query, so that a wake-up between query and wait is kept.
            let due = self.parts.store.signal().due.notified();
            let freed = self.slots.freed().notified();
            tokio::pin!(due, freed);
            due.as_mut().enable();
            freed.as_mut().enable();
            let looked = Instant::now();
            let (wait, due_now) = match Arc::clone(&self).claim_once().await {
                Ok(Look::Claimed) => continue,
                Ok(Look::Nothing { at, due }) => (self.until_next_due(at).await, due),
                Err(error) => {
                    tracing::error!(%error, "jobs could not be claimed");
                    (LOOK_AGAIN, 0)
                }
            };
            tokio::select! {
                () = due => {}
                // Where none waits for a place, nothing is to be had by one that is free.
                () = freed, if due_now > 0 => {}
                () = tokio::time::sleep_until(Instant::now() + wait) => {}
                () = stop.cancelled() => {}
            }
            // Over at once where nothing was looked for lately.
            tokio::select! {
                () = tokio::time::sleep_until(looked + LOOK_PAUSE) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    /// What a process that ended left behind, before any job is claimed. In a store that one process
    /// owns, a lease at start is a dead process's.
    pub(super) async fn take_over(&self, stop: &CancellationToken) {
        let store = &self.parts.store;
        self.at_start(stop, || self.resume_clock()).await;
        let end = || {
            let now = self.parts.clock.now();
            store.lease_end_all_others(&self.name, &self.parts.computed, now)
        };
        let jobs = self.at_start(stop, end).await.unwrap_or(0);
        if jobs > 0 {
            self.parts.metrics.rescued(jobs);
            tracing::info!(
                jobs,
                computed = self.parts.computed.len(),
                "took over jobs of a process that ended without releasing them"
            );
        }
        let (most, clock) = (self.settings.max_rescues, &self.parts.clock);
        let set_aside = || store.job_fail_poisoned(most, clock.wall());
        for job in self.at_start(stop, set_aside).await.unwrap_or_default() {
            self.record_set_aside(&job);
        }
    }

    /// Tries until the database can be written; none when the stop came first.
    async fn at_start<T, F>(&self, stop: &CancellationToken, work: impl Fn() -> F) -> Option<T>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        loop {
            match work().await {
                Ok(done) => return Some(done),
                Err(error) => {
                    tracing::error!(%error, "what the last process left could not be taken over yet");
                }
            }
            tokio::select! {
                () = tokio::time::sleep_until(Instant::now() + LOOK_AGAIN) => {}
                () = stop.cancelled() => return None,
            }
        }
    }

    /// Claims once and starts what it got.
    async fn claim_once(self: Arc<Self>) -> Result<Look, StoreError> {
        let (store, now) = (&self.parts.store, self.parts.clock.now());
        let due = store.job_due(now, BATCH).await?;
        let (wants, mut reserved) = self.slots.reserve(due);
        let nothing = Look::Nothing {
            at: now,
            due: due.iter().sum(),
        };
        if wants.is_empty() {
            self.beat();
            return Ok(nothing);
        }
        let claims = store
            .job_claim(&self.name, wants, now, self.settings.lease)
            .await?;
        self.beat();
        if claims.is_empty() {
            return Ok(nothing);
        }
        for job in claims {
            let Some(stage) = job.stage() else { continue };
            let slot = reserved.assign(stage, &job.owner, job.host());
            self.record_claim(&job);
            self.start(job, slot);
        }
        Ok(Look::Claimed)
    }

    fn beat(&self) {
        self.parts
            .pulse
            .send_replace(Some(std::time::Instant::now()));
    }

    fn start(self: &Arc<Self>, job: Claimed, slot: Slot) {
        let worker = Arc::clone(self);
        self.steps
            .spawn(async move { worker.run_steps(job, slot).await });
    }

    /// Until a job is due that was not when it was `looked` for.
    async fn until_next_due(&self, looked: UnixMs) -> Duration {
        let next = self.parts.store.job_next_due(looked).await.ok().flatten();
        let now = self.parts.clock.now();
        next.map_or(LOOK_EVERY, |next| next.since(now).min(LOOK_EVERY))
    }
}
