//! One run of the embedded engine: its turn, its memory, the split and its layers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;

use super::encoding::Encoding;
use super::{LocalSettings, SPLIT_MEGAPIXELS, Shared, State};
use crate::compute_log::Turn;
use crate::engines::{EngineError, LayerContent, LayerSource, Order};
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
    let reserved = reserve(shared, &work.order.owner, &source).await?;
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
async fn reserve(
    shared: &Shared,
    owner: &OwnerId,
    source: &Bytes,
) -> Result<Reserved, EngineError> {
    let header = image_intake::header(source, &shared.settings.limits)
        .map_err(|error| unreadable(&error))?;
    let pixels = u64::from(header.width) * u64::from(header.height);
    let picture = u32::try_from(pixels.div_ceil(1_000_000)).unwrap_or(u32::MAX);
    let held = picture.saturating_add(SPLIT_MEGAPIXELS);
    let most = held.max(header.cost_megapixels);
    Ok(shared.pool.of(owner).reserve(most).await)
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
    let max_layers = match work.order.params.num_layers {
        Some(NumLayers::Count(count)) => Some(count),
        Some(NumLayers::Auto) | None => None,
    };
    let options = layerize::Options {
        max_layers,
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
