//! What a caller may choose before the emulator starts. Nothing here changes afterwards; what can
//! change while it runs (scripts, holds, keys) is on [`crate::Emulator`].

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use crate::clock::Clock;

/// The key that is accepted when nothing else was configured.
pub const DEFAULT_KEY: &str = "emulator-key-id:emulator-key-secret";

/// The key of ADMIN scope that is accepted when nothing else was configured.
pub const DEFAULT_ADMIN_KEY: &str = "emulator-admin-id:emulator-admin-secret";

/// The model whose queue this emulates.
pub const MODEL: &str = "fal-ai/qwen-image-layered";

/// Where the pixels of the layers come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LayerSource {
    /// `layerize::split` on the real source: slow, and worth looking at.
    Layerize,
    /// Ready-made shapes, encoded once per size and count: costs next to nothing.
    Synthetic,
}

/// How much of the source image a run looks at. Benchmarks turn it down to leave the machine to
/// what they measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceCheck {
    /// Fetched and decoded, as the model does.
    Decode,
    /// Fetched; only the size in its header is read.
    Header,
    /// Not even fetched; taken to be 640 x 640. Needs [`LayerSource::Synthetic`].
    Skip,
}

/// What the model refuses as a source.
#[derive(Clone, Copy, Debug)]
pub struct ImageLimits {
    /// Shortest side accepted, in pixels. Below: `image_too_small`.
    pub min_side: u32,
    /// Longest side accepted, in pixels. Above: `image_too_large`.
    pub max_side: u32,
    /// Largest file accepted, in bytes. Above: `file_too_large`.
    pub max_bytes: usize,
}

/// Everything that can be chosen at the start. [`Config::default`] suits tests: an own port, no
/// latency, synthetic layers, two requests at a time.
#[derive(Clone, Debug)]
pub struct Config {
    /// Address to bind; port 0 picks a free one. Default `127.0.0.1:0`.
    pub address: SocketAddr,
    /// Base of every URL in an answer, without a trailing slash. Default: the `Host` header of the
    /// request (with `X-Forwarded-Proto`), so that whoever asks can reach what is returned.
    pub public_url: Option<String>,
    /// Keys accepted, as `key_id:key_secret`. Default [`DEFAULT_KEY`].
    pub keys: Vec<String>,
    /// Keys of ADMIN scope, which the platform's API wants, as `key_id:key_secret`. Default
    /// [`DEFAULT_ADMIN_KEY`].
    pub admin_keys: Vec<String>,
    /// Accept every well-formed key besides. Default false.
    pub any_key: bool,
    /// Applications that exist, as `owner/alias`. Default [`MODEL`].
    pub apps: Vec<String>,
    /// Default [`LayerSource::Synthetic`].
    pub layers: LayerSource,
    /// Default [`SourceCheck::Decode`].
    pub source_check: SourceCheck,
    /// Synthetic layers get grain until each is a file of about so many bytes, as heavy as a photo's.
    /// Default `None`: plain shapes of a few kilobytes.
    pub layer_bytes: Option<usize>,
    /// Time a run takes beyond what its work takes. Default zero.
    pub latency: Duration,
    /// Time a request stays queued even when a runner is free. Default zero.
    pub queue_time: Duration,
    /// Requests in progress at once; `None` is unlimited. Default 2, as a new account has.
    pub concurrency: Option<usize>,
    /// Requests wait in the queue, and runs wait before they finish, until they are released.
    /// Default false.
    pub hold: bool,
    /// Dollars per billed unit; one completed request is one unit. Default 0.05.
    pub price_usd: f64,
    /// Default [`Clock::system`].
    pub clock: Clock,
    /// How much faster than fal webhook retries follow each other (7 s doubling to ten minutes, thirty
    /// times). Default 100.
    pub webhook_speed: f64,
    /// Whether webhooks to loopback and private addresses are dropped, as fal does. Default false: an
    /// emulator's clients are on its own machine.
    pub public_webhooks: bool,
    /// Whether the list of requests names the tags of their submissions, which fal does not promise.
    /// Default false.
    pub list_tags: bool,
    /// Silence after which a status stream sends a comment. Default 15 s.
    pub ping_interval: Duration,
    /// Default 32 to 8192 pixels a side, 50 MB.
    pub image_limits: ImageLimits,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            public_url: None,
            keys: vec![DEFAULT_KEY.to_owned()],
            admin_keys: vec![DEFAULT_ADMIN_KEY.to_owned()],
            any_key: false,
            apps: vec![MODEL.to_owned()],
            layers: LayerSource::Synthetic,
            source_check: SourceCheck::Decode,
            layer_bytes: None,
            latency: Duration::ZERO,
            queue_time: Duration::ZERO,
            concurrency: Some(2),
            hold: false,
            price_usd: 0.05,
            clock: Clock::system(),
            webhook_speed: 100.0,
            public_webhooks: false,
            list_tags: false,
            ping_interval: Duration::from_secs(15),
            image_limits: ImageLimits {
                min_side: 32,
                max_side: 8192,
                max_bytes: 50_000_000,
            },
        }
    }
}
