//! Marks jobs whose time is over. It erases nothing but where a mark cannot be written.

use futures_util::{StreamExt as _, stream};

use super::erase::{BATCH, BATCHES, ERASE_AT_ONCE};
use crate::jobs::UnixMs;
use crate::store::StoreError;
use crate::worker::Worker;

/// Marks what is over. Where that cannot be written, the bytes go all the same: that is what makes
/// room on a full disk, and whoever asks for such a job is told by its time that it has expired.
pub(super) async fn expire(worker: &Worker, now: UnixMs) -> Result<usize, StoreError> {
    let (store, mut all, mut freed) = (&worker.parts.store, 0, false);
    for _ in 0..BATCHES {
        let expired = match store.job_expire(now, BATCH).await {
            Ok(expired) => expired,
            Err(error) if freed => return Err(error),
            Err(error) => {
                tracing::error!(%error, "what expired cannot be marked; its bytes are erased all the same");
                erase_overdue(worker, now).await?;
                freed = true;
                continue;
            }
        };
        for job in &expired {
            worker.record_expired(job);
        }
        all += expired.len();
        if expired.len() < BATCH as usize {
            break;
        }
    }
    Ok(all)
}

async fn erase_overdue(worker: &Worker, now: UnixMs) -> Result<(), StoreError> {
    let overdue = worker.parts.store.job_overdue(now, BATCH).await?;
    stream::iter(overdue)
        .for_each_concurrent(ERASE_AT_ONCE, |job| async move {
            if let Err(error) = worker.parts.blobs.erase_job(job).await {
                tracing::error!(%job, %error, "a job's bytes could not be erased yet");
            }
        })
        .await;
    Ok(())
}
