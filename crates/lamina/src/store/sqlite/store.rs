//! What belongs to no noun of the store: looks at the whole, and the store itself. The rest of the traits stands with
//! the SQL of each.

use async_trait::async_trait;

use super::{SqliteStore, stats};
use crate::jobs::UnixMs;
use crate::store::{
    ChangeFeed, DeploymentStore as _, Ledger, QueueStats, Signal, Store, StoreError,
};

#[async_trait]
impl Store for SqliteStore {
    async fn queue_stats(&self, now: UnixMs) -> Result<QueueStats, StoreError> {
        self.read(move |db| stats::queue(db, now)).await
    }

    async fn ledger(&self, now: UnixMs) -> Result<Ledger, StoreError> {
        self.read(move |db| stats::ledger(db, now)).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        let threads = self.threads()?;
        threads.damage.none()?;
        if !threads.lock.is_in_place() {
            return Err(StoreError::Damaged(
                "the file was moved, removed or replaced under the running service".into(),
            ));
        }
        // An empty write takes the file's write lock and its place in the queue, and syncs nothing.
        let read = self.read(|db| {
            db.prepare_cached("select exists (select 1 from jobs)")?
                .query_row([], |row| row.get::<_, bool>(0))
        });
        let (read, written) = tokio::join!(read, self.write(|_| Ok(())));
        read.and(written)
    }

    fn signal(&self) -> &Signal {
        &self.signal
    }

    fn changes(&self) -> &ChangeFeed {
        &self.changes
    }

    async fn close(&self) {
        // What stays is overwritten by the next process; a stop is held up by nothing.
        let _ = self.journal_empty().await;
        if let Some(writer) = self.let_go() {
            // One that panicked has told so.
            let _ = tokio::task::spawn_blocking(move || writer.join()).await;
        }
    }
}
