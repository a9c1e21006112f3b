//! Loads, and what a window of one costs the process under it. Also the bare route, which this
//! program serves when it starts itself as `bench bare-route`.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get as on_get;
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::options::Options;
use super::server::Server;
use crate::bare;
use crate::client::{Connection, get};
use crate::process::Process;

/// How often an app looks at its job. Each look is a request that the service pays for.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// One after the other on many connections.
pub(super) struct Load<'a> {
    pub(super) address: SocketAddr,
    pub(super) connections: usize,
    pub(super) options: &'a Options,
}

/// What a window came to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Measured {
    /// Finished a second.
    pub(super) rate: f64,
    /// CPU that each cost, in microseconds, of each of the processes that were asked.
    pub(super) cpu_us: [f64; 2],
    /// Median time of one, in milliseconds.
    pub(super) median_ms: f64,
}

impl Load<'_> {
    /// The same request over and over. `cpu` says what the measured processes have used.
    pub(super) async fn requests(
        &self,
        request: &Arc<[u8]>,
        status: u16,
        cpu: impl Fn() -> [Duration; 2],
    ) -> anyhow::Result<Measured> {
        let request = Arc::clone(request);
        self.run(cpu, move |mut connection| {
            let request = Arc::clone(&request);
            async move {
                connection.expect(&request, status).await?;
                Ok(connection)
            }
        })
        .await
    }

    /// Whole jobs: created, and looked at until they are completed.
    pub(super) async fn jobs(
        &self,
        create: &Arc<[u8]>,
        cpu: impl Fn() -> [Duration; 2],
    ) -> anyhow::Result<Measured> {
        let create = Arc::clone(create);
        self.run(cpu, move |mut connection| {
            let create = Arc::clone(&create);
            async move {
                let answer = connection.expect(&create, 202).await?.json()?;
                let id = answer["job_id"].as_str().context("no id")?.to_owned();
                completed(&mut connection, &id, LOOK_EVERY).await?;
                Ok(connection)
            }
        })
        .await
    }

    async fn run<F>(
        &self,
        cpu: impl Fn() -> [Duration; 2],
        once: impl Fn(Connection) -> F + Clone + Send + 'static,
    ) -> anyhow::Result<Measured>
    where
        F: Future<Output = anyhow::Result<Connection>> + Send + 'static,
    {
        let (done, stop) = (
            Arc::new(AtomicU64::new(0)),
            Arc::new(AtomicBool::new(false)),
        );
        let (address, mut clients) = (self.address, JoinSet::new());
        for _ in 0..self.connections {
            let (done, stop, once) = (Arc::clone(&done), Arc::clone(&stop), once.clone());
            clients.spawn(async move {
                let mut connection = Connection::open(address).await?;
                let mut times = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    let begun = Instant::now();
                    connection = once(connection).await?;
                    times.push((begun, begun.elapsed()));
                    done.fetch_add(1, Ordering::Relaxed);
                }
                anyhow::Ok(times)
            });
        }
        sleep_until(Instant::now() + self.options.warm_up).await;
        let (before, used, begun) = (done.load(Ordering::Relaxed), cpu(), Instant::now());
        sleep_until(begun + self.options.window).await;
        let (after, used_then, took) = (done.load(Ordering::Relaxed), cpu(), begun.elapsed());
        stop.store(true, Ordering::Relaxed);
        let mut millis = Vec::new();
        while let Some(ended) = clients.join_next().await {
            let times = ended??.into_iter().filter(|(started, _)| *started >= begun);
            millis.extend(times.map(|(_, time)| crate::stats::millis(time)));
        }
        anyhow::ensure!(
            after > before,
            "nothing was finished within {:?}; give it more --seconds",
            self.options.window
        );
        let count = (after - before) as f64;
        let each = |index: usize| (used_then[index] - used[index]).as_secs_f64() * 1e6 / count;
        Ok(Measured {
            rate: count / took.as_secs_f64(),
            cpu_us: [each(0), each(1)],
            median_ms: crate::stats::median(&millis),
        })
    }
}

/// Looks at a job every `every` until it is completed.
pub(super) async fn completed(
    connection: &mut Connection,
    id: &str,
    every: Duration,
) -> anyhow::Result<()> {
    crate::rows::until(connection, id, "completed", every).await?;
    Ok(())
}

/// Starts this program as the bare route that answers the bytes of `file`.
pub(super) fn bare(file: &Path) -> anyhow::Result<Server> {
    let port = Process::port()?;
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["bare-route", &port.to_string()]).arg(file);
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    Server::start(command, address, bare::PATH, &file.with_extension("log"))
}

/// The bare route's process: `bench bare-route PORT FILE`. Ends with SIGTERM, by default.
pub(crate) fn bare_route(arguments: &[String]) -> anyhow::Result<()> {
    let [port, file] = arguments else {
        anyhow::bail!("bare-route wants a port and a file");
    };
    let (port, answer) = (port.parse::<u16>()?, Bytes::from(std::fs::read(file)?));
    let read = move || async move { ([(CONTENT_TYPE, "application/json")], answer) };
    let routes = Router::new().route(bare::PATH, on_get(read));
    let runtime = Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(("127.0.0.1", port)).await?;
        Ok(axum::serve(listener, routes).await?)
    })
}

/// A status read of a job.
pub(super) fn read_of(id: &str) -> Arc<[u8]> {
    Arc::from(get(&format!("/api/jobs/{id}"), ""))
}
