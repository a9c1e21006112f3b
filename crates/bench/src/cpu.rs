//! CPU time by name of thread, and resident memory, both from `/proc/self` (Linux only). A thread
//! that ended between two looks is missing from the difference; windows are short enough that
//! idle blocking threads outlive them.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

/// CPU time that the threads of each name had used.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cpu(BTreeMap<String, u64>);

impl Cpu {
    /// What was used up to now. Nanoseconds are the first number of `schedstat`, see the kernel's
    /// `Documentation/scheduler/sched-stats.rst`.
    pub(crate) fn now() -> Self {
        let mut used = BTreeMap::new();
        let tasks = fs::read_dir("/proc/self/task").into_iter().flatten();
        for task in tasks.flatten() {
            let read = |name| fs::read_to_string(task.path().join(name)).unwrap_or_default();
            let name = read("comm");
            let ran = read("schedstat");
            let nanos = ran.split(' ').next().and_then(|text| text.parse().ok());
            *used.entry(family(&name)).or_default() += nanos.unwrap_or(0);
        }
        Self(used)
    }

    /// What was used since `before`.
    pub(crate) fn since(&self, before: &Self) -> Self {
        let gained = self.0.iter().map(|(name, nanos)| {
            let earlier = before.0.get(name).copied().unwrap_or(0);
            (name.clone(), nanos.saturating_sub(earlier))
        });
        Self(gained.collect())
    }

    /// The service and all its helpers: every thread but the client's and the emulator's.
    pub(crate) fn service(&self) -> Duration {
        let others = self
            .0
            .iter()
            .filter(|(name, _)| !OURS.contains(&name.as_str()));
        Duration::from_nanos(others.map(|(_, nanos)| nanos).sum())
    }

    /// The main thread: the client, and the plain loops.
    pub(crate) fn client(&self) -> Duration {
        Duration::from_nanos(self.0.get(CLIENT).copied().unwrap_or(0))
    }

    /// The service's threads by name, with their shares of it in per cent.
    pub(crate) fn shares(&self) -> String {
        let whole = self.service().as_nanos().max(1) as f64;
        let others = self
            .0
            .iter()
            .filter(|(name, _)| !OURS.contains(&name.as_str()));
        others
            .map(|(name, nanos)| format!("{name} {:.0} %", *nanos as f64 / whole * 100.0))
            .collect::<Vec<_>>()
            .join(", ")
    }
}

/// Named after the program, as the kernel does.
const CLIENT: &str = "bench";
const OURS: [&str; 2] = [CLIENT, "emulator"];

/// `store-reader-2` is one of the `store-reader`s.
fn family(comm: &str) -> String {
    let name = comm.trim();
    let bare = name.trim_end_matches(|letter: char| letter.is_ascii_digit());
    bare.trim_end_matches('-').to_owned()
}

/// Resident memory of the whole process, in bytes.
pub(crate) fn resident_bytes() -> u64 {
    status_bytes("VmRSS:")
}

/// The most it has been since [`forget_peak`], in bytes.
pub(crate) fn peak_bytes() -> u64 {
    status_bytes("VmHWM:")
}

/// Begins a new peak; see `proc_pid_clear_refs(5)`.
pub(crate) fn forget_peak() -> std::io::Result<()> {
    fs::write("/proc/self/clear_refs", "5")
}

fn status_bytes(field: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}
