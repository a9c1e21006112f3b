//! Makes an export: the layers' files into one nameless file, and from that, on the pool, the export into another. So memory does not
//! follow layers, a slow client holds no thread, and a part of the export can be sent.

use std::fs::File;
use std::io::ErrorKind;

use futures_util::StreamExt as _;

use crate::blobs::BlobKey;
use crate::disk::Need;
use crate::exports::{self, ExportError, Plan, Stop, StoredLayers};
use crate::http::answer::error::ApiError;
use crate::http::receive::file_writer::FileWriter;
use crate::http::receive::spool::nameless;
use crate::http::state::ApiState;
use crate::store::JobRecord;

/// The export and its length.
pub(super) async fn make(
    state: &ApiState,
    job: &JobRecord,
    plan: Plan,
) -> Result<(File, u64), ApiError> {
    let layer_bytes: u64 = job.layers.iter().map(|layer| layer.bytes).sum();
    if plan.is_too_large(layer_bytes) {
        return Err(ApiError::ExportTooLarge(plan.word()));
    }
    let most = plan.most_bytes(layer_bytes).saturating_add(layer_bytes);
    let _room = state.space.room(most, Need::New)?;
    let stop = Stop::default();
    // Whoever asked may go: then this future is dropped, and so is the guard.
    let _stopped = stop.on_drop();
    let layers = fetched(state, job, &stop).await?.on(&plan);
    let out = nameless(&state.spool).await?;
    let pool = state.pool.of(&job.owner);
    let cost = plan.cost_megapixels(&job.layers);
    let word = plan.word();
    let written = pool.run(cost, move || exports::write(&plan, &layers, out, &stop));
    let made = written.await?.map_err(|error| refused(error, word))?;
    if !state.store.job_is_live(job.id, state.ends_by()).await? {
        return Err(ApiError::FileGone);
    }
    Ok(made)
}

async fn fetched(state: &ApiState, job: &JobRecord, stop: &Stop) -> Result<StoredLayers, ApiError> {
    let mut file = FileWriter::new(nameless(&state.spool).await?, &state.bodies);
    let (mut layers, mut end) = (Vec::with_capacity(job.layers.len()), 0);
    for layer in &job.layers {
        let begin = end;
        let key = BlobKey::Layer(job.id, layer.file, layer.media_type);
        let mut opened = state.blobs.open(&key, None).await?;
        while let Some(chunk) = opened.stream.next().await {
            let chunk = chunk?;
            file.write(&chunk).await?;
            end += chunk.len() as u64;
        }
        layers.push((layer.clone(), begin..end));
    }
    let file = file.finish().await?;
    Ok(StoredLayers::new(file, layers, stop.clone()))
}

/// What a client is told of an export that could not be written.
fn refused(error: ExportError, word: &'static str) -> ApiError {
    match error {
        ExportError::Io(error) if error.kind() == ErrorKind::FileTooLarge => {
            ApiError::ExportTooLarge(word)
        }
        // The disk's own; what carries a text is a layer that is not what its row says.
        ExportError::Io(error) if error.get_ref().is_none() => error.into(),
        ExportError::TooLarge(_) => ApiError::ExportTooLarge(word),
        other => ApiError::Internal(format!("an export as {word}: {other}")),
    }
}
