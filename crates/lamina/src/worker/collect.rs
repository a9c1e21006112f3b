//! collect: fetches every layer, verifies that it decodes, measures and stores it, and only then
//! completes the job. Bytes are kept as the engine made them, but for a layer of another size
//! (`canvas.rs`). Repeatable: it overwrites its own
//! blobs. A frame that shows the whole source again is recognised and dropped.

use std::fmt::Write as _;

use aws_lc_rs::digest;
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};

use super::prepare::{self, media_type, storage_trouble};
use super::step::{Report, StepResult, Stumble, image_refused};
use super::{Worker, canvas, crash, wait};
use crate::blobs::BlobKey;
use crate::engines::{Engine, LayerContent, LayerSource};
use crate::fetch::FetchClass;
use crate::images::{self, ImageError, LayerFacts, Limits};
use crate::jobs::{BoundingBox, Event, FailureCode, JobId, Layer, NumLayers};
use crate::store::{Claimed, Facts, StoredSource};

/// Layers fetched and decoded at once for one job.
const AT_ONCE: usize = 4;

/// A layer that was fetched and found good.
pub(super) struct Checked {
    pub(super) name: Option<String>,
    pub(super) bytes: Bytes,
    pub(super) facts: LayerFacts,
}

pub(super) async fn run(
    worker: &Worker,
    job: &Claimed,
    engine: &dyn Engine,
    layers: Option<Vec<LayerSource>>,
) -> StepResult {
    let sources = match layers {
        Some(layers) => layers,
        None => match ask_again(worker, job, engine).await? {
            Ok(layers) => layers,
            Err(report) => return Ok(report),
        },
    };
    let mut checked: Vec<Checked> = stream::iter(sources)
        .map(|source| check(worker, job, source))
        .buffered(AT_ONCE)
        .try_collect()
        .await?;
    if shows_the_source_first(worker, job, &checked).await? {
        checked.remove(0);
    }
    let checked = canvas::fit(worker, job, checked).await?;
    crash::point("before_blobs");
    let (id, stored) = (job.lease.job, checked.into_iter().zip(0..));
    let stored = stream::iter(stored)
        .map(|(layer, order)| store(worker, id, order, layer))
        .buffered(AT_ONCE);
    let layers: Vec<Layer> = stored.try_collect().await?;
    crash::point("after_blobs");
    Ok(Report::done(Event::Collected, worker.parts.clock.now()).with(Facts::Layers(layers)))
}

/// After a restart the layers' addresses are asked for again.
async fn ask_again(
    worker: &Worker,
    job: &Claimed,
    engine: &dyn Engine,
) -> Result<Result<Vec<LayerSource>, Report>, Stumble> {
    let Some((nonce, request)) = wait::accepted(job) else {
        return Ok(Err(Report::give_up(FailureCode::Internal)));
    };
    let check = match engine.check(request).await {
        Ok(check) => check,
        Err(error) => {
            return Ok(Err(wait::try_again_while_paid(
                worker,
                job,
                error.code,
                error.retry_after,
            )));
        }
    };
    let mut report = wait::standing(worker, job, engine, nonce, check).await?;
    Ok(report.layers.take().ok_or(report))
}

async fn check(worker: &Worker, job: &Claimed, source: LayerSource) -> Result<Checked, Stumble> {
    let bytes = match source.content {
        LayerContent::Bytes(bytes) => bytes,
        LayerContent::Url(url) => match worker.parts.layers.fetch(&url).await {
            Ok(fetched) => fetched.bytes,
            Err(error) => {
                tracing::warn!(job = %job.lease.job, code = error.code(), "a layer could not be fetched");
                return Err(match error.class() {
                    FetchClass::Refused | FetchClass::Permanent => {
                        Report::give_up(FailureCode::EngineBadLayer)
                    }
                    FetchClass::Retryable => wait::try_again_while_paid(
                        worker,
                        job,
                        FailureCode::EngineBadLayer,
                        error.retry_after(),
                    ),
                }
                .into());
            }
        },
    };
    let limits = worker.parts.layer_limits;
    let (inspected, bytes) = on_pool(worker, job, bytes, limits, images::inspect_layer).await;
    let facts = inspected.map_err(|error| bad_layer(worker, job, &error))?;
    Ok(Checked {
        name: source.name,
        bytes,
        facts,
    })
}

pub(super) fn bad_layer(worker: &Worker, job: &Claimed, error: &ImageError) -> Stumble {
    if error.is_retryable() {
        return Report::of(image_refused(error, worker.parts.clock.now())).into();
    }
    tracing::warn!(job = %job.lease.job, code = error.code(), "the engine gave a layer that is not a picture");
    Report::give_up(FailureCode::EngineBadLayer).into()
}

/// Runs a computation over a picture's bytes on the pool and gives the bytes back.
pub(super) async fn on_pool<T: Send + 'static>(
    worker: &Worker,
    job: &Claimed,
    bytes: Bytes,
    limits: Limits,
    work: impl FnOnce(&[u8], &Limits) -> Result<T, ImageError> + Send + 'static,
) -> (Result<T, ImageError>, Bytes) {
    let megapixels = match images::header(&bytes, &limits) {
        Ok(header) => header.cost_megapixels,
        Err(error) => return (Err(error), bytes),
    };
    let input = bytes.clone();
    let turn = worker.turn(job).await;
    let work = move || {
        let _computing = turn.begin();
        work(&input, &limits)
    };
    let pool = worker.parts.pool.of(&job.owner);
    let done = pool.run_in_turn(megapixels, work).await;
    (
        done.map_err(ImageError::from).and_then(|result| result),
        bytes,
    )
}

/// The model makes one frame more than it is asked for, the whole picture again, which its usual
/// pipeline removes. If it comes through, it would hide the real bottom layer.
async fn shows_the_source_first(
    worker: &Worker,
    job: &Claimed,
    layers: &[Checked],
) -> Result<bool, Stumble> {
    let [first, second, ..] = layers else {
        return Ok(false);
    };
    let wanted = match job.params.num_layers {
        Some(NumLayers::Count(count)) => usize::from(count),
        Some(NumLayers::Auto) | None => 4,
    };
    let one_too_many = layers.len() > wanted || second.facts.opaque;
    if !first.facts.opaque || !one_too_many || job.engine == crate::jobs::EngineKind::Local {
        return Ok(false);
    }
    let StoredSource::Stored(facts) = &job.source else {
        return Ok(false);
    };
    let key = prepare::engine_input(job.lease.job, facts, worker.max_side(job.engine));
    let source = worker.parts.blobs.get(&key).await;
    let source = source.map_err(|error| storage_trouble(worker, job.lease.job, &error))?;
    let frame = first.bytes.clone();
    let limits = Limits {
        max_bytes: u64::MAX,
        ..worker.parts.source_limits
    };
    let (same, _) = on_pool(worker, job, source, limits, move |source, limits| {
        Ok(images::same_picture(
            &images::decode_rgba(source, limits)?,
            &images::decode_rgba(&frame, limits)?,
        ))
    })
    .await;
    same.map_err(|error| bad_layer(worker, job, &error))
}

async fn store(worker: &Worker, job: JobId, order: u32, layer: Checked) -> Result<Layer, Stumble> {
    let media_type = media_type(layer.facts.format);
    let facts = layer.facts;
    let stored = Layer {
        order,
        name: layer.name,
        media_type,
        width: facts.width,
        height: facts.height,
        bytes: layer.bytes.len() as u64,
        sha256: hex(digest::digest(&digest::SHA256, &layer.bytes).as_ref()),
        bbox: facts.bbox.map(|bbox| BoundingBox {
            x: bbox.x,
            y: bbox.y,
            width: bbox.width,
            height: bbox.height,
        }),
        coverage: facts.coverage,
    };
    let written = worker
        .parts
        .blobs
        .put(&BlobKey::Layer(job, order, media_type), layer.bytes)
        .await;
    written.map_err(|error| storage_trouble(worker, job, &error))?;
    Ok(stored)
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}
