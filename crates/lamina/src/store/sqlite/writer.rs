//! The one writer: a thread that runs queued closures in groups. Each closure has a savepoint of
//! its own, the group is committed once, and nobody is answered before that commit is durable.
//! It knows no SQL of the tables.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Instant;

use parking_lot::Mutex;
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::changed::ChangedPages;
use super::damage::Damage;
use super::lock::FileLock;
use super::reserve::Reserve;
use super::{close_whole, empty_journal};
use crate::metrics::DatabaseMetrics;
use crate::store::StoreError;

/// The most closures that share one commit.
const GROUP: usize = 256;

/// Called after the commit, with its error if it failed.
type Acknowledge = Box<dyn FnOnce(Result<(), StoreError>) + Send>;
/// Runs inside the transaction.
type Write = Box<dyn FnOnce(&Connection, &Damage) -> Acknowledge + Send>;

/// What the thread is asked for.
enum Work {
    Write(Write),
    /// Empty the journal, and say whether it is empty.
    EmptyJournal(oneshot::Sender<bool>),
}

/// What the thread owns, and gives up in this order when it ends.
pub(super) struct Held {
    pub(super) connection: Connection,
    /// They must have ended before the connection closes, or it cannot bring the journal into the file.
    pub(super) readers: Vec<JoinHandle<()>>,
    pub(super) reserve: Arc<Reserve>,
    /// Told what the journal holds before that is emptied.
    pub(super) changed: Arc<Mutex<ChangedPages>>,
    /// Kept until the connection is closed.
    pub(super) lock: Arc<FileLock>,
}

/// A handle to the writer thread.
#[derive(Debug)]
pub(super) struct Writer {
    queue: mpsc::Sender<Work>,
    metrics: DatabaseMetrics,
}

impl Writer {
    /// Starts the thread. It ends when every handle is gone, after the last queued write and the last
    /// read. `transaction_ended` runs after each transaction, committed or not, before anybody is answered.
    pub(super) fn start(
        held: Held,
        metrics: DatabaseMetrics,
        damage: Damage,
        transaction_ended: impl Fn() + Send + 'static,
    ) -> std::io::Result<(Self, JoinHandle<()>)> {
        let (queue, work) = mpsc::channel();
        let answered = metrics.clone();
        let thread = std::thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || {
                run(
                    held,
                    &work,
                    &Group {
                        metrics: answered,
                        damage,
                    },
                    &transaction_ended,
                );
            })?;
        Ok((Self { queue, metrics }, thread))
    }

    /// Empties the journal once the writes that were asked for before are committed; false when a
    /// reader was in the way.
    pub(super) async fn empty_journal(&self) -> Result<bool, StoreError> {
        let (answer, answered) = oneshot::channel();
        let asked = self.queue.send(Work::EmptyJournal(answer));
        asked.map_err(|_| StoreError::Closed)?;
        answered.await.map_err(|_| StoreError::Closed)
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
        let write: Write = Box::new(move |connection, damage| {
            let result = in_savepoint(connection, damage, work);
            Box::new(move |commit| {
                let answer = commit.and(result);
                if answer.is_ok() {
                    on_commit();
                }
                // The caller may have stopped waiting; the write stands all the same.
                let _ = sender.send(answer);
            })
        });
        let queued = self.queue.send(Work::Write(write));
        queued.map_err(|_| StoreError::Closed)?;
        let answer = receiver.await.map_err(|_| StoreError::Closed)?;
        self.metrics.wrote(asked.elapsed());
        answer
    }
}

/// What every transaction needs.
struct Group {
    metrics: DatabaseMetrics,
    damage: Damage,
}

fn run(held: Held, queue: &mpsc::Receiver<Work>, group: &Group, transaction_ended: &impl Fn()) {
    let Held {
        connection,
        readers,
        reserve,
        changed,
        lock,
    } = held;
    while let Ok(first) = queue.recv() {
        let mut asked = Vec::new();
        let work = std::iter::once(first).chain(queue.try_iter().take(GROUP - 1));
        let writes = work.filter_map(|work| match work {
            Work::Write(write) => Some(write),
            Work::EmptyJournal(answer) => {
                asked.push(answer);
                None
            }
        });
        // A deletion must be written on a full disk too.
        reserve.give_up_if_full();
        commit_group(&connection, writes, group, transaction_ended);
        if !asked.is_empty() {
            changed.lock().note();
            let emptied = empty_journal(&connection);
            for answer in asked {
                // Whoever asked may have gone.
                let _ = answer.send(emptied);
            }
        }
    }
    for reader in readers {
        // One that panicked has told so.
        let _ = reader.join();
    }
    close_whole(connection);
    drop(lock);
}

fn commit_group(
    connection: &Connection,
    writes: impl Iterator<Item = Write>,
    group: &Group,
    transaction_ended: &impl Fn(),
) {
    let mut writes = writes.peekable();
    if writes.peek().is_none() {
        return;
    }
    let (begin, damage) = (Instant::now(), &group.damage);
    let mut acknowledge = Vec::new();
    let mut begun = connection
        .execute_batch("begin immediate")
        .map_err(|error| damage.judge(&error));
    for write in writes {
        acknowledge.push(write(connection, damage));
        // A full disk may roll the whole transaction back by itself. What ran before is lost then,
        // and what runs after would commit one by one, so the rest of the group must fail too.
        if begun.is_ok() && connection.is_autocommit() {
            begun = Err(StoreError::Full("the transaction was rolled back".into()));
        }
    }
    let committed = begun.and_then(|()| {
        connection.execute_batch("commit").map_err(|error| {
            // A commit that failed leaves the transaction open; the next group needs a clean start.
            let _ = connection.execute_batch("rollback");
            damage.judge(&error)
        })
    });
    group
        .metrics
        .committed(acknowledge.len(), committed.is_err(), begin.elapsed());
    transaction_ended();
    for answer in acknowledge {
        answer(committed.clone());
    }
}

/// One failure, or one panic, must not undo its neighbours.
fn in_savepoint<T>(
    connection: &Connection,
    damage: &Damage,
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
    run("savepoint one").map_err(|error| damage.judge(&error))?;
    let result = catch_unwind(AssertUnwindSafe(|| work(connection)));
    let undo = || {
        if !connection.is_autocommit() {
            let _ = run("rollback to one").and_then(|_| run("release one"));
        }
    };
    match result {
        Ok(Ok(value)) => run("release one")
            .map(|_| value)
            .map_err(|error| damage.judge(&error)),
        Ok(Err(error)) => {
            undo();
            Err(damage.judge(&error))
        }
        Err(_) => {
            undo();
            Err(StoreError::Defect("a write panicked".into()))
        }
    }
}
