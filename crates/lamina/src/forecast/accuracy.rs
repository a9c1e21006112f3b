//! How good the estimates were: each is kept until its job has completed, and then compared. It estimates nothing.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use crate::jobs::EngineKind;
use crate::metrics::EstimateAt;

/// Comparisons that are kept of each kind.
const KEPT: usize = 256;

/// The last comparisons.
#[derive(Debug, Default)]
pub(super) struct Accuracy {
    errors: HashMap<(EngineKind, EstimateAt), VecDeque<f64>>,
}

/// How good the estimates of one kind were of late.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EstimateErrors {
    pub engine: EngineKind,
    /// When they were made.
    pub at: EstimateAt,
    /// How many are behind the numbers.
    pub jobs: usize,
    /// What half of them, and nine in ten, were off by at the most, as a share of the real time.
    pub half: f64,
    pub nine_in_ten: f64,
    /// The median with its sign: above zero they said more than it took.
    pub lean: f64,
}

impl Accuracy {
    /// A job that was to take `said` took `real`. Returns by what share of that the estimate was off.
    pub(super) fn compare(
        &mut self,
        engine: EngineKind,
        at: EstimateAt,
        said: Duration,
        real: Duration,
    ) -> f64 {
        let real = real.as_secs_f64().max(0.001);
        let error = (said.as_secs_f64() - real) / real;
        let errors = self.errors.entry((engine, at)).or_default();
        if errors.len() == KEPT {
            errors.pop_front();
        }
        errors.push_back(error);
        error.abs()
    }

    /// By engine and moment; what has no comparison yet has no line.
    pub(super) fn shown(&self) -> Vec<EstimateErrors> {
        let mut shown: Vec<_> = self
            .errors
            .iter()
            .map(|((engine, at), errors)| {
                let mut signed: Vec<_> = errors.iter().copied().collect();
                signed.sort_by(f64::total_cmp);
                let mut sizes: Vec<_> = signed.iter().map(|error| error.abs()).collect();
                sizes.sort_by(f64::total_cmp);
                EstimateErrors {
                    engine: *engine,
                    at: *at,
                    jobs: sizes.len(),
                    half: quantile(&sizes, 0.5),
                    nine_in_ten: quantile(&sizes, 0.9),
                    lean: quantile(&signed, 0.5),
                }
            })
            .collect();
        shown.sort_by_key(|line| (line.engine, line.at));
        shown
    }
}

fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(place.max(1) - 1).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_estimate_is_off_by_a_share_of_the_real_time() {
        let mut accuracy = Accuracy::default();
        let mut compare = |said, real| {
            let (said, real) = (Duration::from_secs(said), Duration::from_secs(real));
            accuracy.compare(EngineKind::Local, EstimateAt::Created, said, real)
        };
        for (said, real, off) in [(12, 10, 0.2), (9, 10, 0.1), (10, 10, 0.0), (5, 10, 0.5)] {
            assert!((compare(said, real) - off).abs() < 1e-9);
        }
        let [line] = accuracy.shown()[..] else {
            panic!("one kind was compared")
        };
        assert_eq!((line.jobs, line.at), (4, EstimateAt::Created));
        assert!((line.half - 0.1).abs() < 1e-9 && (line.nine_in_ten - 0.5).abs() < 1e-9);
        assert!((line.lean + 0.1).abs() < 1e-9, "{}", line.lean);
    }
}
