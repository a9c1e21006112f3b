//! The proof of a stack: its layers against the picture that the engine was given, when they are collected. What it finds is told with the job.
//!
//! A proof is never worth a paid result: where it cannot be made, the job completes without one. Invariant: layers are read row by row from the
//! files that the step has in memory anyway; what is held beside is the picture.

use std::io::{self, Cursor};
use std::time::Duration;

use bytes::Bytes;
use image_intake::{
    LayerRows, Limits, Proof, RgbaImage, StackProof, decode_rgba, inspect_stack, scale_to,
};

use super::collect::on_pool;
use super::fetch::Arriving;
use super::prepare;
use crate::blobs::BlobKey;
use crate::jobs::{
    DuplicateLayers, Layer, LayerCheck, LayerQuality, MediaType, Quality, WorstTile,
};
use crate::store::{Claimed, StoredSource};
use crate::worker::Worker;

/// Files of layers of another process that are held until the proof: more than ten of a usual model have.
pub(in crate::worker) const MOST_HELD_BYTES: u64 = 48 << 20;
/// Pixels of all layers together that are decoded whole: they are no PNG, or of an odd kind.
const MOST_DECODED: u64 = 24_000_000;
/// Pixels of the picture. A larger one does not fit into the pool beside the layers of an engine in this process, which hold their part of it until
/// their job has them.
const MOST_PIXELS: u64 = 16_000_000;
/// How long a proof may take, its wait for the pool included. That wait has to end: see above.
const MOST_TIME: Duration = Duration::from_secs(30);

/// Layers that nobody has looked at, measured and compared with their picture in one pass over their rows. Nothing is decided here: what is odd
/// about them, or stands in the way, leaves them as they are, for [`Arriving::checked`] and [`of`].
pub(in crate::worker) async fn together(
    worker: &Worker,
    job: &Claimed,
    layers: Vec<Arriving>,
) -> (Vec<Arriving>, Option<Proof>) {
    let files: Option<Vec<Bytes>> = layers.iter().map(|one| one.unseen().cloned()).collect();
    let Some(files) = files.filter(|files| !files.is_empty()) else {
        return (layers, None);
    };
    let layer_limits = worker.parts.layer_limits;
    let Ok(header) = image_intake::header(&files[0], &layer_limits) else {
        return (layers, None);
    };
    let inspect =
        move |picture: &RgbaImage| inspect_stack(picture, &files, &layer_limits, MOST_DECODED);
    let inspected = beside_picture(worker, job, (header.width, header.height), inspect).await;
    let Some((measures, proof)) = inspected.flatten() else {
        return (layers, None);
    };
    let layers = layers.into_iter().zip(measures);
    let seen = layers.map(|(layer, measures)| layer.with(measures));
    (seen.collect(), Some(proof))
}

/// What a stack that is stored comes to; none where that cannot be told.
pub(in crate::worker) async fn of(
    worker: &Worker,
    job: &Claimed,
    layers: &[Layer],
    files: Vec<Bytes>,
) -> Option<Quality> {
    let canvas = layers.first().map(|layer| (layer.width, layer.height))?;
    if files.len() != layers.len() || decoded_pixels(layers) > MOST_DECODED {
        return None;
    }
    let layer_limits = worker.parts.layer_limits;
    let compare = move |picture: &RgbaImage| compared(picture, &files, &layer_limits);
    match beside_picture(worker, job, canvas, compare).await? {
        Ok(proof) => Some(quality(&proof, layers)),
        Err(error) => {
            let id = job.lease.job;
            tracing::warn!(job = %id, %error, "the layers were not compared with their picture: one could not be read");
            None
        }
    }
}

/// Runs a computation on the pool beside the picture that the engine was given, in the size of the canvas; none where that picture is too large
/// or cannot be had, or it takes too long.
async fn beside_picture<T: Send + 'static>(
    worker: &Worker,
    job: &Claimed,
    canvas: (u32, u32),
    work: impl FnOnce(&RgbaImage) -> T + Send + 'static,
) -> Option<T> {
    let (id, StoredSource::Stored(info)) = (job.lease.job, &job.source) else {
        return None;
    };
    if worker.settings.stacks.layer_check == LayerCheck::Checksums {
        return None;
    }
    let pixels = |width: u32, height: u32| u64::from(width) * u64::from(height);
    let key = prepare::engine_input(id, info, worker.max_side(job.engine));
    let is_whole = matches!(key, BlobKey::Source(..));
    if (is_whole && pixels(info.width, info.height) > MOST_PIXELS)
        || pixels(canvas.0, canvas.1) > MOST_PIXELS
    {
        return None;
    }
    let source = match worker.parts.blobs.get(&key).await {
        Ok(source) => source,
        Err(error) => {
            tracing::warn!(job = %id, %error, "the layers were not compared with their picture, which could not be read");
            return None;
        }
    };
    let limits = Limits {
        max_bytes: u64::MAX,
        ..worker.parts.source_limits
    };
    let beside = move |source: &[u8], limits: &Limits| {
        let picture = decode_rgba(source, limits)?;
        if (picture.width(), picture.height()) == canvas {
            return Ok(work(&picture));
        }
        Ok(work(&scale_to(&picture, canvas.0, canvas.1)))
    };
    let done = on_pool(worker, job, source, limits, beside);
    let Ok((done, _)) = tokio::time::timeout(MOST_TIME, done).await else {
        tracing::warn!(job = %id, "the layers were not compared with their picture in time");
        return None;
    };
    done.map_err(|error| {
        tracing::warn!(job = %id, %error, "the layers were not compared with their picture");
    })
    .ok()
}

fn decoded_pixels(layers: &[Layer]) -> u64 {
    let whole = layers
        .iter()
        .filter(|layer| layer.media_type != MediaType::Png);
    whole
        .map(|layer| u64::from(layer.width) * u64::from(layer.height))
        .sum()
}

fn compared(picture: &RgbaImage, files: &[Bytes], limits: &Limits) -> io::Result<Proof> {
    let (width, height) = (picture.width(), picture.height());
    let open = |file: &'_ Bytes| LayerRows::open(|| Ok(Cursor::new(file.clone())), limits);
    let mut layers = files.iter().map(open).collect::<io::Result<Vec<_>>>()?;
    if layers.iter().any(|layer| layer.size() != (width, height)) {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let row_bytes = width as usize * 4;
    let mut rows = vec![vec![0; row_bytes]; layers.len()];
    let mut proof = StackProof::new(width, height, layers.len());
    for picture in picture.pixels().chunks_exact(row_bytes) {
        for (layer, row) in layers.iter_mut().zip(&mut rows) {
            layer.read(row)?;
        }
        let rows: Vec<&[u8]> = rows.iter().map(Vec::as_slice).collect();
        proof.row(picture, &rows);
    }
    proof
        .finish()
        .ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// As it is told with the job.
pub(in crate::worker) fn quality(proof: &Proof, layers: &[Layer]) -> Quality {
    let order_of = |place: usize| layers.get(place).map_or(0, |layer| layer.order);
    let better = proof.better_order.as_ref();
    Quality {
        mean_error: proof.mean,
        p99_error: proof.p99,
        psnr_db: proof.psnr,
        worst_tile: WorstTile {
            x: proof.worst.x,
            y: proof.worst.y,
            width: proof.worst.width,
            height: proof.worst.height,
            mean_error: proof.worst.mean,
        },
        uncovered: proof.uncovered,
        order_confidence: better.map_or(1.0, |better| better.mean / better.mean_now),
        better_order: better.map(|better| better.order.iter().copied().map(order_of).collect()),
        duplicates: proof
            .duplicates
            .iter()
            .map(|pair| DuplicateLayers {
                lower: order_of(pair.lower),
                upper: order_of(pair.upper),
                iou: pair.overlap,
                colour_difference: pair.colour,
            })
            .collect(),
        layers: layers
            .iter()
            .zip(&proof.layers)
            .map(|(layer, found)| LayerQuality {
                order: layer.order,
                visible: found.visible,
                empty: found.is_empty,
                whole_picture: found.is_whole,
                fringe: found.fringe,
            })
            .collect(),
        second_try: None,
    }
}
