//! `/api/admin/overview`: the present in one look, cheap enough for a page that asks every few seconds: what is not well and
//! what to do about it, what waits, what failed, what is spent. What reads every row is in `stats.rs`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;

use super::AdminState;
use super::alarms::{Alarm, Seen, alarms};
use super::estimates::{EstimatesView, RunsView};
use super::runbook::runbook;
use crate::access::usd;
use crate::disk::free_and_size;
use crate::http::answer::error::ApiError;
use crate::http::answer::json::fresh;
use crate::jobs::{EngineKind, JobId, Phase, UnixMs};
use crate::store::{FailureLine, Overview, PhaseStats, UnknownSubmission};

/// The service now.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(in crate::http) struct OverviewView {
    /// When it was looked at.
    #[schema(value_type = String, format = DateTime)]
    at: UnixMs,
    /// The version that runs.
    version: &'static str,
    /// What is not well, the worst first; empty while all is.
    alarms: Vec<Alarm>,
    /// Jobs under way.
    phases: Vec<PhaseView>,
    /// Jobs of this process that were created, and that completed.
    totals: Totals,
    /// Spending on the UTC day that is.
    usd_today: f64,
    /// The cap on that, all owners together; null where there is none.
    #[schema(required = true)]
    usd_a_day_at_most: Option<f64>,
    /// The same by owner and engine, most first; at most 100.
    spending: Vec<SpentToday>,
    /// Failed jobs since the day before, by code and engine, most first.
    failures: Vec<FailureView>,
    /// Submissions whose fate was never learnt, over all time.
    unknown_submissions: u64,
    /// The last 20 of them.
    unknown: Vec<UnknownView>,
    /// Webhooks that are to be delivered, those that wait for their next attempt included.
    webhooks_waiting: u64,
    /// Since when there is something to tell, of the oldest of them; null where there is none.
    #[schema(value_type = Option<String>, format = DateTime, required = true)]
    webhooks_oldest_at: Option<UnixMs>,
    /// How long runs took of late, by engine, size of picture and layers asked for.
    runs: Vec<RunsView>,
    /// How good the estimates (`eta_seconds`) were.
    estimates: Vec<EstimatesView>,
}

/// The jobs of one phase.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(in crate::http) struct PhaseView {
    /// The phase.
    state: &'static str,
    /// Due now, those at work included.
    due: u64,
    /// Due later: waiting for the engine, or for the next try.
    later: u64,
    /// How long the oldest that is due and not at work has been due.
    oldest_due_seconds: f64,
    /// The job that was created first.
    #[schema(value_type = Option<uuid::Uuid>, required = true)]
    oldest_job: Option<JobId>,
    /// When that was.
    #[schema(value_type = Option<String>, format = DateTime, required = true)]
    oldest_created_at: Option<UnixMs>,
}

/// Jobs since the process began.
#[derive(Clone, Copy, Debug, Default, Serialize, utoipa::ToSchema)]
pub(in crate::http) struct Totals {
    /// Created.
    created: u64,
    /// Completed.
    completed: u64,
}

/// What an owner spent today at an engine.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(in crate::http) struct SpentToday {
    /// The owner.
    owner: String,
    /// The engine.
    engine: EngineKind,
    /// So much.
    usd_today: f64,
    /// The cap of the owner's day, all engines together; null where there is none.
    #[schema(required = true)]
    usd_a_day_at_most: Option<f64>,
}

/// Jobs that failed alike.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(in crate::http) struct FailureView {
    /// The code.
    #[schema(example = "engine_failed")]
    error_code: String,
    /// The engine.
    engine: EngineKind,
    /// How many.
    jobs: u64,
    /// Of those, in the last quarter of an hour.
    lately: u64,
    /// The last of them.
    #[schema(value_type = String, format = DateTime)]
    latest_at: UnixMs,
    /// What to do; null for a code that this version does not give.
    #[schema(required = true)]
    todo: Option<String>,
}

/// A submission whose fate was never learnt.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(in crate::http) struct UnknownView {
    /// Its job.
    #[schema(value_type = uuid::Uuid)]
    job_id: JobId,
    /// Whose that was; null once it is forgotten.
    #[schema(required = true)]
    owner: Option<String>,
    /// The engine.
    engine: EngineKind,
    /// What it may have cost.
    usd: f64,
    /// When the intent was written.
    #[schema(value_type = String, format = DateTime)]
    opened_at: UnixMs,
    /// When it was given up.
    #[schema(value_type = String, format = DateTime)]
    closed_at: UnixMs,
}

/// The service now.
#[utoipa::path(
    get,
    path = "/api/admin/overview",
    tag = "admin",
    operation_id = "overview",
    responses(
        (status = 200, description = "What is not well, what waits, what failed, what is spent", body = OverviewView),
        (status = 401, description = "`unauthorized`"),
        (status = 403, description = "`admin_only` or `origin_not_allowed`"),
    )
)]
pub(super) async fn overview(State(state): State<Arc<AdminState>>) -> Result<Response, ApiError> {
    let (moment, store) = (state.clock.moment(), &state.store);
    let (found, queue) = (
        store.overview(moment).await?,
        store.queue_stats(moment.now).await?,
    );
    let (ledger, kept) = (
        store.ledger(moment.wall).await?,
        store.storage_usage(0).await?,
    );
    let webhooks = store.delivery_waiting().await?;
    let live = match &state.live {
        Some(live) => Some((live.readiness.look(&live.state).await, live.disk().await)),
        None => None,
    };
    let seen = Seen {
        wall: moment.wall,
        checks: live.map(|(checks, _)| checks),
        queue: &queue,
        overview: &found,
        webhooks,
        spent_today: ledger.today_microusd,
        daily_microusd: state.daily_microusd,
        kept: (kept.total(), store.storage_caps().total_bytes),
        disk: live.and_then(|(_, disk)| disk),
        is_expiry_held: state
            .live
            .as_ref()
            .is_some_and(|live| live.state.expiry.is_held()),
    };
    let (created, completed) = state.metrics.totals();
    let view = OverviewView {
        at: moment.wall,
        version: env!("CARGO_PKG_VERSION"),
        alarms: alarms(&seen),
        phases: queue
            .phases
            .iter()
            .map(|line| phase(line, &found))
            .collect(),
        totals: Totals { created, completed },
        usd_today: usd(ledger.today_microusd),
        usd_a_day_at_most: state.daily_microusd.map(usd),
        spending: found
            .spending
            .iter()
            .map(|(owner, engine, microusd)| SpentToday {
                owner: owner.to_string(),
                engine: *engine,
                usd_today: usd(*microusd),
                usd_a_day_at_most: state.keys.daily_microusd(owner).map(usd),
            })
            .collect(),
        failures: found.failures.into_iter().map(failure).collect(),
        unknown_submissions: store.submission_unknown_count().await?,
        unknown: found.unknown.into_iter().map(unknown).collect(),
        webhooks_waiting: webhooks.deliveries,
        webhooks_oldest_at: webhooks.oldest,
        runs: state
            .forecast
            .run_times()
            .into_iter()
            .map(Into::into)
            .collect(),
        estimates: state
            .forecast
            .errors()
            .into_iter()
            .map(Into::into)
            .collect(),
    };
    fresh(StatusCode::OK, &view)
}

impl super::Live {
    async fn disk(&self) -> Option<(u64, u64)> {
        // A disk that hangs must not hang whoever asks.
        let folder = self.state.spool.clone();
        let look = tokio::task::spawn_blocking(move || free_and_size(&folder));
        let look = tokio::time::timeout(std::time::Duration::from_secs(2), look);
        look.await.ok()?.ok()?
    }
}

fn phase(line: &PhaseStats, found: &Overview) -> PhaseView {
    let is_phase = |oldest: &&(Phase, JobId, UnixMs)| oldest.0 == line.phase;
    let oldest = found.oldest.iter().find(is_phase);
    PhaseView {
        state: line.phase.as_str(),
        due: line.due,
        later: line.later,
        oldest_due_seconds: line.oldest_due.as_secs_f64(),
        oldest_job: oldest.map(|(_, job, _)| *job),
        oldest_created_at: oldest.map(|(_, _, created_at)| *created_at),
    }
}

fn failure(line: FailureLine) -> FailureView {
    FailureView {
        todo: runbook().about_code(&line.code).map(str::to_owned),
        error_code: line.code,
        engine: line.engine,
        jobs: line.jobs,
        lately: line.lately,
        latest_at: line.latest,
    }
}

fn unknown(found: UnknownSubmission) -> UnknownView {
    UnknownView {
        job_id: found.job,
        owner: found.owner.map(|owner| owner.to_string()),
        engine: found.engine,
        usd: usd(found.microusd),
        opened_at: found.opened_at,
        closed_at: found.closed_at,
    }
}
