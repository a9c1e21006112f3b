//! The time added: from the moment the engine is done, by its own clock, to the moment an app sees
//! `completed`. Told by webhook, of a run of a second; asked for, of a run of 20 s. Jobs of runs
//! before it have shown how long one takes.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, ensure};
use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::{compare, fresh};
use crate::client::{Connection, post};
use crate::peers::Arena;
use crate::peers::contender::{BOTH, Contender};
use crate::peers::engine::Engine;
use crate::peers::load::completed;
use crate::picture;
use crate::service::Way;
use crate::stats::percentile;

const JOBS: usize = 30;
/// Completed before, all at once.
const EARLIER: usize = 3;
/// Between creates. Off the beat of anything that asks at whole parts of a second.
const APART: Duration = Duration::from_millis(270);
/// How often an app looks once the engine may be done; part of what is measured.
const LOOK_EVERY: Duration = Duration::from_millis(2);

pub(super) fn run(arena: &Arena) -> anyhow::Result<()> {
    for (way, run) in [(Way::Webhooks, 1), (Way::Polling, 20)] {
        let mut all: [Vec<f64>; 2] = Default::default();
        for (added, contender) in all.iter_mut().zip(BOTH) {
            *added = round(arena, contender, way, Duration::from_secs(run))?;
        }
        for percent in [50.0, 95.0] {
            let of = |index: usize| [percentile(&all[index], percent)];
            let what = format!("added to a run of {run} s, {way:?}, p{percent}, ms");
            compare(&what, &of(0), ("Node", &of(1)), 0);
        }
    }
    Ok(())
}

/// Milliseconds added to each job.
fn round(arena: &Arena, contender: Contender, way: Way, run: Duration) -> anyhow::Result<Vec<f64>> {
    let folder = fresh(arena)?;
    let engine = Engine::emulator(&folder, run, false)?;
    let server = contender.start(arena, &folder, &engine, way)?;
    let create: std::sync::Arc<[u8]> =
        std::sync::Arc::from(post("/api/jobs", &picture::create_body(&arena.png)));
    let address = server.address;
    let seen = arena.client.block_on(async {
        let mut seen = Vec::new();
        for (jobs, apart) in [(EARLIER, Duration::ZERO), (JOBS, APART)] {
            let (mut watching, mut next) = (JoinSet::new(), Instant::now());
            for _ in 0..jobs {
                sleep_until(next).await;
                next += apart;
                let mut connection = Connection::open(address).await?;
                let answer = connection.expect(&create, 202).await?.json()?;
                let id = answer["job_id"].as_str().context("no id")?.to_owned();
                let due = Instant::now() + run;
                watching.spawn(async move {
                    sleep_until(due).await;
                    // None that was idle for as long: servers close those.
                    let mut connection = Connection::open(address).await?;
                    completed(&mut connection, &id, LOOK_EVERY).await?;
                    anyhow::Ok(now_ms()?)
                });
            }
            seen.clear();
            while let Some(one) = watching.join_next().await {
                seen.push(one??);
            }
        }
        anyhow::Ok(seen)
    })?;
    let requests = arena.client.block_on(engine.told("/requests"))?;
    let requests = requests.as_array().context("no list")?;
    ensure!(
        requests.len() == EARLIER + JOBS,
        "{} requests",
        requests.len()
    );
    let mut done = requests[EARLIER..]
        .iter()
        .map(finished_ms)
        .collect::<anyhow::Result<Vec<_>>>()?;
    let mut seen = seen;
    // Jobs are as far apart as they were created, and none overtakes another by as much.
    done.sort_by(f64::total_cmp);
    seen.sort_by(f64::total_cmp);
    Ok(seen
        .iter()
        .zip(&done)
        .map(|(seen, done)| seen - done)
        .collect())
}

#[expect(
    clippy::disallowed_methods,
    reason = "two processes have no other clock in common"
)]
fn now_ms() -> anyhow::Result<f64> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64() * 1e3)
}

/// `finished_at` of a request, in milliseconds of the Unix epoch.
fn finished_ms(request: &Value) -> anyhow::Result<f64> {
    let text = request["finished_at"].as_str().context("not finished")?;
    let time: jiff::Timestamp = text.parse()?;
    Ok(time.as_millisecond() as f64)
}
