//! What a split tells beside its layers: how much it found, and where the time went.
//!
//! Only numbers; nothing here decides anything. Invariant: one entry a pass that ran, in order.

use std::time::Duration;

/// What a split tells beside its layers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// How many layers the picture has as far as the engine can tell, background included. More
    /// than were asked for: neighbours were merged. Fewer: there are no more, and none was made
    /// up.
    pub found: usize,
    /// The passes that ran, in order; `look` comes first and `peel` last.
    pub passes: Vec<PassTime>,
}

/// How long one pass of a split took, by [`Options::clock`](crate::Options::clock).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PassTime {
    /// The name of the pass, as in [`Progress::pass`](crate::Progress::pass).
    pub pass: &'static str,
    /// From its begin to its end.
    pub took: Duration,
    /// The longest stretch of it without a look at the stop flag: what a cancel may have to wait.
    pub deaf: Duration,
}
