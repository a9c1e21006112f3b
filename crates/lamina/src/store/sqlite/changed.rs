//! Which pages of the database were written since this was asked last, told by the journal itself: each of its
//! frames begins with its page's number. So what is to be done with written pages alone (`remains.rs`) costs what was
//! written, not what there is. It reads the file beside SQLite and writes nothing.
//!
//! Invariant: the journal begins anew only after a checkpoint, and this process makes none but right after the
//! journal was read here (`writer.rs`). Another program may make one; what it hides is found by the slow look over the
//! whole file.
//!
//! The layout is that of <https://www.sqlite.org/fileformat2.html#the_write_ahead_log>.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use super::lock::beside;

/// The file's own header, and that of each frame.
const HEADER: u64 = 32;
const FRAME_HEADER: u64 = 24;
/// Where the file's header has the size of a page, and the mark that each frame has since the journal began anew.
const PAGE_SIZE: usize = 8;
const MARK: usize = 16;
/// Where a frame has its page's number and the mark; no more of it is read.
const NUMBER: usize = 0;
const FRAME_MARK: usize = 8;
const FRAME_READ: usize = 16;
/// The most pages that are remembered, half a megabyte of numbers; after so much is written that the whole file may as
/// well be looked at.
const MOST: usize = 65_536;

/// The pages that were written.
#[derive(Debug)]
pub(super) struct ChangedPages {
    journal: PathBuf,
    /// None when they were too many, or could not be read.
    pages: Option<BTreeSet<u32>>,
    /// The journal's mark when it was read last, and how many frames need not be read again while it is the same.
    read: (Mark, u64),
}

type Mark = [u32; 2];

impl ChangedPages {
    /// Of the database at `path`; of a process that begins, what its journal holds.
    pub(super) fn of(path: &Path) -> Self {
        Self {
            journal: beside(path, "-wal"),
            pages: Some(BTreeSet::new()),
            read: ([0; 2], 0),
        }
    }

    /// Reads what the journal holds now.
    pub(super) fn note(&mut self) {
        self.note_until(None);
    }

    /// Reads what was committed since: so many frames are there, and what stands behind them was undone.
    pub(super) fn note_committed(&mut self, frames: u64) {
        self.note_until(Some(frames));
    }

    fn note_until(&mut self, committed: Option<u64>) {
        // The whole file is looked at then, whatever is written besides.
        if self.pages.is_none() {
            return;
        }
        match self.read(committed) {
            Ok(found) => {
                if let Some(pages) = &mut self.pages {
                    pages.extend(found);
                }
            }
            Err(error) => {
                tracing::warn!(%error, "the journal of the database could not be read for the pages in it");
                self.pages = None;
            }
        }
        self.pages.take_if(|pages| pages.len() > MOST);
    }

    /// What was written since the last time; none when that is not known.
    pub(super) fn take(&mut self) -> Option<BTreeSet<u32>> {
        self.pages.replace(BTreeSet::new())
    }

    fn read(&mut self, committed: Option<u64>) -> io::Result<BTreeSet<u32>> {
        let mut pages = BTreeSet::new();
        let file = match File::open(&self.journal) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(pages),
            file => file?,
        };
        let length = file.metadata()?.len();
        if length < HEADER {
            return Ok(pages);
        }
        let mut header = [0; HEADER as usize];
        file.read_exact_at(&mut header, 0)?;
        let mark = mark_at(&header, MARK);
        if self.read.0 != mark {
            self.read = (mark, 0);
        }
        let size = FRAME_HEADER + u64::from(number_at(&header, PAGE_SIZE));
        let there = (length - HEADER) / size;
        for frame in self.read.1..committed.unwrap_or(there).min(there) {
            let mut begins = [0; FRAME_READ];
            file.read_exact_at(&mut begins, HEADER + frame * size)?;
            // From here on it is of before the journal began anew, and was read then.
            if mark_at(&begins, FRAME_MARK) != mark {
                break;
            }
            pages.insert(number_at(&begins, NUMBER));
        }
        if let Some(committed) = committed {
            self.read.1 = committed;
        }
        Ok(pages)
    }
}

fn mark_at(bytes: &[u8], at: usize) -> Mark {
    [number_at(bytes, at), number_at(bytes, at + 4)]
}

fn number_at(bytes: &[u8], at: usize) -> u32 {
    let number = bytes.get(at..).and_then(|bytes| bytes.first_chunk());
    number.copied().map_or(0, u32::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parking_lot::Mutex;
    use rusqlite::OpenFlags;

    use super::*;
    use crate::store::sqlite::file::{checkpoint_by, connect, empty_journal};

    /// Rows, each of which has a page of its own.
    const ROWS: u32 = 3_000;
    /// Pages of the tree above them, of the schema, and those that ends of rows share.
    const OTHERS: u32 = 60;

    #[test]
    fn every_page_that_was_written_is_told_however_often_the_journal_began_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
        let mut db = connect(&path, flags).unwrap();
        db.pragma_update(None, "synchronous", "off").unwrap();
        let changed = Arc::new(Mutex::new(ChangedPages::of(&path)));
        checkpoint_by(&mut db, Arc::clone(&changed)).unwrap();
        db.execute_batch("create table t (k integer primary key, word)")
            .unwrap();
        for from in (0..ROWS).step_by(100) {
            db.execute_batch("begin").unwrap();
            for row in from..from + 100 {
                db.execute("insert into t values (?1, zeroblob(3000))", [row])
                    .unwrap();
            }
            db.execute_batch("commit").unwrap();
        }
        let noted = || {
            changed.lock().note();
            assert!(empty_journal(&db));
            changed.lock().take().unwrap()
        };
        let count: u32 = db
            .query_row("pragma page_count", [], |row| row.get(0))
            .unwrap();
        assert!(count > ROWS && count < ROWS + OTHERS, "{count}");
        assert_eq!(noted(), (1..=count).collect());
        // What is written now is all that is told then.
        db.execute("update t set word = zeroblob(2999) where k = 1700", [])
            .unwrap();
        assert!((1..=4).contains(&noted().len()));
        // The journal had begun anew, so its end alone would not have told.
        for row in 0..ROWS {
            db.execute("update t set word = zeroblob(2998) where k = ?1", [row])
                .unwrap();
        }
        let journal = std::fs::metadata(beside(&path, "-wal")).unwrap().len();
        assert!(
            journal < u64::from(ROWS) * 4096 / 2,
            "the test proves nothing"
        );
        assert!(noted().len() >= ROWS as usize);
        assert!(noted().is_empty());
    }

    #[test]
    fn what_is_written_over_what_was_undone_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
        let mut db = connect(&path, flags).unwrap();
        // So small that a transaction writes its pages before it ends.
        db.pragma_update(None, "cache_size", 10).unwrap();
        let changed = Arc::new(Mutex::new(ChangedPages::of(&path)));
        checkpoint_by(&mut db, Arc::clone(&changed)).unwrap();
        db.execute_batch("create table t (k integer primary key, word)")
            .unwrap();
        let rows = |from: u32| {
            for row in from..from + 2_000 {
                db.execute(
                    "insert or replace into t values (?1, zeroblob(3000))",
                    [row],
                )
                .unwrap();
            }
        };
        // Somebody who reads keeps the journal from beginning anew.
        let reader = connect(&path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
        db.execute_batch("begin").unwrap();
        rows(0);
        db.execute_batch("commit; begin").unwrap();
        reader.execute_batch("begin").unwrap();
        reader
            .query_row("select count(*) from t", [], |_| Ok(()))
            .unwrap();
        changed.lock().take();
        rows(10_000);
        changed.lock().note();
        changed.lock().take();
        db.execute_batch("rollback; begin").unwrap();
        rows(20_000);
        db.execute_batch("commit").unwrap();
        let told = changed.lock().take().unwrap();
        assert!(told.len() > 1_900, "{}", told.len());
    }

    #[test]
    fn too_many_are_told_as_not_known() {
        let mut changed = ChangedPages::of(Path::new("/nowhere"));
        changed.note();
        assert_eq!(changed.take(), Some(BTreeSet::new()));
        changed.pages = Some((0..=MOST as u32).collect());
        changed.note();
        assert_eq!(changed.take(), None);
        assert_eq!(changed.take(), Some(BTreeSet::new()));
    }
}
