//! Makes the parts of the service in order, in stages of which each is given those before it: storage,
//! engines, edge, worker. It names all concrete types, and starts nothing.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use fal_queue::webhook::Verifier;
use image_intake::Limits;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::access::key_rules;
use super::fal::{fal_client, fal_settings};
use super::fetchers::{LAYER_BYTES, fetcher, layer_policy, receiver_policy, source_policy};
use super::storage::{OfStore, link_signer, open_blobs, space};
use super::{App, StartError, Tuning, metrics_listener};
use crate::access::ApiKey;
use crate::blobs::{Blobs, Inbox, LinkSigner, Ownership};
use crate::clock::{Clock, Expiry};
use crate::compute_log::ComputeLog;
use crate::config::{Config, StorageConfig};
use crate::disk::Space;
use crate::engines::{self, Engines, Fal, Local, LocalSettings, SPLIT_MEGAPIXELS};
use crate::forecast::Forecast;
use crate::http::{self, ApiKeys, ApiState, BodyBudget, ConnectionLimits, RequestLimits};
use crate::jobs::{EngineKind, JobId, Nonce};
use crate::metrics::Metrics;
use crate::pool::{Pool, PoolSize};
use crate::store::Store;
use crate::store::sqlite::SqliteStore;
use crate::trace::Tracer;
use crate::worker::{Parts, Worker, WorkerSettings};

/// The jobs whose runs in this process have ended.
type Wakes = mpsc::UnboundedReceiver<(JobId, Nonce)>;

/// What every stage is made with.
struct Base<'a> {
    config: &'a Config,
    tuning: Tuning,
    /// The folder of the database.
    data: &'a Path,
    clock: Arc<dyn Clock>,
    metrics: Metrics,
    forecast: Forecast,
    tracer: Tracer,
    pool: Pool,
    /// Bounds of a picture.
    limits: Limits,
}

/// Where rows and bytes are kept.
struct Storage {
    store: Arc<dyn Store>,
    blobs: Blobs,
    inbox: Arc<Inbox>,
    links: Arc<LinkSigner>,
    space: Space,
}

/// The engines, and what belongs to them.
struct EngineParts {
    engines: Engines,
    verifier: Option<Arc<Verifier>>,
    compute: ComputeLog,
    computed: Vec<JobId>,
    wakes: Wakes,
}

/// What the worker says and the edge listens to.
struct Signals {
    pulse: watch::Sender<Option<Instant>>,
    ownership: watch::Sender<Ownership>,
    expiry: Arc<Expiry>,
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
        let base = Base::of(config, clock, tuning)?;
        let storage = base.storage()?;
        let engines = base.engines(&storage)?;
        let signals = base.signals();
        let (pass, keys) = base.keys();
        let api = Arc::new(base.edge(&storage, &engines, &signals, keys.clone())?);
        let (worker, wakes) = base.worker(&storage, engines, signals)?;
        let connections = ConnectionLimits {
            connections: config.max_connections,
            drain: config.stop_grace,
            ..base.tuning.connections
        };
        Ok(Self {
            scrape: metrics_listener::router(Arc::clone(&api), base.data),
            scraped_on: None,
            bodies: api.bodies.clone(),
            draining: api.draining.clone(),
            verifier: api.webhooks.clone(),
            edge: http::edge(api),
            connections,
            worker,
            wakes,
            store: storage.store,
            keys,
            pass,
            database: config.database_path.clone(),
            control_file: None,
            metrics: base.metrics,
            tracer: base.tracer,
            clock: base.clock,
            storage_rules: config.storage_rules,
            storage_folder: match &config.storage {
                StorageConfig::Folder(folder) => Some(folder.clone()),
                StorageConfig::Bucket { .. } => None,
            },
        })
    }
}

/// Each picture more that is split at once may hold what the first may.
fn pool_size(config: &Config) -> PoolSize {
    let size = PoolSize::default();
    let more = u32::try_from(config.local.concurrency.saturating_sub(1)).unwrap_or(u32::MAX);
    PoolSize {
        megapixels: more
            .saturating_mul(SPLIT_MEGAPIXELS)
            .saturating_add(size.megapixels),
        ..size
    }
}

impl<'a> Base<'a> {
    fn of(config: &'a Config, clock: Arc<dyn Clock>, tuning: Tuning) -> Result<Self, StartError> {
        let data = config.database_path.parent();
        let metrics = Metrics::new();
        metrics.sampled.spend_limit(config.spend.total_microusd);
        let tracer = match &config.traces {
            Some(settings) => Tracer::start(settings).map_err(StartError::Traces)?,
            None => Tracer::default(),
        };
        Ok(Self {
            config,
            tuning,
            data: data.unwrap_or_else(|| Path::new(".")),
            forecast: Forecast::new(Arc::clone(&clock), metrics.forecast.clone()),
            clock,
            metrics,
            tracer,
            pool: Pool::new(pool_size(config)),
            limits: Limits {
                max_bytes: config.max_image_bytes,
                max_pixels: config.max_image_pixels,
                ..Limits::default()
            },
        })
    }

    fn storage(&self) -> Result<Storage, StartError> {
        let config = self.config;
        let measured = self.metrics.database.clone();
        let store: Arc<dyn Store> =
            Arc::new(SqliteStore::open_measured(&config.database_path, measured)?);
        store.bound_storage(config.storage_rules.caps(0, None));
        let space = space(config, self.data);
        let incoming = self.data.join("incoming");
        Ok(Storage {
            blobs: open_blobs(&config.storage)?
                .with_rows(Arc::new(OfStore(Arc::clone(&store))))
                .measured(self.metrics.blobs.clone())
                .within(space.clone()),
            store,
            inbox: Inbox::open(&incoming).map_err(in_folder(&incoming))?,
            links: Arc::new(link_signer(config, self.data)?),
            space,
        })
    }

    fn engines(&self, storage: &Storage) -> Result<EngineParts, StartError> {
        let config = self.config;
        let noted = self.data.join("computing");
        let (compute, computed) = ComputeLog::open(&noted).map_err(in_folder(&noted))?;
        let (waker, wakes) = mpsc::unbounded_channel();
        let local = LocalSettings {
            concurrency: config.local.concurrency,
            threads: config.local.threads,
            text: config.local.text,
            layers: config.local.layers,
            networks: engines::networks(&config.local.networks, config.local.threads)?,
            // What lamina stored itself was within the limits when it came in.
            limits: Limits {
                max_bytes: u64::MAX,
                ..self.limits
            },
        };
        let blobs = &storage.blobs;
        let local = Local::new(
            blobs.clone(),
            self.pool.clone(),
            compute.clone(),
            waker,
            self.forecast.clone(),
            local,
        );
        let mut engines = Engines::measured(self.metrics.engines.clone()).with(Arc::new(local));
        let mut verifier = None;
        if let Some(fal) = &config.fal {
            let client = fal_client(fal)?;
            verifier = Some(Arc::new(Verifier::new(&client)));
            engines = engines.with(Arc::new(Fal::new(
                client,
                blobs.clone(),
                Arc::clone(&storage.links),
                Arc::clone(&self.clock),
                fal_settings(fal, config),
            )));
        }
        for engine in &self.tuning.engines {
            engines = engines.with(Arc::clone(engine));
        }
        for kind in engines.kinds() {
            let at_once = engines.get(kind).and_then(|engine| engine.facts().at_once);
            self.forecast.engine(kind, at_once);
        }
        Ok(EngineParts {
            engines,
            verifier,
            compute,
            computed,
            wakes,
        })
    }

    fn signals(&self) -> Signals {
        Signals {
            pulse: watch::Sender::new(None),
            ownership: watch::Sender::new(Ownership::Unknown),
            expiry: Arc::new(Expiry::new(
                self.config.clock_step_hold,
                self.clock.moment(),
            )),
        }
    }

    /// The keys, among them one for the command line on this machine.
    fn keys(&self) -> (ApiKey, ApiKeys) {
        let (pass, mut rules) = (ApiKey::random(), key_rules(self.config));
        rules.admins.push(pass.digest().clone());
        (pass, ApiKeys::by(rules))
    }

    fn edge(
        &self,
        storage: &Storage,
        engines: &EngineParts,
        signals: &Signals,
        keys: ApiKeys,
    ) -> Result<ApiState, StartError> {
        let config = self.config;
        let spool = self.data.join("spool");
        std::fs::create_dir_all(&spool).map_err(in_folder(&spool))?;
        Ok(ApiState {
            expiry: Arc::clone(&signals.expiry),
            store: Arc::clone(&storage.store),
            blobs: storage.blobs.clone(),
            inbox: Arc::clone(&storage.inbox),
            links: Arc::clone(&storage.links),
            pool: self.pool.clone(),
            clock: Arc::clone(&self.clock),
            keys,
            engines: http::Engines {
                available: engines.engines.kinds(),
                default: config.engine,
                prices: prices(&engines.engines),
                max_sides: max_sides(&engines.engines),
            },
            forecast: self.forecast.clone(),
            daily_microusd: config.spend.total_microusd,
            images: self.limits,
            job_ttl: config.job_ttl,
            upload_ttl: config.job_ttl,
            public_url: config.public_url.clone(),
            trust_proxy: config.trust_proxy,
            page: config.page,
            admin_page: config.admin_page,
            cors: config.cors.clone(),
            host_names: config.host_names.clone(),
            spool,
            bodies: BodyBudget::new(self.tuning.requests.body_bytes),
            limits: request_limits(config, self.tuning.requests.clone()),
            metrics: self.metrics.clone(),
            tracer: self.tracer.clone(),
            draining: CancellationToken::new(),
            worker: signals.pulse.subscribe(),
            ownership: signals.ownership.subscribe(),
            space: storage.space.clone(),
            webhooks: engines.verifier.clone(),
        })
    }

    fn worker(
        &self,
        storage: &Storage,
        engines: EngineParts,
        signals: Signals,
    ) -> Result<(Arc<Worker>, Wakes), StartError> {
        let (config, total) = (self.config, self.tuning.fetch_total);
        let settings = WorkerSettings {
            unknown_grace: config.submit_unknown_grace,
            unknown_policy: config.submit_unknown,
            stacks: config.stacks,
            spend: config.spend,
            engine_timeout: config.engine_timeout,
            stop_grace: config.stop_grace,
            ..self.tuning.worker
        };
        let parts = Parts {
            store: Arc::clone(&storage.store),
            blobs: storage.blobs.clone(),
            inbox: Arc::clone(&storage.inbox),
            engines: engines.engines,
            sources: fetcher(source_policy(config, total))?,
            layers: fetcher(layer_policy(config.fal.as_ref(), total))?,
            receivers: fetcher(receiver_policy(config, total))?,
            pool: self.pool.clone(),
            source_limits: self.limits,
            layer_limits: Limits {
                max_bytes: LAYER_BYTES,
                ..self.limits
            },
            clock: Arc::clone(&self.clock),
            expiry: signals.expiry,
            compute: engines.compute,
            computed: engines.computed,
            metrics: self.metrics.jobs.clone(),
            forecast: self.forecast.clone(),
            tracer: self.tracer.clone(),
            pulse: signals.pulse,
            ownership: signals.ownership,
        };
        Ok((Worker::new(parts, settings), engines.wakes))
    }
}

fn in_folder(folder: &Path) -> impl Fn(std::io::Error) -> StartError {
    move |error| StartError::Folder(folder.display().to_string(), error)
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

fn max_sides(engines: &Engines) -> HashMap<EngineKind, u32> {
    let kinds = engines.kinds().into_iter();
    let side = |kind| Some((kind, engines.get(kind)?.facts().max_side?));
    kinds.filter_map(side).collect()
}

/// A picture of the largest size must fit into a JSON body as base64, beside its fields.
fn request_limits(config: &Config, mut limits: RequestLimits) -> RequestLimits {
    let as_base64 = config.max_image_bytes.saturating_mul(4) / 3 + (1 << 20);
    limits.json_bytes = limits.json_bytes.max(as_base64);
    limits.event_streams = config.max_event_streams;
    limits.event_streams_per_owner = config.max_event_streams_per_key;
    limits
}
