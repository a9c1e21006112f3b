//! Whole jobs a second with an engine that needs no time: four layers of 640 x 640, by polling and
//! by webhooks, from the first create to the last job's end.

use std::sync::Arc;
use std::time::{Duration, Instant};

use lamina::app::Tuning;

use super::jobs;
use crate::client::{Connection, post};
use crate::cpu::Cpu;
use crate::service::{Service, Way};
use crate::stage::Stage;
use crate::stats::{median, millis, spread};
use crate::{picture, plain, report};

const JOBS: usize = 300;
const CONNECTIONS: usize = 16;
const ROUNDS: usize = 3;

pub(super) fn run(stage: &Stage) -> anyhow::Result<()> {
    let png = picture::png()?;
    let request: Arc<[u8]> = Arc::from(post("/api/jobs", &picture::create_body(&png)));
    for way in [Way::Polling, Way::Webhooks] {
        let (mut rates, mut costs, mut plain_rates, mut plain_costs) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let service = Service::start(stage, way, false, Tuning::default())?;
            let (cpu, begun) = (Cpu::now(), Instant::now());
            stage.client.block_on(all_completed(&service, &request))?;
            let took = begun.elapsed();
            let spent = Cpu::now().since(&cpu).service();
            rates.push(JOBS as f64 / took.as_secs_f64());
            costs.push(millis(spent) / JOBS as f64);
            let (rate, cost) = stage.client.block_on(plainly(&service, &png))?;
            plain_rates.push(rate);
            plain_costs.push(cost);
            service.stop(stage)?;
        }
        report::line(
            &format!("whole jobs a second, {way:?}"),
            &spread(&rates, 1),
            &format!("plain loop on one thread: {}", spread(&plain_rates, 1)),
            &format!("{:.0} %", median(&rates) / median(&plain_rates) * 100.0),
        );
        report::line(
            &format!("CPU of a job, ms, {way:?}"),
            &spread(&costs, 1),
            &format!("plain loop: {}", spread(&plain_costs, 1)),
            &format!("{:.1} times", median(&costs) / median(&plain_costs)),
        );
    }
    Ok(())
}

/// One connection looks at the oldest job that is not done, which costs next to nothing.
async fn all_completed(service: &Service, request: &Arc<[u8]>) -> anyhow::Result<()> {
    let ids = jobs::create(service.address, request, JOBS, CONNECTIONS).await?;
    let mut connection = Connection::open(service.address).await?;
    for id in &ids {
        jobs::until(&mut connection, id, "completed", Duration::from_millis(5)).await?;
    }
    Ok(())
}

/// Jobs a second and CPU milliseconds a job of a loop that decodes the source once, as lamina
/// must, and collects the layers.
async fn plainly(service: &Service, png: &[u8]) -> anyhow::Result<(f64, f64)> {
    let requests = service.emulator.requests();
    let last = requests
        .last()
        .ok_or_else(|| anyhow::anyhow!("no request"))?;
    let layers = plain::layer_requests(&service.emulator, &last.request_id).await?;
    let mut connection = Connection::open(service.emulator.address()).await?;
    let folder = tempfile::tempdir()?;
    let (cpu, begun) = (Cpu::now(), Instant::now());
    const TIMES: u32 = 40;
    for _ in 0..TIMES {
        plain::decode(png)?;
        plain::collect(&mut connection, &layers, folder.path()).await?;
    }
    let (took, cpu) = (begun.elapsed(), Cpu::now().since(&cpu).client());
    Ok((
        f64::from(TIMES) / took.as_secs_f64(),
        millis(cpu) / f64::from(TIMES),
    ))
}
