//! Memory while 200 clients upload a picture of 10 MB each at once, beside a bare route that reads
//! the same bodies whole. Memory is the process's, so the clients are in it too; they share the
//! bytes they send.

use std::sync::Arc;
use std::time::{Duration, Instant};

use lamina::app::Tuning;
use tokio::task::JoinSet;
use tokio::time::sleep_until;

use crate::bare::{self, Bare};
use crate::client::{Connection, post_bytes};
use crate::cpu::{forget_peak, peak_bytes, resident_bytes};
use crate::service::{Service, Way};
use crate::stage::Stage;
use crate::{picture, report};

const CLIENTS: usize = 200;
const BYTES: usize = 10 << 20;
/// Before a client that was told to come back does so.
const AGAIN: Duration = Duration::from_secs(1);

pub(super) fn run(stage: &Stage) -> anyhow::Result<()> {
    let file = picture::noise(BYTES)?;
    let service = Service::start(stage, Way::Polling, false, Tuning::default())?;
    let request = post_bytes("/api/upload", "image/png", &file);
    let lamina = at_once(stage, service.address, request, 201)?;
    service.stop(stage)?;
    let bare = Bare::start(stage, Vec::new())?;
    let request = post_bytes(bare::PATH, "image/png", &file);
    let plain = at_once(stage, bare.address, request, 202)?;
    report::line(
        &format!(
            "memory over idle while {CLIENTS} clients upload {:.1} MB each, MB",
            megabytes(file.len() as u64)
        ),
        &format!(
            "{:.0}; all stored after {:.1} s, {} told to come back",
            megabytes(lamina.peak_bytes),
            lamina.took.as_secs_f64(),
            lamina.busy
        ),
        &format!(
            "bare route that reads the bodies: {:.0} and {:.1} s",
            megabytes(plain.peak_bytes),
            plain.took.as_secs_f64()
        ),
        &format!(
            "{:.0} %",
            lamina.peak_bytes as f64 / plain.peak_bytes.max(1) as f64 * 100.0
        ),
    );
    Ok(())
}

struct Outcome {
    peak_bytes: u64,
    took: Duration,
    busy: u32,
}

fn at_once(
    stage: &Stage,
    address: std::net::SocketAddr,
    request: Vec<u8>,
    status: u16,
) -> anyhow::Result<Outcome> {
    let request: Arc<[u8]> = Arc::from(request);
    let idle = resident_bytes();
    forget_peak()?;
    let begun = Instant::now();
    let busy = stage.client.block_on(async {
        let mut clients = JoinSet::new();
        for _ in 0..CLIENTS {
            let request = Arc::clone(&request);
            clients.spawn(async move {
                let mut busy = 0_u32;
                loop {
                    let mut connection = Connection::open(address).await?;
                    let answer = connection.exchange(&request).await?;
                    if answer.status == status {
                        return anyhow::Ok(busy);
                    }
                    let text = String::from_utf8_lossy(answer.body);
                    anyhow::ensure!(answer.status == 503, "answered {}: {text}", answer.status);
                    busy += 1;
                    sleep_until(tokio::time::Instant::now() + AGAIN).await;
                }
            });
        }
        let mut all = 0;
        while let Some(busy) = clients.join_next().await {
            all += busy??;
        }
        anyhow::Ok(all)
    })?;
    Ok(Outcome {
        peak_bytes: peak_bytes().saturating_sub(idle),
        took: begun.elapsed(),
        busy,
    })
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
