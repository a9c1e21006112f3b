//! A job as its owner finds it: there, gone or never there; and the answer that shows it, which is the same to whoever
//! reads, waits or listens.

use std::sync::Arc;

use super::response_cache::{Part, ResponseCache};
use super::view::JobView;
use crate::http::answer::error::ApiError;
use crate::http::answer::json::Tagged;
use crate::http::extract::public_base::PublicBase;
use crate::http::state::ApiState;
use crate::jobs::{JobId, Status, UnixMs};
use crate::store::{Gone, JobRecord, Lookup};

/// What is no id names no job.
pub(in crate::http) fn job_id(text: &str) -> Result<JobId, ApiError> {
    text.parse().map_err(|_| ApiError::JobNotFound)
}

/// A job whose time is over has expired, whether or not that is written already.
pub(in crate::http) fn living(
    lookup: Lookup,
    now: UnixMs,
) -> Result<(Arc<JobRecord>, Status), ApiError> {
    match lookup {
        Lookup::Found(job) if job.expires_at <= now => Err(ApiError::JobGone(Gone::Expired)),
        Lookup::Found(job) => {
            let status = job.status().ok_or(ApiError::JobNotFound)?;
            Ok((job, status))
        }
        Lookup::Gone(why) => Err(ApiError::JobGone(why)),
        Lookup::Missing => Err(ApiError::JobNotFound),
    }
}

/// Whether more is to come.
pub(in crate::http) fn is_running(status: Status) -> bool {
    matches!(status, Status::Pending | Status::Processing)
}

/// The job as JSON, with its tag. One that has ended is shown by the bytes that were made for it before.
pub(in crate::http) fn shown(
    state: &ApiState,
    cache: &ResponseCache,
    base: &PublicBase,
    job: &Arc<JobRecord>,
    status: Status,
) -> Result<Tagged, ApiError> {
    let view = || JobView::of(state, base, job, status);
    if is_running(status) {
        return Tagged::of_version(&view(), job.version());
    }
    cache.get(Part::Job, job, base, view)
}
