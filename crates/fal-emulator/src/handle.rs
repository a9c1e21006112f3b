//! What can be done to a running emulator from outside a request: releasing, beginning, resetting.
//! The library's handle and the HTTP controls both come through here.

use std::sync::Arc;

use crate::queue;
use crate::shared::Shared;

/// Lets a held request leave the queue. False when there is none of this id.
pub(crate) fn begin(shared: &Arc<Shared>, id: &str) -> bool {
    let known = match shared.board().job_mut(id) {
        Some(job) => {
            job.may_begin = true;
            true
        }
        None => false,
    };
    queue::pump(shared);
    known
}

/// Removes every hold from a request: queue, end, and the answer to its submission.
pub(crate) fn release(shared: &Arc<Shared>, id: &str) -> bool {
    let known = match shared.board().job_mut(id) {
        Some(job) => {
            job.may_begin = true;
            job.may_finish = true;
            job.may_answer = true;
            true
        }
        None => false,
    };
    queue::pump(shared);
    known
}

/// Forgets requests, files, uploads, script, lock and counters; the keys and the hold stay.
pub(crate) fn reset(shared: &Arc<Shared>) {
    shared.board().reset();
    shared.cdn.clear();
    shared.uploads.clear();
    shared.changed();
}

/// Units in dollars.
pub(crate) fn usd(shared: &Shared, units: u64) -> f64 {
    units as f64 * shared.config.price_usd
}
