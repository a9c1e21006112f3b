//! What the edge works with. Everything is given by `app/`; the edge makes nothing itself, reads
//! no environment and no wall clock.

pub(in crate::http) mod api_keys;
pub(in crate::http) mod body_budget;
pub(in crate::http) mod event_places;
pub(in crate::http) mod export_places;
pub(in crate::http) mod limits;
pub(in crate::http) mod pace;
pub(in crate::http) mod rate_meter;
pub(in crate::http) mod readiness;
pub(in crate::http) mod variants_under_way;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use fal_queue::webhook::Verifier;
use image_intake::Limits;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use url::Url;

use self::api_keys::ApiKeys;
use self::body_budget::BodyBudget;
use self::limits::RequestLimits;
use self::readiness::WorkerPulse;
use super::answer::error::ApiError;
use crate::blobs::{Blobs, Inbox, LinkSigner, Ownership};
use crate::clock::{Clock, Expiry};
use crate::disk::Space;
use crate::forecast::Forecast;
use crate::jobs::{EngineChoice, EngineKind, UnixMs};
use crate::metrics::Metrics;
use crate::pool::Pool;
use crate::store::{SourceInfo, Store};
use crate::trace::Tracer;

/// The parts and settings of the HTTP edge.
#[derive(Debug)]
pub struct ApiState {
    /// Jobs and uploads.
    pub store: Arc<dyn Store>,
    /// Bytes.
    pub blobs: Blobs,
    /// Bytes of uploads that are not checked yet, where they come to this machine.
    pub inbox: Arc<Inbox>,
    /// Signs and checks links.
    pub links: Arc<LinkSigner>,
    /// Where pictures are decoded; the worker shares it.
    pub pool: Pool,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// What ends by the time of day, where the clock may leap.
    pub expiry: Arc<Expiry>,
    /// Who may use `/api`.
    pub keys: ApiKeys,
    /// The engines that a job can be created for.
    pub engines: Engines,
    /// When jobs will be done.
    pub forecast: Forecast,
    /// Most that engines may cost in a day, all owners together, in millionths of a US dollar.
    /// What one owner may cost is known to `keys`.
    pub daily_microusd: Option<u64>,
    /// Bounds on a picture.
    pub images: Limits,
    /// From a job's create to its expiry.
    pub job_ttl: Duration,
    /// From an upload to its expiry.
    pub upload_ttl: Duration,
    /// The service's address as clients see it; without it, links follow the request's `Host`.
    pub public_url: Option<Url>,
    /// Whether `X-Forwarded-Proto` comes from a proxy of the operator and may be believed.
    pub trust_proxy: bool,
    /// Which pages of other origins may call `/api` from a browser.
    pub cors: CorsOrigins,
    /// Whether there are pages for people at `/` and `/docs`.
    pub page: bool,
    /// Whether there is a page for the operator at `/admin`.
    pub admin_page: bool,
    /// Names under which a service without keys may be asked, besides its addresses, `localhost`
    /// and the host of `public_url`.
    pub host_names: HostNames,
    /// The disks that pictures and bodies are written to.
    pub space: Space,
    /// Checks fal's signatures on webhooks; without it the nonce in their address is the proof.
    pub webhooks: Option<Arc<Verifier>>,
    /// Where bodies too large for memory are kept while they are received; must exist.
    pub spool: PathBuf,
    /// Bounds on requests.
    pub limits: RequestLimits,
    /// Memory of all bodies that are being received.
    pub bodies: BodyBudget,
    /// What it counts.
    pub metrics: Metrics,
    /// Traces requests.
    pub tracer: Tracer,
    /// Cancelled when the service is about to stop: `/readyz` then says so.
    pub draining: CancellationToken,
    /// Beats whenever the worker has looked for jobs.
    pub worker: WorkerPulse,
    /// Whose the storage is.
    pub ownership: watch::Receiver<Ownership>,
}

impl ApiState {
    /// What ends by this time of day is over. The same as the wall clock's time, but while that has
    /// leapt ahead.
    pub(super) fn ends_by(&self) -> UnixMs {
        self.expiry.served_by(self.clock.moment())
    }
}

/// Origins of web pages that may call `/api`. Links to files are open to every origin anyway.
#[derive(Clone, Debug, Default)]
pub enum CorsOrigins {
    /// None: only pages of the service itself.
    #[default]
    None,
    /// Every origin.
    Any,
    /// These; only their scheme, host and port count.
    List(Vec<Url>),
}

/// Names of hosts, in lower case and without a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostNames {
    /// Every name.
    Any,
    /// These.
    List(Vec<String>),
}

impl Default for HostNames {
    fn default() -> Self {
        Self::List(Vec::new())
    }
}

/// The engines that are set up.
#[derive(Clone, Debug)]
pub struct Engines {
    /// All of them.
    pub available: Vec<EngineKind>,
    /// The one for a create that does not ask.
    pub default: EngineKind,
    /// What a run of those that cost something costs, in millionths of a US dollar.
    pub prices: HashMap<EngineKind, u64>,
    /// The longest side that an engine can use, in pixels, of those that have one.
    pub max_sides: HashMap<EngineKind, u32>,
}

impl Engines {
    /// Whether a source is ready for the engine as it is; else the worker makes a smaller copy first.
    pub(super) fn takes(&self, engine: EngineKind, source: &SourceInfo) -> bool {
        let longest = source.width.max(source.height);
        self.max_sides
            .get(&engine)
            .is_none_or(|side| longest <= *side)
    }

    /// The engine of a create.
    pub(super) fn choose(&self, choice: EngineChoice) -> Result<EngineKind, ApiError> {
        match choice {
            EngineChoice::Auto => Ok(self.default),
            EngineChoice::Only(kind) if self.available.contains(&kind) => Ok(kind),
            EngineChoice::Only(asked) => Err(ApiError::EngineNotConfigured {
                asked,
                available: self.available.clone(),
            }),
        }
    }
}
