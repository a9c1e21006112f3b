//! The second try of a job whose layers give its picture back poorly (`QUALITY_RETRY`): it is submitted once more, with another seed and within
//! the caps on spending, and the better stack is kept.
//!
//! Invariant: the first stack is whole and in the rows before anything more is paid, and a second one has files of its own. So however the
//! second run ends, and wherever the process dies, there is a stack to complete with: a job that has one never fails.

use super::collect::remove;
use super::report::{Report, StepError};
use super::wait;
use crate::engines::Engine;
use crate::jobs::{Change, Event, Layer, Outcome, Phase, Quality, SecondTry, transition};
use crate::metrics::SecondTryEnd;
use crate::store::{Claimed, FirstStack, StepOutput};
use crate::worker::Worker;

/// The number of the first file of a second stack: more than any first one has.
const SECOND_FILES: u32 = 1_000;

/// The number of the first file of the stack that is collected now.
pub(in crate::worker) fn first_file(job: &Claimed) -> u32 {
    if job.first.is_some() { SECOND_FILES } else { 0 }
}

/// Another seed than the first run had; none where that one was the engine's choice.
pub(in crate::worker) fn other_seed(job: &Claimed) -> Option<u64> {
    let seed = job.params.seed?;
    Some(seed.wrapping_add(u64::from(job.first.is_some())))
}

/// Whether it is a second stack that the first one is kept instead of.
pub(in crate::worker) fn is_lost(job: &Claimed, quality: Option<&Quality>) -> bool {
    let first = job.first.as_ref();
    first.is_some_and(|first| !quality.is_some_and(|second| is_better(first, second)))
}

fn is_better(first: &FirstStack, second: &Quality) -> bool {
    second.is_better_than(&first.quality)
}

/// What follows from a stack that was collected: the job is complete with it, or with the first one, or another is tried.
pub(in crate::worker) async fn weigh(
    worker: &Worker,
    job: &Claimed,
    engine: &dyn Engine,
    layers: Vec<Layer>,
    quality: Option<Quality>,
) -> Result<Report, StepError> {
    worker.parts.metrics.stack(job.engine, quality.as_ref());
    match &job.first {
        Some(first) => chosen(worker, job, first, layers, quality).await,
        None => first_stack(worker, job, engine, layers, quality).await,
    }
}

async fn first_stack(
    worker: &Worker,
    job: &Claimed,
    engine: &dyn Engine,
    layers: Vec<Layer>,
    quality: Option<Quality>,
) -> Result<Report, StepError> {
    let now = worker.parts.clock.now();
    let nonce = wait::accepted(job).map(|(nonce, _)| nonce.clone());
    if let (Some(nonce), Some(poor)) = (nonce, &quality)
        && is_poor(worker, engine, poor)
        && may_pay(worker, job, engine).await?
    {
        tracing::info!(job = %job.lease.job, psnr_db = poor.psnr_db, "the layers give the picture back poorly; a second run is tried");
        // Told so from now on: it holds unless a better stack takes its place.
        let quality = Quality {
            second_try: Some(SecondTry::KeptFirst),
            ..poor.clone()
        };
        return Ok(
            Report::done(Event::SecondTry, now).with(StepOutput::FirstStack {
                nonce,
                layers,
                quality: Box::new(quality),
            }),
        );
    }
    Ok(Report::done(Event::Collected, now).with(StepOutput::Layers(layers, quality.map(Box::new))))
}

fn is_poor(worker: &Worker, engine: &dyn Engine, quality: &Quality) -> bool {
    let bar = worker.settings.stacks.retry_below_db;
    engine.facts().seeded
        && bar
            .zip(quality.psnr_db)
            .is_some_and(|(bar, psnr_db)| psnr_db < bar)
}

async fn may_pay(worker: &Worker, job: &Claimed, engine: &dyn Engine) -> Result<bool, StepError> {
    let (store, wall) = (&worker.parts.store, worker.parts.clock.wall());
    let (price, caps) = (engine.facts().price_microusd, worker.settings.spend);
    Ok(store
        .submission_affordable(&job.owner, price, caps, wall)
        .await?)
}

/// Nobody waits long for a call that is not taken: there are layers already. What was paid is asked for as often as ever.
pub(in crate::worker) fn not_insisted(job: &Claimed, outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Retry { failure, .. } if job.first.is_some() && job.phase == Phase::Submit => {
            Outcome::GiveUp(failure)
        }
        outcome => outcome,
    }
}

/// A second run that failed leaves the job complete with the first one's layers.
pub(in crate::worker) fn first_kept(worker: &Worker, job: &Claimed, change: Change) -> Change {
    let (Some(failure), Some(_)) = (&change.failure, &job.first) else {
        return change;
    };
    let Ok(phase) = transition(job.phase, Event::FirstKept) else {
        return change;
    };
    tracing::warn!(job = %job.lease.job, code = %failure.code, "the second run came to nothing; the layers of the first are kept");
    worker.parts.metrics.second_try(SecondTryEnd::Failed);
    Change {
        phase,
        failure: None,
        ..change
    }
}

async fn chosen(
    worker: &Worker,
    job: &Claimed,
    first: &FirstStack,
    layers: Vec<Layer>,
    quality: Option<Quality>,
) -> Result<Report, StepError> {
    let now = worker.parts.clock.now();
    let Some(mut quality) = quality.filter(|second| is_better(first, second)) else {
        remove(worker, job.lease.job, &layers).await;
        worker.parts.metrics.second_try(SecondTryEnd::KeptFirst);
        return Ok(Report::done(Event::FirstKept, now));
    };
    worker.parts.metrics.second_try(SecondTryEnd::TookSecond);
    quality.second_try = Some(SecondTry::TookSecond);
    Ok(Report::done(Event::Collected, now)
        .with(StepOutput::Layers(layers, Some(Box::new(quality)))))
}
