//! The database: how long reads and writes wait and take, how many reads there are, and how many
//! writes share a commit.

use std::time::{Duration, Instant};

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;

use super::declare::metrics;

metrics! {
    /// Reads and writes of one service.
    pub struct DatabaseMetrics {
        /// Time of a read, the wait for a reader included; jobs that are answered from memory are not counted
        reads: Histogram = histogram "lamina_database_read_duration_seconds"[], durations();
        /// Reads that run or wait; there are 3 readers
        reading: Gauge = gauge "lamina_database_reads"[];
        /// Time of a write until it is on disk, the wait for its turn included
        writes: Histogram = histogram "lamina_database_write_duration_seconds"[], durations();
        /// Time of a transaction, from its begin to its commit on disk
        commits: Histogram = histogram "lamina_database_commit_duration_seconds"[], durations();
        /// Writes that shared one transaction
        groups: Histogram = histogram "lamina_database_commit_writes"[], Histogram::new([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0]);
        /// Transactions that could not be committed
        failed: Counter = counter "lamina_database_commits_failed_total"[];
    }
}

fn durations() -> Histogram {
    Histogram::new([
        0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0,
    ])
}

impl Default for DatabaseMetrics {
    fn default() -> Self {
        Self::declared()
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
}
