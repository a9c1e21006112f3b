//! Reader threads, each with a connection of its own, so that disk waits never sit on the async
//! runtime and a slow read does not hold up the writer.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::JoinHandle;

use crossbeam_channel::{Sender, unbounded};
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::damage::Damage;
use crate::metrics::DatabaseMetrics;
use crate::store::StoreError;

type Read = Box<dyn FnOnce(&Connection) + Send>;

/// A handle to the reader threads; they end when it is gone.
#[derive(Debug)]
pub(super) struct Readers {
    queue: Sender<Read>,
    metrics: DatabaseMetrics,
    damage: Damage,
}

impl Readers {
    /// Starts one thread for each connection. They end, and their connections are closed, when the
    /// handle is gone.
    pub(super) fn start(
        connections: Vec<Connection>,
        metrics: DatabaseMetrics,
        damage: Damage,
    ) -> std::io::Result<(Self, Vec<JoinHandle<()>>)> {
        let mut threads = Vec::new();
        let (queue, reads) = unbounded::<Read>();
        for (number, connection) in connections.into_iter().enumerate() {
            let reads = reads.clone();
            let thread = std::thread::Builder::new()
                .name(format!("store-reader-{number}"))
                .spawn(move || {
                    for read in reads {
                        read(&connection);
                    }
                })?;
            threads.push(thread);
        }
        let readers = Self {
            queue,
            metrics,
            damage,
        };
        Ok((readers, threads))
    }

    /// Runs `work` on one of the threads, and waits for nothing.
    pub(super) fn begin(&self, work: impl FnOnce(&Connection) + Send + 'static) {
        let open = self.metrics.read();
        let read: Read = Box::new(move |connection| {
            if catch_unwind(AssertUnwindSafe(|| work(connection))).is_err() {
                tracing::error!("a read that nobody waits for panicked");
            }
            drop(open);
        });
        // They end with the store, and then there is nothing to read for.
        let _ = self.queue.send(read);
    }

    /// Runs `work` on one of the threads.
    pub(super) async fn read<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let (sender, receiver) = oneshot::channel();
        let (open, damage) = (self.metrics.read(), self.damage.clone());
        let read: Read = Box::new(move |connection| {
            // A panic must not take the thread from every later read.
            let found = match catch_unwind(AssertUnwindSafe(|| work(connection))) {
                Ok(found) => found.map_err(|error| damage.judge(&error)),
                Err(_) => Err(StoreError::Defect("a read panicked".into())),
            };
            drop(open);
            // The caller may have stopped waiting; there is nobody to tell then.
            let _ = sender.send(found);
        });
        self.queue.send(read).map_err(|_| StoreError::Closed)?;
        receiver.await.map_err(|_| StoreError::Closed)?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn reads_that_panic_close_nothing() {
        let connections = (0..2)
            .map(|_| Connection::open_in_memory().unwrap())
            .collect();
        let (readers, _) =
            Readers::start(connections, DatabaseMetrics::default(), Damage::default()).unwrap();
        for _ in 0..5 {
            let failed = readers
                .read(|_| -> rusqlite::Result<()> { panic!("a defect") })
                .await;
            assert!(matches!(failed, Err(StoreError::Defect(_))), "{failed:?}");
        }
        let read = readers.read(|db| db.query_row("select 7", [], |row| row.get::<_, i64>(0)));
        assert_eq!(read.await.unwrap(), 7);
    }
}
