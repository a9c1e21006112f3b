//! When to try again: exponential backoff with full jitter for steps that failed, and a schedule
//! for asking an engine that is at work. Pure: the random number is an argument.

use std::time::Duration;

use super::UnixMs;

/// Exponential backoff with full jitter (a delay drawn evenly from zero to the ceiling), after
/// the AWS Architecture Blog's "Exponential Backoff And Jitter".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The ceiling of the first delay.
    pub base: Duration,
    /// The largest ceiling.
    pub cap: Duration,
    /// How many failed attempts of one step end the job.
    pub max_attempts: u32,
}

impl Default for Backoff {
    /// 1 s doubling to 60 s, 8 attempts: about one minute of trying on average, two at the most.
    fn default() -> Self {
        Self {
            base: Duration::from_secs(1),
            cap: Duration::from_secs(60),
            max_attempts: 8,
        }
    }
}

impl Backoff {
    /// The delay after failed attempt number `attempt` (1 is the first). `random` lies in 0..1.
    /// A tenth of the ceiling is always waited, so that a zero draw does not hammer.
    #[must_use]
    pub fn delay(&self, attempt: u32, random: f64) -> Duration {
        let doublings = attempt.saturating_sub(1).min(20);
        let ceiling = self.base.saturating_mul(1 << doublings).min(self.cap);
        ceiling.mul_f64(0.1 + 0.9 * random.clamp(0.0, 1.0))
    }
}

/// What is known of a job that an engine has.
#[derive(Clone, Copy, Debug)]
pub struct AtEngine {
    /// Since it was accepted.
    pub waited: Duration,
    /// How long runs take that began to work; none of one that is still in the engine's queue, whose end nobody knows.
    pub expected: Option<Duration>,
    /// Requests before it in the engine's queue; none where it runs, or the engine does not say.
    pub queue_position: Option<u32>,
    /// Whether the engine says by itself when it is done (a webhook, or the local engine in this process).
    pub calls_back: bool,
    /// How many jobs are on their way.
    pub company: usize,
    /// How many of them this engine runs, as far as it told.
    pub running: usize,
    /// Until its time at the engine, or its own, is over.
    pub left: Duration,
}

/// How long to wait before asking the engine again; half of what is `left` at the most, so that no result is seen too late.
fn poll_delay(job: AtEngine) -> Duration {
    let delay = match job.run() {
        _ if job.calls_back => safety_net(job),
        Some(expected) => running(job, expected),
        None => queued(job),
    };
    delay.min((job.left / 2).max(TICK))
}

/// Half as long again as runs are expected to take, and then each time after as long as the job has waited: 15 s to
/// 5 minutes. Up to five hundred jobs together ask eight times a second, a thousand four times, more of them each four
/// minutes.
fn safety_net(job: AtEngine) -> Duration {
    let late = job.expected.unwrap_or_default().saturating_mul(3) / 2;
    let delay = late.saturating_sub(job.waited).max(job.waited);
    let least = shared(125, job.company).max(crowded(240, job.company));
    delay.clamp(
        least.clamp(Duration::from_secs(15), Duration::from_secs(240)),
        MOST_DELAY,
    )
}

/// As often as who runs, as long as few are on their way. All together ask about 17 times a second, but for those who are so
/// near to their turn that a quarter of a second for each place is over sooner.
fn queued(job: AtEngine) -> Duration {
    let turn = TICK.saturating_mul(job.queue_position.unwrap_or(u32::MAX));
    let delay = turn.min(shared(60, job.company)).min(MOST_DELAY);
    delay.max(job.patient())
}

/// The delay grows with the wait, so that short runs are seen at once and long ones cost little. A run that is `expected`
/// to end about now is asked more often, at that moment and then each 0.25 s, so that its end is not seen a tenth of
/// its length late. What all of them may ask grows up to 360 questions a second for 90 runs at once, and falls from there
/// to 33 for a thousand, each of which is asked every 30 s.
fn running(job: AtEngine, expected: Duration) -> Duration {
    let until = expected.saturating_sub(job.waited);
    let least = if until.is_zero() {
        TICK
    } else {
        until.clamp(SHORTEST_DELAY, TICK)
    };
    let close = (expected.abs_diff(job.waited) / 8).max(least);
    let delay = job.patient().min(close);
    delay.max(crowded(30, job.running).min(Duration::from_secs(60)))
}

/// So many milliseconds for each of so many jobs: together they ask as often, however many they are.
fn shared(millis: u64, jobs: usize) -> Duration {
    Duration::from_millis(millis).saturating_mul(u32::try_from(jobs).unwrap_or(u32::MAX))
}

/// So many microseconds for each pair of them: together they ask less often, the more they are.
fn crowded(micros: u64, jobs: usize) -> Duration {
    let jobs = u32::try_from(jobs).unwrap_or(u32::MAX);
    Duration::from_micros(micros).saturating_mul(jobs.saturating_mul(jobs))
}

impl AtEngine {
    /// How long its run is expected to take; none while others are before it in the engine's queue.
    fn run(&self) -> Option<Duration> {
        self.expected
            .filter(|_| self.queue_position.unwrap_or(0) == 0)
    }

    /// Of a run of which nothing else is known.
    fn patient(&self) -> Duration {
        (self.waited / 10).clamp(Duration::from_millis(500), Duration::from_secs(3))
    }
}

/// When to ask the engine again: after the delay of the schedule, and at the same moments for all jobs, 0.25 s to 2 s
/// apart, where that delays a job that runs by an eighth at the most, and one that will be heard of or waits for its turn by
/// a third. A thousand jobs that wait are then claimed and written in a few transactions instead of one each.
#[must_use]
pub fn poll_at(now: UnixMs, job: AtEngine) -> UnixMs {
    let delay = poll_delay(job);
    let at = now.plus(delay);
    let runs = !job.calls_back && job.run().is_some();
    let most_late = delay.as_millis() / if runs { 8 } else { 3 };
    let Some(doublings) = (most_late / TICK.as_millis()).checked_ilog2() else {
        return at;
    };
    let tick = i64::try_from(TICK.as_millis() << doublings.min(3)).unwrap_or(1);
    UnixMs(at.0.saturating_add(tick - 1) / tick * tick)
}

/// The shortest time between two moments of [`poll_at`].
const TICK: Duration = Duration::from_millis(250);
/// The first question of a run that needs no time.
const SHORTEST_DELAY: Duration = Duration::from_millis(50);
/// With the moments below the six minutes for which fal keeps a result of 10 kB and more.
const MOST_DELAY: Duration = Duration::from_secs(300);

#[cfg(test)]
mod tests {
    use super::*;

    /// Nothing is known of it, and it has all the time there is.
    const UNKNOWN: AtEngine = AtEngine {
        waited: Duration::ZERO,
        expected: None,
        queue_position: None,
        calls_back: false,
        company: 0,
        running: 0,
        left: Duration::MAX,
    };

    fn polled(waited: Duration, expected: Option<Duration>) -> Duration {
        poll_delay(AtEngine {
            waited,
            expected,
            ..UNKNOWN
        })
    }

    fn called_back(waited: u64, expected: u64) -> u64 {
        let job = AtEngine {
            waited: Duration::from_secs(waited),
            expected: Some(Duration::from_secs(expected)),
            calls_back: true,
            company: 100,
            ..UNKNOWN
        };
        poll_delay(job).as_secs()
    }

    #[test]
    fn no_result_is_seen_when_the_jobs_time_is_over() {
        for calls_back in [false, true] {
            let delay = |left| {
                poll_delay(AtEngine {
                    waited: Duration::from_secs(264),
                    calls_back,
                    company: 10_000,
                    left: Duration::from_secs(left),
                    ..UNKNOWN
                })
            };
            assert_eq!(delay(100), Duration::from_secs(50));
            assert_eq!(delay(0), TICK);
        }
    }

    #[test]
    fn who_calls_back_is_asked_when_that_is_late_and_then_ever_less_often() {
        assert_eq!([called_back(0, 0), called_back(0, 22)], [15, 33]);
        assert_eq!([called_back(30, 22), called_back(33, 22)], [30, 33]);
        assert_eq!([called_back(66, 22), called_back(3_000, 22)], [66, 300]);
        // Not longer for a run of which nobody believes that it ends soon.
        assert_eq!(called_back(0, 10_000), 300);
    }

    #[test]
    fn the_more_jobs_run_at_once_the_less_often_each_is_asked_for() {
        let delay = |running, waited| {
            poll_delay(AtEngine {
                waited: Duration::from_secs(waited),
                expected: Some(Duration::from_secs(20)),
                company: usize::MAX,
                running,
                ..UNKNOWN
            })
            .as_millis()
        };
        assert_eq!([delay(20, 20), delay(90, 20)], [250, 250]);
        assert_eq!([delay(200, 20), delay(200, 60)], [1_200, 3_000]);
        assert_eq!(delay(1_000, 20), 30_000);
        assert_eq!(delay(usize::MAX, 60), 60_000);
    }

    #[test]
    fn who_stands_in_the_engines_queue_is_asked_by_its_place_and_by_how_many_there_are() {
        let delay = |queue_position, company| {
            poll_delay(AtEngine {
                waited: Duration::from_secs(60),
                queue_position,
                company,
                ..UNKNOWN
            })
            .as_secs()
        };
        // A queue of strangers may be short of what a place takes.
        assert_eq!([delay(Some(400), 1), delay(None, 1)], [3, 3]);
        let of_many = |places| delay(Some(places), 1_000);
        assert_eq!([of_many(0), of_many(1), of_many(12)], [3, 3, 3]);
        assert_eq!([of_many(100), of_many(1_000)], [25, 60]);
        assert_eq!(delay(None, 1_000), 60);
        assert_eq!(delay(Some(u32::MAX), usize::MAX), MOST_DELAY.as_secs());
        let a_second = (0..1_000).map(|places| 1.0 / of_many(places) as f64);
        assert!(a_second.sum::<f64>() < 35.0);
        // What is expected of it says nothing as long as it has not begun.
        let at_first = poll_delay(AtEngine {
            expected: Some(Duration::from_secs(20)),
            queue_position: Some(100),
            company: 1_000,
            ..UNKNOWN
        });
        assert_eq!(at_first, Duration::from_secs(25));
    }

    #[test]
    fn no_question_comes_after_an_engine_may_have_dropped_the_result() {
        const KEPT: i64 = 360_000;
        let times = [0, 1, 30, 299, 300, 3_000, 100_000].map(Duration::from_secs);
        for (waited, expected) in times.iter().flat_map(|a| times.iter().map(move |b| (a, b))) {
            for (many, calls_back) in [
                (1, true),
                (usize::MAX, true),
                (1, false),
                (usize::MAX, false),
            ] {
                for (expected, queue_position) in [
                    (Some(*expected), None),
                    (Some(*expected), Some(u32::MAX)),
                    (None, Some(u32::MAX)),
                    (None, None),
                ] {
                    let job = AtEngine {
                        waited: *waited,
                        expected,
                        queue_position,
                        calls_back,
                        company: many,
                        running: many,
                        ..UNKNOWN
                    };
                    let at = poll_at(UnixMs(1), job);
                    assert!(at.0 < KEPT * 9 / 10, "{at:?} for {job:?}");
                }
            }
        }
    }

    #[test]
    fn many_who_call_back_are_asked_eight_times_a_second_together_and_a_thousand_four_times() {
        let delay = |company| {
            poll_delay(AtEngine {
                calls_back: true,
                company,
                ..UNKNOWN
            })
            .as_secs()
        };
        assert_eq!([delay(1), delay(120), delay(480)], [15, 15, 60]);
        assert_eq!([delay(1_000), delay(usize::MAX)], [240, 240]);
    }

    #[test]
    fn long_waits_end_together_and_short_ones_in_time() {
        let at = |now, waited, calls_back: bool| {
            let job = AtEngine {
                waited: Duration::from_secs(waited),
                expected: (!calls_back).then_some(Duration::MAX),
                calls_back,
                ..UNKNOWN
            };
            poll_at(UnixMs(now), job)
        };
        assert_eq!(at(1_001, 5, false), UnixMs(1_501));
        assert_eq!(at(1_001, 30, false), UnixMs(4_250));
        assert_eq!(at(1_249, 30, false), UnixMs(4_250));
        assert_eq!(at(1_250, 30, false), UnixMs(4_250));
        // From 6 s on each 2 s.
        assert_eq!(at(1, 0, true), UnixMs(16_000));
        assert_eq!(at(1, 101, true), UnixMs(102_000));
        let queued = AtEngine {
            queue_position: Some(12),
            waited: Duration::from_secs(30),
            ..UNKNOWN
        };
        assert_eq!(poll_at(UnixMs(1_001), queued), UnixMs(5_000));
    }

    #[test]
    fn the_ceiling_doubles_up_to_the_cap() {
        let backoff = Backoff::default();
        let ceilings: Vec<u64> = (1..=8)
            .map(|attempt| backoff.delay(attempt, 1.0).as_secs())
            .collect();
        assert_eq!(ceilings, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(backoff.delay(u32::MAX, 1.0), backoff.cap);
        assert_eq!(backoff.delay(1, 0.0), Duration::from_millis(100));
    }

    #[test]
    fn an_engine_is_asked_less_often_the_longer_it_works() {
        let at = |secs| polled(Duration::from_secs(secs), None).as_millis();
        assert_eq!(
            [at(0), at(5), at(10), at(20), at(30), at(600)],
            [500, 500, 1000, 2000, 3000, 3000]
        );
        assert_eq!(called_back(0, 0), 15);
    }

    #[test]
    fn a_run_that_is_expected_to_end_is_seen_soon_after_it_did() {
        let expected = Duration::from_secs(20);
        let mut waited = Duration::ZERO;
        let mut questions = Vec::new();
        while waited < Duration::from_secs(120) {
            waited += polled(waited, Some(expected));
            questions.push(waited);
        }
        let gaps = questions
            .windows(2)
            .map(|pair| (pair[0], pair[1] - pair[0]));
        let close = |at: &Duration| at.abs_diff(expected) <= Duration::from_secs(2);
        let near: Vec<Duration> = gaps
            .filter(|(at, _)| close(at))
            .map(|(_, gap)| gap)
            .collect();
        let quick = SHORTEST_DELAY..=Duration::from_millis(250);
        assert!(near.iter().all(|gap| quick.contains(gap)), "{near:?}");
        let at_its_end = expected..=expected + SHORTEST_DELAY;
        assert!(
            questions.iter().any(|at| at_its_end.contains(at)),
            "{questions:?}"
        );
        // One that is late by far costs half as much again as one of which nothing is known.
        assert!(questions.len() < 100, "{}", questions.len());
        // One that needs no time is asked at once, and nobody is asked later for being expected.
        let soon = |expected| polled(Duration::ZERO, Some(Duration::from_millis(expected)));
        assert_eq!(soon(100), Duration::from_millis(100));
        assert_eq!(soon(0), Duration::from_millis(250));
        assert_eq!(soon(10), SHORTEST_DELAY);
        for waited in [0, 1, 5, 19, 20, 21, 40, 600].map(Duration::from_secs) {
            let patient = polled(waited, None);
            assert!(polled(waited, Some(expected)) <= patient);
        }
        assert_eq!(called_back(20, 20), 20);
    }
}
