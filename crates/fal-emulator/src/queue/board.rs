//! The board: every request of one emulator, the two lines in front of the runners, the script
//! and the counters. All state transitions are methods here, and none of them waits.
//!
//! It spawns nothing and sends nothing; the runner acts on what the methods return. Invariants: a
//! request is in a line exactly while it is `Queued`, and in `running` exactly while it is
//! `Running`; `Done` is final.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::job::{Job, LogLine, Outcome, Phase, Ticket};
use crate::failure::Failure;
use crate::fault::{Fault, Script};

/// How often what has happened since the start or the last reset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Counters {
    /// Submissions that reached the emulator, refused and lost ones included.
    pub attempts: u64,
    /// Submissions that were enqueued (or run at once): what fal would bill.
    pub submissions: u64,
    /// Requests that came to an end, failed and cancelled ones included.
    pub completed: u64,
    /// Requests that ended because of a cancellation.
    pub cancelled: u64,
    /// Reads of a status, streams included.
    pub status_reads: u64,
    /// Reads of a result.
    pub result_reads: u64,
    /// Reads of the list of requests.
    pub history_reads: u64,
    /// Downloads of files that were begun.
    pub downloads: u64,
    /// Files that were uploaded completely.
    pub uploads: u64,
    /// Webhook deliveries that were tried and ended, well or not.
    pub webhooks: u64,
    /// Units billed.
    pub billed_units: u64,
}

/// One try to deliver a webhook.
#[derive(Clone, Debug, Serialize)]
pub struct WebhookDelivery {
    /// The request that the body speaks of.
    pub request_id: String,
    /// Where it went.
    pub url: String,
    /// 1 for the first try.
    pub attempt: u32,
    /// The HTTP status answered; `None` when there was no answer.
    pub status: Option<u16>,
}

/// What a cancellation came to.
pub(crate) enum Cancellation {
    /// Removed from the line.
    Removed,
    /// The run was told to stop.
    Requested,
    /// Too late.
    AlreadyCompleted,
}

/// The state behind the lock.
#[derive(Debug, Default)]
pub(crate) struct Board {
    jobs: HashMap<String, Job>,
    order: Vec<String>,
    normal: VecDeque<String>,
    low: VecDeque<String>,
    running: HashSet<String>,
    pub(crate) script: Script,
    pub(crate) counters: Counters,
    pub(crate) webhooks: Vec<WebhookDelivery>,
    pub(crate) locked: bool,
    pub(crate) hold: bool,
    /// Requests in progress at once; `None` is unlimited.
    pub(crate) concurrency: Option<usize>,
}

impl Board {
    pub(crate) fn new(hold: bool, concurrency: Option<usize>) -> Self {
        Self {
            hold,
            concurrency,
            ..Self::default()
        }
    }

    /// Forgets requests, script and counters. Runs at work are told to stop.
    pub(crate) fn reset(&mut self) {
        for job in self.jobs.values() {
            job.ticket.stop.cancel();
        }
        *self = Self::new(self.hold, self.concurrency);
    }

    /// Accepts a request; a synchronous one is on a runner at once.
    pub(crate) fn enqueue(&mut self, ticket: Arc<Ticket>, ready: bool) {
        let id = ticket.id.clone();
        self.counters.submissions += 1;
        if ticket.sync {
            self.running.insert(id.clone());
        } else if ticket.low_priority {
            self.low.push_back(id.clone());
        } else {
            self.normal.push_back(id.clone());
        }
        let mut job = Job::new(ticket, self.hold, ready);
        if job.ticket.sync {
            job.started_ms = Some(job.ticket.received_ms);
        }
        self.jobs.insert(id.clone(), job);
        self.order.push(id);
    }

    /// Whether the account's limit allows one more run.
    pub(crate) fn has_runner(&self) -> bool {
        self.concurrency
            .is_none_or(|limit| self.running.len() < limit)
    }

    /// Moves requests from the lines to runners: normal before low, first come first served, held
    /// and unready ones passed over.
    pub(crate) fn start_eligible(&mut self, now_ms: u64) -> Vec<Arc<Ticket>> {
        let mut started = Vec::new();
        while self.has_runner() {
            let Some(id) = self.take_next() else { break };
            if let Some(job) = self.jobs.get_mut(&id) {
                job.phase = Phase::Running;
                job.started_ms = Some(now_ms);
                started.push(Arc::clone(&job.ticket));
            }
            self.running.insert(id);
        }
        started
    }

    fn take_next(&mut self) -> Option<String> {
        let jobs = &self.jobs;
        let eligible = |id: &String| jobs.get(id).is_some_and(|job| job.ready && job.may_begin);
        for line in [&mut self.normal, &mut self.low] {
            if let Some(place) = line.iter().position(eligible) {
                return line.remove(place);
            }
        }
        None
    }

    /// Ends a run (or a wait in the line); a cancelled one ends as cancelled, whatever its run came
    /// to. Returns how it ended, or `None` when it had ended before or was forgotten.
    pub(crate) fn finish(&mut self, id: &str, outcome: Outcome, mut end: End) -> Option<Outcome> {
        let job = self.jobs.get_mut(id).filter(|job| !job.is_done())?;
        let outcome = if job.cancelled {
            end.billed_units = 0;
            Outcome::Failed(Arc::new(Failure::cancelled()))
        } else {
            outcome
        };
        job.phase = Phase::Done(outcome.clone());
        job.finished_ms = Some(end.now_ms);
        job.finished_aged_ms = end.aged_ms;
        job.inference = end.inference;
        job.billed_units = end.billed_units;
        job.result_bytes = end.result_bytes;
        if job.cancelled {
            self.counters.cancelled += 1;
        }
        self.counters.completed += 1;
        self.counters.billed_units += end.billed_units;
        self.running.remove(id);
        self.leave_line(id);
        Some(outcome)
    }

    /// Ends a request that did not start in time. `None` when it did.
    pub(crate) fn expire(&mut self, id: &str, end: End) -> Option<Outcome> {
        let job = self.jobs.get(id)?;
        if !matches!(job.phase, Phase::Queued) {
            return None;
        }
        self.finish(id, Outcome::Failed(Arc::new(Failure::start_timeout())), end)
    }

    /// Cancels as far as that goes. A request in the line ends here and now.
    pub(crate) fn cancel(&mut self, id: &str, end: End) -> Option<Cancellation> {
        let job = self.jobs.get_mut(id)?;
        match job.phase {
            Phase::Done(_) => Some(Cancellation::AlreadyCompleted),
            _ if job.ticket.meets(&Fault::CancelIgnored) => Some(Cancellation::Requested),
            Phase::Running => {
                job.cancelled = true;
                job.ticket.stop.cancel();
                Some(Cancellation::Requested)
            }
            Phase::Queued => {
                job.cancelled = true;
                let outcome = Outcome::Failed(Arc::new(Failure::cancelled()));
                self.finish(id, outcome, end);
                Some(Cancellation::Removed)
            }
        }
    }

    fn leave_line(&mut self, id: &str) {
        for line in [&mut self.normal, &mut self.low] {
            if let Some(place) = line.iter().position(|other| other == id) {
                line.remove(place);
            }
        }
    }

    /// How many requests are ahead of this one; 0 when it is not in a line.
    pub(crate) fn position(&self, id: &str) -> usize {
        let place = |line: &VecDeque<String>| line.iter().position(|other| other == id);
        place(&self.normal)
            .or_else(|| place(&self.low).map(|ahead| self.normal.len() + ahead))
            .unwrap_or(0)
    }

    /// How many requests wait.
    pub(crate) fn waiting(&self) -> usize {
        self.normal.len() + self.low.len()
    }

    /// The request, unless its id or its application is wrong or fal has forgotten it.
    pub(crate) fn job(&self, app: &str, id: &str) -> Option<&Job> {
        self.jobs
            .get(id)
            .filter(|job| job.ticket.app == app && !job.ticket.meets(&Fault::Forgotten))
    }

    /// The request, whatever its application and faults; for inspection and control.
    pub(crate) fn any_job(&self, id: &str) -> Option<&Job> {
        self.jobs.get(id)
    }

    /// The same, to be changed.
    pub(crate) fn job_mut(&mut self, id: &str) -> Option<&mut Job> {
        self.jobs.get_mut(id)
    }

    /// All requests, oldest first.
    pub(crate) fn jobs(&self) -> impl Iterator<Item = &Job> {
        self.order.iter().filter_map(|id| self.jobs.get(id))
    }

    /// All requests, in no order, to be changed.
    pub(crate) fn jobs_mut(&mut self) -> impl Iterator<Item = &mut Job> {
        self.jobs.values_mut()
    }

    /// Adds a line to the log of a request.
    pub(crate) fn log(&mut self, id: &str, at_ms: u64, message: String) {
        if let Some(job) = self.jobs.get_mut(id) {
            job.logs.push(LogLine { at_ms, message });
        }
    }

    /// How many requests are in each state, by its name on the wire.
    pub(crate) fn census(&self) -> BTreeMap<&'static str, usize> {
        let mut census = BTreeMap::new();
        for job in self.jobs.values() {
            *census.entry(job.status_name()).or_insert(0) += 1;
        }
        census
    }
}

/// What is noted when a request ends.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct End {
    pub(crate) now_ms: u64,
    pub(crate) aged_ms: u64,
    pub(crate) inference: Duration,
    pub(crate) billed_units: u64,
    pub(crate) result_bytes: usize,
}
