//! `/api/admin/stats`: what the service has, does and costs, for a person to look at. It reads every
//! job's row; for graphs there are metrics.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;

use super::AdminState;
use super::estimates::{EstimatesView, RunsView};
use crate::access::{UtcDay, usd};
use crate::http::answer::error::ApiError;
use crate::http::answer::json::fresh;
use crate::jobs::{EngineKind, UnixMs};
use crate::store::KeptKind;

/// Days of spending that are summed, today included.
const DAYS: i64 = 30;
/// Owners whose bytes are told.
const OWNERS: u32 = 100;

/// The service in numbers.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(in crate::http) struct Stats {
    /// When it was counted.
    #[schema(value_type = String, format = DateTime)]
    at: UnixMs,
    /// Jobs by state; those that were forgotten, a week after they went, are not counted.
    jobs: BTreeMap<&'static str, u64>,
    /// What waits to be done.
    queue: Vec<QueueLine>,
    /// Spending in the UTC day that is.
    usd_today: f64,
    /// Spending in 30 UTC days, today included.
    usd_30_days: f64,
    /// The cap on a day, all owners together; null where there is none.
    #[schema(required = true)]
    usd_a_day_at_most: Option<f64>,
    /// The same by owner and engine, for those who spent anything, most first.
    spending: Vec<SpendingView>,
    /// Submissions whose fate was never learnt, over all time.
    unknown_submissions: u64,
    /// How long runs took of late, by engine, size of picture and layers asked for.
    runs: Vec<RunsView>,
    /// How good the estimates (`eta_seconds`) were.
    estimates: Vec<EstimatesView>,
    /// What pictures take up.
    storage: Storage,
}

/// The jobs of one phase.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(in crate::http) struct QueueLine {
    /// The phase.
    state: &'static str,
    /// Due now, those at work included.
    due: u64,
    /// Due later: waiting for the engine, or for the next try.
    later: u64,
    /// How long the oldest that is due and not at work has been due.
    oldest_due_seconds: f64,
}

/// Spending of one owner at one engine.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(in crate::http) struct SpendingView {
    /// The owner; empty for jobs that were forgotten before owners were kept.
    owner: String,
    /// The engine.
    engine: EngineKind,
    /// In the UTC day that is.
    usd_today: f64,
    /// In 30 days.
    usd_30_days: f64,
}

/// Bytes as the database has them; copies made for engines are not counted.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(in crate::http) struct Storage {
    /// Of jobs' sources.
    source_bytes: u64,
    /// Of layers.
    layer_bytes: u64,
    /// Of uploads.
    upload_bytes: u64,
    /// Of tickets and resumable uploads that no job has used yet, arrived or promised.
    incoming_bytes: u64,
    /// All that counts against the bounds: the above.
    counted_bytes: u64,
    /// The bound on that; null where there is none.
    #[schema(required = true)]
    counted_bytes_at_most: Option<u64>,
    /// The bound of one owner; null where there is none.
    #[schema(required = true)]
    owner_bytes_at_most: Option<u64>,
    /// What counts against the bounds by owner, most first; at most 100.
    owners: Vec<OwnerBytes>,
}

/// What is kept of one owner.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(in crate::http) struct OwnerBytes {
    /// The owner.
    owner: String,
    /// Bytes.
    bytes: u64,
}

/// The service in numbers.
#[utoipa::path(
    get,
    path = "/api/admin/stats",
    tag = "admin",
    operation_id = "stats",
    responses(
        (status = 200, description = "Counts and sums", body = Stats),
        (status = 401, description = "`unauthorized`"),
        (status = 403, description = "`admin_only` or `origin_not_allowed`"),
    )
)]
pub(super) async fn stats(State(state): State<Arc<AdminState>>) -> Result<Response, ApiError> {
    let now = state.clock.wall();
    let today = UtcDay::of(now);
    let usage_stats = state
        .store
        .usage_stats(today.before(DAYS - 1), today)
        .await?;
    let kept = state.store.storage_usage(OWNERS).await?;
    let caps = state.store.storage_caps();
    let queue = state.store.queue_stats(now).await?;
    let sum =
        |of: fn(&crate::store::SpendingLine) -> u64| usd(usage_stats.spending.iter().map(of).sum());
    let stats = Stats {
        at: now,
        jobs: usage_stats
            .jobs
            .iter()
            .map(|(phase, count)| (phase.as_str(), *count))
            .collect(),
        queue: queue
            .phases
            .iter()
            .map(|line| QueueLine {
                state: line.phase.as_str(),
                due: line.due,
                later: line.later,
                oldest_due_seconds: line.oldest_due.as_secs_f64(),
            })
            .collect(),
        usd_today: sum(|line| line.today_microusd),
        usd_30_days: sum(|line| line.all_microusd),
        usd_a_day_at_most: state.daily_microusd.map(usd),
        unknown_submissions: state.store.submission_unknown_count().await?,
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
        storage: Storage {
            source_bytes: usage_stats.source_bytes,
            layer_bytes: usage_stats.layer_bytes,
            upload_bytes: usage_stats.upload_bytes,
            incoming_bytes: kept.of(KeptKind::Incoming) + kept.of(KeptKind::Bucket),
            counted_bytes: kept.total(),
            counted_bytes_at_most: caps.total_bytes,
            owner_bytes_at_most: caps.owner_bytes,
            owners: kept
                .owners
                .iter()
                .map(|(owner, bytes)| OwnerBytes {
                    owner: owner.to_string(),
                    bytes: *bytes,
                })
                .collect(),
        },
        spending: usage_stats
            .spending
            .into_iter()
            .map(|line| SpendingView {
                owner: line.owner.to_string(),
                engine: line.engine,
                usd_today: usd(line.today_microusd),
                usd_30_days: usd(line.all_microusd),
            })
            .collect(),
    };
    fresh(StatusCode::OK, &stats)
}
