//! The claim loop: asks the store for as many due jobs as there are free slots of their kind.
//! Woken by a signal for speed, by the next due time, and by a slow poll for certainty.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Worker;
use crate::jobs::Phase;
use crate::store::{Claimed, StoreError};

/// The longest time between two looks. Finds jobs whose lease ran out and signals that were lost,
/// both of which are rare, and each look wakes two threads of an idle process.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// After a look that failed.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// The most jobs of one kind in one claim.
const BATCH: usize = 64;

impl Worker {
    pub(super) async fn claim_loop(self: Arc<Self>, stop: CancellationToken) {
        self.end_leases_of_the_dead().await;
        while !stop.is_cancelled() {
            // Registered before the query, so that a wake-up between query and wait is kept.
            let due = self.parts.store.signal().due.notified();
            let freed = self.slot_freed.notified();
            let wait = match Arc::clone(&self).claim_once().await {
                Ok(0) => self.until_next_due().await,
                Ok(_) => continue,
                Err(error) => {
                    tracing::error!(%error, "jobs could not be claimed");
                    LOOK_AGAIN
                }
            };
            tokio::select! {
                () = due => {}
                () = freed => {}
                () = tokio::time::sleep_until(Instant::now() + wait) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    /// In a store that one process owns, a lease at start is a dead process's.
    async fn end_leases_of_the_dead(&self) {
        match self
            .parts
            .store
            .lease_end_all_others(&self.name, self.parts.clock.now())
            .await
        {
            Ok(0) => {}
            Ok(jobs) => {
                self.parts.metrics.rescued(jobs);
                tracing::info!(
                    jobs,
                    "took over jobs of a process that ended without releasing them"
                );
            }
            Err(error) => tracing::warn!(%error, "old leases stand until they run out"),
        }
    }

    /// Claims once and starts what it got; returns how many jobs that were.
    async fn claim_once(self: Arc<Self>) -> Result<usize, StoreError> {
        let wants = Phase::ACTIVE.map(|phase| (phase, self.free_slots(phase)));
        if wants.iter().all(|(_, free)| *free == 0) {
            self.beat();
            return Ok(0);
        }
        let (settings, now) = (&self.settings, self.parts.clock.now());
        let claims = self
            .parts
            .store
            .job_claim(
                &self.name,
                &wants,
                now,
                settings.lease,
                settings.max_rescues,
            )
            .await?;
        self.beat();
        let count = claims.len();
        for job in claims {
            self.tell_claim(&job);
            self.start(job);
        }
        Ok(count)
    }

    fn beat(&self) {
        self.parts
            .pulse
            .send_replace(Some(std::time::Instant::now()));
    }

    fn free_slots(&self, phase: Phase) -> u32 {
        let free = self
            .slot(phase)
            .map_or(0, |slots| slots.available_permits().min(BATCH));
        u32::try_from(free).unwrap_or(0)
    }

    fn start(self: &Arc<Self>, job: Claimed) {
        let Some(slots) = self.slot(job.phase).cloned() else {
            return;
        };
        let worker = Arc::clone(self);
        self.steps.spawn(async move {
            // Steps that went on to their next phase may have taken the slot since it was counted;
            // jobs of other phases need not wait for that.
            let Ok(slot) = slots.acquire_owned().await else {
                return;
            };
            worker.run_steps(job, slot).await;
            worker.slot_freed.notify_one();
        });
    }

    pub(super) fn next_slot(&self, phase: Phase) -> Option<OwnedSemaphorePermit> {
        Arc::clone(self.slot(phase)?).try_acquire_owned().ok()
    }

    async fn until_next_due(&self) -> Duration {
        let now = self.parts.clock.now();
        let next = self.parts.store.job_next_due(now).await.ok().flatten();
        next.map_or(LOOK_EVERY, |next| next.since(now).min(LOOK_EVERY))
    }
}
