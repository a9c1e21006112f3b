//! Jobs as an app makes and watches them; what several rows share.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use crate::client::{Connection, get};

/// Longest wait for one job; a run that needs it is broken.
const PATIENCE: Duration = Duration::from_secs(60);

/// Creates so many jobs over so many connections; returns their ids.
pub(crate) async fn create(
    address: SocketAddr,
    request: &Arc<[u8]>,
    jobs: usize,
    connections: usize,
) -> anyhow::Result<Vec<String>> {
    let mut clients = JoinSet::new();
    for client in 0..connections {
        let own = (client..jobs).step_by(connections).count();
        let request = Arc::clone(request);
        clients.spawn(async move {
            let mut connection = Connection::open(address).await?;
            let mut ids = Vec::with_capacity(own);
            for _ in 0..own {
                let answer = connection.expect(&request, 202).await?.json()?;
                ids.push(answer["job_id"].as_str().context("no id")?.to_owned());
            }
            anyhow::Ok(ids)
        });
    }
    let mut ids = Vec::with_capacity(jobs);
    while let Some(made) = clients.join_next().await {
        ids.extend(made??);
    }
    Ok(ids)
}

/// Looks at a job every `every` until it has this status, and returns it.
pub(crate) async fn until(
    connection: &mut Connection,
    id: &str,
    status: &str,
    every: Duration,
) -> anyhow::Result<Value> {
    let request = get(&format!("/api/jobs/{id}"), "");
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let look = async {
        loop {
            ticks.tick().await;
            let job = connection.expect(&request, 200).await?.json()?;
            if job["status"] == status {
                return Ok(job);
            }
            if job["status"] == "failed" {
                bail!("a job failed: {}", job["error"]);
            }
        }
    };
    tokio::time::timeout(PATIENCE, look)
        .await
        .context("a job hangs")?
}
