//! One request over and over on many connections for a while, and what that cost.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::client::Connection;
use crate::cpu::Cpu;

/// What is sent, to whom, and what must come back.
#[derive(Clone)]
pub(crate) struct Load {
    pub(crate) address: SocketAddr,
    pub(crate) connections: usize,
    pub(crate) window: Duration,
    pub(crate) request: Arc<[u8]>,
    pub(crate) status: u16,
}

/// What a window came to.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    /// Answers a second.
    pub(crate) rate: f64,
    /// CPU of the service for each answer, in microseconds.
    pub(crate) service_us: f64,
    /// CPU of the client for each answer, in microseconds.
    pub(crate) client_us: f64,
    /// All CPU of the window.
    pub(crate) cpu: Cpu,
}

/// Long enough for connections, statement caches and branch predictors.
const WARM_UP: Duration = Duration::from_millis(500);

impl Load {
    /// Runs it; every answer must have the expected status.
    pub(crate) async fn run(&self) -> anyhow::Result<Measured> {
        let answers = Arc::new(AtomicU64::new(0));
        let stop = Arc::new(AtomicBool::new(false));
        let mut clients = JoinSet::new();
        for _ in 0..self.connections {
            let (load, answers, stop) = (self.clone(), Arc::clone(&answers), Arc::clone(&stop));
            clients.spawn(async move {
                let mut connection = Connection::open(load.address).await?;
                while !stop.load(Ordering::Relaxed) {
                    connection.expect(&load.request, load.status).await?;
                    answers.fetch_add(1, Ordering::Relaxed);
                }
                anyhow::Ok(())
            });
        }
        sleep_until(Instant::now() + WARM_UP).await;
        let (before, begun, cpu) = (answers.load(Ordering::Relaxed), Instant::now(), Cpu::now());
        sleep_until(begun + self.window).await;
        let (after, took) = (answers.load(Ordering::Relaxed), begun.elapsed());
        let cpu = Cpu::now().since(&cpu);
        stop.store(true, Ordering::Relaxed);
        while let Some(ended) = clients.join_next().await {
            ended??;
        }
        let count = (after - before).max(1) as f64;
        Ok(Measured {
            rate: count / took.as_secs_f64(),
            service_us: cpu.service().as_secs_f64() * 1e6 / count,
            client_us: cpu.client().as_secs_f64() * 1e6 / count,
            cpu,
        })
    }
}
