//! The configuration: from the environment and a TOML file to checked values. The only reader of
//! the environment. Everything is checked before anything starts, and every wrong option is named,
//! not only the first.

mod access;
mod allocator;
mod fal;
mod limits;
mod options;
mod reader;
mod storage;
mod traces;
mod values;
mod written;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use fal_queue::ModelId;
use ipnet::IpNet;
use safe_fetch::SourcePrefix;
use secrecy::SecretString;
use url::Url;

pub use allocator::{Purpose, restart};
pub use options::{OPTIONS, OptionDoc};
pub use storage::StorageConfig;
pub use values::ConfigError;

use crate::access::{LimitRules, SpendCaps, StorageRules};
use crate::disk::Floor;
use crate::engines::{ImageWay, NetworkFiles, TextLayers};
use crate::http::{CorsOrigins, HostNames};
use crate::jobs::{EngineKind, StackRules};
use crate::trace::TraceSettings;
use crate::worker::UnknownPolicy;
use reader::Reader;
use values::Values;

/// Everything that can be set, checked.
#[derive(Debug)]
pub struct Config {
    pub listen: SocketAddr,
    /// The SQLite file.
    pub database_path: PathBuf,
    /// Where pictures are kept.
    pub storage: StorageConfig,
    /// The service's address for clients and fal.
    pub public_url: Option<Url>,
    /// Sign and check links; empty means "make one and keep it".
    pub signing_secrets: Vec<SecretString>,
    /// Who may use `/api`: name and key.
    pub api_keys: Vec<(String, SecretString)>,
    /// Opens `/api/admin`.
    pub admin_key: Option<SecretString>,
    /// Whether an address that is not loopback is served without keys.
    pub allow_anonymous: bool,
    /// Limits of callers for whom nothing else was set.
    pub limits: LimitRules,
    /// Caps on spending.
    pub spend: SpendCaps,
    /// Bounds on what is kept.
    pub storage_rules: StorageRules,
    /// Whether `X-Forwarded-Proto` is believed.
    pub trust_proxy: bool,
    /// Whether there are pages for people at `/` and `/docs`.
    pub page: bool,
    /// Whether there is a page for the operator at `/admin`.
    pub admin_page: bool,
    /// Web pages that may call `/api`.
    pub cors: CorsOrigins,
    /// Names under which it may be asked without keys.
    pub host_names: HostNames,
    /// The engine of jobs that do not ask for one.
    pub engine: EngineKind,
    /// The embedded engine.
    pub local: LocalConfig,
    /// fal; `None` without a key.
    pub fal: Option<FalConfig>,
    /// What to do with a submission of unknown fate.
    pub submit_unknown: UnknownPolicy,
    /// After how long.
    pub submit_unknown_grace: Duration,
    /// How long an engine may take.
    pub engine_timeout: Duration,
    /// What is done about poor stacks and empty layers.
    pub stacks: StackRules,
    /// How long jobs and uploads are kept.
    pub job_ttl: Duration,
    /// How long a clock that leapt ahead must run on before anything expires because of that.
    pub clock_step_hold: Duration,
    /// How long steps may finish after a stop.
    pub stop_grace: Duration,
    /// Opening strangers' URLs.
    pub fetch: FetchConfig,
    /// The largest image, in bytes.
    pub max_image_bytes: u64,
    /// The largest image, in pixels.
    pub max_image_pixels: u64,
    /// How much of its disks stays free.
    pub min_free_disk: Floor,
    /// Connections at once.
    pub max_connections: usize,
    /// Event streams and waiting reads at once.
    pub max_event_streams: usize,
    /// The same of one owner.
    pub max_event_streams_per_key: Option<usize>,
    /// Logging.
    pub log: LogConfig,
    /// Where metrics are served, if at all.
    pub metrics_listen: Option<SocketAddr>,
    /// Where traces go, if anywhere.
    pub traces: Option<TraceSettings>,
}

/// The embedded engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalConfig {
    /// Pictures at once.
    pub concurrency: usize,
    /// Threads for one picture; `None` takes every core.
    pub threads: Option<usize>,
    /// How lines of text become layers.
    pub text: TextLayers,
    /// The most layers of a job that names no number.
    pub layers: u8,
    /// What runs its networks, and models of the operator's own.
    pub networks: NetworkFiles,
}

/// fal.
#[derive(Clone, Debug)]
pub struct FalConfig {
    pub key: SecretString,
    /// A key of ADMIN scope.
    pub admin_key: Option<SecretString>,
    pub model: ModelId,
    /// How a picture gets there.
    pub way: ImageWay,
    /// Whether fal calls back.
    pub webhooks: bool,
    /// What one request costs, in millionths of a US dollar.
    pub price_microusd: u64,
    pub queue_url: Url,
    /// Storage.
    pub rest_url: Url,
    /// The platform's API.
    pub platform_url: Url,
    /// Keys of webhooks.
    pub jwks_url: Url,
}

/// Opening strangers' URLs.
#[derive(Clone, Debug, Default)]
pub struct FetchConfig {
    /// `http://` too.
    pub allow_http: bool,
    /// Networks let through the address check.
    pub allow_nets: Vec<IpNet>,
    /// Only these, if any.
    pub allow_prefixes: Vec<SourcePrefix>,
}

/// Logging.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// A tracing filter.
    pub filter: String,
    /// JSON lines rather than text; `None` decides by the terminal.
    pub json: Option<bool>,
}

impl Config {
    /// Reads `file` (or `lamina.toml` where it exists) and the environment.
    ///
    /// # Errors
    /// Every option that is wrong.
    pub fn load(file: Option<&Path>) -> Result<Self, Vec<ConfigError>> {
        Self::load_with(file, [])
    }

    /// [`Config::load`] with some options set over everything else, as the command line does.
    ///
    /// # Errors
    /// Every option that is wrong.
    pub fn load_with<'a>(
        file: Option<&Path>,
        over: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, Vec<ConfigError>> {
        Self::parse(&given(file, over, None)?)
    }

    /// [`Config::load_with`] for a command that needs `names` alone: the others have their defaults,
    /// whatever file and environment say of them. Without `file` the environment alone is read.
    ///
    /// # Errors
    /// Every one of these options that is wrong.
    pub fn load_only<'a>(
        names: &[&str],
        file: Option<&Path>,
        over: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, Vec<ConfigError>> {
        let mut values = Values::load(file, Some(names))?;
        values.overlay(over);
        Self::parse(&values)
    }

    /// Where a service of this configuration listens. Nothing else of it is checked.
    ///
    /// # Errors
    /// `HOST` or `PORT` is wrong, or the file cannot be read.
    pub fn listen<'a>(
        file: Option<&Path>,
        over: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<SocketAddr, Vec<ConfigError>> {
        let values = given(file, over, Some(&["HOST", "PORT"]))?;
        let mut reader = Reader::new(&values);
        let listen = reader.listen();
        reader.finish(listen)
    }

    /// A configuration of these options alone, without file and environment.
    ///
    /// # Errors
    /// Every option that is wrong.
    pub fn from_pairs<'a>(
        pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, Vec<ConfigError>> {
        Self::parse(&Values::from_pairs(pairs))
    }

    /// Where a test wants this process to die; see `worker::failpoints`.
    #[cfg(debug_assertions)]
    #[must_use]
    pub fn failpoint() -> Option<String> {
        std::env::var("LAMINA_TEST_CRASH_POINT").ok()
    }

    fn parse(values: &Values) -> Result<Self, Vec<ConfigError>> {
        let mut reader = Reader::new(values);
        let listen = reader.listen();
        let database_path = PathBuf::from(reader.text("DATABASE_PATH"));
        let public_url = reader.base_url("PUBLIC_URL");
        let storage = reader.storage(&database_path);
        let fal = reader.fal(public_url.as_ref(), &storage);
        let config = Self {
            listen,
            storage,
            database_path,
            public_url,
            signing_secrets: reader.signing_secrets(),
            api_keys: reader.api_keys(),
            admin_key: reader.admin_api_key(),
            allow_anonymous: reader.flag("ALLOW_ANONYMOUS"),
            limits: reader.limits(),
            spend: reader.spend_caps(),
            storage_rules: reader.storage_rules(),
            trust_proxy: reader.flag("TRUST_PROXY"),
            page: reader.flag("PAGE"),
            admin_page: reader.flag("ADMIN_PAGE"),
            cors: reader.cors(),
            host_names: reader.host_names(),
            engine: reader.engine(fal.is_some()),
            local: reader.local(),
            fal,
            submit_unknown: reader.unknown_policy(),
            submit_unknown_grace: reader.duration("SUBMIT_UNKNOWN_GRACE"),
            engine_timeout: reader.duration("ENGINE_TIMEOUT"),
            stacks: reader.stacks(),
            job_ttl: reader.job_ttl(),
            clock_step_hold: reader.duration("CLOCK_STEP_HOLD"),
            stop_grace: reader.duration("STOP_GRACE"),
            fetch: reader.fetch(),
            max_image_bytes: reader.count("MAX_IMAGE_BYTES", "a number of bytes"),
            max_image_pixels: reader.count("MAX_IMAGE_PIXELS", "a number of pixels"),
            min_free_disk: reader.min_free_disk(),
            max_connections: reader.count("MAX_CONNECTIONS", "a number of connections"),
            max_event_streams: reader.count("MAX_EVENT_STREAMS", "a number of streams"),
            max_event_streams_per_key: reader.streams_per_key(),
            log: reader.log(),
            metrics_listen: reader.metrics_listen(),
            traces: reader.traces(),
        };
        reader.finish(config)
    }
}

/// The file that is read where none is given: `lamina.toml` in the working directory, if it exists.
pub fn usual_file<'a>() -> Option<&'a Path> {
    let usual = Path::new("lamina.toml");
    usual.exists().then_some(usual)
}

/// The file that the environment names, as a server's start does.
#[must_use]
pub fn file_of_environment() -> Option<PathBuf> {
    let path = std::env::var_os("LAMINA_CONFIG")?;
    (!path.is_empty()).then(|| path.into())
}

/// Whether a file of options can be read and is TOML; of what stands in it nothing is said.
///
/// # Errors
/// It cannot, or it is not.
pub fn check_file(path: &Path) -> Result<(), ConfigError> {
    values::table(path).map(|_| ())
}

/// What `file` (or [`usual_file`]), the environment and `over` say, the last first.
fn given<'a>(
    file: Option<&Path>,
    over: impl IntoIterator<Item = (&'a str, &'a str)>,
    only: Option<&[&str]>,
) -> Result<Values, Vec<ConfigError>> {
    let mut values = Values::load(file.or_else(usual_file), only)?;
    values.overlay(over);
    Ok(values)
}

#[cfg(test)]
mod tests;
