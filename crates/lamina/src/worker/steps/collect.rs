//! collect: fetches every layer, verifies that it decodes, measures and stores it, and only then
//! completes the job. Bytes are kept as the engine made them, but for a layer of another size
//! (`resize.rs`). A frame that shows the whole source again is recognised and dropped.
//!
//! How many layers there are and how large they are is the engine's choice; how many are taken is
//! not (`layers.rs`). Within a bound their files are held, measured and compared with the picture together, row by row (`proof.rs`); beyond
//! it, and where anything is odd, each is decoded alone, no more than [`AT_ONCE`] at once. Repeatable: it overwrites its own blobs, and takes
//! back what it stored when it cannot store all.

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use image_intake::{ImageError, LayerMeasures, Limits};

use super::fetch::{Arriving, Checked};
use super::layers::{Bounds, Stored};
use super::prepare;
use super::report::{Report, StepError, StepResult};
use super::{empty, fetch, proof, raise, resize, second, wait};
use crate::blobs::BlobKey;
use crate::engines::{Engine, EngineFacts, LayerSource};
use crate::jobs::{FailureCode, JobId, Layer, LayerLabels, NumLayers, Quality};
use crate::pool::PictureError;
use crate::store::{Claimed, StoredSource};
use crate::worker::{Worker, failpoints};

/// Layers fetched at once for one job; of those that are not held together, decoded and stored at once.
pub(in crate::worker) const AT_ONCE: usize = 2;

pub(in crate::worker) async fn run(
    worker: &Worker,
    job: &Claimed,
    engine: &dyn Engine,
    layers: Option<Vec<LayerSource>>,
) -> StepResult {
    // A paid result waits for room; it is not fetched to be thrown away.
    worker.parts.blobs.takes_more()?;
    let sources = match layers {
        Some(layers) => layers,
        None => match ask_again(worker, job, engine).await? {
            Ok(layers) => layers,
            Err(report) => return Ok(report),
        },
    };
    let facts = engine.facts();
    let bounds = Bounds::of(&sources, facts.in_process)?;
    let gathered = gather(worker, job, facts, sources, &bounds).await;
    failpoints::point("after_blobs");
    let (layers, quality) = gathered?;
    second::weigh(worker, job, engine, layers, quality).await
}

/// The layers, checked and stored, bottom first, and what they come to.
async fn gather(
    worker: &Worker,
    job: &Claimed,
    facts: EngineFacts,
    sources: Vec<LayerSource>,
    bounds: &Bounds,
) -> Result<(Vec<Layer>, Option<Quality>), StepError> {
    let count = sources.len();
    // An engine in this process holds its files until the job has them.
    let most_held = if facts.in_process {
        u64::MAX
    } else {
        proof::MOST_HELD_BYTES
    };
    let layers = fetch::all(worker, sources, bounds, most_held).await?;
    let (layers, mut proof) = proof::together(worker, job, layers).await;
    let mut layers = layers.into_iter();
    let mut first: Vec<Checked> = stream::iter(layers.by_ref().take(2))
        .map(|layer| layer.checked(worker, job, bounds))
        .buffered(AT_ONCE)
        .try_collect()
        .await?;
    if facts.may_return_source && shows_the_source_first(worker, job, &first, count).await? {
        first.remove(0);
        proof = None;
    }
    failpoints::point("before_blobs");
    let stored = Stored::holding(most_held);
    let layers = first.into_iter().map(Arriving::Checked).chain(layers);
    let collected = async {
        let layers = put(worker, job, layers.collect(), bounds, &stored).await?;
        let fitted = resize::fit(worker, job, layers, &stored).await?;
        let files = stored.take_files();
        // Of what the engine answered; what is raised gives the picture back exactly.
        let quality = match proof {
            Some(proof) => Some(proof::quality(&proof, &fitted)),
            None => proof::of(worker, job, &fitted, files).await,
        };
        let (layers, quality) = empty::left_out(worker, job, fitted, quality).await?;
        if second::is_lost(job, quality.as_ref()) {
            return Ok((layers, quality));
        }
        let raised = raise::raise(worker, job, layers, &stored).await?;
        Ok((raised, quality))
    };
    let collected = collected.await;
    if collected.is_err() {
        stored.take_back(worker, job.lease.job).await;
    }
    collected
}

/// Stores layers: all together, which is one sync of their folder, or one after the other where not all are here.
async fn put(
    worker: &Worker,
    job: &Claimed,
    layers: Vec<Arriving>,
    bounds: &Bounds,
    stored: &Stored,
) -> Result<Vec<Layer>, StepError> {
    let id = job.lease.job;
    let are_here = !layers.iter().any(|layer| matches!(layer, Arriving::Not(_)));
    let first_file = second::first_file(job);
    let numbered = layers.into_iter().zip(0..).map(|(layer, order)| {
        let number = Number {
            order,
            file: first_file + order,
        };
        (number, layer)
    });
    if are_here {
        let checked: Result<Vec<_>, StepError> = stream::iter(numbered)
            .map(|(number, layer)| async move {
                let layer = layer.checked(worker, job, bounds).await?;
                Ok((number, layer))
            })
            .buffered(AT_ONCE)
            .try_collect()
            .await;
        return store_all(worker, id, checked?, stored).await;
    }
    stream::iter(numbered)
        .map(|(number, layer)| async move {
            let layer = layer.checked(worker, job, bounds).await?;
            store(worker, id, number, layer, stored).await
        })
        .buffered(AT_ONCE)
        .try_collect()
        .await
}

/// After a restart the layers' addresses are asked for again.
async fn ask_again(
    worker: &Worker,
    job: &Claimed,
    engine: &dyn Engine,
) -> Result<Result<Vec<LayerSource>, Report>, StepError> {
    let Some((nonce, request)) = wait::accepted(job) else {
        return Ok(Err(Report::give_up(FailureCode::Internal)));
    };
    let check = match engine.check(request, wait::place(job)).await {
        Ok(check) => check,
        Err(error) => {
            return Ok(Err(wait::not_asked(worker, job, &error)));
        }
    };
    let mut report = wait::handle_check(worker, job, engine, nonce, check).await?;
    Ok(report.layers.take().ok_or(report))
}

/// Runs a computation over a picture's bytes on the pool and gives the bytes back.
pub(in crate::worker) async fn on_pool<T: Send + 'static>(
    worker: &Worker,
    job: &Claimed,
    bytes: Bytes,
    limits: Limits,
    work: impl FnOnce(&[u8], &Limits) -> Result<T, ImageError> + Send + 'static,
) -> (Result<T, PictureError>, Bytes) {
    let megapixels = match image_intake::header(&bytes, &limits) {
        Ok(header) => header.cost_megapixels,
        Err(error) => return (Err(error.into()), bytes),
    };
    let input = bytes.clone();
    let turn = worker.turn(job).await;
    let work = move || {
        let _computing = turn.begin();
        work(&input, &limits)
    };
    let pool = worker.parts.pool.of(&job.owner);
    let done = pool.run_in_turn(megapixels, work).await;
    let done = match done {
        Ok(result) => result.map_err(PictureError::from),
        Err(error) => Err(error.into()),
    };
    (done, bytes)
}

/// Whether the engine gave the whole picture once more as the first layer, which would hide the real
/// bottom layer.
async fn shows_the_source_first(
    worker: &Worker,
    job: &Claimed,
    layers: &[Checked],
    count: usize,
) -> Result<bool, StepError> {
    let [first, second] = layers else {
        return Ok(false);
    };
    let wanted = match job.params.num_layers {
        Some(NumLayers::Count(count)) => usize::from(count),
        Some(NumLayers::Auto) | None => 4,
    };
    let one_too_many = count > wanted || second.measures.opaque;
    if !first.measures.opaque || !one_too_many {
        return Ok(false);
    }
    let StoredSource::Stored(info) = &job.source else {
        return Ok(false);
    };
    let key = prepare::engine_input(job.lease.job, info, worker.max_side(job.engine));
    let source = worker.parts.blobs.get(&key).await?;
    let frame = first.bytes.clone();
    let limits = Limits {
        max_bytes: u64::MAX,
        ..worker.parts.source_limits
    };
    let (same, _) = on_pool(worker, job, source, limits, move |source, limits| {
        Ok(image_intake::same_picture(
            &image_intake::decode_rgba(source, limits)?,
            &image_intake::decode_rgba(&frame, limits)?,
        ))
    })
    .await;
    same.map_err(StepError::Layer)
}

/// A layer's place in its stack, and its file's number.
#[derive(Clone, Copy)]
pub(in crate::worker) struct Number {
    pub(in crate::worker) order: u32,
    pub(in crate::worker) file: u32,
}

impl Number {
    pub(in crate::worker) fn of(layer: &Layer) -> Self {
        Self {
            order: layer.order,
            file: layer.file,
        }
    }
}

pub(in crate::worker) fn blob_key(job: JobId, layer: &Layer) -> BlobKey {
    BlobKey::Layer(job, layer.file, layer.media_type)
}

/// Layers that no row names any more; what cannot be removed goes with its job.
pub(in crate::worker) async fn remove(worker: &Worker, job: JobId, layers: &[Layer]) {
    for layer in layers {
        let mask = layer
            .fidelity_bytes
            .map(|_| BlobKey::Fidelity(job, layer.file));
        for key in mask.into_iter().chain([blob_key(job, layer)]) {
            if let Err(error) = worker.parts.blobs.remove(&key).await {
                tracing::warn!(%job, %error, "a layer that is not needed could not be removed; it goes with its job");
            }
        }
    }
}

pub(in crate::worker) async fn store(
    worker: &Worker,
    job: JobId,
    number: Number,
    layer: Checked,
    stored: &Stored,
) -> Result<Layer, StepError> {
    let mut rows = store_all(worker, job, vec![(number, layer)], stored).await?;
    let row = rows.pop();
    row.ok_or_else(|| Report::give_up(FailureCode::Internal).into())
}

async fn store_all(
    worker: &Worker,
    job: JobId,
    layers: Vec<(Number, Checked)>,
    stored: &Stored,
) -> Result<Vec<Layer>, StepError> {
    let (mut rows, mut blobs) = (Vec::new(), Vec::new());
    for (number, layer) in layers {
        let row = row(number, layer.labels, &layer.measures, &layer.bytes);
        let key = blob_key(job, &row);
        stored.note(key);
        stored.hold(number.order, &layer.bytes);
        blobs.push((key, layer.bytes));
        rows.push(row);
    }
    worker.parts.blobs.put_all(blobs).await?;
    Ok(rows)
}

fn row(number: Number, labels: LayerLabels, measures: &LayerMeasures, bytes: &[u8]) -> Layer {
    Layer {
        order: number.order,
        file: number.file,
        labels,
        media_type: measures.format,
        width: measures.width,
        height: measures.height,
        bytes: bytes.len() as u64,
        sha256: const_hex::encode(digest::digest(&digest::SHA256, bytes)),
        bbox: measures.bbox,
        coverage: measures.coverage,
        thumbhash: measures
            .thumbhash
            .map(|thumbhash| STANDARD.encode(thumbhash.as_bytes())),
        fidelity_bytes: None,
    }
}
