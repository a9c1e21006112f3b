//! What a test or a person sees of a request: a copy, taken under the lock, free of secrets.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::clock::iso_micros;
use crate::queue::Job;

/// One accepted submission as it stands now.
#[derive(Clone, Debug, Serialize)]
pub struct Submission {
    /// The id that the submission was answered with.
    pub request_id: String,
    /// The model id it was submitted to, path included.
    pub model: String,
    /// The input, as it came.
    pub input: Value,
    /// Request headers with lower-case names; keys and cookies are left out.
    pub headers: BTreeMap<String, String>,
    /// The webhook that was asked for.
    pub webhook_url: Option<String>,
    /// Whether it came through the synchronous endpoint.
    pub sync: bool,
    /// `IN_QUEUE`, `IN_PROGRESS` or `COMPLETED`.
    pub status: &'static str,
    /// Whether a cancellation took effect.
    pub cancelled: bool,
    /// Whether its payloads and output files were deleted over the platform's API.
    pub erased: bool,
    /// Names of the faults it met.
    pub faults: Vec<String>,
    /// Units billed.
    pub billed_units: u64,
    /// Lines logged so far.
    pub logs: Vec<String>,
    /// When it came; RFC 3339 in UTC, as the two below.
    pub received_at: String,
    /// When its run began.
    pub started_at: Option<String>,
    /// When it ended.
    pub finished_at: Option<String>,
}

impl Submission {
    pub(crate) fn of(job: &Job) -> Self {
        let ticket = &job.ticket;
        Self {
            request_id: ticket.id.clone(),
            model: ticket.model(),
            input: ticket.input.clone(),
            headers: ticket.headers.clone(),
            webhook_url: ticket.webhook.clone(),
            sync: ticket.sync,
            status: job.status_name(),
            cancelled: job.cancelled,
            erased: job.erased,
            faults: ticket.faults.iter().map(crate::Fault::name).collect(),
            billed_units: job.billed_units,
            logs: job.logs.iter().map(|line| line.message.clone()).collect(),
            received_at: iso_micros(ticket.received_ms),
            started_at: job.started_ms.map(iso_micros),
            finished_at: job.finished_ms.map(iso_micros),
        }
    }
}
