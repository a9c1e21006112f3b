//! One run of the embedded engine: its turn, its memory, the split and its layers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;

use super::encoding::Encoding;
use super::{LocalSettings, SPLIT_MEGAPIXELS, Shared, State};
use crate::compute_log::Turn;
use crate::engines::{EngineError, LayerContent, LayerSource, Order, USUAL_LAYERS};
use crate::fair::Place;
use crate::jobs::{FailureCode, NumLayers, OwnerId, RequestId};
use crate::pool::Reserved;

/// One run's own things.
pub(super) struct Work {
    pub(super) request: RequestId,
    pub(super) order: Order,
    pub(super) fraction: Arc<AtomicU32>,
    pub(super) cancel: layerize::Cancel,
}

pub(super) async fn run(shared: Arc<Shared>, work: Work) {
    let turn = shared.turns.enter(work.order.owner.clone(), 1).await;
    // Never closed.
    let Ok(kept) = Arc::clone(&shared.kept).acquire_owned().await else {
        return;
    };
    let computing = shared
        .compute
        .turn(work.order.job, work.order.suspect)
        .await;
    let (request, job, nonce) = (
        work.request.clone(),
        work.order.job,
        work.order.nonce.clone(),
    );
    let split = split(&shared, work, (turn, computing)).await;
    let Some(outcome) = split.transpose() else {
        return;
    };
    let state = match outcome {
        Ok((layers, reserved)) => State::Done(layers, (kept, reserved)),
        Err(error) => State::Failed(error),
    };
    shared.forecast.run_ended(job);
    if shared.set(&request, state) {
        // The worker may have stopped; then nobody is left to wake.
        let _ = shared.waker.send((job, nonce));
    }
}

/// Nothing when the request was released meanwhile. Turns and memory are held as long as the work, which goes on
/// for a moment when it is cancelled.
async fn split(
    shared: &Shared,
    work: Work,
    (turn, computing): (Place<OwnerId>, Turn),
) -> Result<Option<(Vec<LayerSource>, Reserved)>, EngineError> {
    let source = shared.blobs.get(&work.order.source).await?;
    let settings = shared.settings.clone();
    let reserved = reserve(shared, &work.order, &source).await?;
    if !shared.set(&work.request, State::Running) {
        return Ok(None);
    }
    shared.forecast.run_begins(work.order.job);
    let compute = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        let mut reserved = reserved;
        let computing = computing.begin();
        let layers = split_pixels(&source, &work, &settings)?;
        drop((source, computing));
        reserved.lower(megapixels_of(&layers));
        Ok(Some((layers, reserved)))
    });
    compute
        .await
        .map_err(|error| EngineError::permanent(FailureCode::Internal, error.to_string()))?
}

/// The memory that splitting this picture holds.
async fn reserve(shared: &Shared, order: &Order, source: &Bytes) -> Result<Reserved, EngineError> {
    let header = image_intake::header(source, &shared.settings.limits)
        .map_err(|error| unreadable(&error))?;
    let pixels = u64::from(header.width) * u64::from(header.height);
    let picture = u32::try_from(pixels.div_ceil(1_000_000)).unwrap_or(u32::MAX);
    let layers = max_layers(order).unwrap_or(shared.settings.layers);
    let most = held(picture, layers).max(header.cost_megapixels);
    Ok(shared.pool.of(&order.owner).reserve(most).await)
}

/// What a split of so many megapixels holds, in megapixels. The files of a usual list are part of [`SPLIT_MEGAPIXELS`]; of a longer
/// one each layer takes a two-hundredth part of its canvas where nothing is on it, and counts as twice that.
pub(super) fn held(picture: u32, layers: u8) -> u32 {
    let more = u32::from(layers.saturating_sub(USUAL_LAYERS));
    let files = picture.saturating_mul(more).div_ceil(100);
    picture
        .saturating_add(SPLIT_MEGAPIXELS)
        .saturating_add(files)
}

/// The most layers that a job asks for.
fn max_layers(order: &Order) -> Option<u8> {
    match order.params.num_layers {
        Some(NumLayers::Count(count)) => Some(count),
        Some(NumLayers::Auto) | None => None,
    }
}

/// What the files hold, in megapixels of four bytes.
fn megapixels_of(layers: &[LayerSource]) -> u32 {
    let bytes = layers.iter().map(|layer| match &layer.content {
        LayerContent::Bytes(bytes) | LayerContent::Measured(bytes, _) => bytes.len() as u64,
        LayerContent::Url(..) => 0,
    });
    u32::try_from(bytes.sum::<u64>().div_ceil(4_000_000)).unwrap_or(u32::MAX)
}

fn unreadable(error: &image_intake::ImageError) -> EngineError {
    EngineError::permanent(FailureCode::SourceLost, error.to_string())
}

fn split_pixels(
    source: &Bytes,
    work: &Work,
    settings: &LocalSettings,
) -> Result<Vec<LayerSource>, EngineError> {
    let decoded =
        image_intake::decode_rgba(source, &settings.limits).map_err(|error| unreadable(&error))?;
    let (width, height) = (decoded.width(), decoded.height());
    let image = layerize::RgbaImage {
        width,
        height,
        pixels: decoded.into_pixels(),
    };
    let options = layerize::Options {
        max_layers: max_layers(&work.order),
        usual_layers: settings.layers,
        threads: settings.threads,
        text: settings.text,
        networks: settings.networks.clone(),
        ..layerize::Options::default()
    };
    let mut report = |progress: layerize::Progress| {
        work.fraction
            .store(progress.fraction.to_bits(), Ordering::Relaxed);
    };
    let mut encoding = Encoding::of(width, height);
    layerize::split_into(image, &options, &mut report, &work.cancel, &mut encoding)
        .map_err(|error| EngineError::permanent(FailureCode::EngineFailed, error.to_string()))?;
    let layers = encoding.stack();
    layers.map_err(|error| EngineError::permanent(FailureCode::Internal, error.to_string()))
}
