//! Runs the steps of one claimed job: keeps its lease alive, writes every outcome, and goes on to
//! the next phase in the same claim while there is a free slot for it.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::time::{Instant, MissedTickBehavior};

use super::slots::Slot;
use super::steps::report::{self, Report, StepError};
use super::steps::{collect, prepare, second, submit, wait};
use super::{Worker, failpoints};
use crate::engines::LayerSource;
use crate::jobs::{Change, FailureCode, Outcome, Phase, Stage, Step, change_after};
use crate::store::{Claimed, FencedWrite, Lease, StepOutput, StoreError, StoredSource};

/// How often a write is tried that the database refuses for its own defect, not for trouble.
const DEFECT_TRIES: u32 = 6;
/// Between two tries of a write, at the most.
const WRITE_PAUSE: Duration = Duration::from_secs(5);
/// One line in so many tries of the same write: the first, then one in about a minute.
const LOG_EVERY: u32 = 12;

impl Worker {
    pub(super) async fn run_steps(self: &Arc<Self>, mut job: Claimed, mut slot: Slot) {
        let (mut layers, claimed_in) = (self.kept_answer(&job), job.phase);
        loop {
            let begun = Instant::now();
            let running = self.parts.metrics.step_begins(job.phase);
            let span = self.parts.tracer.step(job.lease.job, job.phase, job.engine);
            let step = self.leased_step(&job, layers.take());
            let report = span.run(step).await;
            drop(running);
            let took = begun.elapsed();
            self.record_step(job.phase, report.as_ref(), took, &span);
            span.end();
            let Some(mut report) = report else {
                return self.after_lost_lease(&job, None).await;
            };
            layers = report.layers.take();
            if let StepOutput::Source(info) = &report.output {
                job.source = StoredSource::Stored(*info);
            }
            let Some(change) = self.decide(&job, report.outcome, &report.output, took) else {
                return self.release(&job).await;
            };
            let next = self.next_slot(&job, &change);
            if change.phase == Phase::Collect && next.is_none() {
                self.keep_answer(&job, layers.take());
            }
            failpoints::point(&format!("before_write_{}", change.phase));
            let written = self
                .write_outcome(&job, &change, &report.output, next.is_some())
                .await;
            failpoints::point(&format!("after_write_{}", change.phase));
            match (written, next) {
                (Some(FencedWrite::Applied), next) => {
                    self.record_change(&job, &change, claimed_in, took);
                    match next {
                        Some(free) => drop(std::mem::replace(&mut slot, free)),
                        None => return self.after_written(&job, &change, &report.output),
                    }
                }
                (Some(FencedWrite::LostLease), _) => {
                    return self.after_lost_lease(&job, Some(&report.output)).await;
                }
                (None, _) => return self.release(&job).await,
            }
            (job.phase, job.attempt) = (change.phase, change.attempt);
        }
    }

    /// Where the layers are of a job that waited for its place to be collected.
    fn kept_answer(&self, job: &Claimed) -> Option<Vec<LayerSource>> {
        if job.phase != Phase::Collect {
            return None;
        }
        let (_, request) = wait::accepted(job)?;
        let now = self.parts.clock.now();
        self.answers.take(job.lease.job, request, now)
    }

    /// Before the job can be claimed again.
    fn keep_answer(&self, job: &Claimed, layers: Option<Vec<LayerSource>>) {
        if let (Some(layers), Some((_, request))) = (layers, wait::accepted(job)) {
            let now = self.parts.clock.now();
            self.answers
                .keep(job.lease.job, request.clone(), layers, now);
        }
    }

    /// A place for the next phase, where that can begin at once in the same claim.
    fn next_slot(&self, job: &Claimed, change: &Change) -> Option<Slot> {
        let another =
            change.phase != job.phase && change.phase != Phase::Wait && !change.phase.is_terminal();
        // A job that is handed over anew is claimed anew: what this claim knows of its submission is
        // over.
        let anew = change.phase == Phase::Submit && job.phase != Phase::Prepare;
        if !another || anew || change.run_at > self.parts.clock.now() {
            return None;
        }
        // The source is stored once a job has left prepare.
        self.slots.next(Stage::of(change.phase, true)?, &job.owner)
    }

    /// One step, with its lease renewed beside it. `None` when the lease was lost.
    async fn leased_step(&self, job: &Claimed, layers: Option<Vec<LayerSource>>) -> Option<Report> {
        let step = AssertUnwindSafe(self.step(job, layers)).catch_unwind();
        tokio::pin!(step);
        let result = tokio::select! {
            result = &mut step => result,
            () = self.kill.cancelled() => return Some(Report::of(Outcome::Interrupted)),
            () = self.renew_until_lost(&job.lease) => {
                if job.phase != Phase::Submit {
                    return None;
                }
                // The picture may be handed over and paid for already. Only the call's own answer
                // names the run that is to be cancelled then.
                tokio::select! {
                    result = &mut step => result,
                    () = self.kill.cancelled() => return Some(Report::of(Outcome::Interrupted)),
                }
            }
        };
        match result {
            Ok(Ok(report)) => Some(report),
            Ok(Err(error)) => report::report(self, job, error),
            Err(_panic) => {
                tracing::error!(job = %job.lease.job, phase = %job.phase, "a step panicked; this is a fault in lamina: report it");
                Some(Report::of(Outcome::Retry {
                    after: None,
                    failure: FailureCode::Internal.into(),
                    event: None,
                }))
            }
        }
    }

    /// Keeps a lease; returns when it is another's, or nobody's.
    async fn renew_until_lost(&self, lease: &Lease) {
        let period = self.settings.lease / 3;
        let mut renew = tokio::time::interval_at(Instant::now() + period, period);
        renew.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            renew.tick().await;
            let until = self.parts.clock.now().plus(self.settings.lease);
            match self.parts.store.lease_renew(lease, until).await {
                Ok(FencedWrite::Applied) => {}
                Ok(FencedWrite::LostLease) => return,
                Err(error) => {
                    tracing::warn!(job = %lease.job, %error, "a lease could not be renewed");
                }
            }
        }
    }

    async fn step(
        &self,
        job: &Claimed,
        layers: Option<Vec<LayerSource>>,
    ) -> Result<Report, StepError> {
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

    fn decide(
        &self,
        job: &Claimed,
        outcome: Outcome,
        output: &StepOutput,
        took: Duration,
    ) -> Option<Change> {
        // An engine that tells where the request stands ends a row of answers that made no sense.
        let answered = matches!(output, StepOutput::Waiting { .. });
        let step = Step {
            phase: job.phase,
            attempt: if answered { 0 } else { job.attempt },
            took,
        };
        let (now, backoff) = (self.parts.clock.now(), &self.settings.backoff);
        let mut outcome = second::not_insisted(job, outcome);
        if let Outcome::Retry { failure, after, .. } = &mut outcome {
            *after = after.map(|after| after.min(self.longest_wait(job)));
            let (id, attempt) = (job.lease.job, job.attempt + 1);
            tracing::warn!(job = %id, phase = %job.phase, attempt, code = %failure.code, "a step failed and is tried again");
        }
        let change = change_after(step, outcome, backoff, now, fastrand::f64());
        let change = change.unwrap_or_else(|defect| {
            tracing::error!(job = %job.lease.job, %defect, "a step reported an event of another phase");
            let give_up = Outcome::GiveUp(FailureCode::Internal.into());
            change_after(step, give_up, backoff, now, 0.0).ok().flatten()
        })?;
        Some(second::first_kept(self, job, change))
    }

    /// However long another side asks to be left alone, a job waits no longer than it may take at
    /// all, and not beyond its own end.
    pub(in crate::worker) fn longest_wait(&self, job: &Claimed) -> Duration {
        let left = job.expires_at.since(self.parts.clock.wall());
        left.min(self.settings.engine_timeout)
    }

    /// Writes a change, however long the database is in trouble: what the step learnt may have been
    /// paid for. The job stays this worker's meanwhile, and its slot is held. `None` when the stop
    /// came first, or the database never took it.
    async fn write_outcome(
        &self,
        job: &Claimed,
        change: &Change,
        output: &StepOutput,
        keep: bool,
    ) -> Option<FencedWrite> {
        let write = || {
            let moment = self.parts.clock.moment();
            let (lease, change, output) = (&job.lease, change.clone(), output.clone());
            self.parts
                .store
                .job_apply(lease, change, output, keep, moment)
        };
        self.persist(job, "a step's result", write).await.ok()
    }

    /// Repeats what the database is asked for until it does it. An error is the last one: of a
    /// defect that stayed, or of trouble that the stop ended.
    pub(super) async fn persist<T, F>(
        &self,
        job: &Claimed,
        what: &str,
        write: impl Fn() -> F,
    ) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        let (mut tries, mut defects) = (0u32, 0);
        loop {
            let error = match write().await {
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
            if tries.is_multiple_of(LOG_EVERY) {
                tracing::error!(job = %job.lease.job, tries, %error, what, "the database does not take what was learnt; it is tried again");
            }
            tries += 1;
            defects += u32::from(!error.is_temporary());
            if defects >= DEFECT_TRIES {
                tracing::error!(job = %job.lease.job, tries, %error, what, "the database never took what was learnt");
                return Err(error);
            }
            let pause = Duration::from_millis(100) * 2u32.pow(tries.min(6));
            tokio::select! {
                () = tokio::time::sleep_until(Instant::now() + pause.min(WRITE_PAUSE)) => {}
                () = self.kill.cancelled() => return Err(error),
            }
        }
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

    fn after_written(self: &Arc<Self>, job: &Claimed, change: &Change, output: &StepOutput) {
        let is_first = matches!(output, StepOutput::FirstStack { .. });
        if !change.phase.is_terminal() && !is_first {
            return;
        }
        if let (StepOutput::Layers(..), Some(first)) = (output, &job.first) {
            let (worker, id, layers) = (Arc::clone(self), job.lease.job, first.layers.clone());
            self.steps
                .spawn(async move { collect::remove(&worker, id, &layers).await });
        }
        let request = job
            .submission
            .as_ref()
            .and_then(|submission| submission.request.clone());
        let (Some(engine), Some(request)) = (self.parts.engines.get(job.engine), request) else {
            return;
        };
        engine.release(&request);
        if change.phase == Phase::Completed || is_first {
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
    async fn after_lost_lease(&self, job: &Claimed, output: Option<&StepOutput>) {
        let id = job.lease.job;
        let phase = self
            .persist(job, "a job's phase", || self.parts.store.job_phase(id))
            .await;
        let gone = matches!(phase, Ok(None | Some(Phase::Deleted | Phase::Expired)));
        self.record_lost_lease(job, gone);
        if !gone {
            return;
        }
        self.answers.forget(id);
        if let (Some(StepOutput::Accepted { nonce, request, .. }), Some(engine)) =
            (output, self.parts.engines.get(job.engine))
        {
            // A call from before may have been found; else it went where calls go now.
            let earlier = job.submission.as_ref().filter(|one| one.nonce == *nonce);
            let place = earlier.map_or_else(|| engine.place(), |one| one.place.clone());
            // Maintenance was told of the run with the same write, and repeats this if it fails.
            self.parts.store.signal().erase.notify_one();
            if let Err(error) = engine.cancel(request, place.as_deref()).await {
                tracing::warn!(job = %id, %error, "a request of a job that is gone could not be cancelled");
            }
            // A short run may be done already; then there are copies to delete.
            if let Err(error) = engine.erase(request).await {
                tracing::warn!(job = %id, %error, "the engine could not be asked to delete its copies; they go by their lifetime");
            }
        }
        if let Err(error) = self.parts.blobs.erase_job(id).await {
            tracing::warn!(job = %id, %error, "bytes of a job that is gone are left to the sweep");
        }
    }
}
