//! When jobs will be done: one estimate from the runs that were measured, from who comes before whom at the engine, and
//! from how long this one has taken already. The worker and the embedded engine tell what happens, the edge asks.
//!
//! All of it is in memory: whoever waits costs the database nothing. What outlives the process is how long runs took,
//! which the worker reads from the rows of past jobs at its start. Where nothing was measured, nothing is said.

mod accuracy;
mod history;
mod line;
mod ways;

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use accuracy::Accuracy;
pub use accuracy::EstimateErrors;
use history::History;
use ways::Ways;

use crate::clock::Clock;
use crate::jobs::{EngineKind, JobId, LayersAsked, OwnerId, Phase, RunClass, SizeClass, UnixMs};
use crate::metrics::{EstimateAt, ForecastMetrics};

/// A bar must move before anything was measured, and an engine that answers at once still needs a moment.
const SHORTEST: Duration = Duration::from_millis(100);
/// A job that is not at its engine after so long is held up, and nobody knows for how long.
const HELD_UP: Duration = Duration::from_secs(10);

/// What an estimate needs to know of a job.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    pub job: JobId,
    pub owner: &'a OwnerId,
    pub engine: EngineKind,
    /// Width and height of its picture, once that is here.
    pub size: Option<(u32, u32)>,
    pub layers: LayersAsked,
}

/// Where a job is, as its row has it.
#[derive(Clone, Copy, Debug)]
pub struct Standing {
    pub phase: Phase,
    /// When the engine took it.
    pub accepted_at: Option<UnixMs>,
    /// What was said then.
    pub expected: Duration,
}

/// How long runs of one class take.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RunTimes {
    pub engine: EngineKind,
    /// Their pictures have less, in megapixels of 1024².
    pub below_megapixels: f64,
    /// Layers that were asked for; 0 where the engine chose.
    pub layers: LayersAsked,
    /// How many are behind the numbers; the newest 24 at the most.
    pub runs: usize,
    pub half: Duration,
    pub nine_in_ten: Duration,
    pub longest: Duration,
}

/// The estimates of one service. Clones are the same.
#[derive(Clone, Debug)]
pub struct Forecast {
    known: Arc<Mutex<Known>>,
    clock: Arc<dyn Clock>,
    metrics: ForecastMetrics,
}

#[derive(Debug, Default)]
struct Known {
    /// From the beginning of a run to its end.
    runs: History,
    /// From there to layers that can be fetched, while nobody else is at the engine and while somebody is: the next run
    /// takes processors from the layers of the last one.
    after: [History; 2],
    ways: Ways,
    accuracy: Accuracy,
}

impl Forecast {
    /// Nothing is known.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, metrics: ForecastMetrics) -> Self {
        Self {
            known: Arc::default(),
            clock,
            metrics,
        }
    }

    /// There is such an engine. `at_once`: how many it runs at the same time, where its queue is lamina's own.
    pub fn engine(&self, kind: EngineKind, at_once: Option<usize>) {
        self.known.lock().ways.engine(kind, at_once);
    }

    /// How many jobs a worker has begun with that have not ended.
    #[must_use]
    pub fn on_their_way(&self) -> usize {
        self.known.lock().ways.count()
    }

    /// How many jobs the engine runs, as far as it told.
    #[must_use]
    pub fn running_at(&self, engine: EngineKind) -> usize {
        let now = self.clock.now();
        self.known.lock().ways.running(engine, now)
    }

    /// A run took this long, some time ago.
    pub fn learn(&self, engine: EngineKind, size: (u32, u32), layers: LayersAsked, took: Duration) {
        let size = SizeClass::of(size.0, size.1);
        self.known.lock().runs.learn(
            RunClass {
                engine,
                size,
                layers,
            },
            took,
        );
    }

    /// A worker begins with a job. `is_new`: whether it was never handed over before.
    pub fn begins(&self, subject: &Subject<'_>, is_new: bool) {
        let (now, mut known) = (self.clock.now(), self.known.lock());
        if known.ways.get(subject.job).is_some() {
            return;
        }
        let left = known.left_before(subject, now);
        let way = known.ways.enter(subject, now);
        way.said_at_create = left.filter(|_| is_new).map(|left| (now, left));
    }

    /// The engine took it, with so many before it. How long it will be until it says that it is done; none where nothing
    /// was measured.
    pub fn accepted(&self, subject: &Subject<'_>, position: Option<u32>) -> Option<Duration> {
        let (now, mut known) = (self.clock.now(), self.known.lock());
        known.ways.accept(subject, position, now);
        Some(known.left_at_engine(subject, now)?.max(SHORTEST))
    }

    /// The engine says that it waits for its turn.
    pub fn queued(
        &self,
        subject: &Subject<'_>,
        position: Option<u32>,
        accepted_at: Option<UnixMs>,
    ) {
        let (now, mut known) = (self.clock.now(), self.known.lock());
        known
            .ways
            .resume(subject, accepted_at, now)
            .queued(now, position);
    }

    /// The engine says that it is at work.
    pub fn running(&self, subject: &Subject<'_>, accepted_at: Option<UnixMs>) {
        let (now, mut known) = (self.clock.now(), self.known.lock());
        known.ways.resume(subject, accepted_at, now);
        known.ways.seen_running(subject.job, now);
    }

    /// An engine in this process begins with it now.
    pub fn run_begins(&self, job: JobId) {
        let (now, mut known) = (self.clock.now(), self.known.lock());
        known.run_begins(job, now);
    }

    /// An engine in this process has ended its run now.
    pub fn run_ended(&self, job: JobId) {
        let now = self.clock.now();
        self.known.lock().ways.run_ended(job, now);
    }

    /// The engine's layers are there. How long its run took, without what it waited before that; none where that is
    /// not known.
    pub fn ready(&self, subject: &Subject<'_>) -> Option<Duration> {
        let (now, mut known) = (self.clock.now(), self.known.lock());
        let usual = known.run_of(subject).map(|spread| spread.quantile(0.5));
        let took = known.ways.ready(subject, usual, now)?;
        if let Some(class) = class_of(subject) {
            known.runs.learn(class, took);
        }
        Some(took)
    }

    /// Its layers can be fetched: what was said of it is held against what it took.
    pub fn completed(&self, subject: &Subject<'_>) {
        let (now, mut known) = (self.clock.now(), self.known.lock());
        let Some(way) = known.ways.leave(subject.job) else {
            return;
        };
        if let (Some(class), Some(ended_at)) = (class_of(subject), way.ended_at) {
            known.after[usize::from(way.has_company)].learn(class, now.since(ended_at));
        }
        let said = [
            (EstimateAt::Created, way.said_at_create),
            (EstimateAt::Began, way.said_at_run),
        ];
        for (at, said) in said {
            let Some((since, said)) = said else { continue };
            let error = known
                .accuracy
                .compare(subject.engine, at, said, now.since(since));
            self.metrics.compared(subject.engine, at, error);
        }
    }

    /// It ended in another way, or is handed over anew.
    pub fn forget(&self, job: JobId) {
        self.known.lock().ways.leave(job);
    }

    /// How long it will be until its layers can be fetched; none where nobody can know.
    #[must_use]
    pub fn left(&self, subject: &Subject<'_>, standing: &Standing) -> Option<Duration> {
        let now = self.clock.now();
        let mut known = self.known.lock();
        match standing.phase {
            Phase::Prepare | Phase::Submit => known.left_before(subject, now),
            Phase::Wait if known.ways.get(subject.job).is_some() => {
                Some(known.left_at_engine(subject, now)? + known.after_of(subject))
            }
            // The process is new, and has not asked the engine yet.
            Phase::Wait => {
                known.run_of(subject)?;
                standing
                    .expected
                    .checked_sub(now.since(standing.accepted_at?))
            }
            Phase::Collect => {
                let ended_at = known.ways.get(subject.job)?.ended_at?;
                known.after_of(subject).checked_sub(now.since(ended_at))
            }
            Phase::Completed | Phase::Failed | Phase::Deleted | Phase::Expired => None,
        }
    }

    /// How long runs take, by class, of those that were seen.
    #[must_use]
    pub fn run_times(&self) -> Vec<RunTimes> {
        let known = self.known.lock();
        let times = known.runs.classes().map(|(class, spread)| RunTimes {
            engine: class.engine,
            below_megapixels: class.size.below_megapixels(),
            layers: class.layers,
            runs: spread.runs(),
            half: spread.quantile(0.5),
            nine_in_ten: spread.quantile(0.9),
            longest: spread.quantile(1.0),
        });
        times.collect()
    }

    /// How good the estimates were, of the last 256 jobs of each engine.
    #[must_use]
    pub fn errors(&self) -> Vec<EstimateErrors> {
        self.known.lock().accuracy.shown()
    }
}

impl Known {
    fn run_of(&mut self, subject: &Subject<'_>) -> Option<Arc<history::Spread>> {
        match class_of(subject) {
            Some(class) => self.runs.spread(class),
            None => self.runs.any(subject.engine),
        }
    }

    fn after_of(&mut self, subject: &Subject<'_>) -> Duration {
        class_of(subject).map_or(Duration::ZERO, |class| self.after_run(class, subject.job))
    }

    fn after_run(&mut self, class: RunClass, job: JobId) -> Duration {
        let has_company = self.ways.has_company(class.engine, job);
        let [alone, beside] = &mut self.after;
        let (first, second) = if has_company {
            (beside, alone)
        } else {
            (alone, beside)
        };
        let spread = first.spread(class).or_else(|| second.spread(class));
        spread.map_or(Duration::ZERO, |spread| spread.quantile(0.5))
    }

    /// Of a job that is not at its engine yet.
    fn left_before(&mut self, subject: &Subject<'_>, now: UnixMs) -> Option<Duration> {
        let run = self.run_of(subject)?.quantile(0.5);
        let way = self.ways.usual_way(subject);
        let gone = self
            .ways
            .get(subject.job)
            .map_or(Duration::ZERO, |way| now.since(way.entered_at));
        if gone > HELD_UP + way * 2 {
            return None;
        }
        let queue = self.ways.queue(subject, &mut self.runs, now);
        let way = way.saturating_sub(gone);
        Some(way + queue.saturating_sub(way) + run + self.after_of(subject))
    }

    /// Of a job that its engine has, until it says that it is done.
    fn left_at_engine(&mut self, subject: &Subject<'_>, now: UnixMs) -> Option<Duration> {
        let run = self.run_of(subject)?;
        let way = self.ways.get(subject.job)?;
        match (way.began_at, way.ended_at) {
            (_, Some(_)) => Some(Duration::ZERO),
            (Some(began_at), None) => run.left(now.since(began_at)),
            (None, None) => {
                let queue = self.ways.queue(subject, &mut self.runs, now);
                Some(queue + run.quantile(0.5))
            }
        }
    }

    fn run_begins(&mut self, job: JobId, now: UnixMs) {
        let Some(class) = self.ways.run_begins(job, now) else {
            return;
        };
        let Some(run) = self.runs.spread(class) else {
            return;
        };
        let after = self.after_run(class, job);
        self.ways.say_at_run(job, now, run.quantile(0.5) + after);
    }
}

/// None before the picture is here.
fn class_of(subject: &Subject<'_>) -> Option<RunClass> {
    let (width, height) = subject.size?;
    Some(RunClass {
        engine: subject.engine,
        size: SizeClass::of(width, height),
        layers: subject.layers,
    })
}

#[cfg(test)]
mod tests;
