//! Counts comparisons of two things, by which tests bound the work between two looks at the stop flag. Elsewhere it does nothing.

/// Two rectangles, or two things, are compared.
#[cfg(not(test))]
pub(super) fn compared() {}

#[cfg(test)]
pub(super) use counted::{compared, count};

#[cfg(test)]
mod counted {
    use std::cell::Cell;
    use std::time::Duration;

    thread_local! {
        static COUNT: Cell<u64> = const { Cell::new(0) };
    }

    pub(in super::super) fn compared() {
        COUNT.set(COUNT.get() + 1);
    }

    /// Comparisons of this thread so far, one a nanosecond: a clock for `Options::clock`.
    pub(in super::super) fn count() -> Duration {
        Duration::from_nanos(COUNT.get())
    }
}
