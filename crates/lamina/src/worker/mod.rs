//! Moves jobs forward: claims due ones in batches, runs one step of each under a lease, and sweeps
//! up behind them. It forms no HTTP answer and holds no SQL. Waiting for an engine holds nothing
//! here: it is a row with `run_at` in the future.

mod answers;
mod claim;
mod estimate;
pub mod failpoints;
mod hook_signature;
mod maintenance;
mod record;
mod run;
mod slots;
mod steps;

use std::sync::Arc;
use std::time::{Duration, Instant};

use image_intake::Limits;
use safe_fetch::Fetcher;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::access::SpendCaps;
use crate::blobs::{Blobs, Inbox, Ownership};
use crate::clock::{Clock, Expiry};
use crate::compute_log::ComputeLog;
use crate::engines::Engines;
use crate::forecast::Forecast;
use crate::jobs::{Backoff, JobId, Nonce, StackRules, Stage, UnixMs};
use crate::metrics::JobMetrics;
use crate::pool::Pool;
use crate::store::Store;
use crate::trace::Tracer;
use answers::Answers;
use maintenance::clock_watch::SeenAt;
use slots::Slots;

/// What to do when it cannot be learnt whether a paid submission was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownPolicy {
    /// Submit again; at worst it is paid twice.
    Retry,
    /// Fail the job; at worst it is paid for nothing.
    Fail,
}

/// How the worker works.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WorkerSettings {
    /// How long a lease lasts; steps renew it at a third of that.
    pub lease: Duration,
    /// How often a process may die while a job is computed alone, before the job is set aside. An
    /// operator may kill a process a few times in a row too.
    pub max_rescues: u32,
    /// Retries of a failed step.
    pub backoff: Backoff,
    /// How often a job may be submitted anew after runs that failed.
    pub max_runs: u32,
    /// How long to wait for the callback of a submission of unknown fate, before its engine's list
    /// is asked.
    pub unknown_grace: Duration,
    /// The first pause between two looks at that list; each further one is twice as long.
    pub unknown_pause: Duration,
    /// What then.
    pub unknown_policy: UnknownPolicy,
    /// Caps on what engines may cost in a day.
    pub spend: SpendCaps,
    /// What is done about poor stacks and empty layers.
    pub stacks: StackRules,
    /// How long an engine may take.
    pub engine_timeout: Duration,
    /// Steps of each stage at once, in the order of [`Stage::ALL`].
    pub concurrency: [usize; Stage::ALL.len()],
    /// How long a completed answer of 410 is given before a row is forgotten.
    pub gone_window: Duration,
    /// How long a job waits after the blob store failed it; it counts no attempt. Twelve times as
    /// long where only the operator can help, whose restart asks for every job at once.
    pub storage_pause: Duration,
    /// How long running steps may finish once the stop was asked for.
    pub stop_grace: Duration,
}

impl Default for WorkerSettings {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(60),
            max_rescues: 5,
            backoff: Backoff::default(),
            max_runs: 3,
            unknown_grace: Duration::from_secs(120),
            unknown_pause: Duration::from_secs(1),
            unknown_policy: UnknownPolicy::Fail,
            spend: SpendCaps::default(),
            stacks: StackRules::default(),
            engine_timeout: Duration::from_secs(30 * 60),
            // A fetch holds a stranger's picture in memory while it comes, 20 MiB at the most.
            concurrency: [8, 6, 16, 64, 16],
            gone_window: Duration::from_secs(7 * 24 * 3600),
            storage_pause: Duration::from_secs(5),
            stop_grace: Duration::from_secs(20),
        }
    }
}

/// What the worker works with.
#[derive(Clone, Debug)]
pub struct Parts {
    /// Jobs.
    pub store: Arc<dyn Store>,
    /// Bytes.
    pub blobs: Blobs,
    /// Bytes of uploads that nobody has looked at.
    pub inbox: Arc<Inbox>,
    pub engines: Engines,
    /// Opens URLs that clients gave.
    pub sources: Fetcher,
    /// Opens URLs that engines gave.
    pub layers: Fetcher,
    /// Tells receivers of webhooks.
    pub receivers: Fetcher,
    /// Decodes.
    pub pool: Pool,
    /// Bounds of a source.
    pub source_limits: Limits,
    /// Bounds of a layer.
    pub layer_limits: Limits,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// What ends by the time of day; the worker looks at the clock for it.
    pub expiry: Arc<Expiry>,
    /// Where it is noted which pictures are being computed.
    pub compute: ComputeLog,
    /// The jobs that were, when the last process died.
    pub computed: Vec<JobId>,
    /// What is counted of jobs.
    pub metrics: JobMetrics,
    /// When jobs will be done.
    pub forecast: Forecast,
    /// Traces steps.
    pub tracer: Tracer,
    /// Told when the worker has looked for jobs, whether there were any, or room for any, or not.
    /// It looks every five seconds at least.
    pub pulse: watch::Sender<Option<Instant>>,
    /// Told whose the storage is, whenever that was looked at.
    pub ownership: watch::Sender<Ownership>,
}

/// The worker of one process.
#[derive(Debug)]
pub struct Worker {
    parts: Parts,
    settings: WorkerSettings,
    /// Names this process's leases; fresh in every process.
    name: String,
    started_at: UnixMs,
    slots: Slots,
    answers: Answers,
    clock_seen_at: SeenAt,
    steps: TaskTracker,
    /// Raised when steps must end at once.
    kill: CancellationToken,
}

impl Worker {
    /// A worker that is not running yet.
    #[must_use]
    pub fn new(parts: Parts, settings: WorkerSettings) -> Arc<Self> {
        Arc::new(Self {
            name: Uuid::new_v4().to_string(),
            started_at: parts.clock.now(),
            slots: Slots::of(settings.concurrency),
            answers: Answers::default(),
            clock_seen_at: SeenAt::default(),
            parts,
            settings,
            steps: TaskTracker::new(),
            kill: CancellationToken::new(),
        })
    }

    /// Runs until `stop`, then lets running steps finish for the grace time, interrupts what is
    /// left and gives its leases back. `wakes` are engines in this process that have finished.
    pub async fn run(
        self: Arc<Self>,
        wakes: mpsc::UnboundedReceiver<(JobId, Nonce)>,
        stop: CancellationToken,
    ) {
        self.take_over(&stop).await;
        self.learn_past_runs().await;
        tokio::join!(
            Arc::clone(&self).claim_loop(stop.clone()),
            Arc::clone(&self).wake_loop(wakes, stop.clone()),
            maintenance::run(&self, stop.clone()),
            maintenance::clock_watch::run(&self, stop.clone()),
            maintenance::abandoned::run(&self, stop.clone()),
        );
        self.steps.close();
        if tokio::time::timeout(self.settings.stop_grace, self.steps.wait())
            .await
            .is_err()
        {
            tracing::warn!("steps were still running after the grace time and are interrupted");
            self.kill.cancel();
            self.steps.wait().await;
        }
        self.leave_clock().await;
    }

    /// An engine in this process finished a request: its job is due now.
    async fn wake_loop(
        self: Arc<Self>,
        mut wakes: mpsc::UnboundedReceiver<(JobId, Nonce)>,
        stop: CancellationToken,
    ) {
        loop {
            let next = tokio::select! {
                next = wakes.recv() => next,
                () = stop.cancelled() => return,
            };
            let Some((job, nonce)) = next else {
                return stop.cancelled().await;
            };
            // A wake-up that cannot be written costs time only: the safety poll comes.
            if let Err(error) = self
                .parts
                .store
                .job_wake(job, &nonce, self.parts.clock.now())
                .await
            {
                tracing::warn!(%job, %error, "a wake-up could not be written");
            }
        }
    }

    /// A job's leave to be computed; see `compute_log.rs`.
    async fn turn(&self, job: &crate::store::Claimed) -> crate::compute_log::Turn {
        self.parts.compute.turn(job.lease.job, job.suspect).await
    }

    fn max_side(&self, engine: crate::jobs::EngineKind) -> Option<u32> {
        self.parts
            .engines
            .get(engine)
            .and_then(|engine| engine.facts().max_side)
    }
}
