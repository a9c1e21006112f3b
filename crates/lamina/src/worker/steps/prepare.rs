//! prepare: obtains the source, checks and normalises it, and makes the smaller copy that the
//! engine gets where the source is larger than it can use. Repeatable: it overwrites its own blobs.

use bytes::Bytes;
use image_intake::{ImageError, Limits, Normalised};

use super::report::{Report, StepError, StepResult};
use crate::blobs::BlobKey;
use crate::engines::Engine;
use crate::jobs::{Event, FailureCode, JobId, MediaType};
use crate::pool::PictureError;
use crate::store::{Claimed, SourceInfo, StepOutput, StoreError, StoredSource};
use crate::worker::Worker;

pub(in crate::worker) async fn run(
    worker: &Worker,
    job: &Claimed,
    engine: &dyn Engine,
) -> StepResult {
    let info = match &job.source {
        StoredSource::Stored(info) => *info,
        StoredSource::Url(url) => {
            worker.parts.blobs.takes_more()?;
            let fetched = worker.parts.sources.fetch_with_doubt(url).await;
            let fetched = fetched.map_err(StepError::Fetch)?;
            let normal = match (normalise(worker, job, fetched.bytes).await, fetched.doubt) {
                (Ok(normal), _) => normal,
                (Err(error), Some(doubt)) if is_no_picture(&error) => {
                    return Err(StepError::Fetch(doubt));
                }
                (Err(error), _) => return Err(StepError::Picture(error)),
            };
            let bytes = normal.bytes.len() as u64;
            if let Some(refused) = no_room(worker, job, bytes).await {
                return Ok(refused);
            }
            store(worker, job.lease.job, normal).await?
        }
    };
    if let Some(max_side) = engine
        .facts()
        .max_side
        .filter(|side| info.width.max(info.height) > *side)
    {
        scale_down(worker, job, info, max_side).await?;
    }
    let now = worker.parts.clock.now();
    Ok(Report::done(Event::Prepared, now).with(StepOutput::Source(info)))
}

/// Whether bytes are no picture as they are, which a doubt about their fetch explains better.
fn is_no_picture(error: &PictureError) -> bool {
    let PictureError::Image(error) = error else {
        return false;
    };
    matches!(
        error,
        ImageError::Empty
            | ImageError::Unrecognised
            | ImageError::Truncated { .. }
            | ImageError::Corrupt { .. }
    )
}

/// Ends a job for whose bytes there is no room. Where the store cannot tell, the step's own write
/// meets the same trouble.
pub(in crate::worker) async fn no_room(
    worker: &Worker,
    job: &Claimed,
    bytes: u64,
) -> Option<Report> {
    let room = worker.parts.store.storage_room(&job.owner, bytes).await;
    let Err(StoreError::QuotaExceeded(full)) = room else {
        return None;
    };
    tracing::info!(job = %job.lease.job, owner = %job.owner, %full, "a job ends because as much is kept as may be");
    Some(Report::give_up(FailureCode::StorageQuotaExceeded))
}

/// The blob that the engine gets.
pub(in crate::worker) fn engine_input(
    job: JobId,
    info: &SourceInfo,
    max_side: Option<u32>,
) -> BlobKey {
    match max_side {
        Some(side) if info.width.max(info.height) > side => {
            BlobKey::EngineInput(job, MediaType::Png)
        }
        _ => BlobKey::Source(job, info.media_type),
    }
}

async fn normalise(
    worker: &Worker,
    job: &Claimed,
    bytes: Bytes,
) -> Result<Normalised, PictureError> {
    let limits = worker.parts.source_limits;
    let megapixels = image_intake::header(&bytes, &limits)?.cost_megapixels;
    let turn = worker.turn(job).await;
    let work = move || {
        let _computing = turn.begin();
        image_intake::normalise(&bytes, &limits)
    };
    let pool = worker.parts.pool.of(&job.owner);
    Ok(pool.run_in_turn(megapixels, work).await??)
}

async fn store(worker: &Worker, job: JobId, normal: Normalised) -> Result<SourceInfo, StepError> {
    let info = SourceInfo {
        media_type: normal.format,
        width: normal.width,
        height: normal.height,
        bytes: normal.bytes.len() as u64,
    };
    let key = BlobKey::Source(job, info.media_type);
    worker.parts.blobs.put(&key, normal.bytes).await?;
    Ok(info)
}

async fn scale_down(
    worker: &Worker,
    claimed: &Claimed,
    info: SourceInfo,
    max_side: u32,
) -> Result<(), StepError> {
    let job = claimed.lease.job;
    let key = BlobKey::Source(job, info.media_type);
    let source = worker.parts.blobs.get(&key).await?;
    let limits = Limits {
        max_bytes: u64::MAX,
        ..worker.parts.source_limits
    };
    let refused = |error: ImageError| StepError::Picture(error.into());
    let header = image_intake::header(&source, &limits).map_err(refused)?;
    let turn = worker.turn(claimed).await;
    let pool = worker.parts.pool.of(&claimed.owner);
    let scaled = pool.run_in_turn(header.cost_megapixels, move || {
        let _computing = turn.begin();
        let image = image_intake::decode_rgba(&source, &limits)?;
        Ok(image_intake::encode_png(&image_intake::scale_to_fit(
            &image, max_side,
        )))
    });
    let scaled: Result<Vec<u8>, ImageError> = scaled
        .await
        .map_err(|error| StepError::Picture(error.into()))?;
    let scaled = scaled.map_err(refused)?.into();
    let key = BlobKey::EngineInput(job, MediaType::Png);
    Ok(worker.parts.blobs.put(&key, scaled).await?)
}
