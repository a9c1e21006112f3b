//! How many exports are made and sent at once: each has two files on the disk until its last byte is sent. Fair by owner; nothing waits
//! for a place here.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::http::answer::error::ApiError;
use crate::jobs::{OwnerId, Shares};

/// Exports at once, all owners together. One owner has most of them at best, and never the last.
const PLACES: usize = 16;

/// The places. Clones share them.
#[derive(Clone, Debug)]
pub(in crate::http) struct ExportPlaces(Arc<Mutex<Shares>>);

/// A place; given back when dropped.
#[derive(Debug)]
pub(in crate::http) struct ExportPlace {
    places: ExportPlaces,
    owner: OwnerId,
}

impl Default for ExportPlaces {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Shares::of(PLACES))))
    }
}

impl ExportPlaces {
    pub(in crate::http) fn enter(&self, owner: &OwnerId) -> Result<ExportPlace, ApiError> {
        let mut shares = self.0.lock();
        if !shares.may_take(owner.as_str()) {
            return Err(ApiError::ServerBusy);
        }
        shares.take(owner.as_str());
        Ok(ExportPlace {
            places: self.clone(),
            owner: owner.clone(),
        })
    }
}

impl Drop for ExportPlace {
    fn drop(&mut self) {
        self.places.0.lock().give_back(self.owner.as_str());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_owner_never_takes_the_last_place_and_places_come_back() {
        let places = ExportPlaces::default();
        let (one, other) = (OwnerId::named("a"), OwnerId::named("b"));
        let mut held = Vec::new();
        while let Ok(place) = places.enter(&one) {
            held.push(place);
        }
        assert!(held.len() >= PLACES / 2 && held.len() < PLACES);
        assert_eq!(places.enter(&one).unwrap_err().code(), "server_busy");
        assert!(places.enter(&other).is_ok());
        held.clear();
        assert!(places.enter(&one).is_ok());
    }
}
