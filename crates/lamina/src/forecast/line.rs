//! Who comes before whom at an engine, and when each begins. Of an engine in this process lamina knows the queue and how many run at
//! once; of one elsewhere it knows a place in a queue of strangers, and how quickly places were left of late. Pure.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::time::Duration;

use crate::jobs::{JobId, OwnerId};

/// A job on its way through an engine.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waiting<'a> {
    pub(super) job: JobId,
    pub(super) owner: &'a OwnerId,
    /// Those of one owner run in this order.
    pub(super) number: u64,
    /// What is left of its run, if it has begun.
    pub(super) runs_for: Option<Duration>,
    /// How long its run will take.
    pub(super) takes: Duration,
}

/// When the jobs of one engine begin, from the moment for which it was made.
#[derive(Debug, Default)]
pub(super) struct Plan {
    begins: HashMap<JobId, Duration>,
    /// In their order: how many of its owner come before it, and when it begins.
    turns: Vec<(usize, Duration)>,
    queued: HashMap<OwnerId, usize>,
    /// When the first place is free after all of them.
    free: Duration,
}

impl Plan {
    /// As many as `at_once` run at the same time, and turns go round by owner (`fair.rs`).
    pub(super) fn of(jobs: &[Waiting<'_>], at_once: usize) -> Self {
        let mut places = BinaryHeap::new();
        places.extend(jobs.iter().filter_map(|job| job.runs_for).map(Reverse));
        // More may have begun than there are places where one was released a moment ago.
        while places.len() < at_once.max(1) {
            places.push(Reverse(Duration::ZERO));
        }
        let mut queue: Vec<_> = jobs.iter().filter(|job| job.runs_for.is_none()).collect();
        queue.sort_unstable_by_key(|job| job.number);
        let mut plan = Self::default();
        let mut turns = Vec::with_capacity(queue.len());
        for job in queue {
            let rank = plan.queued.entry(job.owner.clone()).or_default();
            turns.push((*rank, job));
            *rank += 1;
        }
        turns.sort_by_key(|(rank, job)| (*rank, job.number));
        for (rank, job) in turns {
            let begins = places.pop().map_or(Duration::ZERO, |Reverse(free)| free);
            places.push(Reverse(begins + job.takes));
            plan.begins.insert(job.job, begins);
            plan.turns.push((rank, begins));
        }
        plan.free = places.peek().map_or(Duration::ZERO, |Reverse(free)| *free);
        plan
    }

    /// When a job of the plan begins; none if it is not in it, or has begun.
    pub(super) fn begins(&self, job: JobId) -> Option<Duration> {
        self.begins.get(&job).copied()
    }

    /// When a further job of this owner would begin.
    pub(super) fn next(&self, owner: &OwnerId) -> Duration {
        let rank = self.queued.get(owner).copied().unwrap_or(0);
        let before = self.turns.partition_point(|(other, _)| *other <= rank);
        self.turns
            .get(before)
            .map_or(self.free, |(_, begins)| *begins)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::UnixMs;

    fn plan(at_once: usize, jobs: &[(&str, Option<u64>, u64)]) -> (Plan, Vec<JobId>) {
        let owners: Vec<_> = jobs
            .iter()
            .map(|(owner, ..)| OwnerId::named(owner))
            .collect();
        let ids: Vec<_> = (0..jobs.len())
            .map(|ms| JobId::new(UnixMs(ms as i64)))
            .collect();
        let waiting = |place: usize| Waiting {
            job: ids[place],
            owner: &owners[place],
            number: place as u64,
            runs_for: jobs[place].1.map(Duration::from_secs),
            takes: Duration::from_secs(jobs[place].2),
        };
        let waiting: Vec<_> = (0..jobs.len()).map(waiting).collect();
        (Plan::of(&waiting, at_once), ids)
    }

    fn begins(plan: &Plan, ids: &[JobId]) -> Vec<Option<u64>> {
        ids.iter()
            .map(|id| plan.begins(*id).map(|begins| begins.as_secs()))
            .collect()
    }

    #[test]
    fn a_job_begins_when_a_place_is_free_behind_those_before_it() {
        let (one, ids) = plan(
            1,
            &[
                ("a", Some(3), 9),
                ("a", None, 10),
                ("a", None, 20),
                ("a", None, 5),
            ],
        );
        assert_eq!(begins(&one, &ids), [None, Some(3), Some(13), Some(33)]);
        assert_eq!(one.next(&OwnerId::named("a")).as_secs(), 38);
        let (two, ids) = plan(
            2,
            &[
                ("a", Some(3), 9),
                ("a", None, 10),
                ("a", None, 20),
                ("a", None, 5),
            ],
        );
        assert_eq!(begins(&two, &ids), [None, Some(0), Some(3), Some(10)]);
        let (empty, _) = plan(2, &[]);
        assert_eq!(empty.next(&OwnerId::named("a")), Duration::ZERO);
    }

    #[test]
    fn turns_go_round_by_owner() {
        let many = [("a", None, 10); 5];
        let jobs: Vec<_> = many.into_iter().chain([("b", None, 10)]).collect();
        let (plan, ids) = plan(1, &jobs);
        assert_eq!(
            begins(&plan, &ids),
            [Some(0), Some(20), Some(30), Some(40), Some(50), Some(10)]
        );
        // One of somebody who has none waits for one of each.
        assert_eq!(plan.next(&OwnerId::named("c")).as_secs(), 20);
        assert_eq!(plan.next(&OwnerId::named("b")).as_secs(), 30);
        assert_eq!(plan.next(&OwnerId::named("a")).as_secs(), 60);
    }
}
