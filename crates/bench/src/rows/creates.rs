//! Durable creates a second: a picture of 30 kB as base64 in JSON, 64 at a time.
//!
//! The worker is kept from working, so that what is measured is the create alone: it has no
//! slots.

use std::sync::Arc;
use std::time::{Duration, Instant};

use lamina::app::Tuning;
use lamina::worker::WorkerSettings;

use crate::bare::{self, Bare};
use crate::client::post;
use crate::load::{Load, Measured};
use crate::service::{Service, Way};
use crate::stage::Stage;
use crate::stats::{median, millis, spread};
use crate::{picture, plain, report};

const CONNECTIONS: usize = 64;
const ROUNDS: usize = 3;
const WINDOW: Duration = Duration::from_secs(4);

pub(super) fn run(stage: &Stage) -> anyhow::Result<()> {
    let png = picture::png()?;
    let body = picture::create_body(&png);
    let bare = Bare::start(stage, Vec::new())?;
    let to_bare = Load {
        address: bare.address,
        connections: CONNECTIONS,
        window: WINDOW,
        request: Arc::from(post(bare::PATH, &body)),
        status: 202,
    };
    let request: Arc<[u8]> = Arc::from(post("/api/jobs", &body));
    let (mut bares, mut laminas) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        bares.push(stage.client.block_on(to_bare.run())?);
        laminas.push(creates(stage, &to_bare, &request)?);
    }
    let of =
        |all: &[Measured], what: fn(&Measured) -> f64| all.iter().map(what).collect::<Vec<_>>();
    let (rates, bare_rates) = (of(&laminas, |m| m.rate), of(&bares, |m| m.rate));
    report::line(
        &format!(
            "durable creates a second, {} bytes, {CONNECTIONS} at a time",
            png.len()
        ),
        &spread(&rates, 0),
        &format!("bare route that reads the body: {}", spread(&bare_rates, 0)),
        &format!("{:.1} %", median(&rates) / median(&bare_rates) * 100.0),
    );
    let (costs, bare_costs) = (of(&laminas, |m| m.service_us), of(&bares, |m| m.service_us));
    let decode_us = decode_us(&png)?;
    report::line(
        "CPU of a create, µs",
        &format!(
            "{} ({})",
            spread(&costs, 0),
            laminas[ROUNDS - 1].cpu.shares()
        ),
        &format!(
            "bare route: {}; decoding the picture alone: {decode_us:.0}",
            spread(&bare_costs, 0)
        ),
        &format!("{:.1} times decoding", median(&costs) / decode_us),
    );
    for threads in [1, CONNECTIONS] {
        let files = plain::synced_files_rate(&png, threads, Duration::from_secs(2))?;
        report::line(
            "the same creates",
            &spread(&rates, 0),
            &format!("plain loop that writes and syncs the file, {threads} threads: {files:.0}"),
            &format!("{:.0} %", median(&rates) / files * 100.0),
        );
    }
    Ok(())
}

fn creates(stage: &Stage, like: &Load, request: &Arc<[u8]>) -> anyhow::Result<Measured> {
    let tuning = Tuning {
        worker: WorkerSettings {
            concurrency: [0; 5],
            ..WorkerSettings::default()
        },
        ..Tuning::default()
    };
    let service = Service::start(stage, Way::Polling, false, tuning)?;
    let measured = stage.client.block_on(async {
        let load = Load {
            address: service.address,
            request: Arc::clone(request),
            ..like.clone()
        };
        load.run().await
    })?;
    let worked = service.emulator.counters().attempts + service.emulator.counters().uploads;
    anyhow::ensure!(worked == 0, "the worker worked during the creates");
    service.stop(stage)?;
    Ok(measured)
}

fn decode_us(png: &[u8]) -> anyhow::Result<f64> {
    let times = (0..100).map(|_| {
        let begun = Instant::now();
        plain::decode(png)?;
        Ok(millis(begun.elapsed()) * 1e3)
    });
    Ok(median(&times.collect::<anyhow::Result<Vec<_>>>()?))
}
