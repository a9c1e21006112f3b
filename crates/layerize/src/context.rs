//! What every pass is given beside the scene: options, threads, the stop flag and the listener.
//!
//! Invariant: the reported fraction never falls, and a raised flag is seen at every `check`.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use crate::report::PassTime;
use crate::{Cancel, Error, Options, Progress};

/// The surroundings of one split.
pub(crate) struct Context<'a> {
    pub(crate) options: &'a Options,
    pub(crate) pool: Arc<rten::ThreadPool>,
    cancel: &'a Cancel,
    progress: &'a mut dyn FnMut(Progress),
    pass: &'static str,
    from: f32,
    to: f32,
    reported: f32,
    begun: Duration,
    looked: Cell<Duration>,
    deaf: Cell<Duration>,
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
            cancel,
            progress,
            pass: "",
            from: 0.0,
            to: 0.0,
            reported: 0.0,
            begun: now,
            looked: Cell::new(now),
            deaf: Cell::default(),
        }
    }

    /// Begins a pass that takes the whole from `from` to `to`.
    pub(crate) fn enter(&mut self, pass: &'static str, from: f32, to: f32) -> Result<(), Error> {
        (self.pass, self.from, self.to) = (pass, from, to);
        self.begun = (self.options.clock)();
        self.looked.set(self.begun);
        self.deaf.set(Duration::ZERO);
        self.reach(0.0)
    }

    /// Ends the pass begun last and tells its times.
    pub(crate) fn leave(&mut self) -> Result<PassTime, Error> {
        self.check()?;
        Ok(PassTime {
            pass: self.pass,
            took: (self.options.clock)().saturating_sub(self.begun),
            deaf: self.deaf.get(),
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
        self.cancel
    }

    /// Notes that another thread has looked at the flag up to now.
    #[cfg(feature = "onnxruntime")]
    pub(crate) fn watched(&self) {
        self.looked.set((self.options.clock)());
    }

    /// Obeys the flag.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let now = (self.options.clock)();
        let before = self.looked.replace(now);
        self.deaf
            .set(self.deaf.get().max(now.saturating_sub(before)));
        if self.cancel.is_cancelled() {
            Err(Error::Cancelled)
        } else {
            Ok(())
        }
    }
}
