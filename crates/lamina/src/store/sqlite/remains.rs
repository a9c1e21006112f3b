//! What is left of a row where SQLite moved it. `secure_delete` overwrites what is deleted, but when a
//! page is rearranged because a neighbour grew, the row's old bytes stay in the page's unused part,
//! between the addresses of its rows and the first of them, and no later deletion knows of them. Here that
//! part is overwritten, page by page, through SQLite itself (`sqlite_dbpage`), so that it is a write as any
//! other. No byte that belongs to a row is touched, and no page that SQLite does not use as a tree's.
//!
//! What is left stands where something was written, so each time the pages that were written since the last are
//! looked at (`changed.rs`), however large the file is. What a process before this one left, or a program beside it,
//! is found by one pass over the whole file, a slice each time.
//!
//! The layout is that of <https://www.sqlite.org/fileformat2.html#b_tree_pages>.

use std::ops::Range;
use std::sync::atomic::Ordering;

use rusqlite::{Connection, OptionalExtension as _};

use super::SqliteStore;
use crate::store::StoreError;

/// Pages that are looked at in one go, so that no read waits long: some milliseconds. So much of the pass over the
/// whole file is made each time, too: 16 MB each 15 s at most.
const SLICE: u32 = 4096;
/// Pages that are overwritten in one transaction, so that no write waits long.
const OVERWRITTEN: usize = 256;
/// What stands before the first page's own header.
const FILE_HEADER: usize = 100;
/// A page that continues a row begins with the number of the next; below this number it cannot be taken
/// for a tree's. It is reached at 128 GiB.
const MOST_PAGES: u32 = 1 << 25;
/// Where the pass over the whole file stands when it is over.
pub(super) const PASSED: u32 = MOST_PAGES;

impl SqliteStore {
    /// Empties the journal and overwrites what is left of rows in the file; false when a reader was in
    /// the way.
    pub(super) async fn empty_journal_and_remains(&self) -> Result<bool, StoreError> {
        let threads = self.threads()?;
        // Only what the journal does not hold any more can be gone from both.
        Ok(threads.writer.empty_journal().await?
            && (!self.overwrite_remains().await? || threads.writer.empty_journal().await?))
    }

    /// True where anything was left.
    async fn overwrite_remains(&self) -> Result<bool, StoreError> {
        // Taken first: the file may grow meanwhile, and the pages by which it did are told once.
        let changed = self.threads()?.changed.lock().take();
        let count = self.read(pages).await;
        // What was taken and not looked at is found by another pass.
        if changed.is_none() || count.is_err() {
            self.pass.store(1, Ordering::Release);
        }
        let count = count?;
        let from = self.pass.load(Ordering::Acquire);
        let until = from.saturating_add(SLICE);
        let mut wanted = changed.unwrap_or_default();
        wanted.extend(from..until);
        let wanted: Vec<u32> = wanted.range(1..=count).copied().collect();
        let mut any = false;
        for slice in wanted.chunks(SLICE as usize) {
            let slice = slice.to_vec();
            let found = self.read(move |db| littered(db, &slice)).await;
            let found = found.inspect_err(|_| self.pass.store(1, Ordering::Release))?;
            for pages in found.chunks(OVERWRITTEN) {
                any = true;
                let pages = pages.to_vec();
                let done = self.write(move |db| overwrite(db, &pages)).await;
                done.inspect_err(|_| self.pass.store(1, Ordering::Release))?;
            }
        }
        let next = if until > count { PASSED } else { until };
        // Unless it was told to begin again meanwhile.
        let _ = self
            .pass
            .compare_exchange(from, next, Ordering::AcqRel, Ordering::Acquire);
        Ok(any)
    }
}

/// How many pages there are that can be looked at; none of a file that is kept another way.
fn pages(db: &Connection) -> rusqlite::Result<u32> {
    let asked = |sql: &str| db.query_row(sql, [], |row| row.get::<_, u32>(0));
    // A build without `.cargo/config.toml` does without.
    let able = asked("select sqlite_compileoption_used('ENABLE_DBPAGE_VTAB')")? == 1;
    // With auto-vacuum there are pages of another kind.
    let plain = asked("pragma auto_vacuum")? == 0;
    let count = asked("pragma page_count")?;
    let usable = able && plain && count < MOST_PAGES;
    Ok(if usable { count } else { 0 })
}

/// Those of these pages whose unused part holds something.
fn littered(db: &Connection, pages: &[u32]) -> rusqlite::Result<Vec<u32>> {
    let mut page = db.prepare_cached("select data from sqlite_dbpage where pgno = ?1")?;
    let mut found = Vec::new();
    for number in pages {
        let is_littered = page.query_row([number], |row| {
            let data = row.get_ref(0)?.as_blob().unwrap_or_default();
            Ok(unused(data, *number == 1)
                .is_some_and(|part| data[part].iter().any(|byte| *byte != 0)))
        });
        if is_littered.optional()? == Some(true) {
            found.push(*number);
        }
    }
    Ok(found)
}

/// Overwrites the unused part of these pages as they are now.
fn overwrite(db: &Connection, pages: &[u32]) -> rusqlite::Result<()> {
    let mut read = db.prepare_cached("select data from sqlite_dbpage where pgno = ?1")?;
    let mut write = db.prepare_cached("update sqlite_dbpage set data = ?2 where pgno = ?1")?;
    for number in pages {
        let data = read.query_row([number], |row| row.get::<_, Vec<u8>>(0));
        let Some(mut data) = data.optional()? else {
            continue;
        };
        if let Some(part) = unused(&data, *number == 1) {
            data[part].fill(0);
            write.execute((number, data))?;
        }
    }
    Ok(())
}

/// The part of a tree's page that belongs to no row.
fn unused(page: &[u8], is_first: bool) -> Option<Range<usize>> {
    let head = if is_first { FILE_HEADER } else { 0 };
    let header = match page.get(head)? {
        2 | 5 => 12,
        10 | 13 => 8,
        _ => return None,
    };
    let number = |at: usize| {
        let bytes = page.get(head + at..head + at + 2)?;
        Some(usize::from(u16::from_be_bytes([bytes[0], bytes[1]])))
    };
    let from = head + header + 2 * number(3)?;
    let to = match number(5)? {
        0 => 65_536,
        to => to,
    };
    (from < to && to <= page.len()).then_some(from..to)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::DeploymentStore as _;
    use crate::store::Store as _;

    /// Rows that grow, shrink and go, as those of jobs do, beside each other in pages.
    fn used(db: &Connection) {
        db.execute_batch(
            "pragma secure_delete = on;
            create table t (id integer primary key, word text, more text);
            create index by_more on t (more)",
        )
        .unwrap();
        let mut chance = 7_u32;
        let mut next = || {
            chance = chance.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (chance >> 16) as usize
        };
        for id in 0..1_500_usize {
            let word = format!(
                "SECRET{id:06}{}",
                "x".repeat([5, 60, 400, 1500, 6000][next() % 5])
            );
            db.execute("insert into t values (?1, ?2, '')", (id, word))
                .unwrap();
            let other = next() % (id + 1);
            let more = "y".repeat([20, 200][next() % 2]);
            db.execute("update t set more = ?2 where id = ?1", (other, more))
                .unwrap();
            if next() % 3 == 0 {
                db.execute(
                    "update t set word = null, more = null where id = ?1",
                    [other],
                )
                .unwrap();
            }
        }
    }

    fn secrets(path: &std::path::Path) -> usize {
        let bytes = std::fs::read(path).unwrap();
        bytes
            .windows(6)
            .filter(|window| window == b"SECRET")
            .count()
    }

    #[test]
    fn nothing_of_a_row_is_left_and_nothing_of_another_is_lost() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        let db = Connection::open(&path).unwrap();
        used(&db);
        let all = |db: &Connection| {
            let mut rows = db
                .prepare("select id, word, more from t order by id")
                .unwrap();
            let rows = rows.query_map([], |row| {
                Ok((
                    row.get::<_, i64>(0)?,
                    row.get::<_, Option<String>>(1)?,
                    row.get::<_, Option<String>>(2)?,
                ))
            });
            rows.unwrap().map(|row| row.unwrap()).collect::<Vec<_>>()
        };
        let living = |db: &Connection| {
            let count = "select count(*) from t where word is not null";
            db.query_row(count, [], |row| row.get::<_, usize>(0))
                .unwrap()
        };
        let before = all(&db);
        assert!(secrets(&path) > living(&db), "the test proves nothing");
        let clean = |db: &Connection| {
            let count = pages(db).unwrap();
            assert!(count > SLICE / 8);
            let all: Vec<u32> = (1..=count).collect();
            overwrite(db, &littered(db, &all).unwrap()).unwrap();
        };
        clean(&db);
        assert_eq!(secrets(&path), living(&db));
        assert_eq!(all(&db), before);
        // Used on, it stays whole.
        db.execute("update t set word = 'SECRET' where id % 7 = 0", [])
            .unwrap();
        db.execute("delete from t where id % 5 = 0", []).unwrap();
        db.execute("update t set word = null, more = null", [])
            .unwrap();
        clean(&db);
        assert_eq!(secrets(&path), 0);
        let sound: String = db
            .query_row("pragma integrity_check", [], |row| row.get(0))
            .unwrap();
        assert_eq!(sound, "ok");
    }

    #[tokio::test]
    async fn what_was_written_is_looked_at_wherever_it_stands_in_a_large_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        let store = SqliteStore::open(&path).unwrap();
        let large = i64::from(SLICE) * 4096 + (4 << 20);
        store
            .write(move |db| {
                db.execute_batch("create table large (bytes)")?;
                db.execute("insert into large values (zeroblob(?1))", [large])
            })
            .await
            .unwrap();
        // The pass over the whole file, a slice each time.
        let mut rounds = 0;
        while store.pass.load(Ordering::Acquire) < PASSED {
            assert!(store.journal_empty().await.unwrap());
            rounds += 1;
        }
        assert_eq!(rounds, 2);
        store
            .forget(None, |db| {
                used(db);
                Ok(())
            })
            .await
            .unwrap();
        assert!(store.journal_empty().await.unwrap());
        let living = store.read(|db| {
            let count = "select count(*) from t where word is not null";
            db.query_row(count, [], |row| row.get::<_, usize>(0))
        });
        assert_eq!(secrets(&path), living.await.unwrap());
        store.close().await;
    }

    #[test]
    fn only_trees_have_an_unused_part() {
        let leaf = |count: u16, first: u16| {
            let mut page = vec![0; 512];
            page[0] = 13;
            page[3..5].copy_from_slice(&count.to_be_bytes());
            page[5..7].copy_from_slice(&first.to_be_bytes());
            page
        };
        assert_eq!(unused(&leaf(2, 500), false), Some(12..500));
        // Nothing is unused, or what is said makes no sense.
        assert_eq!(unused(&leaf(2, 12), false), None);
        assert_eq!(unused(&leaf(2, 513), false), None);
        assert_eq!(unused(&leaf(2, 0), false), None);
        assert_eq!(unused(&leaf(65_535, 500), false), None);
        for other in [vec![], vec![13], vec![0; 512], vec![1; 512]] {
            assert_eq!(unused(&other, false), None);
        }
        let mut first = vec![0; 512];
        first[100..107].copy_from_slice(&[5, 0, 0, 0, 1, 1, 0]);
        assert_eq!(unused(&first, true), Some(114..256));
    }
}
