//! Durable creates a second: a picture of 30 kB as base64 in JSON, 64 at a time. The engine does not
//! answer, so that what is measured is the create alone and not the work that follows it. The peer
//! reads the picture's header; with `--peer-decodes` it decodes it, as lamina does.

use std::sync::Arc;
use std::time::Duration;

use super::{compare, fresh};
use crate::client::post;
use crate::peers::Arena;
use crate::peers::contender::{BOTH, Contender};
use crate::peers::engine::Engine;
use crate::peers::load::{Load, Measured};
use crate::picture;
use crate::service::Way;

const CONNECTIONS: usize = 64;

pub(super) fn run(arena: &Arena) -> anyhow::Result<()> {
    let mut all: [Vec<Measured>; 2] = Default::default();
    for _ in 0..arena.options.rounds {
        for (measured, contender) in all.iter_mut().zip(BOTH) {
            measured.push(creates(arena, contender)?);
        }
    }
    let of = |index: usize, what: fn(&Measured) -> f64| -> Vec<f64> {
        all[index].iter().map(what).collect()
    };
    let rates = [of(0, |one| one.rate), of(1, |one| one.rate)];
    compare(
        "durable creates a second",
        &rates[0],
        ("Node", &rates[1]),
        0,
    );
    let costs = [of(0, |one| one.cpu_us[0]), of(1, |one| one.cpu_us[0])];
    compare("CPU of a create, µs", &costs[0], ("Node", &costs[1]), 0);
    Ok(())
}

fn creates(arena: &Arena, contender: Contender) -> anyhow::Result<Measured> {
    let folder = fresh(arena)?;
    let engine = Engine::silent()?;
    let server = contender.start(arena, &folder, &engine, Way::Polling)?;
    let create: Arc<[u8]> = Arc::from(post("/api/jobs", &picture::create_body(&arena.png)));
    let load = Load {
        address: server.address,
        connections: CONNECTIONS,
        options: &arena.options,
    };
    let cpu = || [server.cpu(), Duration::ZERO];
    arena.client.block_on(load.requests(&create, 202, cpu))
}
