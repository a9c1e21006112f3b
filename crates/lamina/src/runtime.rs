//! The threads that everything runs on, but for the store's own. It decides how many there are,
//! not what they do.

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
