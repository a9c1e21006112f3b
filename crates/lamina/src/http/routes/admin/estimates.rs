//! What is known of how long runs take, and how good the estimates made of that were, for `/api/admin/stats`.

use serde::Serialize;

use crate::forecast::{EstimateErrors, RunTimes};
use crate::jobs::EngineKind;

/// How long runs of one kind took of late.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(in crate::http) struct RunsView {
    /// The engine.
    engine: EngineKind,
    /// Their pictures have less, in megapixels of 1024², and more than 0.7 of that.
    below_megapixels: f64,
    /// Layers that were asked for; null where that was left to the engine.
    #[schema(required = true)]
    num_layers: Option<u8>,
    /// How many are behind the numbers, the newest 24 at the most; also those of processes before this one.
    runs: u64,
    /// Half of them took no longer.
    median_seconds: f64,
    /// Nine in ten took no longer.
    p90_seconds: f64,
    /// None took longer.
    longest_seconds: f64,
}

/// How far estimates of jobs' ends were off, since this process began.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(in crate::http) struct EstimatesView {
    /// The engine.
    engine: EngineKind,
    /// When they were made: `created`, when the job was new, or `began`, when its run began.
    at: &'static str,
    /// How many completed jobs are behind the numbers, the newest 256 at the most.
    jobs: u64,
    /// Half of them were off by no more, as a share of the time that it took.
    median_error: f64,
    /// Nine in ten were off by no more.
    p90_error: f64,
    /// The median with its sign: above 0 they said more than it took.
    lean: f64,
}

impl From<RunTimes> for RunsView {
    fn from(times: RunTimes) -> Self {
        Self {
            engine: times.engine,
            below_megapixels: thousandths(times.below_megapixels),
            num_layers: Some(times.layers.0).filter(|asked| *asked > 0),
            runs: times.runs as u64,
            median_seconds: times.half.as_secs_f64(),
            p90_seconds: times.nine_in_ten.as_secs_f64(),
            longest_seconds: times.longest.as_secs_f64(),
        }
    }
}

impl From<EstimateErrors> for EstimatesView {
    fn from(errors: EstimateErrors) -> Self {
        Self {
            engine: errors.engine,
            at: errors.at.as_str(),
            jobs: errors.jobs as u64,
            median_error: thousandths(errors.half),
            p90_error: thousandths(errors.nine_in_ten),
            lean: thousandths(errors.lean),
        }
    }
}

fn thousandths(number: f64) -> f64 {
    (number * 1000.0).round() / 1000.0
}
