//! Ports that a process has again after its death.
//!
//! A port that the system picked (`:0`) and that was given back is soon another's: any connection of
//! any test may leave from it while nobody listens there, and then the second life cannot bind it.

use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Below those that Linux (32768), macOS and Windows (49152) hand out by themselves.
const KEPT: Range<usize> = 12_000..32_000;
/// Apart enough for what one run of the tests takes.
const EACH_PROCESS: usize = 500;

/// A port that nothing gets by chance. Each is given once by this process, and processes begin at
/// different ones.
pub(crate) fn kept_port() -> u16 {
    static GIVEN: AtomicUsize = AtomicUsize::new(0);
    let first = std::process::id() as usize * EACH_PROCESS;
    for _ in KEPT {
        let number = first + GIVEN.fetch_add(1, Ordering::Relaxed);
        let port = u16::try_from(KEPT.start + number % KEPT.len()).unwrap();
        // Somebody's own server may be there.
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
    panic!("no port from {KEPT:?} is free");
}
