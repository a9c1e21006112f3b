//! The events of all jobs of an owner. Ends are told in the order in which they happened, each at least once, and their
//! ids are places in that order, so that a client that comes back is told what ended meanwhile. What is still under way
//! is told as it is; a slow client may miss steps of it.

use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;

use super::pulse::{Beat, Pulse};
use super::{Stage, frame};
use crate::http::answer::error::ApiError;
use crate::http::extract::public_base::PublicBase;
use crate::http::routes::jobs::found::{is_running, living, shown};
use crate::http::routes::jobs::response_cache::ResponseCache;
use crate::http::state::ApiState;
use crate::http::state::event_places::EventPlace;
use crate::jobs::{JobId, OwnerId, Status};
use crate::store::{JobVersion, OwnerNews, OwnerWatch};

/// Jobs that are asked for at once.
const PAGE: u32 = 100;
/// Of so many jobs it is remembered what was told; of more it is told again.
const REMEMBERED: usize = 10_000;
/// Of more jobs than these, what only time moves is not told: nobody looks at so many bars.
const MOVING: usize = 32;

/// The stream of an owner.
pub(super) struct OwnerEvents {
    pub(super) state: Arc<ApiState>,
    pub(super) cache: Arc<ResponseCache>,
    pub(super) base: PublicBase,
    pub(super) owner: OwnerId,
    /// Began before anything was read.
    pub(super) watch: OwnerWatch,
    pub(super) pulse: Pulse,
    pub(super) _place: EventPlace,
    pub(super) stage: Stage,
    /// All ends up to this place were told.
    pub(super) cursor: i64,
    /// What is known to have changed.
    pub(super) queue: VecDeque<Change>,
    /// Whether there may be ends behind the cursor that are not in the queue.
    pub(super) asks_ends: bool,
    /// Behind which of the jobs under way the walk over them goes on, if it is not over.
    pub(super) walks: Option<Option<JobId>>,
    /// What was told of jobs under way.
    pub(super) told: HashMap<JobId, Told>,
}

/// What was told of a job under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Told {
    version: JobVersion,
    status: Status,
    /// Of the JSON that was sent, so that the same is not sent again.
    hash: u64,
}

/// A job that is to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    UnderWay(JobId),
    /// Time has passed, and may have moved it.
    Moves(JobId),
    /// And its place among the ends.
    Ended(JobId, i64),
}

impl OwnerEvents {
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
        loop {
            match self.known_news().await {
                Ok(None) => {}
                Ok(Some(frame)) => return Some(frame),
                Err(error) => {
                    let (owner, code) = (&self.owner, error.code());
                    tracing::debug!(%owner, code, "an event stream ends, because its jobs cannot be read");
                    return Some(self.ended());
                }
            }
            let may_move = self.may_move();
            tokio::select! {
                news = self.watch.changed() => self.note(news),
                beat = self.pulse.beat(may_move) => match beat {
                    Beat::Comment => return Some(frame::COMMENT),
                    Beat::Moves => self.queue.extend(self.told.keys().copied().map(Change::Moves)),
                    Beat::Over => return Some(self.ended()),
                },
            }
        }
    }

    /// Whether progress that only time makes is told: of a few jobs, which their owner may be looking at.
    fn may_move(&self) -> bool {
        !self.told.is_empty() && self.told.len() <= MOVING
    }

    fn note(&mut self, news: OwnerNews) {
        match news {
            OwnerNews::Job { id, ended: None } => self.queue.push_back(Change::UnderWay(id)),
            OwnerNews::Job {
                id,
                ended: Some(place),
            } => {
                if place == self.cursor + 1 {
                    self.queue.push_back(Change::Ended(id, place));
                } else if place > self.cursor {
                    // Others ended before it and were not heard of.
                    self.asks_ends = true;
                }
            }
            OwnerNews::Missed => {
                self.asks_ends = true;
                self.walks = Some(None);
            }
        }
    }

    /// The next event that can be told without waiting.
    async fn known_news(&mut self) -> Result<Option<Bytes>, ApiError> {
        loop {
            while let Some(change) = self.queue.pop_front() {
                if let Some(frame) = self.event(change).await? {
                    return Ok(Some(frame));
                }
            }
            let store = &self.state.store;
            if self.asks_ends {
                let page = store.job_ended_list(&self.owner, self.cursor, PAGE).await?;
                self.asks_ends = page.len() == PAGE as usize;
                let page = page.into_iter().map(|(id, place)| Change::Ended(id, place));
                self.queue.extend(page);
            } else if let Some(after) = self.walks {
                let page = store.job_open_list(&self.owner, after, PAGE).await?;
                let is_whole = page.len() == PAGE as usize;
                self.walks = is_whole.then(|| page.last().copied());
                self.queue.extend(page.into_iter().map(Change::UnderWay));
            } else {
                return Ok(None);
            }
        }
    }

    /// What there is to tell of a job as it is now.
    async fn event(&mut self, change: Change) -> Result<Option<Bytes>, ApiError> {
        let id = match change {
            Change::UnderWay(id) | Change::Moves(id) => id,
            Change::Ended(id, place) => {
                self.cursor = self.cursor.max(place);
                self.told.remove(&id);
                id
            }
        };
        let is_end = matches!(change, Change::Ended(..));
        let time_moved = matches!(change, Change::Moves(_));
        let found = self.state.store.job_get(&self.owner, id).await?;
        let (job, status) = match living(found, self.state.ends_by()) {
            Ok(found) => found,
            Err(ApiError::JobGone(why)) => {
                return Ok(is_end.then(|| frame::gone(self.cursor, id, why)));
            }
            // It was forgotten.
            Err(ApiError::JobNotFound) => return Ok(None),
            Err(error) => return Err(error),
        };
        let before = self.told.get(&id).copied();
        let version = job.version();
        let name = match status {
            // Its end has a place of its own and is told by that.
            Status::Completed | Status::Failed if !is_end => return Ok(None),
            Status::Completed => "completed",
            Status::Failed => "failed",
            Status::Pending | Status::Processing => match before {
                Some(told) if told.version == version && !time_moved => return Ok(None),
                Some(told) if told.status == status => "progress",
                Some(_) | None => "status",
            },
        };
        let job = shown(&self.state, &self.cache, &self.base, &job, status)?.into_body();
        if is_running(status) {
            let hash = hash_of(&job);
            if before.is_some_and(|told| told.version == version && told.hash == hash) {
                return Ok(None);
            }
            if self.told.len() >= REMEMBERED {
                self.told.clear();
            }
            self.told.insert(
                id,
                Told {
                    version,
                    status,
                    hash,
                },
            );
        }
        Ok(Some(frame::event(self.cursor, name, &job)))
    }

    fn ended(&mut self) -> Bytes {
        self.stage = Stage::Over;
        self.pulse.farewell()
    }
}

fn hash_of(json: &Bytes) -> u64 {
    let mut hasher = DefaultHasher::new();
    json.hash(&mut hasher);
    hasher.finish()
}
