//! A read that waits until there is news, or as long as the client would. It asks the store when it begins and when
//! the store says that the job was written, never in between, so that a thousand who wait cost nothing.
//!
//! What counts as news is another version of the job (`JobRecord::version`): progress that only time makes is in the
//! answer, but ends no wait.

use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderMap;
use tokio::time::{Instant, sleep_until};

use super::found::{is_running, living};
use crate::http::answer::error::ApiError;
use crate::http::answer::json::{has_tags, has_version};
use crate::http::state::ApiState;
use crate::http::state::event_places::EventPlaces;
use crate::jobs::{JobId, OwnerId, Status};
use crate::metrics::WaitKind;
use crate::store::{JobRecord, JobWatch};

/// Reads the job once it is another than the one that `headers` name (or, if they name none, than it is now), has
/// ended, `wait` is over or the service stops.
pub(super) async fn changed_within(
    state: &ApiState,
    places: &EventPlaces,
    owner: &OwnerId,
    id: JobId,
    wait: Duration,
    headers: &HeaderMap,
) -> Result<(Arc<JobRecord>, Status), ApiError> {
    let end = Instant::now() + wait;
    // Before it is read, so that no change falls between.
    let mut watch = state.store.changes().watch_job(id);
    let (job, status) = read(state, owner, id).await?;
    let known = !has_tags(headers) || has_version(headers, job.version());
    if wait.is_zero() || !is_running(status) || !known {
        return Ok((job, status));
    }
    let _place = places.enter(owner, WaitKind::Poll)?;
    let seen = job.version();
    let news = |job: &JobRecord, status| !is_running(status) || job.version() != seen;
    wait_for(state, owner, id, &mut watch, end, news).await
}

/// Reads the job once it has ended, `wait` is over or the service stops.
pub(super) async fn ended_within(
    state: &ApiState,
    owner: &OwnerId,
    id: JobId,
    wait: Duration,
) -> Result<(Arc<JobRecord>, Status), ApiError> {
    let end = Instant::now() + wait;
    let mut watch = state.store.changes().watch_job(id);
    let ended = |_: &JobRecord, status| !is_running(status);
    wait_for(state, owner, id, &mut watch, end, ended).await
}

async fn wait_for(
    state: &ApiState,
    owner: &OwnerId,
    id: JobId,
    watch: &mut JobWatch,
    end: Instant,
    is_enough: impl Fn(&JobRecord, Status) -> bool,
) -> Result<(Arc<JobRecord>, Status), ApiError> {
    loop {
        let (job, status) = read(state, owner, id).await?;
        if is_enough(&job, status) {
            return Ok((job, status));
        }
        tokio::select! {
            gone = watch.changed() => if let Some(why) = gone {
                return Err(ApiError::JobGone(why));
            },
            () = sleep_until(end) => return read(state, owner, id).await,
            () = state.draining.cancelled() => return read(state, owner, id).await,
        }
    }
}

async fn read(
    state: &ApiState,
    owner: &OwnerId,
    id: JobId,
) -> Result<(Arc<JobRecord>, Status), ApiError> {
    living(state.store.job_get(owner, id).await?, state.ends_by())
}
