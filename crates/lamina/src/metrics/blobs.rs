//! Calls to the blob store.

use std::time::Duration;

use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;

use super::declare::metrics;

type Label<const N: usize> = [(&'static str, &'static str); N];

/// What the blob store was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlobOperation {
    /// Write a blob.
    Put,
    /// Read one whole.
    Get,
    /// Open one for streaming; the stream itself is not timed.
    Open,
    /// Ask for its size.
    Size,
    Copy,
    /// Remove blobs.
    Erase,
    /// List blobs.
    List,
    /// See whether the store works.
    Probe,
}

impl BlobOperation {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Put => "put",
            Self::Get => "get",
            Self::Open => "open",
            Self::Size => "size",
            Self::Copy => "copy",
            Self::Erase => "erase",
            Self::List => "list",
            Self::Probe => "probe",
        }
    }
}

impl BlobOperation {
    /// What a span of it is called.
    #[must_use]
    pub const fn span(self) -> &'static str {
        match self {
            Self::Put => "blob put",
            Self::Get => "blob get",
            Self::Open => "blob open",
            Self::Size => "blob size",
            Self::Copy => "blob copy",
            Self::Erase => "blob erase",
            Self::List => "blob list",
            Self::Probe => "blob probe",
        }
    }
}

fn durations() -> Histogram {
    Histogram::new([
        0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
    ])
}

metrics! {
    /// Calls to the blob store of one service.
    pub struct BlobMetrics {
        /// Time of a call to the blob store: put, get, open, size, copy, erase, list or probe; outcomes are ok and error
        operations: Family<Label<2>, Histogram, fn() -> Histogram> = histogram "lamina_blob_operation_duration_seconds"["operation", "outcome"], Family::new_with_constructor(durations);
    }
}

impl Default for BlobMetrics {
    fn default() -> Self {
        Self::declared()
    }
}

impl BlobMetrics {
    /// An operation ended. That a blob is missing is an answer, not a failure.
    pub fn called(&self, operation: BlobOperation, failed: bool, duration: Duration) {
        let outcome = if failed { "error" } else { "ok" };
        let labels = [("operation", operation.as_str()), ("outcome", outcome)];
        let operations = self.operations.get_or_create(&labels);
        operations.observe(duration.as_secs_f64());
    }
}
