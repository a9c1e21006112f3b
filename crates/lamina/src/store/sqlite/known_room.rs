//! Whether an owner surely has room for more bytes, without asking the database: what was kept when that was read last,
//! and all that was added since, whoever it belongs to. What was taken away since is not known here, so an answer may be
//! "not surely", and then the database is asked. What decides is the transaction that keeps the bytes (`kept.rs`).
//!
//! Told by triggers of the writer's connection, so that no statement can forget to tell.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use rusqlite::Connection;
use rusqlite::functions::FunctionFlags;
use rusqlite::types::Null;

use super::kept::Kept;
use crate::access::StorageCaps;
use crate::jobs::OwnerId;
use crate::store::KeptKind;

/// Most owners that are remembered; then all are forgotten.
const OWNERS: usize = 4096;

const TRIGGERS: &str = "
    create temp trigger told_of_kept after insert on kept when new.bytes > 0 begin
        select lamina_kept(new.bytes);
    end;
    create temp trigger told_of_more after update of bytes on kept when new.bytes > old.bytes begin
        select lamina_kept(new.bytes - old.bytes);
    end;
    create temp trigger told_of_owner after insert on owners begin select lamina_bounded(); end;
    create temp trigger told_of_bound after update on owners begin select lamina_bounded(); end;
    create temp trigger told_of_no_owner after delete on owners begin select lamina_bounded(); end;
";

/// What is known. All of it may be behind the database but for what is read before [`KnownRoom::now`].
#[derive(Debug, Default)]
pub(super) struct KnownRoom {
    /// By the transaction that runs; one that is rolled back counts as well.
    writing: Written,
    /// By all that ended.
    written: Written,
    owners: Mutex<HashMap<OwnerId, (Kept, Seen)>>,
}

#[derive(Debug, Default)]
struct Written {
    /// Bytes that were added.
    bytes: AtomicU64,
    /// Changes of owners' bounds.
    bounds: AtomicU64,
}

/// How much had been written at some moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    bytes: u64,
    bounds: u64,
}

impl KnownRoom {
    /// Learns what `connection`, the only one that writes, writes from now on.
    pub(super) fn watch(room: &Arc<Self>, connection: &Connection) -> rusqlite::Result<()> {
        let flags = FunctionFlags::SQLITE_UTF8;
        let told = AssertUnwindSafe(Arc::clone(room));
        connection.create_scalar_function("lamina_kept", 1, flags, move |call| {
            let bytes = call.get::<u64>(0)?;
            told.writing.bytes.fetch_add(bytes, Ordering::Relaxed);
            Ok(Null)
        })?;
        let told = AssertUnwindSafe(Arc::clone(room));
        connection.create_scalar_function("lamina_bounded", 0, flags, move |_| {
            told.writing.bounds.fetch_add(1, Ordering::Relaxed);
            Ok(Null)
        })?;
        connection.execute_batch(TRIGGERS)
    }

    /// After each transaction and before anybody is answered.
    pub(super) fn end_transaction(&self) {
        let ended = |from: &AtomicU64, to: &AtomicU64| {
            to.fetch_add(from.swap(0, Ordering::Relaxed), Ordering::Release);
        };
        ended(&self.writing.bytes, &self.written.bytes);
        ended(&self.writing.bounds, &self.written.bounds);
    }

    /// To be taken before the database is read: what a read does not see is counted after this.
    pub(super) fn now(&self) -> Seen {
        Seen {
            bytes: self.written.bytes.load(Ordering::Acquire),
            bounds: self.written.bounds.load(Ordering::Acquire),
        }
    }

    /// Remembers what was read after `seen`.
    pub(super) fn keep(&self, owner: &OwnerId, kept: Kept, seen: Seen) {
        let mut owners = self.owners.lock();
        if owners.len() >= OWNERS && !owners.contains_key(owner) {
            owners.clear();
        }
        owners.insert(owner.clone(), (kept, seen));
    }

    /// Whether `owner` surely may keep so many bytes more, as if all that was written since was its own.
    pub(super) fn is_enough(&self, owner: &OwnerId, bytes: u64, caps: StorageCaps) -> bool {
        self.is_enough_at(self.now(), owner, bytes, caps)
    }

    /// The same inside the running transaction, of which nobody else knows yet. Only the writer calls.
    pub(super) fn is_enough_within(&self, owner: &OwnerId, bytes: u64, caps: StorageCaps) -> bool {
        let ended = self.now();
        let now = Seen {
            bytes: ended.bytes + self.writing.bytes.load(Ordering::Relaxed),
            bounds: ended.bounds + self.writing.bounds.load(Ordering::Relaxed),
        };
        self.is_enough_at(now, owner, bytes, caps)
    }

    fn is_enough_at(&self, now: Seen, owner: &OwnerId, bytes: u64, caps: StorageCaps) -> bool {
        let found = self.owners.lock().get(owner).copied();
        found.is_some_and(|(kept, seen)| {
            let more = bytes.saturating_add(now.bytes - seen.bytes);
            seen.bounds == now.bounds && kept.room(KeptKind::Source, more, caps).is_ok()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::file::prepare;
    use super::super::kept::of_owner;
    use super::*;

    const CAPS: StorageCaps = StorageCaps {
        total_bytes: None,
        owner_bytes: Some(100),
        incoming_bytes: None,
    };

    struct Watched {
        db: Connection,
        room: Arc<KnownRoom>,
        owner: OwnerId,
        _folder: tempfile::TempDir,
    }

    fn watched() -> Watched {
        let folder = tempfile::tempdir().unwrap();
        let (db, _) = prepare(&folder.path().join("a.db")).unwrap_or_else(|_| panic!("a database"));
        let room = Arc::default();
        KnownRoom::watch(&room, &db).unwrap();
        Watched {
            db,
            room,
            owner: OwnerId::named("a"),
            _folder: folder,
        }
    }

    impl Watched {
        fn write(&self, sql: &str) {
            self.db.execute_batch(sql).unwrap();
            self.room.end_transaction();
        }

        fn add(&self, owner: &str, bytes: i64) {
            self.write(&format!(
                "insert into kept (owner, kind, bytes) values ('{owner}', 'source', {bytes})
                 on conflict (owner, kind) do update set bytes = bytes + excluded.bytes"
            ));
        }

        fn read(&self, seen: Seen) {
            let kept = of_owner(&self.db, &self.owner).unwrap();
            self.room.keep(&self.owner, kept, seen);
        }

        /// The most that is surely left.
        fn left(&self) -> Option<u64> {
            let enough = |bytes: &u64| self.room.is_enough(&self.owner, *bytes, CAPS);
            (0..=101).rev().find(enough)
        }
    }

    #[test]
    fn all_that_is_added_counts_and_what_is_taken_away_does_not() {
        let it = watched();
        assert_eq!(it.left(), None, "nothing was read");
        it.add("a", 10);
        it.read(it.room.now());
        assert_eq!(it.left(), Some(90));
        it.add("b", 20);
        it.add("a", 5);
        assert_eq!(it.left(), Some(65), "whoever it belongs to");
        it.add("a", -15);
        assert_eq!(it.left(), Some(65));
        it.read(it.room.now());
        assert_eq!(it.left(), Some(100));
    }

    #[test]
    fn what_a_read_may_not_have_seen_counts() {
        let it = watched();
        let seen = it.room.now();
        it.add("a", 30);
        it.read(seen);
        assert_eq!(it.left(), Some(40), "twice here, and never not at all");
        // Written and read before its transaction was over.
        it.db
            .execute_batch("update kept set bytes = bytes + 7")
            .unwrap();
        it.read(it.room.now());
        it.room.end_transaction();
        assert_eq!(it.left(), Some(56));
    }

    #[test]
    fn what_the_running_transaction_wrote_counts_within_it() {
        let it = watched();
        let is_enough = |bytes| it.room.is_enough_within(&it.owner, bytes, CAPS);
        assert!(!is_enough(0), "nothing was read");
        it.read(it.room.now());
        assert!(is_enough(100) && !is_enough(101));
        let write = |sql: &str| it.db.execute_batch(sql).unwrap();
        write("begin; insert into kept (owner, kind, bytes) values ('a', 'source', 30)");
        assert!(is_enough(70) && !is_enough(71));
        assert_eq!(it.left(), Some(100), "nobody else can know of it yet");
        write("insert into owners (name, storage_bytes) values ('b', 50)");
        assert!(!is_enough(0));
        write("rollback");
        it.room.end_transaction();
        it.read(it.room.now());
        assert!(is_enough(100));
    }

    #[test]
    fn a_bound_that_was_changed_is_read_again() {
        let it = watched();
        for change in [
            "insert into owners (name, storage_bytes) values ('a', 50)",
            "update owners set storage_bytes = 60",
            "delete from owners",
        ] {
            it.read(it.room.now());
            assert!(it.left().is_some());
            it.write(change);
            assert_eq!(it.left(), None, "{change}");
        }
    }
}
