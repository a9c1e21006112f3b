//! Status reads of a completed job, beside a bare route that answers the same bytes; and two of
//! lamina's own routes that leave parts of the work out, so that it shows where the time goes.

use std::sync::Arc;
use std::time::Duration;

use lamina::app::Tuning;

use super::jobs;
use crate::bare::{self, Bare};
use crate::client::{Connection, get, post};
use crate::load::{Load, Measured};
use crate::service::{Service, Way};
use crate::stage::Stage;
use crate::stats::{median, spread};
use crate::{picture, report};

const CONNECTIONS: usize = 32;
const ROUNDS: usize = 3;
const WINDOW: Duration = Duration::from_secs(3);
/// An id that no job has.
const NOBODY: &str = "/api/jobs/01900000-0000-7000-8000-000000000000";

pub(super) fn run(stage: &Stage) -> anyhow::Result<()> {
    let service = Service::start(stage, Way::Webhooks, false, Tuning::default())?;
    let create: Arc<[u8]> = Arc::from(post("/api/jobs", &picture::create_body(&picture::png()?)));
    let (path, body) = stage.client.block_on(async {
        let ids = jobs::create(service.address, &create, 1, 1).await?;
        let mut connection = Connection::open(service.address).await?;
        jobs::until(
            &mut connection,
            &ids[0],
            "completed",
            Duration::from_millis(20),
        )
        .await?;
        let path = format!("/api/jobs/{}", ids[0]);
        let answer = connection.expect(&get(&path, ""), 200).await?;
        anyhow::Ok((path, answer.body.to_vec()))
    })?;
    let bytes = body.len();
    let bare = Bare::start(stage, body)?;
    let load = |address, path: &str, status| Load {
        address,
        connections: CONNECTIONS,
        window: WINDOW,
        request: Arc::from(get(path, "")),
        status,
    };
    let loads = [
        load(bare.address, bare::PATH, 200),
        load(service.address, &path, 200),
        load(service.address, "/healthz", 200),
        load(service.address, NOBODY, 404),
    ];
    let mut all: [Vec<Measured>; 4] = Default::default();
    for _ in 0..ROUNDS {
        for (measured, load) in all.iter_mut().zip(&loads) {
            measured.push(stage.client.block_on(load.run())?);
        }
    }
    let rates = |index: usize| all[index].iter().map(|m| m.rate).collect::<Vec<_>>();
    let costs = |index: usize| all[index].iter().map(|m| m.service_us).collect::<Vec<_>>();
    let clients: Vec<f64> = all[0].iter().map(|m| m.client_us).collect();
    let names = [
        format!("status reads a second, {bytes} bytes, {CONNECTIONS} connections"),
        "/healthz a second (no store, no owner)".to_owned(),
        "reads of an unknown job a second (store, no layers)".to_owned(),
    ];
    for (index, name) in (1..).zip(&names) {
        report::line(
            name,
            &spread(&rates(index), 0),
            &format!("bare route: {}", spread(&rates(0), 0)),
            &format!("{:.0} %", median(&rates(index)) / median(&rates(0)) * 100.0),
        );
        report::line(
            "its CPU, µs",
            &format!(
                "{} ({})",
                spread(&costs(index), 1),
                all[index][ROUNDS - 1].cpu.shares()
            ),
            &format!(
                "bare route: {}; the client beside it: {:.1}",
                spread(&costs(0), 1),
                median(&clients)
            ),
            &format!("{:.1} times", median(&costs(index)) / median(&costs(0))),
        );
    }
    service.stop(stage).map(drop)
}
