//! All that an operator sees of one job: its row, its calls to the engine, its steps and its
//! deliveries.

use serde::Serialize;

use super::{AdminJob, job};
use crate::access::usd;
use crate::jobs::UnixMs;
use crate::store::{DeliveryDetail, JobDetail, StepDetail, SubmissionDetail, SubmissionState};

/// All that is known of a job but what its owner alone may see.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(in crate::http) struct AdminJobStory {
    #[serde(flatten)]
    job: AdminJob,
    /// Why it failed, as its owner reads it; null where that would name the source's address (`fetch_…`).
    #[schema(required = true)]
    error: Option<String>,
    /// When its next step is due.
    #[schema(value_type = String, format = DateTime)]
    run_at: UnixMs,
    /// Until when a worker holds it; null when none does.
    #[schema(value_type = Option<String>, format = DateTime, required = true)]
    lease_until: Option<UnixMs>,
    /// Failed attempts of its phase.
    attempt: u32,
    /// How often the process died under it.
    rescues: u32,
    /// When the engine took it.
    #[schema(value_type = Option<String>, format = DateTime, required = true)]
    accepted_at: Option<UnixMs>,
    /// How long the engine worked, without its queue; null where nobody saw when it began.
    #[schema(required = true)]
    engine_ms: Option<u128>,
    /// From create to its end.
    #[schema(required = true)]
    total_ms: Option<u128>,
    /// When it was deleted or expired.
    #[schema(value_type = Option<String>, format = DateTime, required = true)]
    gone_at: Option<UnixMs>,
    /// Bytes of its stored source.
    #[schema(required = true)]
    source_bytes: Option<u64>,
    /// How many layers it has.
    layers: u32,
    /// Their bytes.
    layer_bytes: u64,
    /// Calls to its engine, oldest first.
    submissions: Vec<AdminSubmission>,
    /// Its steps that did their work or failed, oldest first; none of a job from before they were kept.
    steps: Vec<AdminStep>,
    /// What was told of it by webhooks, oldest first.
    deliveries: Vec<AdminDelivery>,
}

/// One step that did its work or failed.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(in crate::http) struct AdminStep {
    /// `prepare`, `submit`, `wait` or `collect`.
    #[schema(example = "prepare")]
    phase: &'static str,
    /// When it ended.
    #[schema(value_type = String, format = DateTime)]
    ended_at: UnixMs,
    /// How long it ran, without what it waited for its turn; of `wait`, the last question to the engine alone.
    took_ms: u128,
    /// Why it failed, as a stable word; null where it did its work.
    #[schema(required = true)]
    error_code: Option<String>,
}

/// One event told to a receiver; neither its address nor its body, which are the owner's.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(in crate::http) struct AdminDelivery {
    /// `job.completed`, `job.failed` or `job.expired`.
    event: String,
    /// `due`, `delivered` or `given_up`.
    state: String,
    /// How often it was tried.
    attempts: u32,
    /// When there was something to tell.
    #[schema(value_type = String, format = DateTime)]
    created_at: UnixMs,
    /// When it was tried last.
    #[schema(value_type = Option<String>, format = DateTime, required = true)]
    tried_at: Option<UnixMs>,
    /// What was answered then.
    #[schema(required = true)]
    status: Option<u16>,
    /// Why nothing was, or why it was given up, as a stable word.
    #[schema(required = true)]
    error: Option<String>,
}

/// One call to an engine.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(in crate::http) struct AdminSubmission {
    /// `open` (no answer yet), `accepted`, `failed` (the engine took it and its run failed), `refused`
    /// (not taken, so nothing is owed) or `unknown`.
    state: &'static str,
    /// Whether it was paid, as far as is known: `yes`, `no` or `perhaps`.
    paid: &'static str,
    /// What it costs, in US dollars.
    usd: f64,
    /// The engine's name for it.
    #[schema(required = true)]
    request_id: Option<String>,
    /// When the intent was written.
    #[schema(value_type = String, format = DateTime)]
    opened_at: UnixMs,
    /// When its fate was.
    #[schema(value_type = Option<String>, format = DateTime, required = true)]
    closed_at: Option<UnixMs>,
}

pub(super) fn detail(found: JobDetail) -> AdminJobStory {
    let overview = found.overview;
    let total = overview
        .finished_at
        .map(|end| end.since(overview.created_at));
    // Sentences about an address begin with it.
    let code = overview.error_code.as_deref();
    let names_source = code.is_some_and(|code| code.starts_with("fetch_"));
    AdminJobStory {
        job: job(overview),
        error: found.error.filter(|_| !names_source),
        run_at: found.run_at,
        lease_until: found.lease_until,
        attempt: found.attempt,
        rescues: found.rescues,
        accepted_at: found.accepted_at,
        engine_ms: found.engine_time.map(|time| time.as_millis()),
        total_ms: total.map(|time| time.as_millis()),
        gone_at: found.gone_at,
        source_bytes: found.source_bytes,
        layers: found.layers,
        layer_bytes: found.layer_bytes,
        submissions: found.submissions.into_iter().map(submission).collect(),
        steps: found.steps.into_iter().map(step).collect(),
        deliveries: found.deliveries.into_iter().map(delivery).collect(),
    }
}

fn step(found: StepDetail) -> AdminStep {
    AdminStep {
        phase: found.phase.as_str(),
        ended_at: found.ended_at,
        took_ms: found.took.as_millis(),
        error_code: found.code,
    }
}

fn delivery(found: DeliveryDetail) -> AdminDelivery {
    AdminDelivery {
        event: found.event,
        state: found.state,
        attempts: found.attempts,
        created_at: found.created_at,
        tried_at: found.tried_at,
        status: found.status,
        error: found.error,
    }
}

fn submission(found: SubmissionDetail) -> AdminSubmission {
    AdminSubmission {
        state: found.state.as_str(),
        paid: paid(&found),
        usd: usd(found.price_microusd),
        request_id: found.request.map(|request| request.0),
        opened_at: found.opened_at,
        closed_at: found.closed_at,
    }
}

/// A price of 0 is what an operator wrote, and says nothing of what the provider bills. Only a call that costs
/// nothing by its nature is known not to be paid.
fn paid(found: &SubmissionDetail) -> &'static str {
    match found.state {
        _ if found.repeatable && found.price_microusd == 0 => "no",
        SubmissionState::Accepted => "yes",
        SubmissionState::Refused => "no",
        SubmissionState::Open | SubmissionState::Failed | SubmissionState::Unknown => "perhaps",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whether_a_call_was_paid_is_said_as_far_as_it_is_known_and_not_by_its_price() {
        let call = |state, price_microusd, repeatable| SubmissionDetail {
            state,
            request: None,
            price_microusd,
            repeatable,
            opened_at: UnixMs(0),
            closed_at: None,
        };
        for (state, said) in [
            (SubmissionState::Open, "perhaps"),
            (SubmissionState::Accepted, "yes"),
            (SubmissionState::Failed, "perhaps"),
            (SubmissionState::Refused, "no"),
            (SubmissionState::Unknown, "perhaps"),
        ] {
            assert_eq!(paid(&call(state, 50_000, false)), said, "{state:?}");
            assert_eq!(
                paid(&call(state, 0, false)),
                said,
                "{state:?} without a price"
            );
            assert_eq!(
                paid(&call(state, 50_000, true)),
                said,
                "{state:?} with a price"
            );
            assert_eq!(
                paid(&call(state, 0, true)),
                "no",
                "{state:?} of a free engine"
            );
        }
    }
}
