//! What a worker is given with a job, and what it writes back.

use std::time::Duration;

use super::{SourceInfo, StoredSource, Submission};
use crate::jobs::{
    EngineKind, JobId, Layer, Moment, Nonce, OwnerId, Params, Phase, Quality, RequestId, Shares,
    Stage, UnixMs,
};

/// What a process saw of the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockSeen {
    /// Both times; the wall clock's as far as it is trusted.
    pub moment: Moment,
    /// How long a wall clock that leapt ahead of that has run on.
    pub held: Duration,
}

/// A worker's right to run the next step of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    pub job: JobId,
    /// Rises with every claim; a write with an old token changes nothing.
    pub token: i64,
}

/// What a worker has room for.
#[derive(Clone, Debug)]
pub struct Want {
    pub stage: Stage,
    /// So many jobs at the most.
    pub limit: u32,
    /// What each owner holds of the stage.
    pub owners: Shares,
    /// What is held for each host that pictures are fetched from.
    pub hosts: Shares,
}

impl Want {
    /// So many jobs of a stage, whoever holds how many: for what is no worker.
    #[must_use]
    pub fn any(stage: Stage, limit: u32) -> Self {
        let all = Shares::of(usize::MAX >> 8);
        Self {
            stage,
            limit,
            owners: all.clone(),
            hosts: all,
        }
    }
}

/// A claimed job, with all that a step needs to know.
#[derive(Clone, Debug)]
pub struct Claimed {
    /// The right to work on it.
    pub lease: Lease,
    /// Who owns it.
    pub owner: OwnerId,
    /// Which step is next.
    pub phase: Phase,
    /// The engine it runs on.
    pub engine: EngineKind,
    /// Its parameters.
    pub params: Params,
    pub source: StoredSource,
    /// When it became due for this claim.
    pub due_at: UnixMs,
    /// Whether somebody said, since the last claim, that its engine is done: the engine, as far as is known.
    pub was_called: bool,
    /// Failed attempts of this phase.
    pub attempt: u32,
    pub created_at: UnixMs,
    /// When it and its bytes go.
    pub expires_at: UnixMs,
    /// When the engine accepted it.
    pub accepted_at: Option<UnixMs>,
    /// How long it was expected to be until the engine is done, when it accepted; zero before.
    pub expected: Duration,
    /// Whether a process died while this job was being computed: it is computed alone then.
    pub suspect: bool,
    /// The copy of its source that its engine keeps.
    pub input: Option<KeptInput>,
    /// The latest submission.
    pub submission: Option<Submission>,
    /// How many submissions the engine took.
    pub runs: u32,
    /// The stack of its first run, while a second is tried for a better one.
    pub first: Option<FirstStack>,
}

impl Claimed {
    /// The slots that its next step takes; none when it has ended.
    #[must_use]
    pub fn stage(&self) -> Option<Stage> {
        Stage::of(self.phase, matches!(self.source, StoredSource::Stored(_)))
    }

    /// The host that its picture is to be fetched from.
    #[must_use]
    pub fn host(&self) -> Option<&str> {
        match &self.source {
            StoredSource::Url(url) => url.host_str(),
            StoredSource::Stored(_) => None,
        }
    }
}

/// A stack that is stored, and stays unless a second one is better.
#[derive(Clone, Debug)]
pub struct FirstStack {
    pub layers: Vec<Layer>,
    pub quality: Quality,
}

/// A copy of a source at an engine. Who has the address sees the picture, so `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct KeptInput {
    pub address: String,
    pub until: UnixMs,
}

impl std::fmt::Debug for KeptInput {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeptInput")
            .field("until", &self.until)
            .finish_non_exhaustive()
    }
}

/// What a step learnt and wants written with its change.
#[derive(Clone, Debug)]
pub enum StepOutput {
    /// Nothing.
    None,
    /// The source is stored.
    Source(SourceInfo),
    /// The engine accepted; also closes the submission.
    Accepted {
        /// Which submission.
        nonce: Nonce,
        /// The engine's name for it.
        request: RequestId,
        /// Requests ahead of it.
        queue_position: Option<u32>,
        /// How long it will be, by then, until the engine is done.
        expected: Duration,
    },
    /// The engine is at work.
    Waiting {
        /// What it reported, 0.0 to 1.0; never lowers what is stored.
        fraction: Option<f32>,
        /// Requests ahead of it.
        queue_position: Option<u32>,
    },
    /// The engine is done.
    Ready {
        /// How long its run took, where that is known.
        run: Option<Duration>,
    },
    /// The run of this submission failed, and the job is submitted anew.
    RunFailed(Nonce),
    /// Every layer is stored, bottom first; they give the picture back poorly, and a second run is to be tried.
    FirstStack {
        /// The submission whose run they are of.
        nonce: Nonce,
        layers: Vec<Layer>,
        quality: Box<Quality>,
    },
    /// Every layer is stored, bottom first; and how well they give the picture back, where that was measured.
    Layers(Vec<Layer>, Option<Box<Quality>>),
}

/// Whether a fenced write took effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum FencedWrite {
    /// It did.
    Applied,
    /// Another worker, a delete or the expiry took the job; nothing was changed.
    LostLease,
}
