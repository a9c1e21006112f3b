//! What a thousand jobs cost while the engine has them, in per cent of a core, over the service that
//! has none.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use tokio::time::{Instant, sleep_until};

use super::{compare, fresh};
use crate::client::post;
use crate::peers::Arena;
use crate::peers::contender::{BOTH, Contender};
use crate::peers::engine::Engine;
use crate::picture;
use crate::rows::create;
use crate::service::Way;

const JOBS: usize = 1_000;
const CONNECTIONS: usize = 8;
/// Until all are submitted.
const PATIENCE: Duration = Duration::from_secs(120);
/// From the last submission until nothing but waiting is left.
const CALM: Duration = Duration::from_secs(5);
/// Jobs that will be heard of are asked for all the same, each once in this time, the first of them close together: what a shorter window
/// sees of that is chance.
const ALL_ASKED: Duration = Duration::from_secs(240);

pub(super) fn run(arena: &Arena) -> anyhow::Result<()> {
    for way in [Way::Webhooks, Way::Polling] {
        let mut all = [[0.0; 2]; 2];
        for (shares, contender) in all.iter_mut().zip(BOTH) {
            *shares = round(arena, contender, way)?;
        }
        let what = format!("{JOBS} waiting jobs, {way:?}: per cent of a core");
        compare(&what, &[all[0][1]], ("Node", &[all[1][1]]), 2);
        let what = format!("no job, {way:?}: per cent of a core");
        compare(&what, &[all[0][0]], ("Node", &[all[1][0]]), 2);
    }
    Ok(())
}

/// Without a job, and with all of them.
fn round(arena: &Arena, contender: Contender, way: Way) -> anyhow::Result<[f64; 2]> {
    let folder = fresh(arena)?;
    let engine = Engine::emulator(&folder, Duration::ZERO, true)?;
    let server = contender.start(arena, &folder, &engine, way)?;
    let request: Arc<[u8]> = Arc::from(post("/api/jobs", &picture::create_body(&arena.png)));
    // The polls of a slow beat come a few times within three windows.
    let window = arena.options.window * 3;
    let waiting = match way {
        Way::Webhooks => window.max(ALL_ASKED),
        Way::Polling => window,
    };
    let share = async |window| {
        sleep_until(Instant::now() + CALM).await;
        let (used, begun) = (server.cpu(), Instant::now());
        sleep_until(begun + window).await;
        (server.cpu() - used).as_secs_f64() / begun.elapsed().as_secs_f64() * 100.0
    };
    arena.client.block_on(async {
        let idle = share(window).await;
        create(server.address, &request, JOBS, CONNECTIONS).await?;
        let begun = Instant::now();
        loop {
            let told = engine.told("").await?;
            let submissions = &told["counters"]["submissions"];
            if submissions.as_u64().context("no counter")? >= JOBS as u64 {
                break;
            }
            ensure!(
                begun.elapsed() < PATIENCE,
                "{submissions} of {JOBS} submitted"
            );
            sleep_until(Instant::now() + Duration::from_millis(200)).await;
        }
        Ok([idle, share(waiting).await])
    })
}
