//! The answer to a create: where the job is, and the job itself for a client that prefers to wait for its end
//! (`Prefer: wait`). The job is durable before anything is answered, so a wait that comes to nothing loses nothing.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::http::header::{CACHE_CONTROL, LOCATION};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;

use super::found::{is_running, shown};
use super::long_poll::ended_within;
use super::response_cache::ResponseCache;
use super::view::JobAccepted;
use crate::http::answer::error::ApiError;
use crate::http::answer::json::fresh;
use crate::http::extract::public_base::{PublicBase, public_path};
use crate::http::extract::wait::{PREFERENCE_APPLIED, preferred_wait};
use crate::http::layers::observe::{About, Waited};
use crate::http::state::ApiState;
use crate::http::state::event_places::EventPlaces;
use crate::jobs::{JobId, OwnerId, Phase, Status};
use crate::metrics::WaitKind;
use crate::store::{Created, Gone};

/// The job that a create came to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answered {
    id: JobId,
    status: Status,
    replayed: bool,
}

impl Answered {
    /// `id` is the id that a new job got.
    pub(super) fn of(created: Created, id: Option<JobId>) -> Result<Self, ApiError> {
        match (created, id) {
            (Created::New, Some(id)) => Ok(Self {
                id,
                status: Status::Pending,
                replayed: false,
            }),
            (Created::New, None) => Err(ApiError::Internal("a lookup made a job".to_owned())),
            (
                Created::Existing {
                    id,
                    phase,
                    resubmitted,
                },
                _,
            ) => Ok(Self {
                id,
                status: still_there(phase, resubmitted)?,
                replayed: true,
            }),
            (Created::KeyConflict, _) => Err(ApiError::IdempotencyKeyReused),
            (Created::TooManyJobs { limit }, _) => Err(ApiError::TooManyJobs { limit }),
        }
    }
}

/// How a client is answered.
pub(super) struct Reply<'a> {
    state: &'a ApiState,
    cache: &'a ResponseCache,
    places: &'a EventPlaces,
    owner: &'a OwnerId,
    /// How long it prefers to wait, and the address that links in the job begin with.
    wait: Option<(Duration, PublicBase)>,
}

impl<'a> Reply<'a> {
    pub(super) fn to(
        request: &Parts,
        state: &'a Arc<ApiState>,
        cache: &'a ResponseCache,
        places: &'a EventPlaces,
        owner: &'a OwnerId,
    ) -> Result<Self, ApiError> {
        let wait = preferred_wait(&request.headers);
        // Asked before there is a job, for an answer that cannot be given.
        let base =
            || PublicBase::of(state, &request.uri, &request.headers).ok_or(ApiError::InvalidHost);
        Ok(Self {
            state,
            cache,
            places,
            owner,
            wait: wait
                .map(|wait| base().map(|base| (wait, base)))
                .transpose()?,
        })
    }

    pub(super) async fn answer(self, job: Answered) -> Result<Response, ApiError> {
        let waited = match &self.wait {
            Some((wait, base)) => self.waited(job.id, *wait, base).await?,
            None => None,
        };
        let mut response = match waited {
            Some(response) => response,
            None => {
                let (job_id, status) = (job.id, job.status);
                fresh(StatusCode::ACCEPTED, &JobAccepted { job_id, status })?
            }
        };
        response.extensions_mut().insert(About(job.id));
        let headers = response.headers_mut();
        let path = public_path(self.state, &format!("/api/jobs/{}", job.id));
        if let Ok(location) = HeaderValue::from_str(&path) {
            headers.insert(LOCATION, location);
        }
        if job.replayed {
            headers.insert("idempotency-replayed", HeaderValue::from_static("true"));
        }
        Ok(response)
    }

    /// The job once it has ended, or as it is at the end of the wait. None where the preference cannot be met, which
    /// is no reason to refuse a job that exists.
    async fn waited(
        &self,
        id: JobId,
        wait: Duration,
        base: &PublicBase,
    ) -> Result<Option<Response>, ApiError> {
        let Ok(_place) = self.places.enter(self.owner, WaitKind::Poll) else {
            return Ok(None);
        };
        let begun = Instant::now();
        let (job, status) = match ended_within(self.state, self.owner, id, wait).await {
            Ok(found) => found,
            Err(ApiError::JobGone(why)) => return Err(ApiError::JobGone(why)),
            Err(_) => return Ok(None),
        };
        let job = shown(self.state, self.cache, base, &job, status)?;
        // What the client has of another answer is no reason to send it nothing.
        let mut response = job.answer(&HeaderMap::new());
        if is_running(status) {
            *response.status_mut() = StatusCode::ACCEPTED;
        }
        response.extensions_mut().insert(Waited::since(begun));
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        let applied = format!("wait={}", wait.as_secs());
        if let Ok(applied) = HeaderValue::try_from(applied) {
            headers.insert(PREFERENCE_APPLIED, applied);
        }
        Ok(Some(response))
    }
}

/// The status of a repeated create's job; 410 when that job was deleted or has expired since.
fn still_there(phase: Phase, resubmitted: bool) -> Result<Status, ApiError> {
    let gone = if phase == Phase::Deleted {
        Gone::Deleted
    } else {
        Gone::Expired
    };
    phase.status(resubmitted).ok_or(ApiError::JobGone(gone))
}
