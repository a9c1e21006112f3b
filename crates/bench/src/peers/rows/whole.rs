//! Whole jobs a second with an engine that needs no time: four layers of 375 kB, 64 clients that
//! create, look every 100 ms and begin again. And the memory of it. lamina as shipped, and with layers checked as the peer does.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::{compare, fresh};
use crate::client::post;
use crate::peers::Arena;
use crate::peers::contender::Contender;
use crate::peers::engine::Engine;
use crate::peers::load::{Load, Measured};
use crate::picture;
use crate::service::Way;

const CLIENTS: usize = 64;
const ALL: [Contender; 3] = [
    Contender::Lamina,
    Contender::LaminaChecksums,
    Contender::Node,
];
/// From the first answer until what a start leaves to do is done.
const IDLE_AFTER: Duration = Duration::from_secs(2);

/// What a round came to.
struct Round {
    measured: Measured,
    idle_mb: f64,
    peak_mb: f64,
}

pub(super) fn run(arena: &Arena) -> anyhow::Result<()> {
    for way in [Way::Polling, Way::Webhooks] {
        let mut all: [Vec<Round>; 3] = Default::default();
        for _ in 0..arena.options.rounds {
            for (rounds, contender) in all.iter_mut().zip(ALL) {
                rounds.push(round(arena, contender, way)?);
            }
        }
        let line = |what: &str, decimals, value: fn(&Round) -> f64| {
            let [full, checksums, node] =
                [0, 1, 2].map(|one: usize| all[one].iter().map(value).collect::<Vec<f64>>());
            for (check, lamina) in [("as shipped", &full), ("checksums", &checksums)] {
                compare(
                    &format!("{what}, {way:?}, {check}"),
                    lamina,
                    ("Node", &node),
                    decimals,
                );
            }
        };
        line("whole jobs a second", 1, |round| round.measured.rate);
        line("CPU of a job, ms", 1, |round| {
            round.measured.cpu_us[0] / 1e3
        });
        line("the emulator's CPU of it, ms", 1, |round| {
            round.measured.cpu_us[1] / 1e3
        });
        line("time of a job as its client sees it, p50 ms", 0, |round| {
            round.measured.median_ms
        });
        line("memory idle, MB", 0, |round| round.idle_mb);
        line("memory at its peak, MB", 0, |round| round.peak_mb);
    }
    Ok(())
}

fn round(arena: &Arena, contender: Contender, way: Way) -> anyhow::Result<Round> {
    let folder = fresh(arena)?;
    let engine = Engine::emulator(&folder, Duration::ZERO, false)?;
    let server = contender.start(arena, &folder, &engine, way)?;
    arena
        .client
        .block_on(async { sleep_until(Instant::now() + IDLE_AFTER).await });
    let idle_mb = server.megabytes("VmRSS:");
    let create: Arc<[u8]> = Arc::from(post("/api/jobs", &picture::create_body(&arena.png)));
    let load = Load {
        address: server.address,
        connections: CLIENTS,
        options: &arena.options,
    };
    let cpu = || [server.cpu(), engine.cpu()];
    let measured = arena.client.block_on(load.jobs(&create, cpu))?;
    Ok(Round {
        measured,
        idle_mb,
        peak_mb: server.megabytes("VmHWM:"),
    })
}
