//! What every pass is given beside the scene: options, threads, the stop flag and the listener.
//!
//! Invariant: the reported fraction never falls, and a raised flag is seen at every `check`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::report::PassTime;
use crate::{Cancel, Error, Options, Progress};

/// The surroundings of one split.
pub(crate) struct Context<'a> {
    pub(crate) options: &'a Options,
    pub(crate) pool: Arc<rten::ThreadPool>,
    /// The stop flag, for work that is sent to another thread.
    pub(crate) watch: Watch<'a>,
    progress: &'a mut dyn FnMut(Progress),
    pass: &'static str,
    from: f32,
    to: f32,
    reported: f32,
    begun: Duration,
}

/// The stop flag and how long it went unseen.
pub(crate) struct Watch<'a> {
    cancel: &'a Cancel,
    clock: fn() -> Duration,
    /// Nanoseconds by the clock when the flag was last looked at.
    looked: AtomicU64,
    /// The longest stretch without a look in this pass, in nanoseconds.
    deaf: AtomicU64,
}

impl Watch<'_> {
    /// Obeys the flag.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let now = nanos((self.clock)());
        let before = self.looked.swap(now, Ordering::Relaxed);
        let deaf = now.saturating_sub(before);
        self.deaf.fetch_max(deaf, Ordering::Relaxed);
        if self.cancel.is_cancelled() {
            Err(Error::Cancelled)
        } else {
            Ok(())
        }
    }
}

/// Enough for five centuries.
fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

impl<'a> Context<'a> {
    pub(crate) fn new(
        options: &'a Options,
        progress: &'a mut dyn FnMut(Progress),
        cancel: &'a Cancel,
    ) -> Self {
        let threads = options
            .threads
            .or_else(|| std::thread::available_parallelism().ok().map(usize::from))
            .unwrap_or(1)
            .max(1);
        let now = (options.clock)();
        Self {
            options,
            pool: Arc::new(rten::ThreadPool::with_num_threads(threads)),
            watch: Watch {
                cancel,
                clock: options.clock,
                looked: AtomicU64::new(nanos(now)),
                deaf: AtomicU64::new(0),
            },
            progress,
            pass: "",
            from: 0.0,
            to: 0.0,
            reported: 0.0,
            begun: now,
        }
    }

    /// Begins a pass that takes the whole from `from` to `to`.
    pub(crate) fn enter(&mut self, pass: &'static str, from: f32, to: f32) -> Result<(), Error> {
        (self.pass, self.from, self.to) = (pass, from, to);
        self.begun = (self.options.clock)();
        let watch = &self.watch;
        watch.looked.store(nanos(self.begun), Ordering::Relaxed);
        watch.deaf.store(0, Ordering::Relaxed);
        self.reach(0.0)
    }

    /// Ends the pass begun last and tells its times.
    pub(crate) fn leave(&mut self) -> Result<PassTime, Error> {
        self.check()?;
        Ok(PassTime {
            pass: self.pass,
            took: (self.options.clock)().saturating_sub(self.begun),
            deaf: Duration::from_nanos(self.watch.deaf.load(Ordering::Relaxed)),
        })
    }

    /// Reports how much of the running pass is done, 0 to 1, and obeys the flag.
    pub(crate) fn reach(&mut self, share: f32) -> Result<(), Error> {
        self.check()?;
        self.reported = self
            .reported
            .max(self.from + (self.to - self.from) * share.clamp(0.0, 1.0));
        (self.progress)(Progress {
            fraction: self.reported,
            pass: self.pass,
        });
        Ok(())
    }

    /// The flag itself, for a thread that looks at it meanwhile.
    #[cfg(feature = "onnxruntime")]
    pub(crate) fn flag(&self) -> &Cancel {
        self.watch.cancel
    }

    /// Notes that another thread has looked at the flag up to now.
    #[cfg(feature = "onnxruntime")]
    pub(crate) fn watched(&self) {
        let now = nanos((self.options.clock)());
        self.watch.looked.store(now, Ordering::Relaxed);
    }

    /// Obeys the flag.
    pub(crate) fn check(&self) -> Result<(), Error> {
        self.watch.check()
    }
}
