//! What a thousand jobs cost while the engine has them: CPU and memory over the idle service.
//! Memory is the whole process's, so the emulator's thousand requests are in it too.

use std::sync::Arc;
use std::time::Duration;

use lamina::app::Tuning;
use tokio::time::{Instant, sleep_until};

use super::jobs;
use crate::client::post;
use crate::cpu::{Cpu, resident_bytes};
use crate::service::{Service, Way};
use crate::stage::Stage;
use crate::{picture, report};

const JOBS: usize = 1_000;
const CONNECTIONS: usize = 8;
/// Two rounds of the slowest poll.
const WINDOW: Duration = Duration::from_secs(30);
/// From the last submission until nothing but waiting is left.
const SETTLE: Duration = Duration::from_secs(5);

pub(super) fn run(stage: &Stage) -> anyhow::Result<()> {
    let request: Arc<[u8]> = Arc::from(post("/api/jobs", &picture::create_body(&picture::png()?)));
    for way in [Way::Webhooks, Way::Polling] {
        let service = Service::start(stage, way, true, Tuning::default())?;
        let idle = stage.client.block_on(cost());
        stage.client.block_on(async {
            jobs::create(service.address, &request, JOBS, CONNECTIONS).await?;
            let all = |counted: &fal_emulator::Counters| counted.submissions >= JOBS as u64;
            service.emulator.wait_until(all).await;
            sleep_until(Instant::now() + SETTLE).await;
            anyhow::Ok(())
        })?;
        let waiting = stage.client.block_on(cost());
        let processed = service.emulator.counters().completed;
        anyhow::ensure!(processed == 0, "{processed} jobs did not wait");
        report::line(
            &format!("{JOBS} waiting jobs, {way:?}: per cent of a core"),
            &format!("{:.2}", waiting.0),
            &format!("idle: {:.2}", idle.0),
            &format!("{:+.2}", waiting.0 - idle.0),
        );
        report::line(
            "their memory with the emulator's, MB",
            &format!("{:.0}", waiting.1),
            &format!("idle: {:.0}", idle.1),
            &format!("{:+.0}", waiting.1 - idle.1),
        );
        service.stop(stage)?;
    }
    Ok(())
}

/// Per cent of a core over the window, and megabytes at its end.
async fn cost() -> (f64, f64) {
    let (cpu, begun) = (Cpu::now(), Instant::now());
    sleep_until(begun + WINDOW).await;
    let used = Cpu::now().since(&cpu).service().as_secs_f64();
    let share = used / begun.elapsed().as_secs_f64() * 100.0;
    (share, resident_bytes() as f64 / 1e6)
}
