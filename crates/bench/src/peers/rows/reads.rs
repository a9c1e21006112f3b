//! Status reads a second of a completed job, beside a bare axum route that answers the same bytes,
//! and the peer.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;

use super::{compare, fresh};
use crate::client::{Connection, get, post};
use crate::peers::Arena;
use crate::peers::contender::{BOTH, Contender};
use crate::peers::engine::Engine;
use crate::peers::load::{Load, Measured, bare, completed, read_of};
use crate::peers::server::Server;
use crate::service::Way;
use crate::{bare as bare_route, picture};

const CONNECTIONS: usize = 64;
const LOOK_EVERY: Duration = Duration::from_millis(20);

pub(super) fn run(arena: &Arena) -> anyhow::Result<()> {
    let mut all: [Vec<Measured>; 3] = Default::default();
    for _ in 0..arena.options.rounds {
        let folder = fresh(arena)?;
        let engine = Engine::emulator(&folder, Duration::ZERO, false)?;
        for (index, contender) in BOTH.into_iter().enumerate() {
            let (measured, body) = reads(arena, contender, &engine)?;
            all[index].push(measured);
            if contender == Contender::Lamina {
                let file = folder.join("answer.json");
                fs::write(&file, body)?;
                let server = bare(&file)?;
                let request = Arc::from(get(bare_route::PATH, ""));
                all[2].push(measure(arena, &server, &request)?);
            }
        }
    }
    let of = |index: usize, what: fn(&Measured) -> f64| -> Vec<f64> {
        all[index].iter().map(what).collect()
    };
    for (index, name) in [(2, "bare axum route"), (1, "Node")] {
        let (lamina, other) = (of(0, |one| one.rate), of(index, |one| one.rate));
        compare(
            "status reads a second, 64 connections",
            &lamina,
            (name, &other),
            0,
        );
        let (lamina, other) = (of(0, |one| one.cpu_us[0]), of(index, |one| one.cpu_us[0]));
        compare("CPU of a read, µs", &lamina, (name, &other), 1);
    }
    Ok(())
}

fn reads(
    arena: &Arena,
    contender: Contender,
    engine: &Engine,
) -> anyhow::Result<(Measured, Vec<u8>)> {
    let server = contender.start(arena, &fresh(arena)?, engine, Way::Webhooks)?;
    let create = post("/api/jobs", &picture::create_body(&arena.png));
    let (request, body) = arena.client.block_on(async {
        let mut connection = Connection::open(server.address).await?;
        let answer = connection.expect(&create, 202).await?.json()?;
        let id = answer["job_id"].as_str().context("no id")?;
        completed(&mut connection, id, LOOK_EVERY).await?;
        let request = read_of(id);
        let body = connection.expect(&request, 200).await?.body.to_vec();
        anyhow::Ok((request, body))
    })?;
    Ok((measure(arena, &server, &request)?, body))
}

fn measure(arena: &Arena, server: &Server, request: &Arc<[u8]>) -> anyhow::Result<Measured> {
    let load = Load {
        address: server.address,
        connections: CONNECTIONS,
        options: &arena.options,
    };
    let cpu = || [server.cpu(), Duration::ZERO];
    arena.client.block_on(load.requests(request, 200, cpu))
}
