//! A process under load: started with its output in a file, asked by HTTP until it answers, measured
//! from outside (`/proc`, Linux only), and ended by its id.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::process::answers;

/// Until it answers; no start comes near.
const PATIENCE: Duration = Duration::from_secs(60);
/// Until it has ended after SIGTERM; then it is killed.
const GRACE: Duration = Duration::from_secs(10);

/// Ended when dropped.
pub(super) struct Server {
    child: Child,
    pub(super) address: SocketAddr,
}

impl Server {
    /// Starts `command` and returns once `path` answers anything at all.
    pub(super) fn start(
        mut command: Command,
        address: SocketAddr,
        path: &str,
        log: &Path,
    ) -> anyhow::Result<Self> {
        let out = File::create(log)?;
        command
            .stdin(Stdio::null())
            .stdout(out.try_clone()?)
            .stderr(out);
        let child = command.spawn().with_context(|| format!("{command:?}"))?;
        let mut server = Self { child, address };
        let begun = Instant::now();
        while !answers(address, path) {
            let ended = server.child.try_wait()?;
            if ended.is_some() || begun.elapsed() > PATIENCE {
                let said = fs::read_to_string(log).unwrap_or_default();
                bail!("{command:?} does not answer: {said}");
            }
            pause(Duration::from_millis(5));
        }
        Ok(server)
    }

    /// Waits until none of its threads is called `name` any more: what a start does beside answering.
    pub(super) fn wait_for_end_of(&self, name: &str) -> anyhow::Result<()> {
        let begun = Instant::now();
        while self.runs(name)? {
            if begun.elapsed() > PATIENCE {
                bail!("a thread called {name} does not end");
            }
            pause(Duration::from_millis(50));
        }
        Ok(())
    }

    fn runs(&self, name: &str) -> anyhow::Result<bool> {
        for thread in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            // One that ends meanwhile has no name.
            let comm = fs::read_to_string(thread?.path().join("comm")).unwrap_or_default();
            if comm.trim_end() == name {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// CPU time of all its threads, ended ones too: user and system, fields 14 and 15 of
    /// `/proc/PID/stat` (`proc_pid_stat(5)`), in ticks of 10 ms.
    pub(super) fn cpu(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()));
        let stat = stat.unwrap_or_default();
        // The program's name is in brackets and may hold anything; what follows is the third field.
        let fields = stat.rsplit(')').next().unwrap_or_default();
        let ticks = fields.split_whitespace().skip(11).take(2);
        let ticks: u64 = ticks.filter_map(|field| field.parse::<u64>().ok()).sum();
        Duration::from_millis(ticks * 10)
    }

    /// `VmRSS:` or `VmHWM:`, in megabytes.
    pub(super) fn megabytes(&self, field: &str) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let status = status.unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix(field));
        let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
        kilobytes.unwrap_or(0.0) * 1024.0 / 1e6
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        if let Some(pid) = pid {
            // Fails only when it has ended already.
            let _ = kill_process(pid, Signal::TERM);
        }
        let begun = Instant::now();
        while begun.elapsed() < GRACE {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            pause(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a program of another make gives no signal when it is ready or ends"
)]
fn pause(time: Duration) {
    std::thread::sleep(time);
}
