//! How the system's allocator is to work. It reads that from the environment before the first line of
//! this program runs, so the program starts itself anew, once, with what it wants said there. What the operator set is left as it is.

use std::process::Command;

/// What the process is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Requests and pictures of many threads, for months.
    ///
    /// glibc gives a large buffer pages of its own, which go back to the system with it; but each one
    /// that is freed raises what it calls large, up to 32 MiB, and below that, freed memory stays with
    /// the thread that had it. After a burst of pictures that is hundreds of megabytes. A fixed threshold
    /// keeps the first behaviour: rows of pixels and encoded layers have pages of their own, requests and
    /// rows of the database do not.
    Service,
    /// One picture. What one thread frees the next can have, and nothing is paid for pages that come and go.
    OnePicture,
}

impl Purpose {
    fn setting(self) -> (&'static str, &'static str) {
        match self {
            Self::Service => ("MALLOC_MMAP_THRESHOLD_", "1048576"),
            Self::OnePicture => ("MALLOC_ARENA_MAX", "1"),
        }
    }
}

/// The other way to say it, which glibc reads too.
const TUNABLES: &str = "GLIBC_TUNABLES";

/// The same program with the same arguments, as it is to be started; none where nothing is to be
/// said, or another allocator would not hear it.
#[must_use]
pub fn started_anew(purpose: Purpose) -> Option<Command> {
    if !cfg!(all(target_os = "linux", target_env = "gnu")) {
        return None;
    }
    let (name, value) = purpose.setting();
    let is_said = [name, TUNABLES].map(|name| std::env::var_os(name).is_some());
    if is_said.contains(&true) {
        return None;
    }
    let mut command = Command::new(std::env::current_exe().ok()?);
    command.args(std::env::args_os().skip(1)).env(name, value);
    Some(command)
}
