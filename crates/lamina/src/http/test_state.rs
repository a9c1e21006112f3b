//! An edge over a real database in a folder of its own, with nothing behind it: no keys, no engine
//! but the embedded one's name, no worker. Tests and fuzz targets begin with it and change what they
//! are about; no other build has a line of it.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use image_intake::Limits;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{ApiKeys, ApiState, BodyBudget, CorsOrigins, Engines, HostNames, RequestLimits};
use crate::blobs::{Blobs, Inbox, LinkSigner, Ownership};
use crate::clock::{Clock as _, Expiry, ManualClock};
use crate::disk::Space;
use crate::forecast::Forecast;
use crate::jobs::EngineKind;
use crate::metrics::{ForecastMetrics, Metrics};
use crate::pool::{Pool, PoolSize};
use crate::store::Store;
use crate::store::sqlite::SqliteStore;
use crate::trace::Tracer;

/// How long jobs and uploads are kept.
const DAY: Duration = Duration::from_secs(86_400);

/// The edge, and hands on what an [`ApiState`] hides.
pub(super) struct TestState {
    pub(super) state: ApiState,
    pub(super) store: Arc<SqliteStore>,
    /// Beats for the worker that is not there; it has just beaten.
    pub(super) pulse: watch::Sender<Option<Instant>>,
}

impl TestState {
    /// Everything but `blobs` is kept in `folder`.
    pub(super) fn over(folder: &Path, blobs: Blobs, clock: ManualClock) -> Self {
        let spool = folder.join("spool");
        std::fs::create_dir(&spool).expect("the folder is new");
        let database = folder.join("lamina.db");
        let store = Arc::new(SqliteStore::open(&database).expect("the folder can be written"));
        let inbox = Inbox::open(&folder.join("incoming")).expect("the folder can be written");
        let pulse = watch::Sender::new(Some(Instant::now()));
        let state = ApiState {
            store: Arc::clone(&store) as Arc<dyn Store>,
            blobs,
            inbox,
            links: Arc::new(LinkSigner::new(&["a secret of nobody"])),
            pool: Pool::new(PoolSize {
                threads: 1,
                megapixels: 8,
                queue: 16,
            }),
            expiry: Arc::new(Expiry::new(Duration::from_secs(3600), clock.moment())),
            forecast: Forecast::new(Arc::new(clock.clone()), ForecastMetrics::default()),
            clock: Arc::new(clock),
            keys: ApiKeys::anonymous(),
            engines: Engines {
                available: vec![EngineKind::Local],
                default: EngineKind::Local,
                prices: HashMap::new(),
                max_sides: HashMap::new(),
            },
            daily_microusd: None,
            images: Limits::default(),
            job_ttl: DAY,
            upload_ttl: DAY,
            public_url: None,
            trust_proxy: false,
            page: true,
            admin_page: true,
            cors: CorsOrigins::None,
            host_names: HostNames::Any,
            webhooks: None,
            spool,
            limits: RequestLimits::default(),
            bodies: BodyBudget::new(RequestLimits::default().body_bytes),
            metrics: Metrics::new(),
            tracer: Tracer::default(),
            draining: CancellationToken::new(),
            worker: pulse.subscribe(),
            space: Space::default(),
            ownership: watch::Sender::new(Ownership::Own).subscribe(),
        };
        Self {
            state,
            store,
            pulse,
        }
    }
}
