//! The embedded engine: `layerize`, a bounded number of pictures at once, fair by owner and first
//! come, first served within one. It needs no key and no network. Requests live in memory only:
//! after a restart they are lost, which costs nothing but time, and the worker submits again.
//!
//! Invariant: what it holds is bounded. A request that is released is forgotten at once, wherever it
//! stands; a result that nobody takes is dropped after a while; and while [`KEPT`] results wait to
//! be taken, no further picture is split. What a split holds is counted with the pictures of the [`Pool`].

mod encoding;
mod run;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use image_intake::Limits;
use layerize::TextLayers;
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::AbortHandle;

use self::run::{Work, run};
use super::{
    Accepted, Check, Engine, EngineError, EngineFacts, LayerSource, Order, SubmitError, Waker,
};
use crate::blobs::Blobs;
use crate::compute_log::ComputeLog;
use crate::fair::Gate;
use crate::forecast::Forecast;
use crate::jobs::{EngineKind, OwnerId, RequestId};
use crate::pool::{Pool, Reserved};

/// Results that may wait to be taken, beside those being made. The worker takes one within
/// moments; only when layers cannot be stored do they stay, tens of megabytes each.
const KEPT: usize = 8;
/// What a split holds beside its picture, in megapixels of four bytes: about 130 MB.
pub const SPLIT_MEGAPIXELS: u32 = 33;
/// A run costs nothing but time.
pub(super) const REPEATABLE: bool = true;
/// How long one waits. The run costs nothing but time, and is made again.
const KEPT_FOR: Duration = Duration::from_secs(10 * 60);

/// How much the embedded engine may use.
#[derive(Clone, Debug)]
pub struct LocalSettings {
    /// Pictures split at once.
    pub concurrency: usize,
    /// Threads for each split; `None` uses every core.
    pub threads: Option<usize>,
    /// How lines of text become layers.
    pub text: TextLayers,
    /// The most layers of a job that names no number.
    pub layers: u8,
    /// Bounds of a source.
    pub limits: Limits,
    /// What runs its networks.
    pub networks: layerize::Networks,
}

/// The embedded engine.
#[derive(Debug)]
pub struct Local {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    runs: Mutex<Runs>,
    turns: Gate<OwnerId>,
    kept: Arc<Semaphore>,
    compute: ComputeLog,
    blobs: Blobs,
    pool: Pool,
    waker: Waker,
    forecast: Forecast,
    settings: LocalSettings,
}

#[derive(Debug, Default)]
struct Runs {
    by_request: HashMap<RequestId, Run>,
    taken: u64,
}

#[derive(Debug)]
struct Run {
    /// Rises with every submission; the requests of one owner run in this order.
    number: u64,
    owner: OwnerId,
    state: State,
    fraction: Arc<AtomicU32>,
    cancel: layerize::Cancel,
    /// Ends its task, which may wait for its turn.
    task: Option<AbortHandle>,
    ended: Option<Instant>,
}

#[derive(Debug)]
enum State {
    Queued,
    Running,
    Done(
        Vec<LayerSource>,
        #[expect(dead_code, reason = "held as long as the layers")]
        (OwnedSemaphorePermit, Reserved),
    ),
    Failed(EngineError),
}

impl Local {
    /// An engine that reads sources from `blobs`, counts what it holds with the pictures of `pool`, tells `forecast`
    /// when a run begins and ends, and notifies `waker` when it has ended.
    #[must_use]
    pub fn new(
        blobs: Blobs,
        pool: Pool,
        compute: ComputeLog,
        waker: Waker,
        forecast: Forecast,
        settings: LocalSettings,
    ) -> Self {
        let at_once = settings.concurrency.max(1);
        Self {
            shared: Arc::new(Shared {
                runs: Mutex::default(),
                turns: Gate::new(at_once, u32::MAX),
                kept: Arc::new(Semaphore::new(KEPT + at_once)),
                compute,
                blobs,
                pool,
                waker,
                forecast,
                settings,
            }),
        }
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        // A thread that is at work would hold the process for seconds at its end.
        for run in self.shared.lock().by_request.values() {
            run.cancel.cancel();
        }
    }
}

#[async_trait]
impl Engine for Local {
    fn facts(&self) -> EngineFacts {
        EngineFacts {
            kind: EngineKind::Local,
            price_microusd: 0,
            repeatable: REPEATABLE,
            in_process: true,
            seeded: false,
            may_return_source: false,
            calls_back: true,
            max_side: None,
            at_once: Some(self.shared.settings.concurrency.max(1)),
            usual_run: Duration::from_secs(2),
        }
    }

    async fn submit(&self, order: &Order) -> Result<Accepted, SubmitError> {
        // A run that could not read its picture would only come back; so the job waits outside.
        let found = self.shared.blobs.size(&order.source).await;
        found.map_err(|error| SubmitError::not_taken(error.into()))?;
        let request = RequestId(format!("local-{}", order.nonce.as_str()));
        let (fraction, cancel) = (Arc::new(AtomicU32::new(0)), layerize::Cancel::default());
        let position = {
            let mut runs = self.shared.lock();
            runs.taken += 1;
            let run = Run {
                number: runs.taken,
                owner: order.owner.clone(),
                state: State::Queued,
                fraction: Arc::clone(&fraction),
                cancel: cancel.clone(),
                task: None,
                ended: None,
            };
            let ahead = runs.ahead_of(&run);
            runs.by_request.insert(request.clone(), run);
            ahead
        };
        let work = Work {
            request: request.clone(),
            order: order.clone(),
            fraction,
            cancel,
        };
        let task = tokio::spawn(run(Arc::clone(&self.shared), work)).abort_handle();
        match self.shared.lock().by_request.get_mut(&request) {
            Some(run) => run.task = Some(task),
            // Released at this moment.
            None => task.abort(),
        }
        Ok(Accepted {
            request,
            queue_position: Some(position),
        })
    }

    async fn check(&self, request: &RequestId, _place: Option<&str>) -> Result<Check, EngineError> {
        let mut runs = self.shared.lock();
        runs.forget_old(Instant::now());
        let Some(run) = runs.by_request.get(request) else {
            return Ok(Check::Lost);
        };
        Ok(match &run.state {
            State::Queued => Check::Queued {
                position: Some(runs.ahead_of(run)),
            },
            State::Running => Check::Running {
                fraction: Some(f32::from_bits(run.fraction.load(Ordering::Relaxed))),
            },
            State::Done(layers, _) => Check::Ready(layers.clone()),
            State::Failed(error) => Check::Failed(error.clone()),
        })
    }

    async fn cancel(&self, request: &RequestId, _place: Option<&str>) -> Result<(), EngineError> {
        self.release(request);
        Ok(())
    }

    async fn erase(&self, request: &RequestId) -> Result<(), EngineError> {
        self.release(request);
        Ok(())
    }

    fn release(&self, request: &RequestId) {
        if let Some(run) = self.shared.lock().by_request.remove(request) {
            run.cancel.cancel();
            if let Some(task) = run.task {
                task.abort();
            }
        }
    }
}

impl Runs {
    /// Turns go round by owner: before this request come its owner's earlier ones, and of every other
    /// owner at most one more than those.
    fn ahead_of(&self, run: &Run) -> u32 {
        let mut waiting: HashMap<&OwnerId, usize> = HashMap::new();
        for other in self.by_request.values() {
            let before = other.owner != run.owner || other.number < run.number;
            if before && matches!(other.state, State::Queued | State::Running) {
                *waiting.entry(&other.owner).or_default() += 1;
            }
        }
        let own = waiting.remove(&run.owner).unwrap_or(0);
        let others: usize = waiting.into_values().map(|count| count.min(own + 1)).sum();
        u32::try_from(own + others).unwrap_or(u32::MAX)
    }

    fn forget_old(&mut self, now: Instant) {
        let old = |ended: Instant| now.duration_since(ended) >= KEPT_FOR;
        self.by_request.retain(|_, run| !run.ended.is_some_and(old));
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Runs> {
        self.runs.lock()
    }

    /// False when the request was released meanwhile.
    fn set(&self, request: &RequestId, state: State) -> bool {
        let mut runs = self.lock();
        let Some(run) = runs.by_request.get_mut(request) else {
            return false;
        };
        if matches!(state, State::Done(..) | State::Failed(_)) {
            run.ended = Some(Instant::now());
        }
        run.state = state;
        true
    }
}

#[cfg(test)]
mod tests;
