//! How many may wait for news of jobs at once: event streams, which last as long as their jobs, and requests that are
//! answered once something has changed. Each is a connection that is kept, so both are counted together, by owner and
//! in all. Nothing waits for a place here.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::limits::RequestLimits;
use crate::http::answer::error::ApiError;
use crate::jobs::OwnerId;
use crate::metrics::{OpenWait, RequestMetrics, WaitKind};

/// The places. Clones share them.
#[derive(Clone, Debug)]
pub(in crate::http) struct EventPlaces {
    all: usize,
    per_owner: Option<usize>,
    taken: Arc<Mutex<Taken>>,
    metrics: RequestMetrics,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    by_owner: HashMap<OwnerId, usize>,
}

/// A place; given back when dropped.
#[derive(Debug)]
pub(in crate::http) struct EventPlace {
    owner: OwnerId,
    taken: Arc<Mutex<Taken>>,
    _open: OpenWait,
}

impl EventPlaces {
    pub(in crate::http) fn new(limits: &RequestLimits, metrics: &RequestMetrics) -> Self {
        Self {
            all: limits.event_streams,
            per_owner: limits.event_streams_per_owner,
            taken: Arc::default(),
            metrics: metrics.clone(),
        }
    }

    /// A place for one more of `owner`, or which bound has none left.
    pub(in crate::http) fn enter(
        &self,
        owner: &OwnerId,
        kind: WaitKind,
    ) -> Result<EventPlace, ApiError> {
        let mut taken = self.taken.lock();
        let own = taken.by_owner.get(owner).copied().unwrap_or(0);
        if let Some(limit) = self.per_owner.filter(|limit| own >= *limit) {
            return Err(ApiError::TooManyEventStreams { limit });
        }
        if taken.all >= self.all {
            return Err(ApiError::EventStreamsExhausted);
        }
        taken.all += 1;
        taken.by_owner.insert(owner.clone(), own + 1);
        Ok(EventPlace {
            owner: owner.clone(),
            taken: Arc::clone(&self.taken),
            _open: self.metrics.wait(kind),
        })
    }
}

impl Drop for EventPlace {
    fn drop(&mut self) {
        let mut taken = self.taken.lock();
        taken.all = taken.all.saturating_sub(1);
        if let Some(own) = taken.by_owner.get_mut(&self.owner) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                taken.by_owner.remove(&self.owner);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_by_owner_and_in_all_and_come_back() {
        let limits = RequestLimits {
            event_streams: 3,
            event_streams_per_owner: Some(2),
            ..RequestLimits::default()
        };
        let places = EventPlaces::new(&limits, &RequestMetrics::default());
        let enter = |owner: &str| places.enter(&OwnerId::named(owner), WaitKind::Stream);
        let (first, _second) = (enter("a").unwrap(), enter("a").unwrap());
        assert_eq!(enter("a").unwrap_err().code(), "too_many_event_streams");
        let third = enter("b").unwrap();
        assert_eq!(enter("b").unwrap_err().code(), "event_streams_exhausted");
        drop(first);
        let _fourth = enter("b").unwrap();
        drop(third);
        assert!(enter("a").is_ok());
        assert_eq!(places.taken.lock().by_owner.len(), 2);
    }
}
