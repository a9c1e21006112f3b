//! How long a health check takes while clients send what is made to hurt: pictures that cost much
//! and end too soon, files that are none, bodies that are no JSON. What they are answered is tested
//! elsewhere; here only that each is refused.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use image::RgbaImage;
use lamina::app::Tuning;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, sleep_until};

use crate::client::{Connection, get, post_bytes};
use crate::report;
use crate::service::{Service, Way};
use crate::stage::Stage;
use crate::stats::{millis, percentile};

const CLIENTS: usize = 8;
const WINDOW: Duration = Duration::from_secs(10);
const PROBE_EVERY: Duration = Duration::from_millis(10);
/// Sixteen megapixels, a third of what is taken.
const SIDE: u32 = 4_000;

pub(super) fn run(stage: &Stage) -> anyhow::Result<()> {
    let requests = requests()?;
    let service = Service::start(stage, Way::Polling, false, Tuning::default())?;
    // The emulator has nothing to do here, and the hostile clients fill their own thread.
    let probing = || stage.emulator.spawn(probe(service.address));
    let idle = stage.client.block_on(probing())??;
    let (hurt, sent) = stage.client.block_on(async {
        let mut clients = JoinSet::new();
        for first in 0..CLIENTS {
            clients.spawn(send(service.address, requests.clone(), first));
        }
        let hurt = probing().await??;
        let mut sent = 0;
        while let Some(count) = clients.join_next().await {
            sent += count??;
        }
        anyhow::Ok((hurt, sent))
    })?;
    for (name, percent) in [("p50", 50.0), ("p99", 99.0), ("longest", 100.0)] {
        let (hurt, idle) = (percentile(&hurt, percent), percentile(&idle, percent));
        report::line(
            &format!("a health check while {CLIENTS} hostile clients send, {name}, ms"),
            &format!("{hurt:.1} ({sent} requests refused)"),
            &format!("idle: {idle:.1}"),
            &format!("{:+.1}", hurt - idle),
        );
    }
    service.stop(stage).map(drop)
}

/// Half of a large picture, noise, a picture that claims a size, and a body that is no JSON.
fn requests() -> anyhow::Result<Arc<[Vec<u8>]>> {
    let mut whole = std::io::Cursor::new(Vec::new());
    let picture = RgbaImage::from_fn(SIDE, SIDE, |x, y| image::Rgba([x as u8, y as u8, 0, 255]));
    picture.write_to(&mut whole, image::ImageFormat::Png)?;
    let whole = whole.into_inner();
    let cut = &whole[..whole.len() - 20];
    let noise = vec![0x5A; 5 << 20];
    let brackets = "[".repeat(1 << 20).into_bytes();
    Ok(Arc::from([
        post_bytes("/api/upload", "image/png", cut),
        post_bytes("/api/upload", "image/png", &noise),
        post_bytes("/api/upload", "image/png", &whole[..40]),
        post_bytes("/api/jobs", "application/json", &brackets),
    ]))
}

/// Sends one after the other, each on a connection of its own; returns how many.
async fn send(
    address: SocketAddr,
    requests: Arc<[Vec<u8>]>,
    first: usize,
) -> anyhow::Result<usize> {
    let (end, mut sent) = (Instant::now() + WINDOW, 0);
    while Instant::now() < end {
        let request = &requests[(first + sent) % requests.len()];
        let mut connection = Connection::open(address).await?;
        let status = connection.exchange(request).await?.status;
        // 503 is a refusal too: more pictures than are taken in at once.
        let refused = (400..500).contains(&status) || status == 503;
        anyhow::ensure!(refused, "answered {status}");
        sent += 1;
    }
    Ok(sent)
}

/// Milliseconds of each health check in the window.
async fn probe(address: SocketAddr) -> anyhow::Result<Vec<f64>> {
    let request = get("/healthz", "");
    let mut connection = Connection::open(address).await?;
    let (end, mut every, mut took) = (Instant::now() + WINDOW, interval(PROBE_EVERY), Vec::new());
    while Instant::now() < end {
        every.tick().await;
        let begun = Instant::now();
        connection.expect(&request, 200).await?;
        took.push(millis(begun.elapsed()));
    }
    sleep_until(end).await;
    Ok(took)
}
