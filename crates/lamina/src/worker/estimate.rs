//! What the worker tells the forecast (`forecast/`): past runs at its start, and jobs as they move.

use super::Worker;
use crate::forecast::Subject;
use crate::jobs::{Change, Phase};
use crate::store::{Claimed, StoredSource};

/// Past runs of an engine that are read; of each class the newest 24 are used.
const RUNS: u32 = 512;

/// The job as the forecast knows it.
pub(super) fn subject(job: &Claimed) -> Subject<'_> {
    Subject {
        job: job.lease.job,
        owner: &job.owner,
        engine: job.engine,
        size: match &job.source {
            StoredSource::Stored(info) => Some((info.width, info.height)),
            StoredSource::Url(_) => None,
        },
        layers: job.params.num_layers.into(),
    }
}

impl Worker {
    /// How long runs took before this process began. Without that nothing is said until one has ended.
    pub(super) async fn learn_past_runs(&self) {
        for engine in self.parts.engines.kinds() {
            match self.parts.store.past_runs(engine, RUNS).await {
                Ok(runs) => {
                    for run in runs {
                        self.parts
                            .forecast
                            .learn(engine, run.size, run.layers, run.took);
                    }
                }
                Err(error) => {
                    let engine = engine.as_str();
                    tracing::warn!(engine, %error, "how long past runs took could not be read; estimates begin with the next run");
                }
            }
        }
    }

    /// A job was claimed.
    pub(super) fn estimate_claimed(&self, job: &Claimed) {
        if matches!(job.phase, Phase::Prepare | Phase::Submit) {
            let is_new = job.runs == 0 && job.attempt == 0 && job.submission.is_none();
            self.parts.forecast.begins(&subject(job), is_new);
        }
    }

    /// A change is written.
    pub(super) fn estimate_changed(&self, job: &Claimed, change: &Change) {
        let forecast = &self.parts.forecast;
        match change.phase {
            Phase::Completed => forecast.completed(&subject(job)),
            Phase::Failed | Phase::Deleted | Phase::Expired => forecast.forget(job.lease.job),
            // It is handed over anew.
            Phase::Submit if job.phase != Phase::Prepare && job.phase != Phase::Submit => {
                forecast.forget(job.lease.job);
            }
            Phase::Prepare | Phase::Submit | Phase::Wait | Phase::Collect => {}
        }
    }
}
