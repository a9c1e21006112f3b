//! The jobs that are on their way, what happened to each, and how long those before them will take. Of a job
//! that ended nothing is kept.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use super::history::History;
use super::line::{Plan, Waiting};
use super::{Subject, class_of};
use crate::jobs::{EngineKind, JobId, OwnerId, RunClass, UnixMs};

/// A plan is made anew after so long; and where something happened, after so long for each job, so that it costs a few
/// hundredths of a core however many there are.
const PLAN_LASTS: Duration = Duration::from_millis(250);
const PLAN_PAUSE: Duration = Duration::from_micros(20);
/// A job that is not at its engine counts as before others for so long; then something holds it up.
const COUNTS: Duration = Duration::from_secs(10);
/// A job of which nothing was heard for so long was lost sight of.
const LOST: Duration = Duration::from_secs(2 * 3600);
/// Times that are kept of each kind.
const KEPT: usize = 32;

/// One job's way.
#[derive(Clone, Debug)]
pub(super) struct Way {
    engine: EngineKind,
    owner: OwnerId,
    class: Option<RunClass>,
    /// Rises with every job that an engine takes.
    number: u64,
    pub(super) entered_at: UnixMs,
    heard_at: UnixMs,
    accepted_at: Option<UnixMs>,
    /// Places before it as the engine said first, and last.
    first_position: u32,
    position: Option<(u32, UnixMs)>,
    pub(super) began_at: Option<UnixMs>,
    pub(super) ended_at: Option<UnixMs>,
    /// Whether another job was at the engine when its run ended.
    pub(super) has_company: bool,
    pub(super) said_at_create: Option<(UnixMs, Duration)>,
    pub(super) said_at_run: Option<(UnixMs, Duration)>,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Ways {
    by_job: HashMap<JobId, Way>,
    engines: HashMap<EngineKind, Queue>,
    /// From a worker's first step to the engine's taking the job, of pictures that are here and of those that are fetched.
    before: [Recent; 2],
    taken: u64,
}

#[derive(Debug, Default)]
struct Queue {
    at_once: Option<usize>,
    plan: Plan,
    planned_at: Option<UnixMs>,
    /// Whether something happened since.
    is_old: bool,
    /// How long one place of its queue lasts.
    a_place: Recent,
    /// Jobs that it runs, and when they were counted.
    running: Option<(usize, UnixMs)>,
}

/// The last times of one kind.
#[derive(Debug, Default)]
struct Recent(VecDeque<Duration>);

impl Recent {
    fn note(&mut self, took: Duration) {
        if self.0.len() == KEPT {
            self.0.pop_front();
        }
        self.0.push_back(took);
    }

    fn median(&self) -> Option<Duration> {
        let mut times: Vec<_> = self.0.iter().copied().collect();
        times.sort_unstable();
        times.get(times.len().saturating_sub(1) / 2).copied()
    }
}

impl Way {
    pub(super) fn accepted(&mut self, now: UnixMs, position: Option<u32>) {
        self.accepted_at = Some(now);
        self.first_position = position.unwrap_or(0);
        self.queued(now, position);
    }

    pub(super) fn queued(&mut self, now: UnixMs, position: Option<u32>) {
        self.position = position.map(|position| (position, now));
    }
}

impl Ways {
    pub(super) fn engine(&mut self, kind: EngineKind, at_once: Option<usize>) {
        self.engines.entry(kind).or_default().at_once = at_once;
    }

    pub(super) fn count(&self) -> usize {
        self.by_job.len()
    }

    /// How many runs have begun and not ended; counted at most each [`PLAN_LASTS`].
    pub(super) fn running(&mut self, kind: EngineKind, now: UnixMs) -> usize {
        let engine = self.engines.entry(kind).or_default();
        if let Some((count, at)) = engine.running
            && now.since(at) < PLAN_LASTS
        {
            return count;
        }
        let runs =
            |way: &&Way| way.engine == kind && way.began_at.is_some() && way.ended_at.is_none();
        let count = self.by_job.values().filter(runs).count();
        engine.running = Some((count, now));
        count
    }

    pub(super) fn get(&self, job: JobId) -> Option<&Way> {
        self.by_job.get(&job)
    }

    /// The job's way, which begins here if it is new.
    pub(super) fn enter(&mut self, subject: &Subject<'_>, now: UnixMs) -> &mut Way {
        self.happened(subject.engine);
        self.taken += 1;
        let number = self.taken;
        let way = self.by_job.entry(subject.job).or_insert_with(|| Way {
            engine: subject.engine,
            owner: subject.owner.clone(),
            class: None,
            number,
            entered_at: now,
            heard_at: now,
            accepted_at: None,
            first_position: 0,
            position: None,
            began_at: None,
            ended_at: None,
            has_company: false,
            said_at_create: None,
            said_at_run: None,
        });
        way.heard_at = now;
        way.class = class_of(subject);
        way
    }

    /// The engine took it.
    pub(super) fn accept(&mut self, subject: &Subject<'_>, position: Option<u32>, now: UnixMs) {
        let is_fetched = usize::from(self.get(subject.job).is_some_and(|way| way.class.is_none()));
        let way = self.enter(subject, now);
        let took = now.since(way.entered_at);
        way.accepted(now, position);
        self.before[is_fetched].note(took);
    }

    /// A job that an engine was given before this process began has its way from here on.
    pub(super) fn resume(
        &mut self,
        subject: &Subject<'_>,
        accepted_at: Option<UnixMs>,
        now: UnixMs,
    ) -> &mut Way {
        let way = self.enter(subject, now);
        if way.accepted_at.is_none() {
            way.accepted_at = accepted_at;
            // What it waited before is not known, so its run will not be either.
            way.first_position = u32::MAX;
        }
        way
    }

    fn happened(&mut self, engine: EngineKind) {
        self.engines.entry(engine).or_default().is_old = true;
    }

    /// One that nobody was before has run since it was taken; how long another waited for each place is learnt.
    pub(super) fn seen_running(&mut self, job: JobId, now: UnixMs) {
        let Some(way) = self.by_job.get_mut(&job) else {
            return;
        };
        way.position = None;
        if way.began_at.is_some() {
            return;
        }
        let Some(accepted_at) = way.accepted_at else {
            return;
        };
        match way.first_position {
            0 => way.began_at = Some(accepted_at),
            u32::MAX => way.began_at = Some(now),
            places => {
                way.began_at = Some(now);
                let engine = self.engines.entry(way.engine).or_default();
                engine.a_place.note(now.since(accepted_at) / places);
            }
        }
    }

    /// The class of the run, where it is known.
    pub(super) fn run_begins(&mut self, job: JobId, now: UnixMs) -> Option<RunClass> {
        let way = self.by_job.get_mut(&job)?;
        (way.began_at, way.ended_at) = (Some(now), None);
        let (engine, class) = (way.engine, way.class);
        self.happened(engine);
        class
    }

    pub(super) fn say_at_run(&mut self, job: JobId, now: UnixMs, left: Duration) {
        if let Some(way) = self.by_job.get_mut(&job) {
            way.said_at_run = Some((now, left));
        }
    }

    /// Whether another job is at the engine, or on its way there.
    pub(super) fn has_company(&self, engine: EngineKind, job: JobId) -> bool {
        let mut ways = self.by_job.iter();
        ways.any(|(other, way)| *other != job && way.engine == engine && way.ended_at.is_none())
    }

    pub(super) fn run_ended(&mut self, job: JobId, now: UnixMs) {
        let Some(engine) = self.by_job.get(&job).map(|way| way.engine) else {
            return;
        };
        let has_company = self.has_company(engine, job);
        if let Some(way) = self.by_job.get_mut(&job) {
            way.ended_at = Some(now);
            way.has_company = has_company;
            self.happened(engine);
        }
    }

    /// How long the run took. One that was never seen to begin says, where it is known how long runs take, how long the
    /// places before it lasted.
    pub(super) fn ready(
        &mut self,
        subject: &Subject<'_>,
        usual: Option<Duration>,
        now: UnixMs,
    ) -> Option<Duration> {
        self.happened(subject.engine);
        if self.get(subject.job)?.ended_at.is_none() {
            self.run_ended(subject.job, now);
        }
        let way = self.by_job.get_mut(&subject.job)?;
        let ended_at = way.ended_at?;
        if let Some(began_at) = way.began_at {
            return (way.first_position != u32::MAX).then(|| ended_at.since(began_at));
        }
        let whole = ended_at.since(way.accepted_at?);
        match (way.first_position, usual) {
            (0, _) => Some(whole),
            (u32::MAX, _) | (_, None) => None,
            (places, Some(usual)) => {
                let engine = self.engines.entry(way.engine).or_default();
                engine.a_place.note(whole.saturating_sub(usual) / places);
                None
            }
        }
    }

    pub(super) fn leave(&mut self, job: JobId) -> Option<Way> {
        let way = self.by_job.remove(&job)?;
        self.happened(way.engine);
        Some(way)
    }

    /// How long it takes to hand such a job over.
    pub(super) fn usual_way(&self, subject: &Subject<'_>) -> Duration {
        let is_fetched = usize::from(subject.size.is_none());
        self.before[is_fetched].median().unwrap_or_default()
    }

    /// How long it will be until its run begins.
    pub(super) fn queue(
        &mut self,
        subject: &Subject<'_>,
        runs: &mut History,
        now: UnixMs,
    ) -> Duration {
        let engine = self.engines.entry(subject.engine).or_default();
        if engine.at_once.is_none() {
            return self.queue_of_strangers(subject, runs, now);
        }
        let age = engine.planned_at.map_or(Duration::MAX, |at| now.since(at));
        let pause = PLAN_PAUSE * u32::try_from(self.by_job.len()).unwrap_or(u32::MAX);
        if age >= PLAN_LASTS || (engine.is_old && age.as_millis() >= pause.as_millis()) {
            self.plan(subject.engine, runs, now);
        }
        let engine = self.engines.entry(subject.engine).or_default();
        let age = engine.planned_at.map_or(Duration::ZERO, |at| now.since(at));
        let begins = engine
            .plan
            .begins(subject.job)
            .unwrap_or_else(|| engine.plan.next(subject.owner));
        begins.saturating_sub(age)
    }

    fn plan(&mut self, kind: EngineKind, runs: &mut History, now: UnixMs) {
        self.by_job.retain(|_, way| now.since(way.heard_at) < LOST);
        let counts = |way: &&Way| {
            let is_here = way.accepted_at.is_some() || now.since(way.entered_at) < COUNTS;
            way.engine == kind && way.ended_at.is_none() && is_here
        };
        let any = runs.any(kind);
        let mut waiting = Vec::new();
        for (job, way) in self.by_job.iter().filter(|(_, way)| counts(way)) {
            let spread = way.class.and_then(|class| runs.spread(class));
            let Some(spread) = spread.or_else(|| any.clone()) else {
                continue;
            };
            let takes = spread.mean();
            let left = |began_at| spread.left(now.since(began_at)).unwrap_or(takes / 4);
            waiting.push(Waiting {
                job: *job,
                owner: &way.owner,
                number: way.number,
                runs_for: way.began_at.map(left),
                takes,
            });
        }
        let engine = self.engines.entry(kind).or_default();
        engine.plan = Plan::of(&waiting, engine.at_once.unwrap_or(1));
        (engine.planned_at, engine.is_old) = (Some(now), false);
    }

    /// By the place that the engine named, or, for a job that it has not got yet, the last one of those before.
    fn queue_of_strangers(
        &self,
        subject: &Subject<'_>,
        runs: &mut History,
        now: UnixMs,
    ) -> Duration {
        let position = match self.get(subject.job) {
            Some(way) if way.accepted_at.is_some() => way.position,
            Some(_) | None => {
                let others = self
                    .by_job
                    .values()
                    .filter(|way| way.engine == subject.engine);
                others
                    .filter_map(|way| way.position)
                    .max_by_key(|(_, said_at)| *said_at)
            }
        };
        let Some((places, said_at)) = position else {
            return Duration::ZERO;
        };
        let learnt = self
            .engines
            .get(&subject.engine)
            .and_then(|engine| engine.a_place.median());
        let a_place = learnt.unwrap_or_else(|| self.guessed_place(subject.engine, runs));
        (a_place * places).saturating_sub(now.since(said_at))
    }

    /// Before any was measured: as if only lamina's own jobs ran there.
    fn guessed_place(&self, engine: EngineKind, runs: &mut History) -> Duration {
        let running =
            |way: &&Way| way.engine == engine && way.began_at.is_some() && way.ended_at.is_none();
        let at_once = self.by_job.values().filter(running).count().max(1);
        let mean = runs.any(engine).map_or(Duration::ZERO, |runs| runs.mean());
        mean / u32::try_from(at_once).unwrap_or(u32::MAX)
    }
}
