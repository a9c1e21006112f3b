//! The emulator as a program: options, a word on how to point clients at it, and Ctrl-C.
//!
//! Everything it does is the library's; only the defaults are a person's: a fixed port, layers from
//! the picture itself, and a latency that shows progress.
#![expect(
    clippy::print_stdout,
    reason = "what a person asked to be told goes to standard output, logs go to standard error"
)]

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use fal_emulator::{
    Clock, Config, DEFAULT_ADMIN_KEY, DEFAULT_KEY, Emulator, LayerSource, SourceCheck,
};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// A faithful fal queue on localhost: no key, no network, no bill.
#[derive(Parser)]
#[command(version)]
struct Options {
    /// Address to listen on.
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    host: IpAddr,
    /// Port to listen on; 0 picks a free one.
    #[arg(long, default_value_t = 7070)]
    port: u16,
    /// Base of returned URLs, when clients reach the emulator by another name.
    #[arg(long)]
    public_url: Option<String>,
    /// Where layers come from.
    #[arg(long, value_enum, default_value_t = Layers::Layerize)]
    layers: Layers,
    /// Synthetic layers are files of about so many bytes each, as heavy as a photo's.
    #[arg(long)]
    layer_bytes: Option<usize>,
    /// How much of the source is looked at; layerize decodes it in any case.
    #[arg(long, value_enum, default_value_t = Sources::Decode)]
    source_check: Sources,
    /// Time a run takes at least, such as 4s or 250ms.
    #[arg(long, default_value = "4s", value_parser = parse_duration)]
    latency: Duration,
    /// Time a request waits in the queue at least.
    #[arg(long, default_value = "500ms", value_parser = parse_duration)]
    queue_time: Duration,
    /// Requests in progress at once: a number, or `unlimited`.
    #[arg(long, default_value = "2", value_parser = parse_concurrency)]
    concurrency: Concurrency,
    /// A key to accept, as id:secret; repeat for several.
    #[arg(long, default_value = DEFAULT_KEY)]
    key: Vec<String>,
    /// A key of ADMIN scope to accept, as id:secret; repeat for several.
    #[arg(long, default_value = DEFAULT_ADMIN_KEY)]
    admin_key: Vec<String>,
    /// Accept every well-formed key.
    #[arg(long)]
    any_key: bool,
    /// Requests wait until released over /_emulator/release/{id}.
    #[arg(long)]
    hold: bool,
    /// How much faster than real time results and files expire.
    #[arg(long, default_value_t = 1.0)]
    clock_scale: f64,
    /// How much faster than fal webhook retries follow each other.
    #[arg(long, default_value_t = 1.0)]
    webhook_speed: f64,
}

#[derive(Clone, Copy, ValueEnum)]
enum Layers {
    /// The embedded engine, on the picture itself.
    Layerize,
    /// Ready-made shapes, at once.
    Synthetic,
}

#[derive(Clone, Copy, ValueEnum)]
enum Sources {
    /// Fetched and decoded.
    Decode,
    /// Fetched; its header is read.
    Header,
    /// Not fetched.
    Skip,
}

/// The account's limit; `None` is unlimited.
#[derive(Clone, Copy)]
struct Concurrency(Option<usize>);

#[tokio::main]
async fn main() -> ExitCode {
    let filter = std::env::var("RUST_LOG").ok();
    let filter = filter.and_then(|filter| filter.parse::<Targets>().ok());
    tracing_subscriber::fmt()
        .with_max_level(LevelFilter::TRACE)
        .with_writer(io::stderr)
        .finish()
        .with(filter.unwrap_or_else(|| Targets::new().with_default(LevelFilter::INFO)))
        .init();
    match serve(Options::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "the emulator cannot run");
            ExitCode::FAILURE
        }
    }
}

async fn serve(options: Options) -> io::Result<()> {
    if !options.host.is_loopback() {
        tracing::warn!("listening beyond this machine: the controls need no key");
    }
    let emulator = Emulator::start(Config {
        address: SocketAddr::new(options.host, options.port),
        public_url: options.public_url,
        keys: options.key,
        admin_keys: options.admin_key,
        any_key: options.any_key,
        layers: match options.layers {
            Layers::Layerize => LayerSource::Layerize,
            Layers::Synthetic => LayerSource::Synthetic,
        },
        layer_bytes: options.layer_bytes,
        source_check: match options.source_check {
            Sources::Decode => SourceCheck::Decode,
            Sources::Header => SourceCheck::Header,
            Sources::Skip => SourceCheck::Skip,
        },
        latency: options.latency,
        queue_time: options.queue_time,
        concurrency: options.concurrency.0,
        hold: options.hold,
        clock: Clock::scaled(options.clock_scale),
        webhook_speed: options.webhook_speed,
        ..Config::default()
    })
    .await?;
    introduce(&emulator);
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted?,
        _ = terminate.recv() => {}
    }
    emulator.stop().await;
    Ok(())
}

fn introduce(emulator: &Emulator) {
    let (url, key) = (emulator.url(), emulator.key());
    let (queue, rest) = (emulator.queue_url(), emulator.rest_url());
    let (run, jwks) = (emulator.run_url(), emulator.jwks_url());
    let (platform, admin_key) = (emulator.platform_url(), emulator.admin_key());
    println!(
        "fal emulator on {url}

lamina:
  export FAL_QUEUE_URL={queue}
  export FAL_REST_URL={rest}
  export FAL_JWKS_URL={jwks}
  export FAL_KEY={key}
  export FAL_PLATFORM_URL={platform}
  export FAL_ADMIN_KEY={admin_key}

@fal-ai/client (JavaScript):
  createFalClient({{ credentials: \"{key}\",
    proxyUrl: {{ url: \"{url}/api/fal/proxy\", when: \"always\" }} }})

fal-client (Python), before the first call:
  import fal_client.client as c
  c.QUEUE_URL_FORMAT, c.RUN_URL_FORMAT = \"{queue}/\", \"{run}/\"
  c.REST_URL = c.CDN_URL = \"{rest}\"

Try a fault: put [[emulator:content_policy_violation]] into a prompt.
All faults: {url}/_emulator/faults   Seen so far: {url}/_emulator/requests"
    );
}

/// `4s`, `250ms` or plain seconds.
fn parse_duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = match text.strip_suffix("ms") {
        Some(number) => (number, 0.001),
        None => (text.strip_suffix('s').unwrap_or(text), 1.0),
    };
    let seconds = number.trim().parse::<f64>().map(|number| number * unit);
    seconds
        .ok()
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .ok_or_else(|| format!("{text:?} is not a time such as 4s or 250ms"))
}

fn parse_concurrency(text: &str) -> Result<Concurrency, String> {
    if text == "unlimited" {
        return Ok(Concurrency(None));
    }
    match text.parse() {
        Ok(limit) if limit > 0 => Ok(Concurrency(Some(limit))),
        _ => Err(format!(
            "{text:?} is neither a positive number nor `unlimited`"
        )),
    }
}
