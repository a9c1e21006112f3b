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
use crate::peers::{Arena, fill};
use crate::picture;
use crate::service::Way;

const CLIENTS: usize = 64;
const LOOK_EVERY: Duration = Duration::from_millis(20);

pub(super) fn run(arena: &Arena) -> anyhow::Result<()> {
    let engine = Engine::emulator(&fresh(arena)?, Duration::ZERO, false)?;
    let folders = [fresh(arena)?, fresh(arena)?];
    for folder in &folders {
        let server = Contender::Lamina.start(arena, folder, &engine, Way::Webhooks)?;
        arena.client.block_on(first_job(arena, &server.address))?;
    }
    let jobs = arena.options.finished_jobs;
    fill::multiply(&folders[1].join("lamina.db"), jobs)?;
    let mut all: [Vec<[Measured; 3]>; 2] = Default::default();
    for _ in 0..arena.options.rounds {
        for (measured, folder) in all.iter_mut().zip(&folders) {
            measured.push(round(arena, folder, &engine)?);
        }
    }
    for (index, what) in ["creates", "status reads", "whole jobs"].iter().enumerate() {
        let [without, with] = &all;
        let rates = |all: &[[Measured; 3]]| all.iter().map(|one| one[index].rate).collect();
        let (with, without): (Vec<f64>, Vec<f64>) = (rates(with), rates(without));
        let what = format!("{what} a second over {jobs} finished jobs");
        compare(&what, &with, ("over none", &without), 0);
    }
    Ok(())
}

/// Creates a job and waits for it; its id.
async fn first_job(arena: &Arena, address: &std::net::SocketAddr) -> anyhow::Result<String> {
    let create = post("/api/jobs", &picture::create_body(&arena.png));
    let mut connection = Connection::open(*address).await?;
    let answer = connection.expect(&create, 202).await?.json()?;
    let id = answer["job_id"].as_str().context("no id")?.to_owned();
    completed(&mut connection, &id, LOOK_EVERY).await?;
    Ok(id)
}

fn round(arena: &Arena, folder: &Path, engine: &Engine) -> anyhow::Result<[Measured; 3]> {
    let server = Contender::Lamina.start(arena, folder, engine, Way::Webhooks)?;
    let load = Load {
        address: server.address,
        connections: CLIENTS,
        options: &arena.options,
    };
    let cpu = || [server.cpu(), Duration::ZERO];
    let create: Arc<[u8]> = Arc::from(post("/api/jobs", &picture::create_body(&arena.png)));
    let reads = arena.client.block_on(async {
        let id = first_job(arena, &server.address).await?;
        load.requests(&read_of(&id), 200, cpu).await
    })?;
    let jobs = arena.client.block_on(load.jobs(&create, cpu))?;
    drop(server);
    // An engine that does not answer: creates alone.
    let silent = Engine::silent()?;
    let server = Contender::Lamina.start(arena, folder, &silent, Way::Webhooks)?;
    let load = Load {
        address: server.address,
        ..load
    };
    let cpu = || [server.cpu(), Duration::ZERO];
    let creates = arena.client.block_on(load.requests(&create, 202, cpu))?;
    Ok([creates, reads, jobs])
}
