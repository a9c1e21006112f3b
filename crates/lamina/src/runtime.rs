//! What the process is given by the system: the threads that everything runs on, but for the store's
//! own, and the descriptors of sockets and files. It decides how many there are, not what they do.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::runtime::{Builder, Runtime};

/// Threads for what blocks: files and the embedded engine, each bounded by itself too.
/// Every thread keeps freed memory of its own, so many of them hold much: 200 uploads of 10 MB at
/// once took 715 MB with tokio's default of 512, and 481 MB with these. Pictures are decoded on
/// the pool's own threads, which keep the most.
const BLOCKING: usize = 16;

/// A runtime whose threads have this name (at most 15 letters).
///
/// # Errors
/// When the system gives no threads.
pub fn runtime(name: &str) -> std::io::Result<Runtime> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    Builder::new_multi_thread()
        .thread_name(name)
        .max_blocking_threads(BLOCKING.max(4 * cores))
        .enable_all()
        .build()
}

/// Descriptors that no connection may take: the database, the log, files of pictures that are read
/// and written by the worker, its own connections to engines, hosts and buckets.
const DESCRIPTORS_IN_RESERVE: u64 = 256;
/// What a connection needs: its socket, and the file that its body goes to.
const DESCRIPTORS_EACH: u64 = 2;

/// Raises the soft limit of descriptors as far as `connections` need it and the hard limit lets it;
/// returns how many connections there can be then, at least one.
#[must_use]
pub fn raise_descriptors(connections: usize) -> usize {
    let limit = getrlimit(Resource::Nofile);
    let wanted = wanted(connections);
    // No limit is as good as any.
    let Some(soft) = limit.current.filter(|soft| *soft < wanted) else {
        return connections;
    };
    let raised = limit.maximum.map_or(wanted, |hard| hard.min(wanted));
    let raised_limit = Rlimit {
        current: Some(raised),
        ..limit
    };
    let now = match setrlimit(Resource::Nofile, raised_limit) {
        Ok(()) => raised,
        Err(error) => {
            tracing::warn!(%error, descriptors = soft, "the limit of descriptors cannot be raised");
            soft
        }
    };
    let possible = possible(now).min(connections);
    if possible < connections {
        tracing::warn!(
            descriptors = now,
            connections = possible,
            "fewer connections than MAX_CONNECTIONS are taken, because the system gives too few descriptors; raise its hard limit (ulimit -Hn, LimitNOFILE=)"
        );
    }
    possible
}

fn wanted(connections: usize) -> u64 {
    (connections as u64)
        .saturating_mul(DESCRIPTORS_EACH)
        .saturating_add(DESCRIPTORS_IN_RESERVE)
}

/// Where hardly any are given, half of them are kept in reserve.
fn possible(descriptors: u64) -> usize {
    let reserve = DESCRIPTORS_IN_RESERVE.min(descriptors / 2);
    let connections = (descriptors - reserve) / DESCRIPTORS_EACH;
    usize::try_from(connections).unwrap_or(usize::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_connections_as_descriptors_allow_with_some_in_reserve() {
        assert_eq!(possible(wanted(4096)), 4096);
        for (descriptors, connections) in [(1024, 384), (256, 64), (3, 1), (0, 1)] {
            assert_eq!(possible(descriptors), connections, "{descriptors}");
        }
    }
}
