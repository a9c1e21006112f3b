//! How many bytes of bodies are in memory while they are received, all requests together, whichever
//! protocol they come by and whoever sends them. Where the budget is used up, bodies go to the disk
//! sooner; only those that must be in memory are refused for the moment. It knows no requests and no
//! owners.
//!
//! Invariant: what is held never exceeds the budget.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The budget. Clones share it.
#[derive(Clone, Debug)]
pub struct BodyBudget {
    left: Arc<Semaphore>,
}

/// A part of the budget; given back when dropped.
#[derive(Debug)]
pub(in crate::http) struct Held {
    budget: BodyBudget,
    permit: Option<OwnedSemaphorePermit>,
}

impl BodyBudget {
    /// A budget of so many bytes.
    #[must_use]
    pub fn new(bytes: u64) -> Self {
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        Self {
            left: Arc::new(Semaphore::new(bytes.min(Semaphore::MAX_PERMITS))),
        }
    }

    /// Nothing of it yet, to be grown.
    pub(in crate::http) fn none(&self) -> Held {
        Held {
            budget: self.clone(),
            permit: None,
        }
    }

    /// So many bytes at once, if they are left.
    pub(in crate::http) fn hold(&self, bytes: usize) -> Option<Held> {
        let mut held = self.none();
        held.grow(bytes).then_some(held)
    }

    /// Bytes that are left.
    #[cfg(test)]
    pub(in crate::http) fn left(&self) -> usize {
        self.left.available_permits()
    }
}

impl Held {
    /// Takes so many more; false, and nothing taken, when they are not left.
    pub(in crate::http) fn grow(&mut self, bytes: usize) -> bool {
        let Ok(bytes) = u32::try_from(bytes) else {
            return false;
        };
        let Ok(more) = Arc::clone(&self.budget.left).try_acquire_many_owned(bytes) else {
            return false;
        };
        match &mut self.permit {
            Some(permit) => permit.merge(more),
            None => self.permit = Some(more),
        }
        true
    }

    /// Gives everything back.
    pub(in crate::http) fn release(&mut self) {
        self.permit = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_holds_more_than_is_left_and_all_of_it_comes_back() {
        let budget = BodyBudget::new(10);
        let mut held = budget.hold(6).unwrap();
        assert!(held.grow(3) && !held.grow(2));
        assert!(budget.hold(2).is_none());
        assert_eq!(budget.left(), 1);
        held.release();
        assert_eq!(budget.left(), 10);
        assert!(budget.hold(usize::MAX).is_none());
        drop(budget.hold(10).unwrap());
        assert_eq!(budget.left(), 10);
    }
}
