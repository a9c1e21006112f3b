//! Traces: where the time of a request or a job goes, as spans for an OpenTelemetry collector.
//!
//! A job has one trace for all its life, across restarts: its trace id is the job's own id, and the
//! id of its first span is the second half of that, so nothing about it needs to be stored. The
//! span of the request that created the job has a link to it. Spans carry ids, engines, outcomes
//! and codes; no key, no address, no prompt.
//!
//! A [`Scope`] is a span while it lasts: what runs in [`Scope::run`] finds it with [`child`],
//! [`link`] and [`parent_header`] on whatever thread it is polled. Without an exporter all of this
//! is a look at a `None`. Spans that cannot be delivered are dropped and counted; nothing waits for
//! them.
//!
//! Spans are made by the OpenTelemetry SDK and not by `tracing-opentelemetry`. That exporter is a part
//! of the process-wide subscriber, so that two services in one process would share it, and it has no
//! span that begins in the past: a job's is written when the job ends, often by another process than
//! the one that began it. Both kinds of spans would stand side by side, with the same ids, sampler,
//! queue and sender as now.

#[cfg(not(feature = "otlp"))]
mod off;
#[cfg(feature = "otlp")]
mod otlp;

use std::future::Future;
use std::time::Duration;

use secrecy::SecretString;
use url::Url;

use crate::jobs::{EngineKind, JobId, Phase, UnixMs};
#[cfg(not(feature = "otlp"))]
use off as live;
#[cfg(feature = "otlp")]
use otlp as live;

/// Where spans go, and which.
#[derive(Clone, Debug)]
pub struct TraceSettings {
    /// The collector; spans are posted to `v1/traces` below it, as protobuf.
    pub endpoint: Url,
    /// Headers for the collector, as `name=value,name=value`.
    pub headers: Option<SecretString>,
    /// What the service is called.
    pub service: String,
    /// More about it, as names and values.
    pub attributes: Vec<(String, String)>,
    /// The part of traces that is kept, 0.0 to 1.0. A trace that a caller began is kept when the
    /// caller keeps it.
    pub ratio: f64,
}

/// Makes spans, or does not. Clones share one exporter.
#[derive(Clone, Debug, Default)]
pub struct Tracer(Option<live::Exporter>);

/// A span until it is dropped, or nothing.
#[derive(Debug, Default)]
pub struct Scope(Option<live::Open>);

/// What a caller says of its own trace: W3C's headers, as they came.
#[derive(Clone, Copy, Debug, Default)]
pub struct CallerTrace<'a> {
    /// `traceparent`.
    pub parent: Option<&'a str>,
    /// `tracestate`.
    pub state: Option<&'a str>,
}

/// How a job ended, for the span of its whole life.
#[derive(Clone, Copy, Debug)]
pub struct JobEnd<'a> {
    pub job: JobId,
    pub engine: EngineKind,
    pub created_at: UnixMs,
    pub ended_at: UnixMs,
    pub phase: Phase,
    /// Why it failed, or that its time was over; none of one that was deleted, by somebody's wish.
    pub code: Option<&'a str>,
}

impl Tracer {
    /// Whether spans are made at all.
    #[must_use]
    pub const fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Starts an exporter. It works on a thread of its own and sends by the current tokio runtime.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub fn start(settings: &TraceSettings) -> Result<Self, String> {
        live::Exporter::start(settings).map(|exporter| Self(Some(exporter)))
    }

    /// A request begins; `route` is a template.
    #[must_use]
    pub fn request(&self, method: &str, route: &str, caller: &CallerTrace<'_>) -> Scope {
        let open = |exporter: &live::Exporter| exporter.request(method, route, caller);
        Scope(self.0.as_ref().map(open))
    }

    /// A step of a job begins.
    #[must_use]
    pub fn step(&self, job: JobId, phase: Phase, engine: EngineKind) -> Scope {
        let open = |exporter: &live::Exporter| exporter.step(job, phase, engine);
        Scope(self.0.as_ref().map(open))
    }

    /// A job ended: the span of its whole life.
    pub fn job_ended(&self, end: &JobEnd<'_>) {
        if let Some(exporter) = &self.0 {
            exporter.job_ended(end);
        }
    }

    /// Spans that were dropped since the start.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.0.as_ref().map_or(0, live::Exporter::dropped)
    }

    /// Sends what is left, for at most `limit`. Later spans are dropped.
    pub async fn stop(self, limit: Duration) {
        if let Some(exporter) = self.0 {
            // It waits for its own thread.
            let _ = tokio::task::spawn_blocking(move || exporter.stop(limit)).await;
        }
    }
}

impl Scope {
    /// Runs `work` inside this span.
    pub async fn run<F: Future>(&self, work: F) -> F::Output {
        match &self.0 {
            None => work.await,
            Some(open) => open.run(work).await,
        }
    }

    /// Adds something known in advance to have few values, or an id.
    pub fn set(&self, name: &'static str, value: &str) {
        if let Some(open) = &self.0 {
            open.set(name, value);
        }
    }

    /// The work failed; `code` is one of the documented ones.
    pub fn fail(&self, code: &str) {
        if let Some(open) = &self.0 {
            open.fail(code);
        }
    }

    /// The answer to a request.
    pub fn status(&self, status: u16) {
        if let Some(open) = &self.0 {
            open.status(status);
        }
    }

    /// Ends the span, as dropping it does.
    pub fn end(self) {}
}

/// A part of what runs now; nothing when that is in no span.
#[must_use]
pub fn child(name: &'static str) -> Scope {
    Scope(live::child(name))
}

/// What runs now has to do with this job.
pub fn link(job: JobId) {
    live::link(job);
}

/// The W3C `traceparent` of what runs now, for a service that is told of it.
#[must_use]
pub fn parent_header() -> Option<String> {
    live::parent_header()
}
