//! Jobs, from create to their end, and the steps that move them.

use std::borrow::Cow;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;

use super::declare::metrics;
use crate::jobs::{EngineKind, FailureCode, Phase, Quality};

type Label<const N: usize> = [(&'static str, Cow<'static, str>); N];
type Durations<const N: usize> = Family<Label<N>, Histogram, fn() -> Histogram>;

/// How a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepEnd {
    /// It did its work.
    Done,
    /// It failed and is tried again.
    Retry,
    /// It failed, and the job with it.
    GiveUp,
    /// It waits for something.
    Snooze,
    /// The service stops.
    Interrupted,
    /// The job was taken from it.
    LostLease,
}

impl StepEnd {
    /// Its word in labels and spans.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Retry => "retry",
            Self::GiveUp => "give_up",
            Self::Snooze => "snooze",
            Self::Interrupted => "interrupted",
            Self::LostLease => "lost_lease",
        }
    }
}

/// Why a step lost its lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseLoss {
    /// Its job was deleted or expired: ordinary.
    Gone,
    /// The lease ran out, or its result could not be written: a step hung, or the database did.
    Taken,
}

/// What an attempt to deliver a webhook came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HookEnd {
    /// The receiver took it.
    Delivered,
    /// It did not, and is asked again.
    NotTaken,
    /// It is not asked again.
    GivenUp,
}

impl HookEnd {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::NotTaken => "not_taken",
            Self::GivenUp => "given_up",
        }
    }
}

/// What a second run came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecondTryEnd {
    /// Better layers.
    TookSecond,
    /// No better ones.
    KeptFirst,
    /// None.
    Failed,
}

impl SecondTryEnd {
    const ALL: [Self; 3] = [Self::TookSecond, Self::KeptFirst, Self::Failed];

    const fn as_str(self) -> &'static str {
        match self {
            Self::TookSecond => "took_second",
            Self::KeptFirst => "kept_first",
            Self::Failed => "failed",
        }
    }
}

/// Times that are measured once in a job's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timing {
    /// From create to the end.
    Whole,
    /// From the engine's accepting to its layers.
    EngineRun,
    /// From the moment the job was due for the look that found the engine done, to layers that can
    /// be fetched.
    Added,
}

fn short() -> Histogram {
    Histogram::new([
        0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
    ])
}

/// From what is no likeness to what no eye tells apart.
fn decibels() -> Histogram {
    Histogram::new([10.0, 15.0, 20.0, 25.0, 30.0, 35.0, 40.0, 50.0, 60.0, 80.0])
}

fn long() -> Histogram {
    Histogram::new([
        0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0, 120.0, 300.0, 600.0, 1800.0,
    ])
}

metrics! {
    /// Jobs and steps of one service.
    pub struct JobMetrics {
        /// Jobs that were created
        created: Family<Label<1>, Counter> = counter "lamina_jobs_created_total"["engine"];
        /// Jobs that came to an end: completed, failed (with the code of docs/errors.md), deleted or expired
        ended: Family<Label<3>, Counter> = counter "lamina_jobs_ended_total"["engine", "outcome", "code"];
        /// Time of a completed job from its create to layers that can be fetched
        whole: Durations<1> = histogram "lamina_job_duration_seconds"["engine"], Family::new_with_constructor(long);
        /// Time from the engine's accepting a picture until lamina learns of the end, the engine's queue included
        engine_run: Durations<1> = histogram "lamina_engine_run_duration_seconds"["engine"], Family::new_with_constructor(long);
        /// What lamina adds after the engine's end: from the webhook, or from when the check that saw the end was due, to layers that can be fetched
        added: Durations<1> = histogram "lamina_job_added_seconds"["engine"], Family::new_with_constructor(short);
        /// Submissions that this process gave up: it is not known whether the engine took them, and whether they were paid
        unknown: Family<Label<1>, Counter> = counter "lamina_submissions_given_up_total"["engine"];
        /// Steps of the machine's clock that were noticed, forward or back
        clock_steps: Family<Label<1>, Counter> = counter "lamina_clock_steps_total"["direction"];
        /// 1 while nothing expires because of a clock that leapt ahead, see CLOCK_STEP_HOLD
        expiry_held: Gauge = gauge "lamina_expiry_held"[];
        /// Time of a step: prepare, submit, wait or collect; outcomes are done, retry, give_up, snooze, interrupted and lost_lease
        steps: Durations<2> = histogram "lamina_step_duration_seconds"["step", "outcome"], Family::new_with_constructor(short);
        /// Steps that run
        running: Family<Label<1>, Gauge> = gauge "lamina_steps_running"["step"];
        /// Time from when a job was due until its claim
        claim_delay: Durations<1> = histogram "lamina_claim_delay_seconds"["step"], Family::new_with_constructor(short);
        /// Steps whose job was taken from them: gone (deleted or expired, which is ordinary) or taken (a step or the database hung)
        leases_lost: Family<Label<1>, Counter> = counter "lamina_leases_lost_total"["reason"];
        /// Layers put over each other against their picture, peak signal-to-noise ratio in decibels; the very same counts as 100
        stack_psnr: Durations<1> = histogram "lamina_stack_psnr_decibels"["engine"], Family::new_with_constructor(decibels);
        /// Completed jobs whose layers were not compared with their picture, because it is too large, it took too long, or LAYER_CHECK is checksums
        unmeasured: Family<Label<1>, Counter> = counter "lamina_stacks_unmeasured_total"["engine"];
        /// Second runs of QUALITY_RETRY: took_second (better layers), kept_first (no better ones) or failed
        second_tries: Family<Label<1>, Counter> = counter "lamina_second_tries_total"["outcome"];
        /// Attempts to deliver a webhook: delivered, not_taken (tried again) or given_up
        webhooks: Family<Label<1>, Counter> = counter "lamina_webhook_attempts_total"["outcome"];
        /// Jobs taken over at start from a process that ended without releasing them
        rescues: Counter = counter "lamina_rescues_total"[];
    }
}

impl Default for JobMetrics {
    fn default() -> Self {
        let metrics = Self::declared();
        // A series that begins with its first event hides that event from increase() and rate().
        for engine in EngineKind::ALL {
            let engine = [("engine", engine.as_str().into())];
            let _ = metrics.created.get_or_create(&engine);
            let _ = metrics.unknown.get_or_create(&engine);
            let _ = metrics.unmeasured.get_or_create(&engine);
        }
        for engine in EngineKind::ALL {
            for phase in [Phase::Completed, Phase::Deleted, Phase::Expired] {
                let _ = metrics.ended_as(engine, phase, None);
            }
            for code in FailureCode::ALL {
                let _ = metrics.ended_as(engine, Phase::Failed, Some(code.as_str()));
            }
        }
        for loss in ["gone", "taken"] {
            let _ = metrics
                .leases_lost
                .get_or_create(&[("reason", loss.into())]);
        }
        for end in [HookEnd::Delivered, HookEnd::NotTaken, HookEnd::GivenUp] {
            let _ = metrics
                .webhooks
                .get_or_create(&[("outcome", end.as_str().into())]);
        }
        for end in SecondTryEnd::ALL {
            let _ = metrics
                .second_tries
                .get_or_create(&[("outcome", end.as_str().into())]);
        }
        for direction in ["forward", "back"] {
            let direction = [("direction", direction.into())];
            let _ = metrics.clock_steps.get_or_create(&direction);
        }
        for phase in Phase::ACTIVE {
            let _ = metrics
                .running
                .get_or_create(&[("step", phase.as_str().into())]);
        }
        metrics
    }
}

/// A step at work, until it is dropped.
#[derive(Debug)]
#[must_use]
pub struct RunningStep(Gauge);

impl Drop for RunningStep {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl JobMetrics {
    /// A job was created.
    pub fn created(&self, engine: EngineKind) {
        let engine = [("engine", engine.as_str().into())];
        self.created.get_or_create(&engine).inc();
    }

    /// A job reached an end: `phase` is terminal, `code` says why it failed.
    pub fn ended(&self, engine: EngineKind, phase: Phase, code: Option<&str>) {
        self.ended_as(engine, phase, code).inc();
    }

    fn ended_as(&self, engine: EngineKind, phase: Phase, code: Option<&str>) -> Counter {
        let labels = [
            ("engine", engine.as_str().into()),
            ("outcome", phase.as_str().into()),
            ("code", code.unwrap_or_default().to_owned().into()),
        ];
        self.ended.get_or_create_owned(&labels)
    }

    /// Jobs of this process that were created, and that completed.
    #[must_use]
    pub fn totals(&self) -> (u64, u64) {
        let (mut created, mut completed) = (0, 0);
        for engine in EngineKind::ALL {
            let label = [("engine", engine.as_str().into())];
            created += self.created.get_or_create(&label).get();
            completed += self.ended_as(engine, Phase::Completed, None).get();
        }
        (created, completed)
    }

    /// A time of a job's life was measured.
    pub fn took(&self, timing: Timing, engine: EngineKind, duration: Duration) {
        let times = match timing {
            Timing::Whole => &self.whole,
            Timing::EngineRun => &self.engine_run,
            Timing::Added => &self.added,
        };
        let engine = [("engine", engine.as_str().into())];
        times.get_or_create(&engine).observe(duration.as_secs_f64());
    }

    /// A stack of layers was collected; `quality` is none where it was not measured.
    pub fn stack(&self, engine: EngineKind, quality: Option<&Quality>) {
        /// In the place of a ratio without noise.
        const VERY_SAME: f32 = 100.0;
        let engine = [("engine", engine.as_str().into())];
        let Some(quality) = quality else {
            self.unmeasured.get_or_create(&engine).inc();
            return;
        };
        let decibels = f64::from(quality.psnr_db.unwrap_or(VERY_SAME));
        self.stack_psnr.get_or_create(&engine).observe(decibels);
    }

    /// A second run is over.
    pub fn second_try(&self, end: SecondTryEnd) {
        let outcome = [("outcome", end.as_str().into())];
        self.second_tries.get_or_create(&outcome).inc();
    }

    /// A step of `phase` begins.
    pub fn step_begins(&self, phase: Phase) -> RunningStep {
        let gauge = self
            .running
            .get_or_create_owned(&[("step", phase.as_str().into())]);
        gauge.inc();
        RunningStep(gauge)
    }

    /// A step of `phase` ended.
    pub fn step_ended(&self, phase: Phase, end: StepEnd, duration: Duration) {
        let labels = [
            ("step", phase.as_str().into()),
            ("outcome", end.as_str().into()),
        ];
        let steps = self.steps.get_or_create(&labels);
        steps.observe(duration.as_secs_f64());
    }

    /// A job was claimed this long after it was due.
    pub fn claimed(&self, phase: Phase, after: Duration) {
        let step = [("step", phase.as_str().into())];
        let delay = self.claim_delay.get_or_create(&step);
        delay.observe(after.as_secs_f64());
    }

    /// A step lost its lease.
    pub fn lease_lost(&self, loss: LeaseLoss) {
        let reason = match loss {
            LeaseLoss::Gone => "gone",
            LeaseLoss::Taken => "taken",
        };
        self.leases_lost
            .get_or_create(&[("reason", reason.into())])
            .inc();
    }

    /// Jobs of a process that ended without releasing them were taken over.
    pub fn rescued(&self, jobs: u64) {
        self.rescues.inc_by(jobs);
    }

    /// A receiver was told, or was not.
    pub fn webhook_tried(&self, end: HookEnd) {
        let outcome = [("outcome", end.as_str().into())];
        self.webhooks.get_or_create(&outcome).inc();
    }

    /// It will never be known whether a submission was taken.
    pub fn submission_unknown(&self, engine: EngineKind) {
        let engine = [("engine", engine.as_str().into())];
        self.unknown.get_or_create(&engine).inc();
    }

    /// The machine's clock was stepped.
    pub fn clock_stepped(&self, forward: bool) {
        let direction = if forward { "forward" } else { "back" };
        let direction = [("direction", direction.into())];
        self.clock_steps.get_or_create(&direction).inc();
    }

    /// Whether expiry waits until a clock that leapt ahead has run on.
    pub fn expiry_held(&self, held: bool) {
        self.expiry_held.set(i64::from(held));
    }
}
