//! The one wiring place: names all concrete types, and owns signals and the stop token. It decides nothing
//! that a part could decide. `build` makes the parts, `run` listens and stops.

mod access;
mod admin_state;
mod build;
mod control_file;
mod error;
mod fal;
mod fetchers;
mod metrics_listener;
mod run;
mod storage;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use fal_queue::webhook::Verifier;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

pub(crate) use self::access::nobody_may_call;
pub(crate) use self::admin_state::{Absent, open_admin_state};
pub(crate) use self::control_file::ControlFile;
use self::control_file::OpenControlFile;
pub use self::error::StartError;
pub(crate) use self::fal::fal_client;
use self::fal::keep_webhook_keys;
pub(crate) use self::fetchers::receiver_policy;
pub use self::run::run;
use self::storage::bound_storage;
pub(crate) use self::storage::{link_signer, open_blobs};
use crate::access::{ApiKey, StorageRules};
use crate::clock::Clock;
use crate::config::Config;
use crate::engines::Engine;
pub(crate) use crate::http::AdminState;
use crate::http::{self, ApiKeys, BodyBudget, ConnectionLimits, Edge, RequestLimits};
use crate::jobs::{JobId, Nonce};
use crate::metrics::Metrics;
use crate::store::Store;
use crate::trace::Tracer;
use crate::worker::{Worker, WorkerSettings};

/// Settings that no operator needs and tests do.
#[derive(Clone, Debug, Default)]
pub struct Tuning {
    /// Retries, leases, slots.
    pub worker: WorkerSettings,
    /// Bounds on requests.
    pub requests: RequestLimits,
    /// Bounds on connections.
    pub connections: ConnectionLimits,
    /// How long a fetch of a source or a layer may take in all; `None` keeps the defaults.
    pub fetch_total: Option<Duration>,
    /// Engines beside the configured ones; one of the same word takes its place.
    pub engines: Vec<Arc<dyn Engine>>,
}

/// The service, built and not yet running.
pub struct App {
    edge: Edge,
    connections: ConnectionLimits,
    bodies: BodyBudget,
    worker: Arc<Worker>,
    wakes: mpsc::UnboundedReceiver<(JobId, Nonce)>,
    store: Arc<dyn Store>,
    keys: ApiKeys,
    pass: ApiKey,
    database: PathBuf,
    control_file: Option<OpenControlFile>,
    draining: CancellationToken,
    metrics: Metrics,
    tracer: Tracer,
    scrape: Router,
    scraped_on: Option<TcpListener>,
    clock: Arc<dyn Clock>,
    verifier: Option<Arc<Verifier>>,
    storage_rules: StorageRules,
    /// Where what is kept lies, if on a disk of this machine.
    storage_folder: Option<PathBuf>,
}

impl App {
    /// Serves `/metrics` on this listener as well.
    #[must_use]
    pub fn scraped_on(mut self, listener: TcpListener) -> Self {
        self.scraped_on = Some(listener);
        self
    }

    /// What the service counts.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// The store, for whoever wants to look at it beside the API.
    #[must_use]
    pub fn store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.store)
    }

    /// Serves on `listener` until `stop`: then it is not ready, accepts and claims nothing more,
    /// lets requests and steps finish for the grace time, releases leases and closes.
    pub async fn serve(mut self, listener: TcpListener, stop: CancellationToken) {
        if let Err(error) = self.keys.load(&*self.store).await {
            // Those of the configuration are known; the next change of a key reads them all.
            tracing::error!(%error, "the keys of the database could not be read");
        }
        bound_storage(
            &*self.store,
            self.storage_rules,
            self.storage_folder.as_deref(),
        )
        .await;
        if let Ok(bound) = listener.local_addr() {
            self.open_control_file(bound);
        }
        let draining = self.draining.clone().drop_guard();
        let drain = async {
            stop.cancelled().await;
            drop(draining);
        };
        let requests = self.metrics.requests.clone();
        // It can be seen how the stop goes: this listener closes last.
        let stopped = CancellationToken::new();
        let work = async {
            tokio::join!(
                drain,
                http::serve(
                    listener,
                    self.edge,
                    self.connections,
                    self.bodies,
                    requests,
                    stop.clone()
                ),
                self.worker.run(self.wakes, stop.clone()),
                keep_webhook_keys(self.verifier, self.clock, stop.clone()),
            );
            stopped.cancel();
        };
        tokio::join!(
            work,
            metrics_listener::serve(self.scraped_on, self.scrape, stopped.clone()),
        );
        drop(self.control_file);
        self.store.close().await;
        self.tracer.stop(LAST_SPANS).await;
    }

    /// Reads the keys, and refuses to serve where nobody could call.
    ///
    /// # Errors
    /// [`StartError::Keys`], [`StartError::SharedKey`] and [`StartError::Nobody`]
    pub(super) async fn admit(&self, config: &Config) -> Result<(), StartError> {
        self.keys.load(&*self.store).await?;
        if let Some((owner, other)) = self.keys.shared() {
            return Err(StartError::SharedKey(owner, other));
        }
        if nobody_may_call(config, self.keys.ever_had_keys()) {
            return Err(StartError::Nobody(config.listen.ip()));
        }
        Ok(())
    }

    /// Lets the command line on this machine find the service at `bound`.
    pub(super) fn open_control_file(&mut self, bound: SocketAddr) {
        if self.control_file.is_none() {
            self.control_file = OpenControlFile::write(&self.database, bound, &self.pass);
        }
    }
}

/// How long the end waits for a collector to take the last spans.
const LAST_SPANS: Duration = Duration::from_secs(2);
