//! What the service counts and times, as typed handles: whoever has something to tell is given the
//! handle of its part and calls a method; names, labels and buckets stand here alone. Each service
//! has its own, so several live in one process. It reads no store and serves nothing: `http/routes/metrics`
//! asks, and `docs/metrics.md` lists what comes out.
//!
//! Invariant: every label's values are a list known in advance (routes, phases, codes), never an
//! id, an owner, a path or a text from outside, so that the number of series is bounded.

mod blobs;
mod catalog;
mod database;
mod declare;
mod engines;
mod forecast;
mod jobs;
mod process;
mod requests;
mod sampled;
mod text;

use std::sync::Arc;

use prometheus_client::registry::Registry;

pub use blobs::{BlobMetrics, BlobOperation};
pub use catalog::{Entry, Kind};
pub use database::{DatabaseMetrics, OpenRead};
pub use engines::{EngineCall, EngineMetrics};
pub use forecast::{EstimateAt, ForecastMetrics};
pub use jobs::{HookEnd, JobMetrics, LeaseLoss, SecondTryEnd, StepEnd, Timing};
pub use requests::{
    AnsweredSeries, Direction, InFlight, OpenStream, OpenWait, RequestMetrics, VariantOutcome,
    WaitKind,
};
pub use sampled::{Sample, SampledMetrics};
pub use text::CONTENT_TYPE;

use catalog::Catalog;

/// All metrics of one service. Clones share the same numbers.
#[derive(Clone, Debug)]
pub struct Metrics {
    /// Requests and connections.
    pub requests: RequestMetrics,
    /// Jobs and their steps.
    pub jobs: JobMetrics,
    /// Calls to engines.
    pub engines: EngineMetrics,
    /// How good the estimates of jobs' ends were.
    pub forecast: ForecastMetrics,
    /// Calls to the blob store.
    pub blobs: BlobMetrics,
    /// Reads and writes of the database.
    pub database: DatabaseMetrics,
    /// What is only looked at when somebody asks.
    pub sampled: SampledMetrics,
    registry: Arc<Registry>,
    entries: Arc<[Entry]>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Fresh metrics, all zero.
    #[must_use]
    pub fn new() -> Self {
        let mut catalog = Catalog::default();
        let requests = RequestMetrics::default();
        let jobs = JobMetrics::default();
        let engines = EngineMetrics::default();
        let forecast = ForecastMetrics::default();
        let blobs = BlobMetrics::default();
        let database = DatabaseMetrics::default();
        let sampled = SampledMetrics::default();
        requests.enter(&mut catalog);
        jobs.enter(&mut catalog);
        engines.enter(&mut catalog);
        forecast.enter(&mut catalog);
        blobs.enter(&mut catalog);
        database.enter(&mut catalog);
        sampled.enter(&mut catalog);
        process::enter(&mut catalog);
        let (registry, entries) = catalog.close();
        Self {
            requests,
            jobs,
            engines,
            forecast,
            blobs,
            database,
            sampled,
            registry: Arc::new(registry),
            entries: entries.into(),
        }
    }

    /// Everything there is, in the order of the documentation.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The numbers as they stand, in Prometheus's text format 0.0.4 ([`CONTENT_TYPE`]).
    #[must_use]
    pub fn text(&self) -> String {
        text::encode(&self.registry)
    }
}

#[cfg(test)]
mod tests;
