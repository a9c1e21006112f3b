//! What is recorded of a job that somebody deleted: one log line, its count, and the end of its trace. It
//! deletes nothing.

use crate::jobs::{Phase, UnixMs, whole_ms};
use crate::metrics::JobMetrics;
use crate::store::Ended;
use crate::trace::{JobEnd, Tracer};

/// Who deleted a job.
#[derive(Clone, Copy, Debug)]
pub(in crate::http) enum DeletedBy<'a> {
    Owner,
    /// Who of those that may.
    Operator(&'a str),
}

/// Records that a job was deleted at `now`. The trace of a job that had ended before is whole already;
/// one that was under way ends here, and that is no error.
pub(in crate::http) fn record_deleted(
    job: &Ended,
    by: DeletedBy<'_>,
    now: UnixMs,
    metrics: &JobMetrics,
    tracer: &Tracer,
) {
    let age_ms = whole_ms(now.since(job.created_at));
    let engine = job.engine.as_str();
    let by = match by {
        DeletedBy::Owner => "owner",
        DeletedBy::Operator(who) => who,
    };
    tracing::info!(job = %job.id, owner = %job.owner, engine, by, age_ms, "job deleted");
    metrics.ended(job.engine, Phase::Deleted, None);
    if !job.was_finished {
        tracer.job_ended(&JobEnd {
            job: job.id,
            engine: job.engine,
            created_at: job.created_at,
            ended_at: now,
            phase: Phase::Deleted,
            code: None,
        });
    }
}
