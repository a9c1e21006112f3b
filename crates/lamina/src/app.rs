//! The one wiring file: constructs every part in order, names all concrete types, and owns signals
//! and the stop token. It decides nothing that a part could decide.

use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use ipnet::IpNet;
use secrecy::ExposeSecret as _;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use url::Host;

use crate::blobs::{BlobError, Blobs, LinkSigner, Presigner};
use crate::clock::Clock;
use crate::config::{Config, FalConfig, StorageConfig};
use crate::engines::{self, Engines, Fal, FalSettings, Local, LocalSettings};
use crate::fetch::{FetchPolicy, FetchSetupError, Fetcher};
use crate::http::{self, ApiKeys, ConnectionLimits, Edge, EdgeLimits};
use crate::images::{Limits, Pool, PoolSize};
use crate::jobs::{JobId, Nonce};
use crate::secret;
use crate::store::Store;
use crate::store::sqlite::{OpenError, SqliteStore};
use crate::worker::{Parts, Worker, WorkerSettings};

/// Why the service cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database.
    #[error(transparent)]
    Database(#[from] OpenError),
    /// The blob store.
    #[error("the blob store cannot be used: {0}; check STORAGE_URL")]
    Blobs(#[from] BlobError),
    /// The bucket's address.
    #[error("{0}; check STORAGE_URL, S3_ENDPOINT and S3_STYLE")]
    Links(String),
    /// The signing secret.
    #[error("the signing secret cannot be read or made: {0}")]
    Secret(io::Error),
    /// The client that opens strangers' URLs.
    #[error(transparent)]
    Fetcher(#[from] FetchSetupError),
    /// The networks of the embedded engine.
    #[error("the embedded engine cannot start: {0}; correct LOCAL_ONNXRUNTIME, or leave it out")]
    Local(#[from] layerize::Error),
    /// The client of fal.
    #[error("the fal client cannot be made: {0}")]
    Fal(#[from] fal_queue::ConfigError),
    /// The address is taken or not this machine's.
    #[error(
        "cannot listen on {address}: {error}; is another lamina running, or is HOST or PORT wrong?"
    )]
    Listen {
        /// Where.
        address: std::net::SocketAddr,
        /// What the system said.
        error: io::Error,
    },
    /// A folder cannot be made.
    #[error("the folder {0} cannot be made: {1}")]
    Folder(String, io::Error),
}

/// Settings that no operator needs and tests do.
#[derive(Clone, Debug, Default)]
pub struct Tuning {
    /// Retries, leases, slots.
    pub worker: WorkerSettings,
    /// Bounds on requests.
    pub edge: EdgeLimits,
    /// Bounds on connections.
    pub connections: ConnectionLimits,
    /// How long a fetch of a source or a layer may take in all; `None` keeps the defaults.
    pub fetch_total: Option<Duration>,
}

/// The service, built and not yet running.
pub struct App {
    router: Router,
    connections: ConnectionLimits,
    worker: Arc<Worker>,
    wakes: mpsc::UnboundedReceiver<(JobId, Nonce)>,
    store: Arc<dyn Store>,
    draining: CancellationToken,
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
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&config.database_path)?);
        let blobs = open_blobs(&config.storage)?;
        let links = Arc::new(link_signer(config, data)?);
        let pool = Pool::new(PoolSize::default());
        let limits = Limits {
            max_bytes: config.max_image_bytes,
            max_pixels: config.max_image_pixels,
            ..Limits::default()
        };
        let (waker, wakes) = mpsc::unbounded_channel();
        let local = LocalSettings {
            concurrency: config.local.concurrency,
            threads: config.local.threads,
            networks: engines::networks(config.local.onnxruntime.as_deref(), config.local.threads)?,
            // What lamina stored itself was within the limits when it came in.
            limits: Limits {
                max_bytes: u64::MAX,
                ..limits
            },
        };
        let mut engines =
            Engines::default().with(Arc::new(Local::new(blobs.clone(), waker, local)));
        let mut verifier = None;
        if let Some(fal) = &config.fal {
            let client = fal_client(fal)?;
            verifier = Some(Arc::new(fal_queue::webhook::Verifier::new(&client)));
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
        let draining = CancellationToken::new();
        let edge = Edge {
            store: Arc::clone(&store),
            blobs: blobs.clone(),
            links,
            pool: pool.clone(),
            clock: Arc::clone(&clock),
            keys: ApiKeys::new(
                config
                    .api_keys
                    .iter()
                    .map(|(name, key)| (name.as_str(), key.expose_secret())),
            ),
            engines: http::Engines {
                available: engines.kinds(),
                default: config.engine,
            },
            images: limits,
            job_ttl: config.job_ttl,
            upload_ttl: config.job_ttl,
            public_url: config.public_url.clone(),
            trust_proxy: config.trust_proxy,
            cors: config.cors.clone(),
            host_names: config.host_names.clone(),
            spool,
            limits: edge_limits(config, tuning.edge),
            draining: draining.clone(),
            webhooks: verifier,
        };
        let settings = WorkerSettings {
            unknown_grace: config.submit_unknown_grace,
            unknown_policy: config.submit_unknown,
            engine_timeout: config.engine_timeout,
            stop_grace: config.stop_grace,
            ..tuning.worker
        };
        let parts = Parts {
            store: Arc::clone(&store),
            blobs,
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
        };
        let worker = Worker::new(parts, settings);
        let connections = ConnectionLimits {
            connections: config.max_connections,
            drain: config.stop_grace,
            ..tuning.connections
        };
        Ok(Self {
            router: http::router(edge),
            connections,
            worker,
            wakes,
            store,
            draining,
        })
    }

    /// The store, for whoever wants to look at it beside the API.
    #[must_use]
    pub fn store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.store)
    }

    /// Serves on `listener` until `stop`: then it is not ready, accepts and claims nothing more,
    /// lets requests and steps finish for the grace time, releases leases and closes.
    pub async fn serve(self, listener: TcpListener, stop: CancellationToken) {
        let draining = self.draining.clone().drop_guard();
        let drain = async {
            stop.cancelled().await;
            drop(draining);
        };
        tokio::join!(
            drain,
            http::serve(listener, self.router, self.connections, stop.clone()),
            self.worker.run(self.wakes, stop.clone()),
        );
        self.store.close().await;
    }
}

/// Runs the service as `lamina serve` does: listens, stops on SIGTERM or SIGINT.
///
/// # Errors
/// [`StartError`]
pub async fn run(config: &Config, clock: Arc<dyn Clock>) -> Result<(), StartError> {
    let app = App::build(config, clock, Tuning::default())?;
    let address = config.listen;
    let listener = TcpListener::bind(address)
        .await
        .map_err(|error| StartError::Listen { address, error })?;
    let bound = listener.local_addr().unwrap_or(address);
    let stop = CancellationToken::new();
    stop_on_signals(stop.clone());
    tracing::info!(address = %bound, engine = config.engine.as_str(), version = env!("CARGO_PKG_VERSION"), "lamina serves on http://{bound}");
    app.serve(listener, stop).await;
    tracing::info!("lamina has stopped");
    Ok(())
}

/// The first signal asks for an orderly stop, the second ends the process at once.
fn stop_on_signals(stop: CancellationToken) {
    tokio::spawn(async move {
        signal().await;
        tracing::info!("stopping; a second signal stops at once");
        stop.cancel();
        signal().await;
        std::process::exit(130);
    });
}

async fn signal() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}

/// A layer that is larger than this is no layer of a picture that lamina accepts.
const LAYER_BYTES: u64 = 64 << 20;

/// A picture of the largest size must fit into a JSON body as base64, beside its fields.
fn edge_limits(config: &Config, mut limits: EdgeLimits) -> EdgeLimits {
    let as_base64 = config.max_image_bytes.saturating_mul(4) / 3 + (1 << 20);
    limits.json_bytes = limits.json_bytes.max(as_base64);
    limits
}

/// Opens the blob store; of a bucket nothing is asked yet.
///
/// # Errors
/// [`BlobError`]
pub(crate) fn open_blobs(storage: &StorageConfig) -> Result<Blobs, BlobError> {
    match storage {
        StorageConfig::Folder(folder) => Blobs::folder(folder),
        StorageConfig::Bucket { settings, .. } => Blobs::bucket(settings),
    }
}

/// What makes and checks links to the configured storage.
///
/// # Errors
/// [`StartError::Secret`] and [`StartError::Links`]
pub(crate) fn link_signer(config: &Config, data: &Path) -> Result<LinkSigner, StartError> {
    let signer = own_signer(config, data)?;
    match &config.storage {
        StorageConfig::Folder(_) => Ok(signer),
        StorageConfig::Bucket { settings, direct } => {
            let bucket = Presigner::new(settings).map_err(StartError::Links)?;
            Ok(signer.over_bucket(bucket, *direct))
        }
    }
}

fn own_signer(config: &Config, data: &Path) -> Result<LinkSigner, StartError> {
    if config.signing_secrets.is_empty() {
        let made = secret::load_or_make(data).map_err(StartError::Secret)?;
        return Ok(LinkSigner::new(&[made.expose_secret()]));
    }
    let secrets: Vec<&str> = config
        .signing_secrets
        .iter()
        .map(|secret| secret.expose_secret())
        .collect();
    Ok(LinkSigner::new(&secrets))
}

/// A client of fal that repeats nothing by itself.
pub(crate) fn fal_client(fal: &FalConfig) -> Result<fal_queue::Client, fal_queue::ConfigError> {
    fal_queue::Client::new(fal_queue::Config {
        key: Some(fal.key.clone()),
        queue_url: fal.queue_url.clone(),
        rest_url: fal.rest_url.clone(),
        jwks_url: fal.jwks_url.clone(),
        platform_url: fal.platform_url.clone(),
        admin_key: fal.admin_key.clone(),
        // The worker retries durably; two schedules on top of each other would multiply.
        retry: fal_queue::Retry::off(),
        ..fal_queue::Config::default()
    })
}

fn fal_settings(fal: &FalConfig, config: &Config) -> FalSettings {
    FalSettings {
        model: fal.model.clone(),
        way: fal.way,
        public_url: config.public_url.clone(),
        engine_timeout: config.engine_timeout,
        webhooks: fal.webhooks,
        price_microusd: fal.price_microusd,
    }
}

fn source_policy(config: &Config, total: Option<Duration>) -> FetchPolicy {
    let usual = FetchPolicy::default();
    FetchPolicy {
        allow_http: config.fetch.allow_http,
        allow_nets: config.fetch.allow_nets.clone(),
        allow_prefixes: config.fetch.allow_prefixes.clone(),
        max_bytes: config.max_image_bytes,
        total_timeout: total.unwrap_or(usual.total_timeout),
        ..usual
    }
}

/// Layers come from fal's CDN by https. Only where the operator points lamina at a queue on an
/// address of its own (the emulator) may layers come from that same address.
fn layer_policy(fal: Option<&FalConfig>, total: Option<Duration>) -> FetchPolicy {
    let usual = FetchPolicy::default();
    let queue = fal.map(|fal| &fal.queue_url);
    let own = queue.and_then(|url| match url.host()? {
        Host::Ipv4(address) => Some(IpNet::from(IpAddr::V4(address))),
        Host::Ipv6(address) => Some(IpNet::from(IpAddr::V6(address))),
        Host::Domain(_) => None,
    });
    FetchPolicy {
        allow_http: queue.is_some_and(|url| url.scheme() == "http"),
        allow_nets: own.into_iter().collect(),
        max_bytes: LAYER_BYTES,
        total_timeout: total.unwrap_or(Duration::from_secs(60)),
        ..usual
    }
}
