//! How long a job will still take, as far as that is known, and so when it is worth asking again.

use std::time::Duration;

use crate::forecast::{Standing, Subject};
use crate::http::state::ApiState;
use crate::store::JobRecord;

/// Between two looks at a job that are worth it, in seconds.
const SOONEST: u64 = 1;
const LATEST: u64 = 15;

/// Until its layers can be fetched; none where nobody can know.
pub(in crate::http) fn time_left(state: &ApiState, job: &JobRecord) -> Option<Duration> {
    let subject = Subject {
        job: job.id,
        owner: &job.owner,
        engine: job.engine,
        size: job.source.map(|source| (source.width, source.height)),
        layers: job.params.num_layers.into(),
    };
    let standing = Standing {
        phase: job.phase,
        accepted_at: job.estimate.accepted_at,
        expected: job.estimate.expected,
    };
    state.forecast.left(&subject, &standing)
}

/// How many seconds to wait before it is worth reading a running job again: an eighth of what is left, so that little
/// is asked of one that takes long, and its end is not seen late by much.
pub(in crate::http) fn retry_after(state: &ApiState, job: &JobRecord) -> u32 {
    let seconds = match (time_left(state, job), job.queue_position) {
        (Some(left), _) => left.as_secs() / 8,
        (None, Some(20..)) => LATEST,
        (None, Some(5..)) => 5,
        (None, _) => SOONEST,
    };
    u32::try_from(seconds.clamp(SOONEST, LATEST)).unwrap_or(1)
}
