//! lamina in this process: the real service on a port of its own, over a database and a blob
//! folder that are removed afterwards. No log subscriber is installed.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use fal_emulator::{Config as EmulatorConfig, Emulator, SourceCheck};
use lamina::app::{App, Tuning};
use lamina::clock::SystemClock;
use lamina::config::Config;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::stage::Stage;

/// How lamina learns that the engine is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// It asks; the source is uploaded to the engine.
    Polling,
    /// It is told; the engine fetches the source from lamina.
    Webhooks,
}

/// lamina and the emulator it talks to. Must be ended by [`Service::stop`].
pub(crate) struct Service {
    pub(crate) address: SocketAddr,
    pub(crate) emulator: Arc<Emulator>,
    stop: CancellationToken,
    served: JoinHandle<()>,
    folder: TempDir,
}

impl Service {
    /// Starts both, each on its threads. The emulator makes four layers at once, any number of
    /// requests at a time, and reads no more of the source than its header.
    pub(crate) fn start(
        stage: &Stage,
        way: Way,
        hold: bool,
        tuning: Tuning,
    ) -> anyhow::Result<Self> {
        let chosen = EmulatorConfig {
            source_check: SourceCheck::Header,
            concurrency: None,
            hold,
            ..EmulatorConfig::default()
        };
        let emulator = stage
            .emulator
            .block_on(stage.emulator.spawn(Emulator::start(chosen)))??;
        let folder = tempfile::tempdir()?;
        let listener = stage.service.block_on(TcpListener::bind("127.0.0.1:0"))?;
        let address = listener.local_addr()?;
        let mut options = vec![
            (
                "DATABASE_PATH",
                folder.path().join("lamina.db").display().to_string(),
            ),
            ("FAL_API_KEY", emulator.key()),
            ("FAL_QUEUE_URL", emulator.queue_url()),
            ("FAL_REST_URL", emulator.rest_url()),
            ("FAL_JWKS_URL", emulator.jwks_url()),
            ("FETCH_ALLOW_HTTP", "true".to_owned()),
            ("FETCH_ALLOW_NETS", "127.0.0.0/8".to_owned()),
            ("STOP_GRACE", "1s".to_owned()),
        ];
        if way == Way::Webhooks {
            options.push(("PUBLIC_URL", format!("http://{address}")));
        }
        let pairs = options.iter().map(|(name, value)| (*name, value.as_str()));
        let config = Config::from_pairs(pairs).map_err(|errors| anyhow!("{errors:?}"))?;
        let stop = CancellationToken::new();
        // Built on the service's own threads, so that threads it starts are counted as its own.
        let build = async move { App::build(&config, Arc::new(SystemClock::default()), tuning) };
        let app = stage
            .service
            .block_on(stage.service.spawn(build))?
            .context("lamina does not start")?;
        let served = stage.service.spawn(app.serve(listener, stop.clone()));
        Ok(Self {
            address,
            emulator: Arc::new(emulator),
            stop,
            served,
            folder,
        })
    }

    /// Ends both, and gives what lamina kept, which is removed when this is dropped.
    pub(crate) fn stop(self, stage: &Stage) -> anyhow::Result<TempDir> {
        self.stop.cancel();
        stage.service.block_on(self.served)?;
        let emulator = Arc::into_inner(self.emulator).context("the emulator is still in use")?;
        stage.emulator.block_on(emulator.stop());
        Ok(self.folder)
    }
}
