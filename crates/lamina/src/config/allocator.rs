//! How the system's allocator is to work. It reads that from the environment before the first line of
//! this program runs, so the program starts itself once more with what it wants said there. What the operator set is left as it is.

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
/// Says that this is the second start: in a program with rights of its own (a capability of its file) glibc hides the others.
const RESTARTED: &str = "LAMINA_RESTARTED";

/// The same program with the same arguments, as it is to be started; none where nothing is to be
/// said, or another allocator would not hear it.
#[must_use]
pub fn restart(purpose: Purpose) -> Option<Command> {
    let is_set = |name: &str| std::env::var_os(name).is_some();
    if !cfg!(all(target_os = "linux", target_env = "gnu")) || !is_wanted(purpose, is_set) {
        return None;
    }
    let (name, value) = purpose.setting();
    let mut command = Command::new(std::env::current_exe().ok()?);
    command
        .args(std::env::args_os().skip(1))
        .env(name, value)
        .env(RESTARTED, "1");
    Some(command)
}

fn is_wanted(purpose: Purpose, is_set: impl Fn(&str) -> bool) -> bool {
    let (name, _) = purpose.setting();
    ![name, TUNABLES, RESTARTED].into_iter().any(is_set)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_started_once_more_and_only_where_nothing_was_said() {
        for purpose in [Purpose::Service, Purpose::OnePicture] {
            let (name, _) = purpose.setting();
            assert!(is_wanted(purpose, |_| false));
            for said in [name, TUNABLES, RESTARTED] {
                assert!(!is_wanted(purpose, |name| name == said), "{said}");
            }
        }
    }
}
