//! What stands in for fal: the emulator in a process of its own, with layers of 375 kB made once and
//! served from memory; or a port where nobody answers, which leaves a service with its creates alone.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;
use fal_emulator::DEFAULT_KEY;
use serde_json::Value;

use super::options::program;
use super::server::Server;
use crate::client::{Connection, get};
use crate::process::Process;

/// Of each layer, about what fal's own weigh.
const LAYER_BYTES: usize = 375_000;

pub(super) enum Engine {
    Emulator(Server),
    /// Connections wait in the listener's backlog.
    Silent(TcpListener),
}

impl Engine {
    /// Requests take `latency`, as many at once as there are; with `hold` they never end.
    pub(super) fn emulator(folder: &Path, latency: Duration, hold: bool) -> anyhow::Result<Self> {
        let port = Process::port()?;
        let mut command = Command::new(program("fal-emulator")?);
        command
            .env("RUST_LOG", "warn")
            .args(["--port", &port.to_string()])
            .args(["--latency", &format!("{}ms", latency.as_millis())])
            .args(["--queue-time", "0", "--concurrency", "unlimited"])
            .args(["--layers", "synthetic", "--source-check", "skip"])
            .args(["--layer-bytes", &LAYER_BYTES.to_string()]);
        if hold {
            command.arg("--hold");
        }
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let log = folder.join("emulator.log");
        Ok(Self::Emulator(Server::start(
            command,
            address,
            "/_emulator",
            &log,
        )?))
    }

    pub(super) fn silent() -> anyhow::Result<Self> {
        Ok(Self::Silent(TcpListener::bind("127.0.0.1:0")?))
    }

    pub(super) fn url(&self) -> anyhow::Result<String> {
        let address = match self {
            Self::Emulator(server) => server.address,
            Self::Silent(listener) => listener.local_addr()?,
        };
        Ok(format!("http://{address}"))
    }

    pub(super) fn key(&self) -> &'static str {
        DEFAULT_KEY
    }

    pub(super) fn cpu(&self) -> Duration {
        match self {
            Self::Emulator(server) => server.cpu(),
            Self::Silent(_) => Duration::ZERO,
        }
    }

    /// What its control answers at `path`, below `/_emulator`.
    pub(super) async fn told(&self, path: &str) -> anyhow::Result<Value> {
        let Self::Emulator(server) = self else {
            anyhow::bail!("nobody answers there");
        };
        let mut connection = Connection::open(server.address).await?;
        let request = get(&format!("/_emulator{path}"), "");
        let told = connection.expect(&request, 200).await?.json();
        told.context("the emulator's control")
    }
}
