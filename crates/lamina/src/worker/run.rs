//! Runs the steps of one claimed job: keeps its lease alive, settles every outcome, and goes on to
//! the next phase in the same claim while there is a free slot for it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, MissedTickBehavior};

use super::step::{OWN_TROUBLE, Report, Stumble};
use super::{Worker, collect, crash, prepare, submit, wait};
use crate::engines::LayerSource;
use crate::jobs::{Change, FailureCode, Outcome, Phase, settle};
use crate::store::{Claimed, Facts, Settled, StoredSource};

/// How often a settlement is tried before the lease is left to run out.
const SETTLE_TRIES: u32 = 6;

impl Worker {
    pub(super) async fn run_steps(
        self: &Arc<Self>,
        mut job: Claimed,
        mut slot: OwnedSemaphorePermit,
    ) {
        let (mut layers, claimed_in) = (None, job.phase);
        loop {
            let begun = Instant::now();
            let running = self.parts.metrics.step_begins(job.phase);
            let span = self.parts.tracer.step(job.lease.job, job.phase, job.engine);
            let step = self.leased_step(&job, layers.take());
            let report = span.run(step).await;
            drop(running);
            let took = begun.elapsed();
            self.tell_step(job.phase, report.as_ref(), took, &span);
            span.end();
            let Some(mut report) = report else {
                return self.after_lost_lease(&job, None).await;
            };
            layers = report.layers.take();
            if let Facts::Source(facts) = &report.facts {
                job.source = StoredSource::Stored(*facts);
            }
            let Some(change) = self.decide(&job, report.outcome) else {
                return self.release(&job).await;
            };
            let next = self
                .next_slot(change.phase)
                .filter(|_| self.goes_on(&job, &change));
            crash::point(&format!("before_settle_{}", change.phase));
            let settled = self
                .settle(&job, &change, &report.facts, next.is_some())
                .await;
            crash::point(&format!("after_settle_{}", change.phase));
            if settled == Settled::Applied {
                self.tell_change(&job, &change, claimed_in, took);
            }
            match (settled, next) {
                (Settled::Applied, Some(free)) => drop(std::mem::replace(&mut slot, free)),
                (Settled::Applied, None) => return self.after_settled(&job, &change),
                (Settled::LostLease, _) => {
                    return self.after_lost_lease(&job, Some(&report.facts)).await;
                }
            }
            (job.phase, job.attempt) = (change.phase, change.attempt);
        }
    }

    /// Whether the next phase can begin at once in the same claim.
    fn goes_on(&self, job: &Claimed, change: &Change) -> bool {
        let another =
            change.phase != job.phase && change.phase != Phase::Wait && !change.phase.is_terminal();
        another && change.run_at <= self.parts.clock.now()
    }

    /// One step, with its lease renewed beside it. `None` when the lease was lost.
    async fn leased_step(&self, job: &Claimed, layers: Option<Vec<LayerSource>>) -> Option<Report> {
        let step = self.step(job, layers);
        tokio::pin!(step);
        let mut renew = tokio::time::interval_at(
            Instant::now() + self.settings.lease / 3,
            self.settings.lease / 3,
        );
        renew.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let result = loop {
            tokio::select! {
                result = &mut step => break result,
                () = self.kill.cancelled() => return Some(Report::of(Outcome::Interrupted)),
                _ = renew.tick() => {
                    let until = self.parts.clock.now().plus(self.settings.lease);
                    match self.parts.store.lease_renew(&job.lease, until).await {
                        Ok(Settled::Applied) => {}
                        Ok(Settled::LostLease) => return None,
                        Err(error) => tracing::warn!(job = %job.lease.job, %error, "a lease could not be renewed"),
                    }
                }
            }
        };
        match result {
            Ok(report) => Some(report),
            Err(Stumble::Report(report)) => Some(*report),
            Err(Stumble::LostLease) => None,
            Err(Stumble::Store(error)) => {
                tracing::error!(job = %job.lease.job, phase = %job.phase, %error, "a step could not write what it learnt");
                Some(Report::snooze(self.parts.clock.now().plus(OWN_TROUBLE)))
            }
        }
    }

    async fn step(
        &self,
        job: &Claimed,
        layers: Option<Vec<LayerSource>>,
    ) -> Result<Report, Stumble> {
        let Some(engine) = self.parts.engines.get(job.engine) else {
            return Ok(Report::give_up(FailureCode::EngineNotConfigured));
        };
        match job.phase {
            Phase::Prepare => prepare::run(self, job, &**engine).await,
            Phase::Submit => submit::run(self, job, &**engine).await,
            Phase::Wait => wait::run(self, job, &**engine).await,
            Phase::Collect => collect::run(self, job, &**engine, layers).await,
            Phase::Completed | Phase::Failed | Phase::Deleted | Phase::Expired => {
                Ok(Report::of(Outcome::Interrupted))
            }
        }
    }

    fn decide(&self, job: &Claimed, outcome: Outcome) -> Option<Change> {
        let (now, backoff) = (self.parts.clock.now(), &self.settings.backoff);
        if let Outcome::Retry { failure, .. } = &outcome {
            let (id, attempt) = (job.lease.job, job.attempt + 1);
            tracing::warn!(job = %id, phase = %job.phase, attempt, code = %failure.code, "a step failed and is tried again");
        }
        settle(job.phase, job.attempt, outcome, backoff, now, fastrand::f64()).unwrap_or_else(|defect| {
            tracing::error!(job = %job.lease.job, %defect, "a step reported an event of another phase");
            let give_up = Outcome::GiveUp(FailureCode::Internal.into());
            settle(job.phase, job.attempt, give_up, backoff, now, 0.0).ok().flatten()
        })
    }

    /// Writes a change. A store that is in trouble for a moment is tried again, since what the step
    /// learnt may have been paid for; in the end the lease runs out and the step is repeated.
    async fn settle(&self, job: &Claimed, change: &Change, facts: &Facts, keep: bool) -> Settled {
        for attempt in 1..=SETTLE_TRIES {
            let now = self.parts.clock.now();
            match self
                .parts
                .store
                .job_settle(&job.lease, change.clone(), facts.clone(), keep, now)
                .await
            {
                Ok(settled) => return settled,
                Err(error) => {
                    tracing::error!(job = %job.lease.job, attempt, %error, "a step's result could not be written");
                    if !error.is_temporary() || attempt == SETTLE_TRIES {
                        break;
                    }
                    let pause = Duration::from_millis(100) * 2u32.pow(attempt);
                    tokio::select! {
                        () = tokio::time::sleep_until(Instant::now() + pause) => {}
                        () = self.kill.cancelled() => break,
                    }
                }
            }
        }
        Settled::LostLease
    }

    async fn release(&self, job: &Claimed) {
        match self.parts.store.lease_release(&job.lease).await {
            Ok(_) => {
                tracing::info!(job = %job.lease.job, phase = %job.phase, "a step was interrupted and its job released");
            }
            Err(error) => {
                tracing::warn!(job = %job.lease.job, %error, "a lease could not be released and must run out");
            }
        }
    }

    fn after_settled(self: &Arc<Self>, job: &Claimed, change: &Change) {
        if !change.phase.is_terminal() {
            return;
        }
        let request = job
            .submission
            .as_ref()
            .and_then(|submission| submission.request.clone());
        let (Some(engine), Some(request)) = (self.parts.engines.get(job.engine), request) else {
            return;
        };
        engine.release(&request);
        if change.phase == Phase::Completed {
            // The layers are safe here; nobody needs the engine's copies any more.
            let (worker, job) = (Arc::clone(self), job.lease.job);
            let engine = Arc::clone(engine);
            self.steps.spawn(async move {
                let erased = tokio::select! {
                    erased = engine.erase(&request) => erased,
                    () = worker.kill.cancelled() => return,
                };
                if let Err(error) = erased {
                    tracing::warn!(%job, %error, "the engine could not be asked to delete its copies; they go by their lifetime");
                }
            });
        }
    }

    /// What this step did for a job that is gone would outlive it: bytes in the store, a paid run.
    async fn after_lost_lease(&self, job: &Claimed, facts: Option<&Facts>) {
        let id = job.lease.job;
        let gone = matches!(
            self.parts.store.job_phase(id).await,
            Ok(None | Some(Phase::Deleted | Phase::Expired))
        );
        self.tell_lost(job, gone);
        if !gone {
            return;
        }
        if let (Some(Facts::Accepted { request, .. }), Some(engine)) =
            (facts, self.parts.engines.get(job.engine))
            && let Err(error) = engine.cancel(request).await
        {
            tracing::warn!(job = %id, %error, "a request of a job that is gone could not be cancelled");
        }
        if let Err(error) = self.parts.blobs.erase_job(id).await {
            tracing::warn!(job = %id, %error, "bytes of a job that is gone are left to the sweep");
        }
    }
}
