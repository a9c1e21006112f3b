//! What lamina costs when nobody asks it anything: memory, and CPU over a minute, of the process as
//! operators run it, beside what is aimed at.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::process::Process;
use crate::report;
use crate::stage::Stage;

/// Until what the start leaves to do is done.
const SETTLE: Duration = Duration::from_secs(15);
/// Four rounds of the slowest sweep but one.
const WINDOW: Duration = Duration::from_secs(60);
/// In bytes.
const AIM_MEMORY: f64 = 30e6;
/// In per cent of a core.
const AIM_CPU: f64 = 0.1;

pub(super) fn run(stage: &Stage) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let (process, _) = Process::start(&Process::binary()?, folder.path(), Process::port()?)?;
    let wait = |time| {
        stage
            .client
            .block_on(async { sleep_until(Instant::now() + time).await });
    };
    wait(SETTLE);
    let (before, begun) = (process.cpu(), Instant::now());
    wait(WINDOW);
    let share = (process.cpu() - before) / begun.elapsed().as_secs_f64() * 100.0;
    let resident = process.memory("VmRSS:") as f64;
    report::line(
        "idle: per cent of a core over a minute",
        &format!("{share:.3}"),
        &format!("aim: {AIM_CPU}"),
        &format!("{:.0} %", share / AIM_CPU * 100.0),
    );
    report::line(
        "its memory, MB",
        &format!(
            "{:.1}, of which {:.1} its own, the rest pages of the binary",
            resident / 1e6,
            process.memory("RssAnon:") as f64 / 1e6
        ),
        &format!("aim: {:.0}", AIM_MEMORY / 1e6),
        &format!("{:.0} %", resident / AIM_MEMORY * 100.0),
    );
    process.stop()
}
