//! Reader threads, each with a connection of its own, so that disk waits never sit on the async
//! runtime and a slow read does not hold up the writer.

use std::sync::{Arc, Mutex, PoisonError, mpsc};

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::store_error;
use crate::metrics::DatabaseMetrics;
use crate::store::StoreError;

type Read = Box<dyn FnOnce(&Connection) + Send>;

/// A handle to the reader threads; they end when it is gone.
#[derive(Debug)]
pub(super) struct Readers {
    queue: mpsc::Sender<Read>,
    metrics: DatabaseMetrics,
}

impl Readers {
    /// Starts one thread for each connection.
    pub(super) fn start(
        connections: Vec<Connection>,
        metrics: DatabaseMetrics,
    ) -> std::io::Result<Self> {
        let (queue, reads) = mpsc::channel::<Read>();
        let reads = Arc::new(Mutex::new(reads));
        for (number, connection) in connections.into_iter().enumerate() {
            let reads = Arc::clone(&reads);
            std::thread::Builder::new()
                .name(format!("store-reader-{number}"))
                .spawn(move || {
                    loop {
                        let next = reads.lock().unwrap_or_else(PoisonError::into_inner).recv();
                        let Ok(read) = next else { break };
                        read(&connection);
                    }
                })?;
        }
        Ok(Self { queue, metrics })
    }

    /// Runs `work` on one of the threads.
    pub(super) async fn read<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let (sender, receiver) = oneshot::channel();
        let open = self.metrics.read();
        let read: Read = Box::new(move |connection| {
            let found = work(connection).map_err(|error| store_error(&error));
            drop(open);
            // The caller may have stopped waiting; there is nobody to tell then.
            let _ = sender.send(found);
        });
        self.queue.send(read).map_err(|_| StoreError::Closed)?;
        receiver.await.map_err(|_| StoreError::Closed)?
    }
}
