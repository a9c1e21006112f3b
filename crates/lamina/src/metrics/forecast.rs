//! How good the estimates of jobs' ends were.

use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;

use super::declare::metrics;
use crate::jobs::EngineKind;

type Label<const N: usize> = [(&'static str, &'static str); N];

/// When an estimate was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EstimateAt {
    /// When the job was new: its way, the queue and its run are all before it.
    Created,
    /// When its run began.
    Began,
}

impl EstimateAt {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Created, Self::Began];

    /// Its word in labels and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Began => "began",
        }
    }
}

fn shares() -> Histogram {
    Histogram::new([0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0, 5.0])
}

metrics! {
    /// How good the estimates of one service were.
    pub struct ForecastMetrics {
        /// Error of the estimated end of completed jobs, as a share of the real time; estimated at the create or when the run began
        errors: Family<Label<2>, Histogram, fn() -> Histogram> = histogram "lamina_eta_error_ratio"["engine", "at"], Family::new_with_constructor(shares);
    }
}

impl Default for ForecastMetrics {
    fn default() -> Self {
        Self::declared()
    }
}

impl ForecastMetrics {
    /// An estimate was off by this share of the real time.
    pub fn compared(&self, engine: EngineKind, at: EstimateAt, error: f64) {
        let labels = [("engine", engine.as_str()), ("at", at.as_str())];
        self.errors.get_or_create(&labels).observe(error);
    }
}
