//! What splits a source. One trait; each engine is one file (or folder) beside this one. An engine
//! knows nothing of leases, retries or rows: it says what happened, and the worker decides.

mod error;
mod fal;
mod history;
mod input;
mod local;
mod measured;
mod networks;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use image_intake::LayerMeasures;
use tokio::sync::mpsc;
use url::Url;

pub use error::{Delivery, EngineError, SubmitError};
pub use fal::{Fal, FalSettings, ImageWay};
pub use history::{History, Listed};
pub use input::Input;
pub use layerize::{TextLayers, USUAL_LAYERS};
pub use local::{Local, LocalSettings, SPLIT_MEGAPIXELS};
pub use networks::{NetworkFiles, NetworksError, networks};

use crate::blobs::BlobKey;
use crate::jobs::{EngineKind, JobId, LayerLabels, Nonce, OwnerId, Params, RequestId, UnixMs};
use crate::metrics::EngineMetrics;
use measured::Measured;

/// What never changes about an engine.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EngineFacts {
    /// Its name.
    pub kind: EngineKind,
    /// What one accepted submission costs, in millionths of a US dollar; 0 is free.
    pub price_microusd: u64,
    /// Whether a request of unknown fate may simply be made again, because it costs nothing but
    /// time. Not derived from the price, which an operator can set to 0.
    pub repeatable: bool,
    /// Whether it runs in this process, so that our own code bounds what it hands over.
    pub in_process: bool,
    /// Whether the first layer may be the source again, which is then left out.
    pub may_return_source: bool,
    /// Whether another seed gives other layers.
    pub seeded: bool,
    /// Whether it calls back when it is done, so that asking is a safety net only.
    pub calls_back: bool,
    /// The longest side it can use, in pixels; larger sources are scaled down for it.
    pub max_side: Option<u32>,
    /// How many runs it works on at once, where its queue is in this process.
    pub at_once: Option<usize>,
    /// How long a run takes when nothing was measured yet: for progress alone, nobody is told.
    pub usual_run: Duration,
}

/// Whether a request to an engine may simply be made again ([`EngineFacts::repeatable`]), for those who
/// ask where no engine is set up.
#[must_use]
pub const fn repeatable(kind: EngineKind) -> bool {
    match kind {
        EngineKind::Local => local::REPEATABLE,
        EngineKind::Fal => fal::REPEATABLE,
    }
}

/// One source to be split.
#[derive(Clone, Debug)]
pub struct Order {
    /// The job it is for.
    pub job: JobId,
    /// Whose it is; an engine with a queue of its own is fair by owner.
    pub owner: OwnerId,
    /// Whether a process died while it was computed: it is computed alone then.
    pub suspect: bool,
    /// Ties the submission to its callback.
    pub nonce: Nonce,
    /// The picture, within the engine's `max_side`.
    pub source: BlobKey,
    /// How the engine reaches it, as [`Engine::input`] says. What is here before that is what an
    /// earlier call for this job came to.
    pub input: Option<Input>,
    /// What is wanted.
    pub params: Params,
    /// When the job ends; nothing needs to be kept longer.
    pub expires_at: UnixMs,
}

/// A submission that the engine took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The engine's name for it.
    pub request: RequestId,
    /// Requests ahead of it.
    pub queue_position: Option<u32>,
}

/// Where a request stands.
#[derive(Debug)]
pub enum Check {
    /// It waits for its turn.
    Queued {
        /// Requests ahead of it.
        position: Option<u32>,
    },
    /// It is at work.
    Running {
        /// How far, 0.0 to 1.0, where the engine says so.
        fraction: Option<f32>,
    },
    /// It is done; bottom first.
    Ready(Vec<LayerSource>),
    /// The run failed; `error` says whether a new submission may help.
    Failed(EngineError),
    /// The engine does not know the request (any more).
    Lost,
    /// The run is done and its result is gone.
    ResultGone,
}

/// A layer as the engine hands it over.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerSource {
    /// What the engine says about it.
    pub labels: LayerLabels,
    /// Where its bytes are.
    pub content: LayerContent,
}

/// What an engine says of a file before it is fetched; not to be trusted, but to be held to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Declared {
    /// Its size.
    pub bytes: Option<u64>,
    /// Width by height.
    pub pixels: Option<u64>,
}

/// The bytes of a layer, or where to get them.
#[derive(Clone, PartialEq)]
pub enum LayerContent {
    /// To be fetched.
    Url(Url, Declared),
    /// At hand.
    Bytes(Bytes),
    /// At hand, encoded and measured by lamina itself.
    Measured(Bytes, LayerMeasures),
}

impl std::fmt::Debug for LayerContent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Url(url, _) => write!(f, "Url({})", url.host_str().unwrap_or_default()),
            Self::Bytes(bytes) | Self::Measured(bytes, _) => write!(f, "Bytes({})", bytes.len()),
        }
    }
}

/// An engine. Calls may be repeated at any time except [`Engine::submit`].
#[async_trait]
pub trait Engine: std::fmt::Debug + Send + Sync {
    /// What never changes about it.
    fn facts(&self) -> EngineFacts;

    /// Makes the source reachable for the engine, before a submission is opened: reads it, makes a
    /// link, or uploads it. It costs nothing, and `order.input` is used again where it is still good.
    async fn input(&self, _order: &Order) -> Result<Input, EngineError> {
        Ok(Input::direct())
    }

    /// Hands a source over, once, with `order.input` as [`Engine::input`] made it. Dropping the
    /// future leaves the fate of the submission unknown.
    async fn submit(&self, order: &Order) -> Result<Accepted, SubmitError>;

    /// Where calls go now, by names that may be written down and no secret: an engine whose settings
    /// decide that (a model, an account) is asked for an earlier call by where that one went.
    fn place(&self) -> Option<String> {
        None
    }

    /// Where a request stands that was handed over at `place`. An error says that it could not be asked.
    async fn check(&self, request: &RequestId, place: Option<&str>) -> Result<Check, EngineError>;

    /// The same of a request that is said to be done, by somebody who may be wrong.
    async fn check_done(
        &self,
        request: &RequestId,
        place: Option<&str>,
    ) -> Result<Check, EngineError> {
        self.check(request, place).await
    }

    /// Whether [`Engine::history`] may know something of what was handed over at `place`.
    fn lists(&self, _place: Option<&str>) -> bool {
        false
    }

    /// What the engine lists of the requests that it took since then: how the fate of a submission
    /// is learnt whose answer was lost. Those that surely are this submission's are marked.
    async fn history(
        &self,
        _job: JobId,
        _nonce: &Nonce,
        _place: Option<&str>,
        _since: UnixMs,
    ) -> Result<History, EngineError> {
        Ok(History::default())
    }

    /// Asks the engine to stop what was handed over at `place`. A request that is done or unknown is no
    /// error.
    async fn cancel(&self, request: &RequestId, place: Option<&str>) -> Result<(), EngineError>;

    /// Asks the engine to delete what it keeps of a request: its input, output and files. What the
    /// engine cannot delete, or not for this operator, is no error; it goes by its own lifetime.
    async fn erase(&self, request: &RequestId) -> Result<(), EngineError>;

    /// The layers are stored or not wanted; whatever the engine holds in this process may go.
    fn release(&self, request: &RequestId);
}

/// The engines this process has.
#[derive(Clone, Debug, Default)]
pub struct Engines {
    engines: HashMap<EngineKind, Arc<dyn Engine>>,
    metrics: EngineMetrics,
}

impl Engines {
    /// None yet; calls to those that are added count in `metrics`.
    #[must_use]
    pub fn measured(metrics: EngineMetrics) -> Self {
        Self {
            engines: HashMap::new(),
            metrics,
        }
    }

    /// Adds an engine under its own kind.
    #[must_use]
    pub fn with(mut self, engine: Arc<dyn Engine>) -> Self {
        let measured = Measured::new(engine, self.metrics.clone());
        let kind = measured.facts().kind;
        self.engines.insert(kind, Arc::new(measured));
        self
    }

    /// The engine of a kind, if it is set up.
    #[must_use]
    pub fn get(&self, kind: EngineKind) -> Option<&Arc<dyn Engine>> {
        self.engines.get(&kind)
    }

    /// The kinds that are set up.
    #[must_use]
    pub fn kinds(&self) -> Vec<EngineKind> {
        EngineKind::ALL
            .into_iter()
            .filter(|kind| self.engines.contains_key(kind))
            .collect()
    }
}

/// How an engine in this process says that a job's request is done.
pub type Waker = mpsc::UnboundedSender<(JobId, Nonce)>;
