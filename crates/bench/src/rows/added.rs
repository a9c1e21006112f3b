//! The time lamina adds: from the moment the engine may finish to the moment an app has seen
//! `completed` and fetched the first layer. Webhooks; one job at a time on an idle service.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use lamina::app::Tuning;
use tokio::time::sleep_until;

use super::jobs;
use crate::client::{Connection, get, path_of, post};
use crate::service::{Service, Way};
use crate::stage::Stage;
use crate::stats::{millis, percentile};
use crate::{picture, plain, report};

const JOBS: u64 = 60;
/// How often the app looks; part of what is measured.
const LOOK_EVERY: Duration = Duration::from_millis(1);
/// What the engine pretends to need after it took the job: lamina has long gone idle by then.
const RUN: Duration = Duration::from_millis(60);

pub(super) fn run(stage: &Stage) -> anyhow::Result<()> {
    let service = Service::start(stage, Way::Webhooks, true, Tuning::default())?;
    let request: Arc<[u8]> = Arc::from(post("/api/jobs", &picture::create_body(&picture::png()?)));
    let (mut added, mut plainly) = (Vec::new(), Vec::new());
    let folder = tempfile::tempdir()?;
    for number in 1..=JOBS {
        let (time, engine_id) = stage
            .client
            .block_on(one(stage, &service, &request, number))?;
        added.push(millis(time));
        let plain = stage.client.block_on(async {
            let layers = plain::layer_requests(&service.emulator, &engine_id).await?;
            let mut connection = Connection::open(service.emulator.address()).await?;
            let begun = Instant::now();
            plain::collect(&mut connection, &layers, folder.path()).await?;
            anyhow::Ok(begun.elapsed())
        })?;
        plainly.push(millis(plain));
    }
    service.stop(stage)?;
    for percent in [50.0, 95.0] {
        let (lamina, plain) = (percentile(&added, percent), percentile(&plainly, percent));
        report::line(
            &format!("from the engine's release to a fetched layer, p{percent}, ms"),
            &format!("{lamina:.1}"),
            &format!("plain loop of the same fetching, decoding and syncing: {plain:.1}"),
            &format!("{:.1} times", lamina / plain),
        );
    }
    Ok(())
}

/// One job; the time after the release, and its id at the engine.
async fn one(
    stage: &Stage,
    service: &Service,
    request: &Arc<[u8]>,
    number: u64,
) -> anyhow::Result<(Duration, String)> {
    let ids = jobs::create(service.address, request, 1, 1).await?;
    let submissions = service.emulator.wait_for_submissions(number).await;
    let engine_id = submissions.last().context("no request")?.request_id.clone();
    let mut connection = Connection::open(service.address).await?;
    jobs::until(&mut connection, &ids[0], "processing", LOOK_EVERY).await?;
    sleep_until(tokio::time::Instant::now() + RUN).await;
    let (emulator, held) = (Arc::clone(&service.emulator), engine_id.clone());
    let begun = Instant::now();
    let finishing = stage
        .emulator
        .spawn(async move { emulator.complete(&held).await });
    let job = jobs::until(&mut connection, &ids[0], "completed", LOOK_EVERY).await?;
    let link = job["layers"][0]["url"].as_str().context("no layer")?;
    connection.expect(&get(path_of(link)?, ""), 200).await?;
    let took = begun.elapsed();
    finishing.await?;
    Ok((took, engine_id))
}
