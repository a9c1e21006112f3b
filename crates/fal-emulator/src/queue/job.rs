//! One accepted request: the part that never changes (`Ticket`) and the part that does (`Job`).
//!
//! No transitions here; they are the board's. Invariant: `finished_ms` is set exactly when the
//! phase is `Done`, and a request that is done never changes its outcome.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::cdn::Lifecycle;
use crate::failure::Failure;
use crate::fault::{EchoAt, EchoShape, Fault, RequestError};

/// What was submitted.
#[derive(Debug)]
pub(crate) struct Ticket {
    /// Opaque to clients; a UUIDv7.
    pub(crate) id: String,
    /// `owner/alias`, where status and result live.
    pub(crate) app: String,
    /// What follows the application in the submitted id, such as `lora`; often empty.
    pub(crate) path: String,
    /// The input as it came.
    pub(crate) input: Value,
    /// Request headers, lower-case names, without secrets.
    pub(crate) headers: BTreeMap<String, String>,
    /// Base of the URLs that are returned.
    pub(crate) base: String,
    /// Where to tell.
    pub(crate) webhook: Option<String>,
    /// Waits behind every normal request.
    pub(crate) low_priority: bool,
    /// `X-Fal-Store-IO: 0`: the result is kept for an hour at most.
    pub(crate) forget_soon: bool,
    /// For the files that the run makes.
    pub(crate) lifecycle: Lifecycle,
    /// Came through the synchronous endpoint.
    pub(crate) sync: bool,
    /// What goes wrong.
    pub(crate) faults: Vec<Fault>,
    /// Milliseconds since the epoch.
    pub(crate) received_ms: u64,
    /// Raised when the run shall stop.
    pub(crate) stop: CancellationToken,
}

impl Ticket {
    /// The id as it was submitted.
    pub(crate) fn model(&self) -> String {
        if self.path.is_empty() {
            self.app.clone()
        } else {
            format!("{}/{}", self.app, self.path)
        }
    }

    /// The prompt; empty where there is none.
    pub(crate) fn prompt(&self) -> &str {
        self.input["prompt"].as_str().unwrap_or_default()
    }

    /// The shape in which this answer repeats the prompt, if it does.
    pub(crate) fn echo(&self, wanted: EchoAt) -> Option<EchoShape> {
        self.pick(|fault| match fault {
            Fault::Echo { at, shape } if *at == wanted => Some(*shape),
            _ => None,
        })
    }

    /// Whether this very fault was scripted.
    pub(crate) fn meets(&self, fault: &Fault) -> bool {
        self.faults.contains(fault)
    }

    /// The first scripted fault that `pick` accepts.
    pub(crate) fn pick<T>(&self, pick: impl FnMut(&Fault) -> Option<T>) -> Option<T> {
        self.faults.iter().find_map(pick)
    }

    /// `/owner/alias/requests/id` under the base it was submitted to.
    pub(crate) fn url(&self) -> String {
        format!("{}/{}/requests/{}", self.base, self.app, self.id)
    }
}

/// How a run ended.
#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    /// The model's output.
    Output(Arc<Value>),
    /// The model's or the infrastructure's error.
    Failed(Arc<Failure>),
}

/// How far a request is.
#[derive(Clone, Debug)]
pub(crate) enum Phase {
    /// Waiting for a runner.
    Queued,
    /// On a runner.
    Running,
    /// `COMPLETED`, well or not.
    Done(Outcome),
}

/// One line that the model printed.
#[derive(Clone, Debug)]
pub(crate) struct LogLine {
    pub(crate) at_ms: u64,
    pub(crate) message: String,
}

/// One request on the board.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) ticket: Arc<Ticket>,
    pub(crate) phase: Phase,
    /// The least time in the queue is over.
    pub(crate) ready: bool,
    /// Not held in the queue.
    pub(crate) may_begin: bool,
    /// Not held before its end.
    pub(crate) may_finish: bool,
    /// The answer to the submission is not held.
    pub(crate) may_answer: bool,
    pub(crate) logs: Vec<LogLine>,
    pub(crate) started_ms: Option<u64>,
    pub(crate) finished_ms: Option<u64>,
    /// When expiry began to count; on the clock that can be skipped.
    pub(crate) finished_aged_ms: u64,
    pub(crate) inference: Duration,
    pub(crate) billed_units: u64,
    /// Size of the result as JSON.
    pub(crate) result_bytes: usize,
    pub(crate) status_failures: Option<(u16, u32)>,
    /// Status and `Retry-After` of reads that still fail.
    pub(crate) result_failures: Option<((u16, Option<u32>), u32)>,
    pub(crate) result_lies: Option<(RequestError, u32)>,
    pub(crate) result_cut_due: bool,
    /// Answers that still repeat the prompt.
    pub(crate) echoes: u32,
    /// Reads of the list that still do not show it.
    pub(crate) unlisted: u32,
    /// Whether the last read of the list showed it.
    pub(crate) listed: bool,
    pub(crate) history_failures: Option<(u16, u32)>,
    pub(crate) cancelled: bool,
    /// Its payloads were deleted over the platform's API.
    pub(crate) erased: bool,
    /// Webhook deliveries that were answered, well or not.
    pub(crate) webhooks_sent: u32,
}

impl Job {
    /// A request that was just accepted.
    pub(crate) fn new(ticket: Arc<Ticket>, held: bool, ready: bool) -> Self {
        let status_failures = ticket.pick(|fault| match fault {
            Fault::StatusErrors { status, times } => Some((*status, *times)),
            _ => None,
        });
        let result_failures = ticket.pick(|fault| match fault {
            Fault::ResultErrors {
                status,
                times,
                retry_after,
            } => Some(((*status, *retry_after), *times)),
            _ => None,
        });
        let result_lies = ticket.pick(|fault| match fault {
            Fault::ResultLies { kind, times } => Some((*kind, *times)),
            _ => None,
        });
        let unlisted = ticket.pick(|fault| match fault {
            Fault::HistoryLate { reads } => Some(*reads),
            Fault::HistoryMissing => Some(u32::MAX),
            _ => None,
        });
        let history_failures = ticket.pick(|fault| match fault {
            Fault::HistoryErrors { status, times } => Some((*status, *times)),
            _ => None,
        });
        Self {
            phase: if ticket.sync {
                Phase::Running
            } else {
                Phase::Queued
            },
            ready,
            may_begin: !held,
            may_finish: !held,
            may_answer: !ticket.meets(&Fault::SubmitHeld),
            logs: Vec::new(),
            started_ms: None,
            finished_ms: None,
            finished_aged_ms: 0,
            inference: Duration::ZERO,
            billed_units: 0,
            result_bytes: 0,
            status_failures,
            result_failures,
            result_lies,
            result_cut_due: ticket.meets(&Fault::ResultCut),
            echoes: 2,
            unlisted: unlisted.unwrap_or_default(),
            listed: false,
            history_failures,
            cancelled: false,
            erased: false,
            webhooks_sent: 0,
            ticket,
        }
    }

    /// Whether it is `COMPLETED`.
    pub(crate) fn is_done(&self) -> bool {
        matches!(self.phase, Phase::Done(_))
    }

    /// `IN_QUEUE`, `IN_PROGRESS` or `COMPLETED`.
    pub(crate) fn status_name(&self) -> &'static str {
        match self.phase {
            Phase::Queued => "IN_QUEUE",
            Phase::Running => "IN_PROGRESS",
            Phase::Done(_) => "COMPLETED",
        }
    }

    /// Whether the result can still be read: 30 days when it is stored, else an hour, or six
    /// minutes from 10 KB on; what is larger than 1 MB is not stored.
    pub(crate) fn result_kept(&self, aged_ms: u64) -> bool {
        const MINUTE: u64 = 60_000;
        let forget_soon = self.ticket.forget_soon || self.result_bytes > 1_000_000;
        let kept = match (forget_soon, self.result_bytes >= 10_000) {
            (false, _) => 30 * 24 * 60 * MINUTE,
            (true, false) => 60 * MINUTE,
            (true, true) => 6 * MINUTE,
        };
        !self.erased
            && !self.ticket.meets(&Fault::ResultExpired)
            && aged_ms.saturating_sub(self.finished_aged_ms) < kept
    }
}

/// Uses up one failure of a countdown and tells what it says.
pub(crate) fn spend<T: Copy>(countdown: &mut Option<(T, u32)>) -> Option<T> {
    match countdown {
        Some((status, left)) if *left > 0 => {
            *left -= 1;
            Some(*status)
        }
        _ => None,
    }
}
