//! Named points of a job's life at which a test may kill the process. Compiled into debug builds
//! only; in a release build `point` is empty and nothing can arm it.

/// Where a process may be told to die, in the order of a job's life. `before_write_*` and
/// `after_write_*` stand around the commit that enters the phase they name.
pub const POINTS: [&str; 17] = [
    "before_write_submit",
    "after_write_submit",
    "before_input_noted",
    "after_input_noted",
    "before_intent",
    "after_intent",
    "before_call",
    "after_call",
    "before_write_wait",
    "after_write_wait",
    "before_write_collect",
    "after_write_collect",
    "before_blobs",
    "amid_raised",
    "after_blobs",
    "before_write_completed",
    "after_write_completed",
];

#[cfg(debug_assertions)]
mod armed {
    use std::sync::OnceLock;

    static ARMED: OnceLock<String> = OnceLock::new();

    /// Arms one point for the life of this process.
    pub fn arm(point: String) {
        let _ = ARMED.set(point);
    }

    /// Dies by SIGKILL if this point is armed: no destructor runs and no buffer is flushed.
    pub(in crate::worker) fn point(name: &str) {
        if ARMED.get().is_some_and(|armed| armed == name) {
            let own = rustix::process::getpid();
            let _ = rustix::process::kill_process(own, rustix::process::Signal::KILL);
            // The signal is on its way; nothing after this line may happen.
            loop {
                std::thread::park();
            }
        }
    }
}

#[cfg(debug_assertions)]
pub use armed::arm;
#[cfg(debug_assertions)]
pub(super) use armed::point;

/// Nothing, in a release build.
#[cfg(not(debug_assertions))]
#[inline(always)]
pub(super) fn point(_name: &str) {}
