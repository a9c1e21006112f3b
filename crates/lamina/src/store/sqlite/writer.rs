//! The one writer: a thread that runs queued closures in groups. A group is committed once, and nobody is answered
//! before that commit is durable. Where one of its closures fails, the group is undone and run again, each closure in a
//! savepoint of its own: savepoints copy every page that is written in them, and hardly any closure fails.
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

/// A queued closure, and whoever waits for what it comes to.
trait Write: Send {
    /// Runs inside the transaction, or again in another after that one was undone. False when it failed.
    fn run(&mut self, connection: &Connection, damage: &Damage, way: Way) -> bool;
    /// Called after the commit, with its error if it failed.
    fn answer(self: Box<Self>, commit: Result<(), StoreError>);
}

/// How a closure that fails is undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// With its whole group.
    Together,
    /// By its own savepoint.
    Alone,
}

/// What the thread is asked for.
enum Work {
    Write(Box<dyn Write>),
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

    /// Runs `work` in a group and answers after the group's commit. It may run twice, the first time without effect.
    /// `on_commit` runs on the writer's thread even when the caller has stopped waiting.
    pub(super) async fn write<T, F, C>(&self, work: F, on_commit: C) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Fn(&Connection) -> rusqlite::Result<T> + Send + 'static,
        C: FnOnce() + Send + 'static,
    {
        let asked = Instant::now();
        let (sender, receiver) = oneshot::channel();
        let write = Box::new(Queued {
            work,
            on_commit,
            result: None,
            sender,
        });
        let queued = self.queue.send(Work::Write(write));
        queued.map_err(|_| StoreError::Closed)?;
        let answer = receiver.await.map_err(|_| StoreError::Closed)?;
        self.metrics.wrote(asked.elapsed());
        answer
    }
}

struct Queued<T, F, C> {
    work: F,
    on_commit: C,
    /// What `work` came to when it was run last.
    result: Option<Result<T, StoreError>>,
    sender: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, F, C> Write for Queued<T, F, C>
where
    T: Send,
    F: Fn(&Connection) -> rusqlite::Result<T> + Send,
    C: FnOnce() + Send,
{
    fn run(&mut self, connection: &Connection, damage: &Damage, way: Way) -> bool {
        let result = match way {
            Way::Together => caught(connection, damage, &self.work),
            Way::Alone => in_savepoint(connection, damage, &self.work),
        };
        self.result.insert(result).is_ok()
    }

    fn answer(self: Box<Self>, commit: Result<(), StoreError>) {
        let Self {
            on_commit,
            result,
            sender,
            ..
        } = *self;
        let not_run = || Err(StoreError::Defect("a write was not run".into()));
        let answer = commit.and_then(|()| result.unwrap_or_else(not_run));
        if answer.is_ok() {
            on_commit();
        }
        // The caller may have stopped waiting; the write stands all the same.
        let _ = sender.send(answer);
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
    writes: impl Iterator<Item = Box<dyn Write>>,
    group: &Group,
    transaction_ended: &impl Fn(),
) {
    let mut writes: Vec<_> = writes.collect();
    if writes.is_empty() {
        return;
    }
    let begun = Instant::now();
    let committed = commit(connection, &mut writes, &group.damage);
    group
        .metrics
        .committed(writes.len(), committed.is_err(), begun.elapsed());
    transaction_ended();
    for write in writes {
        write.answer(committed.clone());
    }
}

fn commit(
    connection: &Connection,
    writes: &mut [Box<dyn Write>],
    damage: &Damage,
) -> Result<(), StoreError> {
    execute(connection, damage, "begin immediate")?;
    let together = |write: &mut Box<dyn Write>| {
        write.run(connection, damage, Way::Together) && !connection.is_autocommit()
    };
    if !writes.iter_mut().all(together) {
        roll_back(connection);
        execute(connection, damage, "begin immediate")?;
        for write in writes {
            write.run(connection, damage, Way::Alone);
            // A full disk may roll the whole transaction back by itself. What ran before is lost then,
            // and what runs after would commit one by one, so the whole group must fail.
            if connection.is_autocommit() {
                return Err(StoreError::Full("the transaction was rolled back".into()));
            }
        }
    }
    // A commit that failed leaves the transaction open; the next group needs a clean start.
    execute(connection, damage, "commit").inspect_err(|_| roll_back(connection))
}

fn roll_back(connection: &Connection) {
    if !connection.is_autocommit() {
        let _ = connection.execute_batch("rollback");
    }
}

fn execute(connection: &Connection, damage: &Damage, sql: &str) -> Result<(), StoreError> {
    let executed = connection
        .prepare_cached(sql)
        .and_then(|mut statement| statement.execute([]));
    executed.map(drop).map_err(|error| damage.judge(&error))
}

/// One failure, or one panic, must not undo its neighbours.
fn in_savepoint<T>(
    connection: &Connection,
    damage: &Damage,
    work: impl Fn(&Connection) -> rusqlite::Result<T>,
) -> Result<T, StoreError> {
    execute(connection, damage, "savepoint one")?;
    let result = caught(connection, damage, work);
    match &result {
        Ok(_) => execute(connection, damage, "release one")?,
        Err(_) if connection.is_autocommit() => {}
        Err(_) => {
            let undone = execute(connection, damage, "rollback to one");
            let _ = undone.and_then(|()| execute(connection, damage, "release one"));
        }
    }
    result
}

fn caught<T>(
    connection: &Connection,
    damage: &Damage,
    work: impl Fn(&Connection) -> rusqlite::Result<T>,
) -> Result<T, StoreError> {
    match catch_unwind(AssertUnwindSafe(|| work(connection))) {
        Ok(result) => result.map_err(|error| damage.judge(&error)),
        Err(_) => Err(StoreError::Defect("a write panicked".into())),
    }
}
