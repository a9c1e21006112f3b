//! A bounded number of places, and of weight, that many parties share: whoever holds fewest places
//! is let in next, and among equals turns go round. Within one
//! party it is first come, first served. It knows neither what the places are for nor who the
//! parties are.
//!
//! Invariant: whoever is next is waited for, so that what is heavy is let in too.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::oneshot;

/// The way in. Clones share the places.
#[derive(Debug)]
pub struct Gate<K: Hash + Eq + Clone>(Arc<Mutex<State<K>>>);

impl<K: Hash + Eq + Clone> Clone for Gate<K> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

#[derive(Debug)]
struct State<K> {
    places: usize,
    weight: u32,
    free_places: usize,
    free_weight: u32,
    lines: HashMap<K, Line<K>>,
    /// Every party with a line; the one that was let in last is last.
    order: VecDeque<K>,
    /// Who is next, once that was decided.
    next: Option<K>,
}

#[derive(Debug)]
struct Line<K> {
    held: usize,
    waiting: VecDeque<Waiting<K>>,
}

impl<K> Default for Line<K> {
    fn default() -> Self {
        Self {
            held: 0,
            waiting: VecDeque::new(),
        }
    }
}

#[derive(Debug)]
struct Waiting<K> {
    weight: u32,
    grant: oneshot::Sender<Entry<K>>,
}

/// A place and a weight, given back when dropped. `K` is whose they are.
#[derive(Debug)]
pub struct Place<K: Hash + Eq + Clone>(Option<(Gate<K>, Entry<K>)>);

/// What a place is made of; not given back by itself, so that it can be made under the lock.
#[derive(Debug)]
struct Entry<K> {
    party: K,
    weight: u32,
}

impl<K: Hash + Eq + Clone> Gate<K> {
    /// So many places (at least 1) and so much weight (at least 1).
    #[must_use]
    pub fn new(places: usize, weight: u32) -> Self {
        let (places, weight) = (places.max(1), weight.max(1));
        Self(Arc::new(Mutex::new(State {
            places,
            weight,
            free_places: places,
            free_weight: weight,
            lines: HashMap::new(),
            order: VecDeque::new(),
            next: None,
        })))
    }

    /// Waits for a place for `party`. A weight above all there is counts as all there is.
    pub async fn enter(&self, party: K, weight: u32) -> Place<K> {
        let (grant, granted) = oneshot::channel();
        {
            let mut state = self.lock();
            let weight = weight.clamp(1, state.weight);
            if !state.lines.contains_key(&party) {
                state.order.push_back(party.clone());
            }
            let line = state.lines.entry(party).or_default();
            line.waiting.push_back(Waiting { weight, grant });
        }
        self.let_in();
        let mut waits = Waits {
            gate: self.clone(),
            granted,
        };
        match (&mut waits.granted).await {
            Ok(entry) => Place(Some((self.clone(), entry))),
            // The gate is held here, so its state and the sender in it live.
            Err(_) => Place(None),
        }
    }

    /// Places and weight that are held, and how many wait.
    #[must_use]
    pub fn load(&self) -> (usize, u32, usize) {
        let state = self.lock();
        let waiting = state.lines.values().map(|line| {
            let open = line.waiting.iter().filter(|one| !one.grant.is_closed());
            open.count()
        });
        (
            state.places - state.free_places,
            state.weight - state.free_weight,
            waiting.sum(),
        )
    }

    fn lock(&self) -> MutexGuard<'_, State<K>> {
        self.0.lock()
    }

    /// Lets in whoever is next, as long as there is room.
    fn let_in(&self) {
        loop {
            let Some((grant, entry)) = self.lock().take_next() else {
                return;
            };
            if let Err(entry) = grant.send(entry) {
                // It was given up at this moment.
                self.lock().give_back(&entry);
            }
        }
    }
}

impl<K: Hash + Eq + Clone> State<K> {
    fn take_next(&mut self) -> Option<(oneshot::Sender<Entry<K>>, Entry<K>)> {
        for line in self.lines.values_mut() {
            line.waiting.retain(|one| !one.grant.is_closed());
        }
        let lines = &mut self.lines;
        self.order.retain(|party| {
            let idle = lines
                .get(party)
                .is_none_or(|line| line.held == 0 && line.waiting.is_empty());
            if idle {
                lines.remove(party);
            }
            !idle
        });
        let waits = |party: &&K| {
            let line = self.lines.get(*party);
            line.is_some_and(|line| !line.waiting.is_empty())
        };
        let chosen = self.next.take().filter(|party| waits(&party));
        let party = chosen.or_else(|| {
            let waiting = self.order.iter().filter(waits);
            waiting
                .min_by_key(|party| self.lines.get(*party).map_or(0, |line| line.held))
                .cloned()
        })?;
        let line = self.lines.get_mut(&party)?;
        let weight = line.waiting.front()?.weight;
        if self.free_places == 0 || self.free_weight < weight {
            // Decided once a place is free; weight is waited for.
            self.next = (self.free_places > 0).then_some(party);
            return None;
        }
        let Waiting { grant, .. } = line.waiting.pop_front()?;
        line.held += 1;
        self.free_places -= 1;
        self.free_weight -= weight;
        self.order.retain(|other| *other != party);
        self.order.push_back(party.clone());
        Some((grant, Entry { party, weight }))
    }

    fn give_back(&mut self, entry: &Entry<K>) {
        self.free_places += 1;
        self.free_weight += entry.weight;
        if let Some(line) = self.lines.get_mut(&entry.party) {
            line.held = line.held.saturating_sub(1);
        }
    }
}

/// A wait; a place that was granted to one that is given up goes back.
struct Waits<K: Hash + Eq + Clone> {
    gate: Gate<K>,
    granted: oneshot::Receiver<Entry<K>>,
}

impl<K: Hash + Eq + Clone> Drop for Waits<K> {
    fn drop(&mut self) {
        self.granted.close();
        if let Ok(entry) = self.granted.try_recv() {
            self.gate.lock().give_back(&entry);
        }
        self.gate.let_in();
    }
}

impl<K: Hash + Eq + Clone> Drop for Place<K> {
    fn drop(&mut self) {
        if let Some((gate, entry)) = self.0.take() {
            gate.lock().give_back(&entry);
            gate.let_in();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;

    use futures_util::FutureExt as _;

    use super::*;

    type Waiter = Pin<Box<dyn Future<Output = Place<&'static str>>>>;

    fn wait(gate: &Gate<&'static str>, party: &'static str, weight: u32) -> Waiter {
        let gate = gate.clone();
        let mut waiter: Waiter = Box::pin(async move { gate.enter(party, weight).await });
        assert!((&mut waiter).now_or_never().is_none());
        waiter
    }

    fn got(waiter: &mut Waiter) -> Option<Place<&'static str>> {
        waiter.now_or_never()
    }

    #[tokio::test]
    async fn turns_go_round_however_many_one_party_has_waiting() {
        let gate = Gate::new(1, 1);
        let mut held = Some(gate.enter("a", 1).await);
        let mut many: VecDeque<Waiter> = (0..100).map(|_| wait(&gate, "a", 1)).collect();
        let mut few: VecDeque<Waiter> = (0..2).map(|_| wait(&gate, "b", 1)).collect();
        let mut turns = String::new();
        for _ in 0..5 {
            drop(held.take());
            // Only the one whose turn it is finds a place.
            for (party, line) in [("a", &mut many), ("b", &mut few)] {
                if let Some(place) = line.front_mut().and_then(got) {
                    line.pop_front();
                    turns.push_str(party);
                    held = Some(place);
                }
            }
        }
        assert_eq!(turns, "ababa");
        assert_eq!(gate.load(), (1, 1, 97));
    }

    #[tokio::test]
    async fn whoever_holds_least_is_next() {
        let gate = Gate::new(3, 9);
        let first = gate.enter("a", 1).await;
        let held = [gate.enter("a", 1).await, gate.enter("a", 1).await];
        let mut more = wait(&gate, "a", 1);
        let mut other = wait(&gate, "b", 1);
        drop(first);
        assert!(got(&mut more).is_none());
        drop(got(&mut other).unwrap());
        assert!(got(&mut more).is_some());
        drop(held);
    }

    #[tokio::test]
    async fn what_is_heavy_gets_its_turn() {
        let gate = Gate::new(9, 10);
        let light = gate.enter("a", 6).await;
        let mut heavy = wait(&gate, "b", 1_000);
        let mut later = wait(&gate, "c", 1);
        drop(light);
        let held = got(&mut heavy).unwrap();
        assert!(got(&mut later).is_none());
        drop(held);
        assert!(got(&mut later).is_some());
    }

    #[tokio::test]
    async fn whoever_gives_up_holds_nothing_and_nobody_up() {
        let gate = Gate::new(1, 10);
        let first = gate.enter("a", 1).await;
        let gives_up = wait(&gate, "b", 10);
        let mut waits = wait(&gate, "c", 1);
        drop(first);
        drop(gives_up);
        let place = got(&mut waits).unwrap();
        drop(place);
        assert_eq!(gate.load(), (0, 0, 0));
        assert!(gate.0.lock().lines.len() <= 1);
    }
}
