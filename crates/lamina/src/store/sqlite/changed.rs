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
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use super::lock::beside;

/// The file's own header, and that of each frame.
const HEADER: u64 = 32;
const FRAME_HEADER: u64 = 24;
/// Where the file's header has the size of a page.
const PAGE_SIZE: usize = 8;
/// The most pages that are remembered, half a megabyte of numbers; after so much is written that the whole file may as
/// well be looked at.
const MOST: usize = 65_536;

/// The pages that were written.
#[derive(Debug)]
pub(super) struct ChangedPages {
    journal: PathBuf,
    /// None when they were too many, or could not be read.
    pages: Option<BTreeSet<u32>>,
}

impl ChangedPages {
    /// Of the database at `path`; of a process that begins, what its journal holds.
    pub(super) fn of(path: &Path) -> Self {
        Self {
            journal: beside(path, "-wal"),
            pages: Some(BTreeSet::new()),
        }
    }

    /// Reads what the journal holds now.
    pub(super) fn note(&mut self) {
        match self.read() {
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

    fn read(&self) -> io::Result<BTreeSet<u32>> {
        let mut pages = BTreeSet::new();
        let mut file = match File::open(&self.journal) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(pages),
            file => file?,
        };
        let length = file.metadata()?.len();
        if length < HEADER {
            return Ok(pages);
        }
        let mut header = [0; HEADER as usize];
        file.read_exact(&mut header)?;
        let [.., a, b, c, d] = header[..PAGE_SIZE + 4] else {
            return Ok(pages);
        };
        let frame = FRAME_HEADER + u64::from(u32::from_be_bytes([a, b, c, d]));
        // Frames of before the journal began anew are told too: one page too many does no harm.
        for at in (HEADER..length).step_by(usize::try_from(frame).unwrap_or(usize::MAX)) {
            if at + frame > length {
                break;
            }
            let mut number = [0; 4];
            file.seek(SeekFrom::Start(at))?;
            file.read_exact(&mut number)?;
            pages.insert(u32::from_be_bytes(number));
        }
        Ok(pages)
    }
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
