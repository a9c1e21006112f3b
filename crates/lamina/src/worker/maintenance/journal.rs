//! Empties the database's journal, in which words of jobs that are gone stand until then.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::store::StoreError;
use crate::worker::Worker;

/// It is tried every 15 s, and at least once in 2⁵ times that.
const MOST_PAUSES: u32 = 5;

/// How often it was tried.
#[derive(Debug, Default)]
pub(super) struct Journal {
    in_vain: AtomicU32,
    round: AtomicU32,
}

impl Journal {
    /// While somebody reads for long (a backup, a replica's program), it is tried less and less often,
    /// since each try holds up writes.
    pub(super) async fn empty(&self, worker: &Worker) -> Result<(), StoreError> {
        let failures = self.in_vain.load(Ordering::Relaxed);
        let skipped = 2u32.pow(failures.min(MOST_PAUSES));
        let round = self.round.fetch_add(1, Ordering::Relaxed);
        if !round.is_multiple_of(skipped) {
            return Ok(());
        }
        if worker.parts.store.journal_empty().await? {
            self.in_vain.store(0, Ordering::Relaxed);
            return Ok(());
        }
        self.in_vain.store(failures + 1, Ordering::Relaxed);
        if failures == MOST_PAUSES {
            tracing::warn!(
                "the database is being read by another program, so words of jobs that are gone stay in its journal until that ends"
            );
        }
        Ok(())
    }
}
