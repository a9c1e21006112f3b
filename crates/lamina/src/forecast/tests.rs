//! Estimates of whole jobs, with a clock that is moved by hand.

use super::*;
use crate::clock::ManualClock;

const LAYERS: LayersAsked = LayersAsked(0);
const SIZE: (u32, u32) = (1024, 1024);

struct Service {
    forecast: Forecast,
    clock: ManualClock,
    owner: OwnerId,
    jobs: i64,
}

impl Service {
    /// An engine in this process, whose runs take ten seconds.
    fn local(at_once: usize) -> Self {
        let service = Self::empty(EngineKind::Local, Some(at_once));
        for _ in 0..5 {
            service
                .forecast
                .learn(EngineKind::Local, SIZE, LAYERS, seconds(10));
        }
        service
    }

    fn empty(engine: EngineKind, at_once: Option<usize>) -> Self {
        let clock = ManualClock::at(UnixMs(1_000_000));
        let forecast = Forecast::new(Arc::new(clock.clone()), ForecastMetrics::default());
        forecast.engine(engine, at_once);
        Self {
            forecast,
            clock,
            owner: OwnerId::named("a"),
            jobs: 0,
        }
    }

    fn subject(&self, engine: EngineKind, job: JobId) -> Subject<'_> {
        Subject {
            job,
            owner: &self.owner,
            engine,
            size: Some(SIZE),
            layers: LAYERS,
        }
    }

    fn begin(&mut self, engine: EngineKind) -> JobId {
        self.jobs += 1;
        let job = JobId::new(UnixMs(self.jobs));
        self.forecast.begins(&self.subject(engine, job), true);
        job
    }

    fn taken(&mut self) -> JobId {
        let job = self.begin(EngineKind::Local);
        self.forecast
            .accepted(&self.subject(EngineKind::Local, job), Some(0));
        job
    }

    fn left_in(&self, engine: EngineKind, job: JobId, phase: Phase) -> Option<Duration> {
        let standing = Standing {
            phase,
            accepted_at: Some(self.clock.now()),
            expected: Duration::ZERO,
        };
        self.forecast.left(&self.subject(engine, job), &standing)
    }

    fn left(&self, job: JobId) -> Option<u64> {
        self.left_in(EngineKind::Local, job, Phase::Wait)
            .map(|left| left.as_secs())
    }

    fn end(&self, job: JobId) {
        self.forecast.run_ended(job);
        assert!(
            self.forecast
                .ready(&self.subject(EngineKind::Local, job))
                .is_some()
        );
        self.forecast
            .completed(&self.subject(EngineKind::Local, job));
    }
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn a_job_waits_for_those_before_it_and_runs_as_long_as_others_did() {
    let mut service = Service::local(2);
    let jobs: Vec<_> = (0..5).map(|_| service.taken()).collect();
    for job in &jobs[..2] {
        service.forecast.run_begins(*job);
    }
    let left: Vec<_> = jobs.iter().map(|job| service.left(*job)).collect();
    assert_eq!(left, [Some(10), Some(10), Some(20), Some(20), Some(30)]);
    service.clock.advance(seconds(4));
    assert_eq!(
        (service.left(jobs[0]), service.left(jobs[4])),
        (Some(6), Some(26))
    );
    let new = service.begin(EngineKind::Local);
    assert_eq!(
        service.left_in(EngineKind::Local, new, Phase::Submit),
        Some(seconds(26))
    );
    // One that goes makes room at once, and one that ended is nobody's predecessor.
    service.forecast.forget(jobs[2]);
    assert_eq!(service.left(jobs[4]), Some(16));
    service.clock.advance(seconds(6));
    service.end(jobs[0]);
    service.end(jobs[1]);
    assert_eq!(service.left(jobs[4]), Some(10));
}

#[test]
fn nothing_is_said_before_the_first_run_nor_of_one_that_takes_longer_than_any() {
    let mut service = Service::empty(EngineKind::Local, Some(1));
    let first = service.taken();
    service.forecast.run_begins(first);
    assert_eq!(service.left(first), None);
    service.clock.advance(seconds(8));
    service.end(first);
    let second = service.taken();
    service.forecast.run_begins(second);
    assert_eq!(service.left(second), Some(8));
    service.clock.advance(seconds(9));
    assert_eq!(service.left(second), None);
    assert_eq!(service.forecast.run_times()[0].runs, 1);
}

#[test]
fn what_was_said_is_held_against_what_it_took() {
    let mut service = Service::local(1);
    let (first, second) = (service.taken(), service.taken());
    service.forecast.run_begins(first);
    service.clock.advance(seconds(10));
    service.end(first);
    service.forecast.run_begins(second);
    service.clock.advance(seconds(20));
    service.end(second);
    let errors = service.forecast.errors();
    let found: Vec<_> = errors
        .iter()
        .map(|line| (line.at, line.jobs, line.half, line.nine_in_ten))
        .collect();
    // The second was to take 20 s and took 30; its run was to take 10 s and took 20.
    let third = 1.0 / 3.0;
    assert_eq!(
        found,
        [
            (EstimateAt::Created, 2, 0.0, third),
            (EstimateAt::Began, 2, 0.0, 0.5)
        ]
    );
}

#[test]
fn a_job_that_failed_or_is_handed_over_anew_is_no_measure() {
    let mut service = Service::local(1);
    let job = service.taken();
    service.forecast.run_begins(job);
    service.clock.advance(seconds(1));
    service.forecast.run_ended(job);
    service.forecast.forget(job);
    assert!(service.forecast.errors().is_empty());
    assert_eq!(service.forecast.run_times()[0].half, seconds(10));
}

#[test]
fn a_place_among_strangers_is_worth_as_much_time_as_it_took_of_late() {
    let (mut service, fal) = (Service::empty(EngineKind::Fal, None), EngineKind::Fal);
    for _ in 0..3 {
        service.forecast.learn(fal, SIZE, LAYERS, seconds(20));
    }
    let job = service.begin(fal);
    service
        .forecast
        .accepted(&service.subject(fal, job), Some(4));
    // Nothing was seen of that queue: as if each place were a run of ours.
    assert_eq!(service.left_in(fal, job, Phase::Wait), Some(seconds(100)));
    service.clock.advance(seconds(8));
    service.forecast.running(&service.subject(fal, job), None);
    assert_eq!(service.left_in(fal, job, Phase::Wait), Some(seconds(20)));
    let next = service.begin(fal);
    service
        .forecast
        .accepted(&service.subject(fal, next), Some(10));
    assert_eq!(service.left_in(fal, next, Phase::Wait), Some(seconds(40)));
    service.clock.advance(seconds(5));
    service
        .forecast
        .queued(&service.subject(fal, next), Some(2), None);
    assert_eq!(service.left_in(fal, next, Phase::Wait), Some(seconds(24)));
    // Nobody saw it begin: its end says what the places took, and nothing of its run.
    service.clock.advance(seconds(55));
    assert_eq!(service.forecast.ready(&service.subject(fal, next)), None);
}

#[test]
fn after_a_restart_the_row_is_believed_until_the_engine_was_asked() {
    let service = Service::local(1);
    let job = JobId::new(UnixMs(77));
    let left = |expected, ago| {
        let standing = Standing {
            phase: Phase::Wait,
            accepted_at: Some(service.clock.now().minus(seconds(ago))),
            expected: seconds(expected),
        };
        service
            .forecast
            .left(&service.subject(EngineKind::Local, job), &standing)
    };
    assert_eq!(left(30, 10), Some(seconds(20)));
    assert_eq!(left(30, 31), None);
    let subject = service.subject(EngineKind::Local, job);
    let since = service.clock.now().minus(seconds(30));
    service.forecast.running(&subject, Some(since));
    // When it began is not known, so how long it ran will not be learnt.
    assert_eq!(service.left(job), Some(10));
    assert_eq!(service.forecast.ready(&subject), None);
}

#[test]
fn a_job_that_does_not_get_to_its_engine_is_said_to_be_held_up() {
    let mut service = Service::local(1);
    let job = service.begin(EngineKind::Local);
    assert!(
        service
            .left_in(EngineKind::Local, job, Phase::Submit)
            .is_some()
    );
    service.clock.advance(seconds(11));
    assert_eq!(service.left_in(EngineKind::Local, job, Phase::Submit), None);
    // It is before nobody then.
    let other = service.begin(EngineKind::Local);
    assert_eq!(
        service.left_in(EngineKind::Local, other, Phase::Submit),
        Some(seconds(10))
    );
}

#[test]
fn ten_thousand_jobs_are_planned_in_their_order() {
    let mut service = Service::local(2);
    let jobs: Vec<_> = (0..10_000).map(|_| service.taken()).collect();
    service.clock.advance(PLAN_IS_OLD);
    assert_eq!(service.left(jobs[9_999]), Some(49_990 + 10));
    for job in &jobs {
        service.forecast.forget(*job);
    }
    service.clock.advance(PLAN_IS_OLD);
    let alone = service.taken();
    assert_eq!(service.left(alone), Some(10));
}

/// Longer than any plan lasts.
const PLAN_IS_OLD: Duration = Duration::from_millis(300);

#[test]
fn layers_that_are_stored_beside_the_next_run_take_their_own_time() {
    let mut service = Service::local(1);
    // Alone, a second passes from the end of the run; beside another, four.
    let through = |service: &mut Service, has_company: bool| {
        let job = service.taken();
        service.forecast.run_begins(job);
        let other = has_company.then(|| service.taken());
        service.clock.advance(seconds(10));
        service.forecast.run_ended(job);
        let subject = |job| service.subject(EngineKind::Local, job);
        service.forecast.ready(&subject(job));
        service
            .clock
            .advance(seconds(if has_company { 4 } else { 1 }));
        service.forecast.completed(&subject(job));
        if let Some(other) = other {
            service.forecast.forget(other);
        }
    };
    for has_company in [false, true, false, true, false, true] {
        through(&mut service, has_company);
    }
    let alone = service.taken();
    assert_eq!(service.left(alone), Some(11));
    service.forecast.run_begins(alone);
    let next = service.taken();
    assert_eq!(
        (service.left(alone), service.left(next)),
        (Some(14), Some(24))
    );
}

#[test]
fn those_run_that_began_and_have_not_ended_and_a_queue_is_none_of_them() {
    let fal = EngineKind::Fal;
    let mut service = Service::empty(fal, None);
    let jobs: Vec<JobId> = (0..3).map(|_| service.begin(fal)).collect();
    for job in &jobs {
        service
            .forecast
            .accepted(&service.subject(fal, *job), Some(2));
    }
    service
        .forecast
        .queued(&service.subject(fal, jobs[0]), None, None);
    let running = |service: &Service| {
        // It is counted a few times a second at the most.
        service.clock.advance(seconds(1));
        service.forecast.running_at(fal)
    };
    assert_eq!(running(&service), 0);
    for job in &jobs[1..] {
        service.forecast.running(&service.subject(fal, *job), None);
    }
    assert_eq!(running(&service), 2);
    service.forecast.ready(&service.subject(fal, jobs[1]));
    assert_eq!(running(&service), 1);
    assert_eq!(service.forecast.running_at(EngineKind::Local), 0);
}
