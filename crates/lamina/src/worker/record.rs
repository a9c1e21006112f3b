//! What is recorded of a job's way: one log line for each change of state, and the counts and times
//! behind it. It changes nothing. A line names the job, its owner, its engine and how long things
//! took; never a prompt, an address or a byte of a picture.

use std::time::Duration;

use super::Worker;
use super::steps::report::Report;
use crate::jobs::{Change, Moment, Outcome, Phase, whole_ms};
use crate::metrics::{LeaseLoss, StepEnd, Timing};
use crate::store::{Claimed, Ended};
use crate::trace::{JobEnd, Scope};

/// The code of a job whose time was over before it was done, as its owner reads it then.
const EXPIRED: &str = "job_expired";

impl Worker {
    /// A claim succeeded.
    pub(super) fn record_claim(&self, job: &Claimed) {
        let waited = self.parts.clock.now().since(job.due_at);
        self.parts.metrics.claimed(job.phase, waited);
        self.estimate_claimed(job);
    }

    /// A step ended; `report` is none when its lease was lost.
    pub(super) fn record_step(
        &self,
        phase: Phase,
        report: Option<&Report>,
        took: Duration,
        span: &Scope,
    ) {
        let end = report.map_or(StepEnd::LostLease, |report| match &report.outcome {
            Outcome::Done { .. } => StepEnd::Done,
            Outcome::Retry { .. } => StepEnd::Retry,
            Outcome::GiveUp(_) => StepEnd::GiveUp,
            Outcome::Snooze { .. } => StepEnd::Snooze,
            Outcome::Interrupted => StepEnd::Interrupted,
        });
        self.parts.metrics.step_ended(phase, end, took);
        span.set("lamina.outcome", end.as_str());
        match report.map(|report| &report.outcome) {
            Some(Outcome::Retry { failure, .. } | Outcome::GiveUp(failure)) => {
                span.fail(&failure.code);
            }
            Some(Outcome::Done { .. } | Outcome::Snooze { .. } | Outcome::Interrupted) | None => {}
        }
    }

    /// A change is written. `claimed_in` is the phase in which the claim found the job.
    pub(super) fn record_change(
        &self,
        job: &Claimed,
        change: &Change,
        claimed_in: Phase,
        took: Duration,
    ) {
        let (id, engine) = (job.lease.job, job.engine);
        let Moment { now, wall } = self.parts.clock.moment();
        let age = wall.since(job.created_at);
        let (age_ms, step_ms, engine_word) = (whole_ms(age), whole_ms(took), engine.as_str());
        match &change.failure {
            Some(failure) => {
                tracing::warn!(job = %id, owner = %job.owner, engine = engine_word, from = %job.phase, code = %failure.code, step_ms, age_ms, "job failed");
            }
            None if change.phase != job.phase => {
                tracing::info!(job = %id, owner = %job.owner, engine = engine_word, from = %job.phase, to = %change.phase, step_ms, age_ms, "job moved on");
            }
            None => {
                tracing::debug!(job = %id, phase = %job.phase, run_at = %change.run_at, "job waits");
            }
        }
        self.estimate_changed(job, change);
        let metrics = &self.parts.metrics;
        if change.phase.is_terminal() {
            let code = change.failure.as_ref().map(|failure| &*failure.code);
            metrics.ended(engine, change.phase, code);
            self.parts.tracer.job_ended(&JobEnd {
                job: id,
                engine,
                created_at: job.created_at,
                ended_at: wall,
                phase: change.phase,
                code,
            });
        }
        if change.phase == Phase::Collect
            && let Some(accepted_at) = job.accepted_at
        {
            metrics.took(Timing::EngineRun, engine, now.since(accepted_at));
        }
        if change.phase == Phase::Completed {
            metrics.took(Timing::Whole, engine, age);
            // After a restart in collect nobody knows when the engine was found done.
            if claimed_in == Phase::Wait {
                metrics.took(Timing::Added, engine, now.since(job.due_at));
            }
        }
    }

    /// A step lost its lease; `gone` when its job was deleted or expired.
    pub(super) fn record_lost_lease(&self, job: &Claimed, gone: bool) {
        let (id, engine) = (job.lease.job, job.engine.as_str());
        let loss = if gone {
            LeaseLoss::Gone
        } else {
            LeaseLoss::Taken
        };
        self.parts.metrics.lease_lost(loss);
        if gone {
            self.parts.forecast.forget(id);
        }
        tracing::info!(job = %id, owner = %job.owner, engine, phase = %job.phase, gone, "the lease was lost; nothing was changed");
    }

    /// A job's time is over.
    pub(super) fn record_expired(&self, job: &Ended) {
        let now = self.parts.clock.wall();
        let (age_ms, engine) = (whole_ms(now.since(job.created_at)), job.engine.as_str());
        tracing::info!(job = %job.id, owner = %job.owner, engine, age_ms, "job expired");
        self.parts.forecast.forget(job.id);
        self.parts.metrics.ended(job.engine, Phase::Expired, None);
        if !job.was_finished {
            self.parts.tracer.job_ended(&JobEnd {
                job: job.id,
                engine: job.engine,
                created_at: job.created_at,
                ended_at: now,
                phase: Phase::Expired,
                // Nobody wanted that, unlike a delete.
                code: Some(EXPIRED),
            });
        }
    }

    /// A job was set aside.
    pub(super) fn record_set_aside(&self, job: &Ended) {
        let code = crate::jobs::FailureCode::CrashLoop.as_str();
        let wall = self.parts.clock.wall();
        let age_ms = whole_ms(wall.since(job.created_at));
        let engine = job.engine.as_str();
        tracing::error!(job = %job.id, owner = %job.owner, engine, code, age_ms, "a job ended its process too often and was set aside");
        self.parts
            .metrics
            .ended(job.engine, Phase::Failed, Some(code));
        self.parts.tracer.job_ended(&JobEnd {
            job: job.id,
            engine: job.engine,
            created_at: job.created_at,
            ended_at: wall,
            phase: Phase::Failed,
            code: Some(code),
        });
    }
}
