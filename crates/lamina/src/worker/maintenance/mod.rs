//! What the worker does by itself, again and again: expire and erase, sweep orphans, close what was
//! abandoned, watch the clock. Each task has a file; `periodic` runs it.

pub(in crate::worker) mod abandoned;
pub(in crate::worker) mod backlog;
pub(in crate::worker) mod clock_watch;
pub(in crate::worker) mod erase;
pub(in crate::worker) mod orphans;
pub(in crate::worker) mod periodic;
