//! `/metrics`, on a listener of its own: what the service counts, and one cheap look at the queue,
//! the ledger, the pool and the disk. Whoever reaches that listener reads what is spent, so it is
//! no route of the API. Looks are shared: however many ask, the database is asked once in a while.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::sync::Mutex;

use crate::disk::free_and_size;
use crate::http::state::ApiState;
use crate::http::state::readiness::Readiness;
use crate::jobs::EngineKind;
use crate::metrics::Sample;
use crate::store::{
    HooksWaiting, KeptKind, Ledger, LedgerLine, QueueStats, StorageUsage, StoreError,
    SubmissionState,
};

/// How long a look counts.
const COUNTS_FOR: Duration = Duration::from_secs(5);
/// A scrape ends by itself after some ten seconds; a database that hangs is told before that.
const LOOK: Duration = Duration::from_secs(4);

/// What a scrape looks at.
#[derive(Debug)]
pub struct Scrape {
    /// The service.
    pub state: Arc<ApiState>,
    /// A folder of the file system that must not become full.
    pub data: PathBuf,
}

type Last = Mutex<Option<Instant>>;

/// `GET /metrics` and nothing else.
pub fn metrics_router(scrape: Scrape) -> Router {
    Router::new()
        .route("/metrics", get(text))
        .with_state(Arc::new((scrape, Readiness::default(), Last::default())))
}

async fn text(State(asked): State<Arc<(Scrape, Readiness, Last)>>) -> impl IntoResponse {
    let (scrape, readiness, last) = &*asked;
    let metrics = &scrape.state.metrics;
    {
        // Whoever comes while it is being looked waits for that.
        let mut last = last.lock().await;
        if last.is_none_or(|when| when.elapsed() >= COUNTS_FOR) {
            let (checks, found) = tokio::join!(readiness.look(&scrape.state), scrape.look());
            metrics.sampled.show(found.as_ref());
            metrics.sampled.show_ready(&checks.parts());
            *last = Some(Instant::now());
        }
    }
    let dropped = scrape.state.tracer.dropped();
    metrics.sampled.spans_dropped(dropped);
    (
        [(CONTENT_TYPE, crate::metrics::CONTENT_TYPE)],
        metrics.text(),
    )
}

impl Scrape {
    async fn look(&self) -> Option<Sample> {
        let found = tokio::time::timeout(LOOK, self.ask()).await;
        let (queue, ledger, kept, hooks) = match found {
            Ok(Ok(found)) => found,
            Ok(Err(error)) => {
                tracing::error!(%error, "the database could not be asked for metrics");
                return None;
            }
            Err(_) => {
                tracing::error!("the database did not answer for metrics in time");
                return None;
            }
        };
        let data = self.data.clone();
        let disk = tokio::task::spawn_blocking(move || free_and_size(&data));
        let pool = self.state.pool.load();
        Some(Sample {
            queue: queue
                .phases
                .iter()
                .map(|phase| (phase.phase, phase.due, phase.later, phase.oldest_due))
                .collect(),
            submissions: submissions(&ledger.lines),
            spent_today: ledger.today_microusd,
            erasable: queue.erasable,
            webhooks: (
                hooks.deliveries,
                hooks
                    .oldest
                    .map_or(Duration::ZERO, |at| self.state.clock.wall().since(at)),
            ),
            kept: KeptKind::ALL
                .map(|kind| (kind.as_str(), kept.of(kind)))
                .to_vec(),
            kept_limit: self.state.store.storage_caps().total_bytes,
            pool_running: pool.running,
            pool_waiting: pool.waiting,
            pool_megapixels: pool.megapixels,
            disk: disk.await.ok().flatten(),
            disk_floor: self.state.space.floor(),
        })
    }

    async fn ask(&self) -> Result<(QueueStats, Ledger, StorageUsage, HooksWaiting), StoreError> {
        let (store, moment) = (&self.state.store, self.state.clock.moment());
        Ok((
            store.queue_stats(moment.now).await?,
            store.ledger(moment.wall).await?,
            store.storage_usage(0).await?,
            store.delivery_waiting().await?,
        ))
    }
}

/// Every engine and state, those without a submission too: a series that is there before its first
/// event shows that event to whoever asks for changes.
fn submissions(ledger: &[LedgerLine]) -> Vec<(EngineKind, &'static str, u64, u64)> {
    let all = EngineKind::ALL
        .into_iter()
        .flat_map(|engine| SubmissionState::ALL.map(|state| (engine, state)));
    all.map(|(engine, state)| {
        let line = ledger
            .iter()
            .find(|line| line.engine == engine && line.state == state);
        let (count, price) = line.map_or((0, 0), |line| (line.submissions, line.microusd));
        (engine, state.as_str(), count, price)
    })
    .collect()
}
