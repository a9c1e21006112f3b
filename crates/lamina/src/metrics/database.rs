//! The database: how long reads and writes wait and take, how many reads there are, and how many
//! writes share a commit.

use std::time::{Duration, Instant};

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;

use super::catalog::{Catalog, counter, gauge, histogram};

/// Reads and writes of one service.
#[derive(Clone, Debug)]
pub struct DatabaseMetrics {
    reads: Histogram,
    reading: Gauge,
    writes: Histogram,
    commits: Histogram,
    groups: Histogram,
    failed: Counter,
}

fn durations() -> Histogram {
    Histogram::new([
        0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0,
    ])
}

impl Default for DatabaseMetrics {
    fn default() -> Self {
        Self {
            reads: durations(),
            reading: Gauge::default(),
            writes: durations(),
            commits: durations(),
            groups: Histogram::new([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0]),
            failed: Counter::default(),
        }
    }
}

/// A read that waits or runs, until it is dropped.
#[derive(Debug)]
#[must_use]
pub struct OpenRead {
    reads: Histogram,
    reading: Gauge,
    begun: Instant,
}

impl Drop for OpenRead {
    fn drop(&mut self) {
        self.reading.dec();
        self.reads.observe(self.begun.elapsed().as_secs_f64());
    }
}

impl DatabaseMetrics {
    /// A read is asked for.
    pub fn read(&self) -> OpenRead {
        self.reading.inc();
        OpenRead {
            reads: self.reads.clone(),
            reading: self.reading.clone(),
            begun: Instant::now(),
        }
    }

    /// A write was answered this long after it was asked for.
    pub fn wrote(&self, duration: Duration) {
        self.writes.observe(duration.as_secs_f64());
    }

    /// A group of writes was committed, or not.
    pub fn committed(&self, writes: usize, failed: bool, duration: Duration) {
        self.commits.observe(duration.as_secs_f64());
        #[expect(clippy::cast_precision_loss, reason = "a group is small")]
        self.groups.observe(writes as f64);
        if failed {
            self.failed.inc();
        }
    }

    pub(super) fn enter(&self, catalog: &mut Catalog) {
        catalog.add(
            histogram(
                "lamina_database_read_duration_seconds",
                &[],
                "Time from asking for a read to its end, the wait for a reader included; a job that was read a moment ago is answered from memory and not counted",
            ),
            self.reads.clone(),
        );
        catalog.add(
            gauge(
                "lamina_database_reads",
                &[],
                "Reads that run or wait; there are 3 readers",
            ),
            self.reading.clone(),
        );
        catalog.add(
            histogram(
                "lamina_database_write_duration_seconds",
                &[],
                "Time from asking for a write to its being on disk, the wait for its turn included",
            ),
            self.writes.clone(),
        );
        catalog.add(
            histogram(
                "lamina_database_commit_duration_seconds",
                &[],
                "Time of a transaction, from its begin to its commit on disk",
            ),
            self.commits.clone(),
        );
        catalog.add(
            histogram(
                "lamina_database_commit_writes",
                &[],
                "Writes that shared one transaction",
            ),
            self.groups.clone(),
        );
        catalog.add(
            counter(
                "lamina_database_commits_failed_total",
                &[],
                "Transactions that could not be committed",
            ),
            self.failed.clone(),
        );
    }
}
