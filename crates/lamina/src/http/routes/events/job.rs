//! The events of one job, made as the client takes them: nothing is kept for a slow one but that there is news, and
//! what it gets then is the job as it is. So it may miss steps on the way, and never the end.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;

use super::pulse::{Beat, Pulse};
use super::{Stage, frame};
use crate::http::answer::error::ApiError;
use crate::http::extract::public_base::PublicBase;
use crate::http::routes::jobs::found::{living, shown};
use crate::http::routes::jobs::response_cache::ResponseCache;
use crate::http::state::ApiState;
use crate::http::state::event_places::EventPlace;
use crate::jobs::{OwnerId, Status};
use crate::store::{Gone, JobRecord, JobVersion, JobWatch};

/// The stream of one job.
pub(super) struct JobEvents {
    pub(super) state: Arc<ApiState>,
    pub(super) cache: Arc<ResponseCache>,
    pub(super) base: PublicBase,
    pub(super) owner: OwnerId,
    /// As it was read last.
    pub(super) job: Arc<JobRecord>,
    /// What the client was shown last; none at the beginning.
    pub(super) told: Option<(JobVersion, Status)>,
    /// The JSON of that, where it was sent.
    pub(super) sent: Bytes,
    /// Began before the job was read.
    pub(super) watch: JobWatch,
    pub(super) pulse: Pulse,
    pub(super) _place: EventPlace,
    pub(super) stage: Stage,
}

impl JobEvents {
    pub(super) fn into_body(self) -> Body {
        Body::from_stream(stream::unfold(self, async |mut events| {
            let frame = events.next().await?;
            events.pulse.sent();
            Some((Ok::<_, Infallible>(frame), events))
        }))
    }

    /// What is sent next; none at the end.
    async fn next(&mut self) -> Option<Bytes> {
        match self.stage {
            Stage::Over => return None,
            Stage::Begins => {
                self.stage = Stage::Goes;
                return Some(self.pulse.greeting());
            }
            Stage::Goes => {}
        }
        let mut time_moved = false;
        loop {
            match self.news(time_moved) {
                Ok(None) => {}
                Ok(Some(frame)) => return Some(frame),
                Err(error) => return Some(self.broken(&error)),
            }
            time_moved = false;
            tokio::select! {
                gone = self.watch.changed() => match gone {
                    Some(why) => return Some(self.gone(why)),
                    None => if let Some(frame) = self.read().await {
                        return Some(frame);
                    },
                },
                beat = self.pulse.beat(!self.job.phase.is_terminal()) => match beat {
                    Beat::Comment => return Some(frame::COMMENT),
                    Beat::Moves => time_moved = true,
                    Beat::Over => return Some(self.ended()),
                },
            }
        }
    }

    /// Reads the job anew; an event where that is the end of it.
    async fn read(&mut self) -> Option<Bytes> {
        let found = self.state.store.job_get(&self.owner, self.job.id).await;
        let found = found.map_err(ApiError::from);
        match found.and_then(|found| living(found, self.state.ends_by())) {
            Ok((job, _)) => {
                self.job = job;
                None
            }
            Err(ApiError::JobGone(why)) => Some(self.gone(why)),
            Err(error) => Some(self.broken(&error)),
        }
    }

    /// The event of what the client has not been shown; none where that is nothing.
    fn news(&mut self, time_moved: bool) -> Result<Option<Bytes>, ApiError> {
        if self.is_due() {
            return Ok(Some(self.gone(Gone::Expired)));
        }
        let Some(status) = self.job.status() else {
            return Ok(None);
        };
        let version = self.job.version();
        let is_new = self.told.is_none_or(|(told, _)| told != version);
        if !is_new && !time_moved {
            return Ok(None);
        }
        let job = shown(&self.state, &self.cache, &self.base, &self.job, status)?.into_body();
        if !is_new && job == self.sent {
            return Ok(None);
        }
        let name = match status {
            Status::Completed => "completed",
            Status::Failed => "failed",
            _ if self.told.is_some_and(|(_, told)| told == status) => "progress",
            Status::Pending | Status::Processing => "status",
        };
        if matches!(status, Status::Completed | Status::Failed) {
            self.stage = Stage::Over;
        }
        self.told = Some((version, status));
        self.sent = job.clone();
        Ok(Some(frame::event(version, name, &job)))
    }

    fn is_due(&self) -> bool {
        self.job.expires_at <= self.state.ends_by()
    }

    /// The last event of a job that cannot be read any more.
    fn gone(&mut self, why: Gone) -> Bytes {
        self.stage = Stage::Over;
        frame::gone(frame::name_of(why), self.job.id, why)
    }

    /// The stream ends, and the job does not.
    fn ended(&mut self) -> Bytes {
        self.stage = Stage::Over;
        self.pulse.farewell()
    }

    fn broken(&mut self, error: &ApiError) -> Bytes {
        let (job, code) = (self.job.id, error.code());
        // What is wrong is told where it is; thousands of streams may end by it.
        tracing::debug!(%job, code, "an event stream ends, because its job cannot be read");
        self.ended()
    }
}
