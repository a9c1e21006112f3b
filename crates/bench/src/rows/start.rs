//! From the spawn of the process to the first 200 of `/readyz`, over a database that is there; beside
//! a process of the same binary that only says its version.

use std::process::{Command, Stdio};
use std::time::Instant;

use crate::process::Process;
use crate::report;
use crate::stage::Stage;
use crate::stats::{median, millis, spread};

const STARTS: usize = 20;

pub(super) fn run(_stage: &Stage) -> anyhow::Result<()> {
    let (binary, port) = (Process::binary()?, Process::port()?);
    let folder = tempfile::tempdir()?;
    // The first makes the database.
    Process::start(&binary, folder.path(), port)?.0.stop()?;
    let (mut starts, mut versions) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        let (process, took) = Process::start(&binary, folder.path(), port)?;
        starts.push(millis(took));
        process.stop()?;
        let begun = Instant::now();
        Command::new(&binary)
            .arg("--version")
            .stdout(Stdio::null())
            .status()?;
        versions.push(millis(begun.elapsed()));
    }
    report::line(
        &format!("start to ready, ms, {STARTS} starts"),
        &spread(&starts, 1),
        &format!("lamina --version: {}", spread(&versions, 1)),
        &format!("{:.1} times", median(&starts) / median(&versions)),
    );
    Ok(())
}
