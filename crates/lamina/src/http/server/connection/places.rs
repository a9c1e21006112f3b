//! Places for connections. When all are taken, the connection that has been without a request for the
//! longest gives its place to the one that comes; when none is idle, what comes gets one of a few
//! places in reserve, where questions for the service's health alone are answered, so that whoever
//! watches it does not take a full service for a dead one. It reads and writes no socket.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::activity::Activity;

/// Places in reserve.
const RESERVE: usize = 16;
/// How long an evicted connection has to be gone before the next look; it has nothing left to do.
const EVICTION: Duration = Duration::from_millis(500);

/// All places. Clones share them.
#[derive(Clone, Debug)]
pub(in crate::http) struct Places {
    ordinary: Arc<Semaphore>,
    reserve: Arc<Semaphore>,
    taken: Arc<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    next: AtomicU64,
    ordinary: Mutex<HashMap<u64, Arc<Activity>>>,
    reserve: Mutex<HashMap<u64, Arc<Activity>>>,
}

/// What a connection may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) enum Use {
    /// Everything.
    All,
    /// The service's health; everything else is told to come back.
    Health,
}

/// One connection's place; given back when dropped.
#[derive(Debug)]
pub(in crate::http) struct Place {
    /// What the connection does.
    pub(in crate::http) activity: Arc<Activity>,
    /// What it may do.
    pub(in crate::http) usable: Use,
    taken: Arc<Taken>,
    number: u64,
    _permit: OwnedSemaphorePermit,
}

impl Places {
    /// So many places, and those in reserve.
    pub(in crate::http) fn new(connections: usize) -> Self {
        let connections = connections.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            ordinary: Arc::new(Semaphore::new(connections)),
            reserve: Arc::new(Semaphore::new(RESERVE)),
            taken: Arc::default(),
        }
    }

    /// A place for one more connection: at once, of an idle one, in reserve, or when any is free.
    pub(in crate::http) async fn enter(&self) -> Place {
        loop {
            if let Ok(permit) = Arc::clone(&self.ordinary).try_acquire_owned() {
                return self.place(Use::All, permit);
            }
            if evict(&self.taken.ordinary) {
                let freed = Arc::clone(&self.ordinary).acquire_owned();
                if let Ok(Ok(permit)) = timeout(EVICTION, freed).await {
                    return self.place(Use::All, permit);
                }
            }
            if let Ok(permit) = Arc::clone(&self.reserve).try_acquire_owned() {
                return self.place(Use::Health, permit);
            }
            evict(&self.taken.reserve);
            let any = async {
                tokio::select! {
                    Ok(permit) = Arc::clone(&self.ordinary).acquire_owned() => Some((Use::All, permit)),
                    Ok(permit) = Arc::clone(&self.reserve).acquire_owned() => Some((Use::Health, permit)),
                    else => None,
                }
            };
            // Whoever is busy now may be idle a moment later.
            if let Ok(Some((usable, permit))) = timeout(EVICTION, any).await {
                return self.place(usable, permit);
            }
        }
    }

    /// Tells an idle connection to go, where something else than places runs short.
    pub(in crate::http) fn evict_idle(&self) {
        evict(&self.taken.ordinary);
    }

    fn place(&self, usable: Use, permit: OwnedSemaphorePermit) -> Place {
        let (activity, number) = (
            Activity::new(),
            self.taken.next.fetch_add(1, Ordering::Relaxed),
        );
        self.taken
            .of(usable)
            .lock()
            .insert(number, Arc::clone(&activity));
        Place {
            activity,
            usable,
            taken: Arc::clone(&self.taken),
            number,
            _permit: permit,
        }
    }
}

impl Taken {
    fn of(&self, usable: Use) -> &Mutex<HashMap<u64, Arc<Activity>>> {
        match usable {
            Use::All => &self.ordinary,
            Use::Health => &self.reserve,
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.taken.of(self.usable).lock().remove(&self.number);
    }
}

/// Tells the connection that has been idle for the longest to go; false when none is idle.
fn evict(taken: &Mutex<HashMap<u64, Arc<Activity>>>) -> bool {
    let taken = taken.lock();
    let idle = taken
        .iter()
        .filter(|(_, activity)| !activity.evicted.is_cancelled())
        .filter_map(|(number, activity)| Some((activity.idle_since()?, number, activity)));
    let longest = idle.min_by_key(|(since, number, _)| (*since, **number));
    if let Some((.., activity)) = longest {
        activity.evicted.cancel();
    }
    longest.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ends as a connection does that was told to go.
    fn obedient(place: Place) {
        tokio::spawn(async move {
            place.activity.evicted.cancelled().await;
            drop(place);
        });
    }

    #[tokio::test]
    async fn the_one_that_was_idle_for_the_longest_goes_and_a_busy_one_stays() {
        let places = Places::new(2);
        let busy = places.enter().await;
        let under_way = busy.activity.begin();
        let idle = places.enter().await;
        let left = Arc::clone(&idle.activity);
        obedient(idle);
        let next = places.enter().await;
        assert!(left.evicted.is_cancelled() && !busy.activity.evicted.is_cancelled());
        assert_eq!(next.usable, Use::All);
        let asking = next.activity.begin();
        assert_eq!(places.enter().await.usable, Use::Health);
        drop((under_way, asking));
    }

    #[tokio::test]
    async fn of_two_that_are_idle_the_one_that_was_used_last_stays() {
        let places = Places::new(2);
        let [first, second] = [places.enter().await, places.enter().await];
        // The first had a request since the second has come.
        drop(first.activity.begin());
        let (first_left, second_left) = (Arc::clone(&first.activity), Arc::clone(&second.activity));
        obedient(second);
        assert_eq!(places.enter().await.usable, Use::All);
        assert!(second_left.evicted.is_cancelled() && !first_left.evicted.is_cancelled());
        drop(first);
    }

    #[tokio::test]
    async fn a_full_reserve_is_freed_of_its_idle_ones_too() {
        let places = Places::new(1);
        let first = places.enter().await;
        let _under_way = first.activity.begin();
        for _ in 0..3 * RESERVE {
            let place = places.enter().await;
            assert_eq!(place.usable, Use::Health);
            obedient(place);
        }
    }
}
