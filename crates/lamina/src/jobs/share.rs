//! How much of something scarce one party may hold. Pure.
//!
//! Whoever holds none may take what is free. Whoever holds some may take more only while it holds
//! less than [`SHARE`] times what would be left besides one place, so that one party alone gets
//! most of the places but never the last, and there is a place at once for the next party,
//! whatever the first one's work waits for. (The rule of buffers that are shared by dynamic
//! thresholds; Choudhury and Hahne, 1998.)

use std::collections::HashMap;

/// See the head of this file; 3 leaves one party about three quarters.
const SHARE: usize = 3;

/// Places, and who holds how many.
#[derive(Clone, Debug, Default)]
pub struct Shares {
    free: usize,
    held: HashMap<String, usize>,
}

impl Shares {
    /// So many free places.
    #[must_use]
    pub fn of(places: usize) -> Self {
        Self {
            free: places,
            held: HashMap::new(),
        }
    }

    /// Places that nobody holds.
    #[must_use]
    pub fn free(&self) -> usize {
        self.free
    }

    /// Places that `party` holds.
    #[must_use]
    pub fn held(&self, party: &str) -> usize {
        self.held.get(party).copied().unwrap_or(0)
    }

    /// Whether `party` may take one more.
    #[must_use]
    pub fn may_take(&self, party: &str) -> bool {
        let held = self.held(party);
        self.free > 0 && (held == 0 || held < SHARE * (self.free - 1))
    }

    /// Takes a place; the caller asked [`Shares::may_take`], or knows better.
    pub fn take(&mut self, party: &str) {
        self.free = self.free.saturating_sub(1);
        *self.held.entry(party.to_owned()).or_default() += 1;
    }

    /// Gives a place back.
    pub fn give_back(&mut self, party: &str) {
        self.free += 1;
        if let Some(held) = self.held.get_mut(party) {
            *held -= 1;
            if *held == 0 {
                self.held.remove(party);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(shares: &mut Shares, party: &str) -> usize {
        while shares.may_take(party) {
            shares.take(party);
        }
        shares.held(party)
    }

    #[test]
    fn one_party_never_takes_the_last_place_and_the_next_finds_one() {
        for places in 2..100 {
            let mut shares = Shares::of(places);
            let first = fill(&mut shares, "a");
            assert!(first * 2 >= places, "{first} of {places}");
            assert!(shares.may_take("b"), "{places}");
            fill(&mut shares, "b");
            assert!(places < 5 || shares.may_take("c"), "{places}");
        }
    }

    #[test]
    fn a_single_place_is_for_anyone() {
        let mut shares = Shares::of(1);
        assert_eq!(fill(&mut shares, "a"), 1);
        assert!(!shares.may_take("b"));
        shares.give_back("a");
        assert!(shares.may_take("b"));
        assert_eq!((shares.free(), shares.held("a")), (1, 0));
    }
}
