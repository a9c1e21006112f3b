//! What a million finished jobs change: creates, reads and whole jobs (each of which claims several
//! times) of lamina over a database that has them, beside one that has none.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;

use super::{compare, fresh};
use crate::client::{Connection, post};
use crate::peers::contender::Contender;
use crate::peers::engine::Engine;
use crate::peers::load::{Load, Measured, completed, read_of};
use crate::peers::server::Server;
use crate::peers::{Arena, fill};
use crate::picture;
use crate::service::Way;

const CLIENTS: usize = 64;
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// The service's thread that looks through the whole database once after a start, which takes a core for seconds here.
const CHECK: &str = "store-check";

pub(super) fn run(arena: &Arena) -> anyhow::Result<()> {
    let engine = Engine::emulator(&fresh(arena)?, Duration::ZERO, false)?;
    let folders = [fresh(arena)?, fresh(arena)?];
    for folder in &folders {
        let server = Contender::Lamina.start(arena, folder, &engine, Way::Webhooks)?;
        arena.client.block_on(first_job(arena, &server.address))?;
    }
    let jobs = arena.options.finished_jobs;
    fill::multiply(&folders[1].join("lamina.db"), jobs)?;
    let mut all: [[Vec<Measured>; 3]; 2] = Default::default();
    // Creates come last: what they leave waits before every later job.
    for _ in 0..arena.options.rounds {
        for ([_, reads, jobs], folder) in all.iter_mut().zip(&folders) {
            let [read, job] = reads_and_jobs(arena, folder, &engine)?;
            reads.push(read);
            jobs.push(job);
        }
    }
    for _ in 0..arena.options.rounds {
        for ([creates, ..], folder) in all.iter_mut().zip(&folders) {
            creates.push(creates_alone(arena, folder)?);
        }
    }
    let [without, with] = all;
    let names = ["creates", "status reads", "whole jobs"];
    for (what, (without, with)) in names.iter().zip(without.iter().zip(&with)) {
        let rates = |all: &[Measured]| -> Vec<f64> { all.iter().map(|one| one.rate).collect() };
        let what = format!("{what} a second over {jobs} finished jobs");
        compare(&what, &rates(with), ("over none", &rates(without)), 0);
    }
    Ok(())
}

/// Creates a job and waits for it; its id.
async fn first_job(arena: &Arena, address: &std::net::SocketAddr) -> anyhow::Result<String> {
    let mut connection = Connection::open(*address).await?;
    let answer = connection.expect(&create(arena), 202).await?.json()?;
    let id = answer["job_id"].as_str().context("no id")?.to_owned();
    completed(&mut connection, &id, LOOK_EVERY).await?;
    Ok(id)
}

fn reads_and_jobs(arena: &Arena, folder: &Path, engine: &Engine) -> anyhow::Result<[Measured; 2]> {
    let server = Contender::Lamina.start(arena, folder, engine, Way::Webhooks)?;
    server.wait_for_end_of(CHECK)?;
    let load = load_of(arena, &server);
    let cpu = || [server.cpu(), Duration::ZERO];
    let create = create(arena);
    arena.client.block_on(async {
        let id = first_job(arena, &server.address).await?;
        let reads = load.requests(&read_of(&id), 200, cpu).await?;
        Ok([reads, load.jobs(&create, cpu).await?])
    })
}

/// Beside an engine that does not answer.
fn creates_alone(arena: &Arena, folder: &Path) -> anyhow::Result<Measured> {
    let silent = Engine::silent()?;
    let server = Contender::Lamina.start(arena, folder, &silent, Way::Webhooks)?;
    server.wait_for_end_of(CHECK)?;
    let load = load_of(arena, &server);
    let cpu = || [server.cpu(), Duration::ZERO];
    arena
        .client
        .block_on(load.requests(&create(arena), 202, cpu))
}

fn create(arena: &Arena) -> Arc<[u8]> {
    Arc::from(post("/api/jobs", &picture::create_body(&arena.png)))
}

fn load_of<'a>(arena: &'a Arena, server: &Server) -> Load<'a> {
    Load {
        address: server.address,
        connections: CLIENTS,
        options: &arena.options,
    }
}
