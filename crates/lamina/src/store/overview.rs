//! What an operator looks at every few seconds: the present, and what went wrong of late. A part of [`super::Store`].
//! Each look reads indexes and a bounded number of rows, however many jobs there are.

use std::time::Duration;

use async_trait::async_trait;

use super::StoreError;
use crate::jobs::{EngineKind, JobId, Moment, OwnerId, Phase, UnixMs};

/// Jobs that are looked through for the oldest of a phase; of a longer queue it is the oldest of those.
pub const LOOKED_THROUGH: u32 = 20_000;

/// One look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overview {
    /// The oldest job of each phase under way, by its create.
    pub oldest: Vec<(Phase, JobId, UnixMs)>,
    /// Failed jobs since the day before, by code and engine, most first.
    pub failures: Vec<FailureLine>,
    /// The last submissions whose fate was never learnt, newest first; 20 at the most.
    pub unknown: Vec<UnknownSubmission>,
    /// Spending on the UTC day that is, by owner and engine, in millionths of a US dollar, most first; 100 at the most.
    pub spending: Vec<(OwnerId, EngineKind, u64)>,
    /// Since when pictures of the longest gone job wait to be erased.
    pub erasable_since: Option<UnixMs>,
    /// When a run last ended, of any engine.
    pub last_run: Option<UnixMs>,
    /// Runs of the last quarter of an hour that ended well, by engine.
    pub runs: Vec<(EngineKind, u64)>,
}

/// Jobs that failed alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailureLine {
    pub code: String,
    pub engine: EngineKind,
    pub jobs: u64,
    /// Of those, in the last quarter of an hour.
    pub lately: u64,
    pub latest: UnixMs,
}

/// A call to an engine of which it will not be known whether it was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownSubmission {
    pub job: JobId,
    /// None once the job is forgotten.
    pub owner: Option<OwnerId>,
    pub engine: EngineKind,
    pub microusd: u64,
    pub opened_at: UnixMs,
    pub closed_at: UnixMs,
}

/// What "lately" means.
pub const LATELY: Duration = Duration::from_secs(15 * 60);

/// An operator's look at the present.
#[async_trait]
pub trait OverviewStore: std::fmt::Debug + Send + Sync {
    /// One look.
    async fn overview(&self, moment: Moment) -> Result<Overview, StoreError>;
}
