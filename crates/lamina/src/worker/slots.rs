//! The places for steps at work, by stage. A place is held before a job is claimed, so that a
//! claimed job begins at once and no lease waits. Who may hold how many is `jobs/share.rs`: an
//! owner with many jobs, or a host that is slow, leaves places to the others.

use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::Notify;

use crate::jobs::{OwnerId, Shares, Stage};
use crate::store::Want;

/// All places.
#[derive(Clone, Debug)]
pub(super) struct Slots(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    stages: Mutex<[Places; Stage::ALL.len()]>,
    freed: Notify,
}

#[derive(Clone, Debug)]
struct Places {
    owners: Shares,
    hosts: Shares,
    /// Held for a claim that is on its way.
    reserved: usize,
}

/// A step's place; given back when dropped.
#[derive(Debug)]
pub(super) struct Slot {
    slots: Slots,
    stage: Stage,
    owner: OwnerId,
    host: Option<String>,
}

/// Places for a claim; what it does not use is given back when dropped.
#[derive(Debug)]
pub(super) struct Reserved {
    slots: Slots,
    left: [usize; Stage::ALL.len()],
}

impl Slots {
    /// So many places for each stage, in the order of [`Stage::ALL`].
    pub(super) fn of(places: [usize; Stage::ALL.len()]) -> Self {
        let stages = places.map(|places| Places {
            owners: Shares::of(places),
            hosts: Shares::of(places),
            reserved: 0,
        });
        Self(Arc::new(Inner {
            stages: Mutex::new(stages),
            freed: Notify::new(),
        }))
    }

    /// Told when a place was given back.
    pub(super) fn freed(&self) -> &Notify {
        &self.0.freed
    }

    /// Holds places for as many jobs of each stage as are due, or as there are.
    pub(super) fn reserve(&self, due: [u32; Stage::ALL.len()]) -> (Vec<Want>, Reserved) {
        let (mut stages, mut wants) = (self.lock(), Vec::new());
        let mut left = [0; Stage::ALL.len()];
        for stage in Stage::ALL {
            let places = &mut stages[stage.index()];
            let free = places.owners.free().saturating_sub(places.reserved);
            let held = free.min(due[stage.index()] as usize);
            if held == 0 {
                continue;
            }
            places.reserved += held;
            left[stage.index()] = held;
            wants.push(Want {
                stage,
                limit: u32::try_from(held).unwrap_or(u32::MAX),
                owners: places.owners.clone(),
                hosts: places.hosts.clone(),
            });
        }
        drop(stages);
        let slots = self.clone();
        (wants, Reserved { slots, left })
    }

    /// A place for a job that goes on to its next step, if one is free and its owner's to take.
    pub(super) fn next(&self, stage: Stage, owner: &OwnerId) -> Option<Slot> {
        let mut stages = self.lock();
        let places = &mut stages[stage.index()];
        let free = places.owners.free() > places.reserved;
        if !free || !places.owners.may_take(owner.as_str()) {
            return None;
        }
        places.take(owner, None);
        drop(stages);
        Some(Slot {
            slots: self.clone(),
            stage,
            owner: owner.clone(),
            host: None,
        })
    }

    fn lock(&self) -> MutexGuard<'_, [Places; Stage::ALL.len()]> {
        self.0.stages.lock()
    }
}

impl Places {
    fn take(&mut self, owner: &OwnerId, host: Option<&str>) {
        self.owners.take(owner.as_str());
        if let Some(host) = host {
            self.hosts.take(host);
        }
    }
}

impl Reserved {
    /// The place of a job that was claimed. The store gives no more than it was asked for, within
    /// the shares it was told.
    pub(super) fn assign(&mut self, stage: Stage, owner: &OwnerId, host: Option<&str>) -> Slot {
        let mut stages = self.slots.lock();
        let places = &mut stages[stage.index()];
        if self.left[stage.index()] > 0 {
            self.left[stage.index()] -= 1;
            places.reserved -= 1;
        }
        places.take(owner, host);
        drop(stages);
        Slot {
            slots: self.slots.clone(),
            stage,
            owner: owner.clone(),
            host: host.map(str::to_owned),
        }
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        let mut stages = self.slots.lock();
        for stage in Stage::ALL {
            stages[stage.index()].reserved -= self.left[stage.index()];
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut stages = self.slots.lock();
        let places = &mut stages[self.stage.index()];
        places.owners.give_back(self.owner.as_str());
        if let Some(host) = &self.host {
            places.hosts.give_back(host);
        }
        drop(stages);
        self.slots.0.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(name: &str) -> OwnerId {
        OwnerId::named(name)
    }

    #[test]
    fn a_claim_holds_its_places_until_it_is_over() {
        let slots = Slots::of([1, 2, 4, 8, 2]);
        let (wants, mut reserved) = slots.reserve([9, 0, 3, 0, 1]);
        let asked: Vec<_> = wants.iter().map(|want| (want.stage, want.limit)).collect();
        let expected = [(Stage::Fetch, 1), (Stage::Submit, 3), (Stage::Collect, 1)];
        assert_eq!(asked, expected);
        let a = reserved.assign(Stage::Fetch, &owner("a"), Some("slow.example"));
        let (again, _) = slots.reserve([9; 5]);
        let fetches = again.iter().any(|want| want.stage == Stage::Fetch);
        assert!(!fetches, "the only place is held");
        drop((reserved, a));
        let (after, _) = slots.reserve([9; 5]);
        let free: Vec<_> = after.iter().map(|want| want.limit).collect();
        assert_eq!(free, [1, 2, 4, 8, 2]);
    }

    #[test]
    fn a_job_that_goes_on_takes_no_place_that_a_claim_holds_and_none_above_its_share() {
        let slots = Slots::of([1, 1, 4, 1, 1]);
        let a = owner("a");
        let (_, reserved) = slots.reserve([0, 0, 4, 0, 0]);
        assert!(slots.next(Stage::Submit, &a).is_none());
        drop(reserved);
        let held: Vec<_> = std::iter::from_fn(|| slots.next(Stage::Submit, &a)).collect();
        assert_eq!(held.len(), 3);
        assert!(slots.next(Stage::Submit, &owner("b")).is_some());
    }
}
