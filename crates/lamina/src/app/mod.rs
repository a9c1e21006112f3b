//! The one wiring place: constructs every part in order, names all concrete types, and owns signals
//! and the stop token. It decides nothing that a part could decide.

mod access;
mod admin_state;
mod control_file;
mod error;
mod fal;
mod fetchers;
mod metrics_listener;
mod run;
mod storage;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use fal_queue::webhook::Verifier;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use self::access::key_rules;
pub(crate) use self::access::nobody_may_call;
pub(crate) use self::admin_state::{Absent, open_admin_state};
pub(crate) use self::control_file::ControlFile;
use self::control_file::OpenControlFile;
pub use self::error::StartError;
pub(crate) use self::fal::fal_client;
use self::fal::{fal_settings, keep_webhook_keys};
use self::fetchers::{LAYER_BYTES, layer_policy, source_policy};
pub use self::run::run;
use self::storage::{bound_storage, space};
pub(crate) use self::storage::{link_signer, open_blobs};
use crate::access::{ApiKey, StorageRules};
use crate::blobs::{Inbox, Ownership};
use crate::clock::{Clock, WallLead};
use crate::compute_log::ComputeLog;
use crate::config::{Config, StorageConfig};
use crate::engines::{self, Engines, Fal, Local, LocalSettings};
use crate::fetch::Fetcher;
pub(crate) use crate::http::AdminState;
use crate::http::{self, ApiKeys, ApiState, BodyBudget, ConnectionLimits, RequestLimits};
use crate::images::{Limits, Pool, PoolSize};
use crate::jobs::{EngineKind, JobId, Nonce};
use crate::metrics::Metrics;
use crate::store::Store;
use crate::store::sqlite::SqliteStore;
use crate::trace::Tracer;
use crate::worker::{Parts, Worker, WorkerSettings};

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
}

/// The service, built and not yet running.
pub struct App {
    router: Router,
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
    /// Constructs every part: opens the database and the blob store, makes clients, starts nothing.
    ///
    /// # Errors
    /// [`StartError`]
    pub fn build(
        config: &Config,
        clock: Arc<dyn Clock>,
        tuning: Tuning,
    ) -> Result<Self, StartError> {
        // A second caller in one process (tests) finds the same provider installed.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let data = config
            .database_path
            .parent()
            .unwrap_or_else(|| Path::new("."));
        let metrics = Metrics::new();
        metrics.sampled.spend_limit(config.spend.total_microusd);
        let tracer = match &config.traces {
            Some(settings) => Tracer::start(settings).map_err(StartError::Traces)?,
            None => Tracer::default(),
        };
        let store = SqliteStore::open_measured(&config.database_path, metrics.database.clone())?;
        let store: Arc<dyn Store> = Arc::new(store);
        store.bound_storage(config.storage_rules.caps(0, None));
        let space = space(config, data);
        let blobs = open_blobs(&config.storage)?
            .measured(metrics.blobs.clone())
            .within(space.clone());
        let links = Arc::new(link_signer(config, data)?);
        let pool = Pool::new(PoolSize::default());
        let limits = Limits {
            max_bytes: config.max_image_bytes,
            max_pixels: config.max_image_pixels,
            ..Limits::default()
        };
        let noted = data.join("computing");
        let (compute, computed) = ComputeLog::open(&noted)
            .map_err(|error| StartError::Folder(noted.display().to_string(), error))?;
        let (waker, wakes) = mpsc::unbounded_channel();
        let local = LocalSettings {
            concurrency: config.local.concurrency,
            threads: config.local.threads,
            networks: engines::networks(&config.local.networks, config.local.threads)?,
            // What lamina stored itself was within the limits when it came in.
            limits: Limits {
                max_bytes: u64::MAX,
                ..limits
            },
        };
        let mut engines = Engines::measured(metrics.engines.clone()).with(Arc::new(Local::new(
            blobs.clone(),
            compute.clone(),
            waker,
            local,
        )));
        let mut verifier = None;
        if let Some(fal) = &config.fal {
            let client = fal_client(fal)?;
            verifier = Some(Arc::new(Verifier::new(&client)));
            let settings = fal_settings(fal, config);
            engines = engines.with(Arc::new(Fal::new(
                client,
                blobs.clone(),
                Arc::clone(&links),
                Arc::clone(&clock),
                settings,
            )));
        }
        let spool = data.join("spool");
        std::fs::create_dir_all(&spool)
            .map_err(|error| StartError::Folder(spool.display().to_string(), error))?;
        let (draining, pulse) = (CancellationToken::new(), watch::Sender::new(None));
        let ownership = watch::Sender::new(Ownership::Unknown);
        let (pass, mut rules) = (ApiKey::random(), key_rules(config));
        rules.admins.push(pass.digest().clone());
        let keys = ApiKeys::by(rules);
        let incoming = data.join("incoming");
        let inbox = Inbox::open(&incoming)
            .map_err(|error| StartError::Folder(incoming.display().to_string(), error))?;
        let bodies = BodyBudget::new(tuning.requests.body_bytes);
        let wall_lead = Arc::new(WallLead::of(clock.moment()));
        let api = Arc::new(ApiState {
            wall_lead: Arc::clone(&wall_lead),
            store: Arc::clone(&store),
            blobs: blobs.clone(),
            inbox: Arc::clone(&inbox),
            links,
            pool: pool.clone(),
            clock: Arc::clone(&clock),
            keys: keys.clone(),
            engines: http::Engines {
                available: engines.kinds(),
                default: config.engine,
                prices: prices(&engines),
            },
            daily_microusd: config.spend.total_microusd,
            images: limits,
            job_ttl: config.job_ttl,
            upload_ttl: config.job_ttl,
            public_url: config.public_url.clone(),
            trust_proxy: config.trust_proxy,
            cors: config.cors.clone(),
            host_names: config.host_names.clone(),
            spool,
            bodies: bodies.clone(),
            limits: request_limits(config, tuning.requests),
            metrics: metrics.clone(),
            tracer: tracer.clone(),
            draining: draining.clone(),
            worker: pulse.subscribe(),
            ownership: ownership.subscribe(),
            space,
            webhooks: verifier.clone(),
        });
        let settings = WorkerSettings {
            unknown_grace: config.submit_unknown_grace,
            unknown_policy: config.submit_unknown,
            spend: config.spend,
            engine_timeout: config.engine_timeout,
            stop_grace: config.stop_grace,
            clock_hold: config.clock_step_hold,
            ..tuning.worker
        };
        let scrape = metrics_listener::router(Arc::clone(&api), data);
        let kept_clock = Arc::clone(&clock);
        let parts = Parts {
            store: Arc::clone(&store),
            blobs,
            inbox,
            engines,
            sources: Fetcher::new(source_policy(config, tuning.fetch_total))?,
            layers: Fetcher::new(layer_policy(config.fal.as_ref(), tuning.fetch_total))?,
            pool,
            source_limits: limits,
            layer_limits: Limits {
                max_bytes: LAYER_BYTES,
                ..limits
            },
            clock,
            wall_lead,
            compute,
            computed,
            metrics: metrics.jobs.clone(),
            tracer: tracer.clone(),
            pulse,
            ownership,
        };
        let worker = Worker::new(parts, settings);
        let connections = ConnectionLimits {
            connections: config.max_connections,
            drain: config.stop_grace,
            ..tuning.connections
        };
        Ok(Self {
            router: http::router(api),
            connections,
            bodies,
            worker,
            wakes,
            store,
            keys,
            pass,
            database: config.database_path.clone(),
            control_file: None,
            draining,
            metrics,
            tracer,
            scrape,
            scraped_on: None,
            clock: kept_clock,
            storage_rules: config.storage_rules,
            storage_folder: match &config.storage {
                StorageConfig::Folder(folder) => Some(folder.clone()),
                StorageConfig::Bucket { .. } => None,
            },
            verifier,
        })
    }

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
                    self.router,
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

/// What a run costs, of engines where it costs something.
fn prices(engines: &Engines) -> HashMap<EngineKind, u64> {
    let kinds = engines.kinds().into_iter();
    let price = |kind| Some((kind, engines.get(kind)?.facts().price_microusd));
    kinds
        .filter_map(price)
        .filter(|(_, price)| *price > 0)
        .collect()
}

/// How long the end waits for a collector to take the last spans.
const LAST_SPANS: Duration = Duration::from_secs(2);

/// A picture of the largest size must fit into a JSON body as base64, beside its fields.
fn request_limits(config: &Config, mut limits: RequestLimits) -> RequestLimits {
    let as_base64 = config.max_image_bytes.saturating_mul(4) / 3 + (1 << 20);
    limits.json_bytes = limits.json_bytes.max(as_base64);
    limits
}
