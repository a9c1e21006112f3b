//! How many pictures are taken in at once. Between the end of its body and its blob a picture is
//! in memory, so those places are counted, in pictures and in bytes; whoever finds none waits for
//! a while with its bytes in the spool, and is told to come back after that. The owner that holds
//! fewest of them is let in next.

use std::time::Duration;

use crate::fair::{self, Gate};
use crate::http::answer::error::ApiError;
use crate::http::state::limits::RequestLimits;
use crate::jobs::OwnerId;

/// Bytes are counted in these, so that they fit a semaphore.
const UNIT: u64 = 64 << 10;

/// The places. Clones share them.
#[derive(Clone, Debug)]
pub(in crate::http) struct UploadCapacity {
    /// A place is a picture, and weight is units.
    places: Gate<Option<OwnerId>>,
    wait: Duration,
    owner: Option<OwnerId>,
}

/// A place; given back when dropped.
#[derive(Debug)]
pub(in crate::http) struct Place {
    _place: fair::Place<Option<OwnerId>>,
}

impl UploadCapacity {
    pub(in crate::http) fn new(limits: &RequestLimits) -> Self {
        let all_units =
            u32::try_from(limits.capacity_bytes.div_ceil(UNIT).max(1)).unwrap_or(1 << 20);
        Self {
            places: Gate::new(limits.capacity_pictures.max(1) as usize, all_units),
            wait: limits.capacity_wait,
            owner: None,
        }
    }

    /// The same places, for pictures of `owner`.
    pub(in crate::http) fn of(&self, owner: &OwnerId) -> Self {
        Self {
            owner: Some(owner.clone()),
            ..self.clone()
        }
    }

    /// A place for a body of `bytes`. A body larger than all places together takes them all.
    pub(in crate::http) async fn enter(&self, bytes: u64) -> Result<Place, ApiError> {
        let units = u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX);
        let place = self.places.enter(self.owner.clone(), units);
        match tokio::time::timeout(self.wait, place).await {
            Ok(place) => Ok(Place { _place: place }),
            Err(_) => Err(ApiError::ServerBusy),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn capacity(pictures: u32, bytes: u64) -> UploadCapacity {
        UploadCapacity::new(&RequestLimits {
            capacity_pictures: pictures,
            capacity_bytes: bytes,
            capacity_wait: Duration::from_millis(20),
            ..RequestLimits::default()
        })
    }

    #[tokio::test]
    async fn whoever_finds_no_place_is_told_to_come_back() {
        for (capacity, bytes) in [
            (capacity(1, u64::from(u32::MAX)), 1),
            (capacity(9, 4 * UNIT), 4 * UNIT),
        ] {
            let held = capacity.enter(bytes).await.unwrap();
            assert!(matches!(
                capacity.enter(bytes).await,
                Err(ApiError::ServerBusy)
            ));
            drop(held);
            capacity.enter(bytes).await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_picture_larger_than_all_places_still_gets_in_alone() {
        let capacity = capacity(9, UNIT);
        let held = capacity.enter(u64::MAX).await.unwrap();
        assert!(capacity.enter(1).await.is_err());
        drop(held);
    }
}
