//! `lamina serve`: listens, and stops on signals. The only place that listens to them.

use std::sync::Arc;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::storage::refuse_emptied;
use super::{App, StartError, Tuning, metrics_listener};
use crate::clock::Clock;
use crate::config::Config;
use crate::telemetry::Log;
use crate::{runtime, tls};

/// Runs the service as `lamina serve` does: listens, stops on SIGTERM or SIGINT. `log` is watched
/// meanwhile, for lines that were dropped.
///
/// # Errors
/// [`StartError`]
pub async fn run(config: &Config, clock: Arc<dyn Clock>, log: &Log) -> Result<(), StartError> {
    refuse_emptied(config).await?;
    let mut app = App::build(config, clock, Tuning::default())?;
    app.connections.connections = runtime::raise_descriptors(app.connections.connections);
    app.admit(config).await?;
    let address = config.listen;
    let listener = TcpListener::bind(address)
        .await
        .map_err(|error| StartError::Listen { address, error })?;
    let bound = listener.local_addr().unwrap_or(address);
    if let Some(listener) = metrics_listener::listen(config.metrics_listen).await? {
        app = app.scraped_on(listener);
    }
    app.open_control_file(bound);
    let stop = CancellationToken::new();
    stop_on_signals(stop.clone());
    // Beside the start, not within it; whoever connects sooner waits for it.
    tokio::task::spawn_blocking(tls::read_authorities);
    tracing::info!(address = %bound, engine = config.engine.as_str(), version = env!("CARGO_PKG_VERSION"), "lamina serves on http://{bound}");
    let metrics = app.metrics().sampled.clone();
    tokio::select! {
        () = app.serve(listener, stop) => {}
        never = log.watch(&metrics) => match never {},
    }
    tracing::info!("lamina has stopped");
    Ok(())
}

#[cfg(unix)]
type Terminate = Option<tokio::signal::unix::Signal>;
#[cfg(not(unix))]
type Terminate = Option<std::convert::Infallible>;

/// The first signal asks for an orderly stop, the second ends the process at once. It listens when this
/// returns: whoever reads that the service runs may ask it to stop at once.
fn stop_on_signals(stop: CancellationToken) {
    let mut terminate = listen();
    tokio::spawn(async move {
        signal(&mut terminate).await;
        tracing::info!("stopping; a second signal stops at once");
        stop.cancel();
        signal(&mut terminate).await;
        std::process::exit(130);
    });
}

fn listen() -> Terminate {
    #[cfg(unix)]
    return tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).ok();
    #[cfg(not(unix))]
    None
}

async fn signal(terminate: &mut Terminate) {
    #[cfg(unix)]
    if let Some(terminate) = terminate {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
        return;
    }
    #[cfg(not(unix))]
    let _ = terminate;
    let _ = tokio::signal::ctrl_c().await;
}
