//! A bounded number of places, and of weight, that many parties share: whoever holds fewest places and
//! reservations is let in next, and among equals turns go round. Within one
//! party it is first come, first served. It knows neither what the places are for nor who the
//! parties are.
//!
//! Weight can also be held for long, without a place ([`Gate::reserve`]). What does not fit beside
//! that waits for its end, and others pass it by.
//!
//! Invariant: whoever is next is waited for, so that what is heavy is let in too. What waits for the
//! end of a reservation is waited for by every reservation that came after it.

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
    /// Weight that is held for long.
    reserved: u32,
    /// How many have come so far.
    came: u64,
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
    number: u64,
    need: Need,
    grant: oneshot::Sender<Entry<K>>,
}

#[derive(Debug, Clone, Copy)]
struct Need {
    weight: u32,
    /// Weight alone, for long.
    reserves: bool,
}

impl Need {
    fn places(self) -> usize {
        usize::from(!self.reserves)
    }
}

/// A place and a weight, given back when dropped. `K` is whose they are.
#[derive(Debug)]
pub struct Place<K: Hash + Eq + Clone>(Option<(Gate<K>, Entry<K>)>);

/// What a place is made of; not given back by itself, so that it can be made under the lock.
#[derive(Debug)]
struct Entry<K> {
    party: K,
    need: Need,
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
            reserved: 0,
            came: 0,
            lines: HashMap::new(),
            order: VecDeque::new(),
            next: None,
        })))
    }

    /// Waits for a place for `party`. A weight above all there is counts as all there is.
    pub async fn enter(&self, party: K, weight: u32) -> Place<K> {
        self.grant(party, weight, false).await
    }

    /// Waits for weight alone, to be held for long. A weight above all there is counts as all there is.
    pub async fn reserve(&self, party: K, weight: u32) -> Place<K> {
        self.grant(party, weight, true).await
    }

    async fn grant(&self, party: K, weight: u32, reserves: bool) -> Place<K> {
        let (grant, granted) = oneshot::channel();
        self.lock().line_up(party, weight, reserves, grant);
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
    fn line_up(&mut self, party: K, weight: u32, reserves: bool, grant: oneshot::Sender<Entry<K>>) {
        let need = Need {
            weight: weight.clamp(1, self.weight),
            reserves,
        };
        self.came += 1;
        let number = self.came;
        if !self.lines.contains_key(&party) {
            self.order.push_back(party.clone());
        }
        let line = self.lines.entry(party).or_default();
        line.waiting.push_back(Waiting {
            number,
            need,
            grant,
        });
    }

    /// Where in its line the first stands that may be next.
    fn first_of(&self, party: &K, passed_by: Option<u64>) -> Option<usize> {
        let waiting = &self.lines.get(party)?.waiting;
        waiting.iter().position(|one| {
            let in_time = passed_by.is_none_or(|number| one.number < number);
            self.fits_beside_reserved(one.need) && (in_time || !one.need.reserves)
        })
    }

    fn fits_beside_reserved(&self, need: Need) -> bool {
        need.weight <= self.weight - self.reserved
    }

    /// The first of all that wait for the end of what is reserved.
    fn passed_by(&self) -> Option<u64> {
        let waiting = self.lines.values().flat_map(|line| &line.waiting);
        let passed = waiting.filter(|one| !self.fits_beside_reserved(one.need));
        passed.map(|one| one.number).min()
    }

    fn take_next(&mut self) -> Option<(oneshot::Sender<Entry<K>>, Entry<K>)> {
        self.forget_gone();
        let passed_by = self.passed_by();
        let may = |party: &&K| self.first_of(party, passed_by).is_some();
        let chosen = self.next.clone().filter(|party| may(&party));
        let party = chosen.or_else(|| {
            let waiting = self.order.iter().filter(may);
            waiting
                .min_by_key(|party| self.lines.get(*party).map_or(0, |line| line.held))
                .cloned()
        });
        self.next = None;
        let party = party?;
        let at = self.first_of(&party, passed_by)?;
        let need = self.lines.get(&party)?.waiting.get(at)?.need;
        if self.free_places < need.places() || self.free_weight < need.weight {
            // Decided once a place is free; weight is waited for.
            self.next = (self.free_places >= need.places()).then_some(party);
            return None;
        }
        let line = self.lines.get_mut(&party)?;
        let Waiting { grant, .. } = line.waiting.remove(at)?;
        line.held += 1;
        self.free_places -= need.places();
        self.free_weight -= need.weight;
        if need.reserves {
            self.reserved += need.weight;
        }
        self.order.retain(|other| *other != party);
        self.order.push_back(party.clone());
        Some((grant, Entry { party, need }))
    }

    /// Those that no longer wait, and parties that hold nothing and wait for nothing.
    fn forget_gone(&mut self) {
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
    }

    fn give_back(&mut self, entry: &Entry<K>) {
        self.free_places += entry.need.places();
        self.free_weight += entry.need.weight;
        if entry.need.reserves {
            self.reserved -= entry.need.weight;
        }
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

impl<K: Hash + Eq + Clone> Place<K> {
    /// Gives back the weight above `weight`, at least 1.
    pub fn lower(&mut self, weight: u32) {
        if let Some((gate, entry)) = &mut self.0 {
            let kept = entry.need.weight.min(weight.max(1));
            let less = entry.need.weight - kept;
            entry.need.weight = kept;
            {
                let mut state = gate.lock();
                state.free_weight += less;
                if entry.need.reserves {
                    state.reserved -= less;
                }
            }
            gate.let_in();
        }
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
mod tests;
