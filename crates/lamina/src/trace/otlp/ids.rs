//! Ids of traces and spans, and which traces are kept. A job's are derived from its own id, a
//! UUIDv7: all 128 bits name the trace, the lower 64, which are random, its first span.

use std::cell::Cell;

use opentelemetry::trace::{
    Link, SpanContext, SpanId, SpanKind, TraceContextExt, TraceFlags, TraceId, TraceState,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{
    IdGenerator, RandomIdGenerator, SamplingDecision, SamplingResult, ShouldSample,
};

use crate::jobs::JobId;

thread_local! {
    /// The job whose first span is being made on this thread.
    static OF_JOB: Cell<Option<JobId>> = const { Cell::new(None) };
}

/// The trace of a job.
pub(super) fn trace(job: JobId) -> TraceId {
    TraceId::from(job.as_u128())
}

/// The span of a job's whole life; never zero, because of the UUID's variant bits.
fn first_span(job: JobId) -> SpanId {
    #[expect(clippy::cast_possible_truncation, reason = "the lower half is meant")]
    SpanId::from(job.as_u128() as u64)
}

/// The span of a job's whole life as a parent, whether or not it was sent yet.
pub(super) fn whole(job: JobId, kept: bool) -> SpanContext {
    let flags = if kept {
        TraceFlags::SAMPLED
    } else {
        TraceFlags::default()
    };
    SpanContext::new(
        trace(job),
        first_span(job),
        flags,
        true,
        TraceState::default(),
    )
}

/// Makes the span of a job's whole life.
pub(super) fn first_span_of<T>(job: JobId, make: impl FnOnce() -> T) -> T {
    OF_JOB.set(Some(job));
    let made = make();
    OF_JOB.set(None);
    made
}

/// Ids at random, but for those of jobs.
#[derive(Debug)]
pub(super) struct JobIds;

impl IdGenerator for JobIds {
    fn new_trace_id(&self) -> TraceId {
        OF_JOB
            .get()
            .map_or_else(|| RandomIdGenerator::default().new_trace_id(), trace)
    }

    fn new_span_id(&self) -> SpanId {
        OF_JOB
            .get()
            .map_or_else(|| RandomIdGenerator::default().new_span_id(), first_span)
    }
}

/// Keeps a part of all traces, chosen by their id, so that every process chooses alike. A caller
/// that says whether it keeps its trace is followed.
#[derive(Clone, Debug)]
pub(super) struct ByTraceId {
    ratio: f64,
}

impl ByTraceId {
    pub(super) fn keeping(ratio: f64) -> Self {
        Self { ratio }
    }

    /// By the 62 bits that are random in a UUIDv7 too. The SDK's own sampler goes by the 63 lower
    /// bits, of which a UUID sets the first, and would keep none or all of the jobs.
    pub(super) fn keeps(&self, trace: TraceId) -> bool {
        let bytes = trace.to_bytes();
        let mut lower = [0; 8];
        lower.copy_from_slice(&bytes[8..]);
        #[expect(clippy::cast_precision_loss, reason = "a ratio")]
        let place = (u64::from_be_bytes(lower) << 2) as f64 / u64::MAX as f64;
        place < self.ratio || self.ratio >= 1.0
    }
}

impl ShouldSample for ByTraceId {
    fn should_sample(
        &self,
        parent_context: Option<&Context>,
        trace_id: TraceId,
        _name: &str,
        _span_kind: &SpanKind,
        _attributes: &[KeyValue],
        _links: &[Link],
    ) -> SamplingResult {
        let span = parent_context.map(TraceContextExt::span);
        let parent = span.as_ref().map(|span| span.span_context());
        let parent = parent.filter(|parent| parent.is_valid());
        let kept = parent.map_or_else(|| self.keeps(trace_id), SpanContext::is_sampled);
        SamplingResult {
            decision: if kept {
                SamplingDecision::RecordAndSample
            } else {
                SamplingDecision::Drop
            },
            attributes: Vec::new(),
            trace_state: parent.map_or_else(TraceState::default, |p| p.trace_state().clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::UnixMs;

    #[test]
    fn a_part_of_the_jobs_is_kept_though_uuids_are_not_all_random() {
        let jobs: Vec<TraceId> = (0..4000).map(|n| trace(JobId::new(UnixMs(n)))).collect();
        for (ratio, wanted) in [(0.0, 0), (0.25, 1000), (0.5, 2000), (1.0, 4000)] {
            let sampler = ByTraceId::keeping(ratio);
            let kept = jobs.iter().filter(|trace| sampler.keeps(**trace)).count();
            assert!(kept.abs_diff(wanted) < 200, "{ratio}: {kept}");
        }
    }

    #[test]
    fn a_jobs_trace_is_its_id() {
        let job = JobId::new(UnixMs(1_795_356_717_000));
        let plain = job.to_string().replace('-', "");
        assert_eq!(trace(job).to_string(), plain);
        assert_eq!(first_span(job).to_string(), plain[16..]);
    }
}
