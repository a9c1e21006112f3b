//! How the system's allocator is to work. It reads that from the environment before the first line of
//! this program runs, so the program starts itself anew, once, with what it wants said there.
//!
//! glibc gives a large buffer pages of its own, which go back to the system with it; but each one
//! that is freed raises what it calls large, up to 32 MiB, and below that, freed memory stays with
//! the thread that had it. After a burst of pictures that is hundreds of megabytes. A fixed threshold
//! keeps the first behaviour. What the operator set is left as it is.

use std::process::Command;

/// Buffers of this size and more have pages of their own: rows of pixels and encoded layers do,
/// requests and rows of the database do not.
const LARGE: &str = "1048576";
const THRESHOLD: &str = "MALLOC_MMAP_THRESHOLD_";
/// The other way to say it, which glibc reads too.
const TUNABLES: &str = "GLIBC_TUNABLES";

/// The same program with the same arguments, as it is to be started; none where nothing is to be
/// said, or another allocator would not hear it.
#[must_use]
pub fn started_anew() -> Option<Command> {
    if !cfg!(all(target_os = "linux", target_env = "gnu")) {
        return None;
    }
    let is_said = [THRESHOLD, TUNABLES].map(|name| std::env::var_os(name).is_some());
    if is_said.contains(&true) {
        return None;
    }
    let mut command = Command::new(std::env::current_exe().ok()?);
    command
        .args(std::env::args_os().skip(1))
        .env(THRESHOLD, LARGE);
    Some(command)
}
