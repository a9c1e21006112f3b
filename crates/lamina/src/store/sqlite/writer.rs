//! The one writer: a thread that runs queued closures in groups. Each closure has a savepoint of
//! its own, the group is committed once, and nobody is answered before that commit is durable.
//! It knows no SQL of the tables.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::time::Instant;

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::store_error;
use crate::metrics::DatabaseMetrics;
use crate::store::StoreError;

/// The most closures that share one commit.
const GROUP: usize = 256;

/// Called after the commit, with its error if it failed.
type Acknowledge = Box<dyn FnOnce(Result<(), StoreError>) + Send>;
/// Runs inside the transaction.
type Write = Box<dyn FnOnce(&Connection) -> Acknowledge + Send>;

/// A handle to the writer thread.
#[derive(Debug)]
pub(super) struct Writer {
    queue: mpsc::Sender<Write>,
    metrics: DatabaseMetrics,
}

impl Writer {
    /// Starts the thread. It ends when every handle is gone, after the last queued write; `ended`
    /// resolves then. `settled` runs after each transaction, committed or not, before anybody is
    /// answered.
    pub(super) fn start(
        connection: Connection,
        metrics: DatabaseMetrics,
        settled: impl Fn() + Send + 'static,
    ) -> std::io::Result<(Self, oneshot::Receiver<()>)> {
        let (queue, writes) = mpsc::channel();
        let (ended_sender, ended) = oneshot::channel();
        let told = metrics.clone();
        std::thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || {
                run(connection, &writes, &told, &settled);
                // Whoever waits may have gone; that is no error.
                let _ = ended_sender.send(());
            })?;
        Ok((Self { queue, metrics }, ended))
    }

    /// Runs `work` in a savepoint and answers after the group's commit. `on_commit` runs on the
    /// writer's thread even when the caller has stopped waiting.
    pub(super) async fn write<T, F, C>(&self, work: F, on_commit: C) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
        C: FnOnce() + Send + 'static,
    {
        let asked = Instant::now();
        let (sender, receiver) = oneshot::channel();
        let write: Write = Box::new(move |connection| {
            let result = in_savepoint(connection, work);
            Box::new(move |commit| {
                let answer = commit.and(result);
                if answer.is_ok() {
                    on_commit();
                }
                // The caller may have stopped waiting; the write stands all the same.
                let _ = sender.send(answer);
            })
        });
        self.queue.send(write).map_err(|_| StoreError::Closed)?;
        let answer = receiver.await.map_err(|_| StoreError::Closed)?;
        self.metrics.wrote(asked.elapsed());
        answer
    }
}

fn run(
    connection: Connection,
    writes: &mpsc::Receiver<Write>,
    metrics: &DatabaseMetrics,
    settled: &impl Fn(),
) {
    while let Ok(first) = writes.recv() {
        let group = std::iter::once(first).chain(writes.try_iter().take(GROUP - 1));
        commit_group(&connection, group, metrics, settled);
    }
    if let Err((_, error)) = connection.close() {
        tracing::error!(%error, "the database did not close cleanly");
    }
}

fn commit_group(
    connection: &Connection,
    group: impl Iterator<Item = Write>,
    metrics: &DatabaseMetrics,
    settled: &impl Fn(),
) {
    let begin = Instant::now();
    let mut acknowledge = Vec::new();
    let mut begun = connection
        .execute_batch("begin immediate")
        .map_err(|error| store_error(&error));
    for write in group {
        acknowledge.push(write(connection));
        // A full disk may roll the whole transaction back by itself. What ran before is lost then,
        // and what runs after would commit one by one, so the rest of the group must fail too.
        if begun.is_ok() && connection.is_autocommit() {
            begun = Err(StoreError::Unavailable(
                "the transaction was rolled back; is the disk full?".into(),
            ));
        }
    }
    let committed = begun.and_then(|()| {
        connection.execute_batch("commit").map_err(|error| {
            // A commit that failed leaves the transaction open; the next group needs a clean start.
            let _ = connection.execute_batch("rollback");
            store_error(&error)
        })
    });
    metrics.committed(acknowledge.len(), committed.is_err(), begin.elapsed());
    settled();
    for answer in acknowledge {
        answer(committed.clone());
    }
}

/// One failure, or one panic, must not undo its neighbours.
fn in_savepoint<T>(
    connection: &Connection,
    work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> Result<T, StoreError> {
    if connection.is_autocommit() {
        return Err(StoreError::Unavailable(
            "no transaction could be opened".into(),
        ));
    }
    let run = |sql| {
        connection
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute([]))
    };
    run("savepoint one").map_err(|error| store_error(&error))?;
    let result = catch_unwind(AssertUnwindSafe(|| work(connection)));
    let undo = || {
        if !connection.is_autocommit() {
            let _ = run("rollback to one").and_then(|_| run("release one"));
        }
    };
    match result {
        Ok(Ok(value)) => run("release one")
            .map(|_| value)
            .map_err(|error| store_error(&error)),
        Ok(Err(error)) => {
            undo();
            Err(store_error(&error))
        }
        Err(_) => {
            undo();
            Err(StoreError::Defect("a write panicked".into()))
        }
    }
}
