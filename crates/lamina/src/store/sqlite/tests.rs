//! The conformance suite against SQLite, and what only a file can do wrong.

use std::sync::Arc;

use super::{OpenError, SqliteStore};
use crate::jobs::{JobId, UnixMs};
use crate::store::{DeploymentStore as _, JobStore as _, NewJob, Store, StoreError, conformance};

fn fresh() -> (tempfile::TempDir, Arc<SqliteStore>) {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&folder.path().join("new/lamina.db")).unwrap();
    (folder, Arc::new(store))
}

macro_rules! run_against_sqlite {
    ($($case:ident,)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $case() {
            let (_folder, store) = fresh();
            conformance::$case(store).await;
        }
    )*};
}
conformance::for_each_case!(run_against_sqlite);

#[tokio::test]
async fn a_second_owner_is_refused_until_the_first_has_closed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lamina.db");
    let first = SqliteStore::open(&path).unwrap();
    assert!(matches!(
        SqliteStore::open(&path),
        Err(OpenError::OwnedByAnother { .. })
    ));
    first.close().await;
    SqliteStore::open(&path).unwrap();
}

#[test]
fn a_file_that_is_no_database_is_refused_with_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lamina.db");
    std::fs::write(&path, vec![7; 4096]).unwrap();
    assert!(SqliteStore::open(&path).is_err());
    assert!(SqliteStore::open(folder.path()).is_err());
}

#[test]
fn migrating_twice_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lamina.db");
    assert_eq!(SqliteStore::migrate(&path).unwrap(), super::NEWEST_SCHEMA);
    assert_eq!(SqliteStore::migrate(&path).unwrap(), 0);
}

#[tokio::test]
async fn one_failed_write_does_not_undo_its_neighbours() {
    let (_folder, store) = fresh();
    let insert = |key: i64| {
        let store = Arc::clone(&store);
        async move {
            store
                .write(move |db| {
                    db.execute("create table if not exists t (k integer primary key)", [])?;
                    db.execute("insert into t values (?1)", [key])
                })
                .await
        }
    };
    let panics = store.write(|_| -> rusqlite::Result<()> { panic!("a write that panics") });
    let (first, twice, panicked, second) = tokio::join!(insert(1), insert(1), panics, insert(2));
    first.unwrap();
    second.unwrap();
    assert!(matches!(twice, Err(StoreError::Defect(_))), "{twice:?}");
    assert!(
        matches!(panicked, Err(StoreError::Defect(_))),
        "{panicked:?}"
    );
    let count: i64 = store
        .read(|db| db.query_row("select count(*) from t", [], |row| row.get(0)))
        .await
        .unwrap();
    assert_eq!(count, 2);
}

/// Begins a write that holds the writer up until the sender is used, so that what is asked for meanwhile is one group.
fn held_up(store: &Arc<SqliteStore>) -> (std::sync::mpsc::Sender<()>, impl Future<Output = ()>) {
    let (release, released) = std::sync::mpsc::channel();
    let (begun, has_begun) = tokio::sync::oneshot::channel();
    let (store, begun) = (Arc::clone(store), std::cell::Cell::new(Some(begun)));
    tokio::spawn(async move {
        let hold = store.write(move |_| {
            if let Some(begun) = begun.take() {
                begun.send(()).unwrap();
            }
            released.recv().unwrap();
            Ok(())
        });
        hold.await.unwrap();
    });
    (release, async { has_begun.await.unwrap() })
}

#[tokio::test]
async fn a_group_with_a_failed_write_is_written_once() {
    let (_folder, store) = fresh();
    store
        .write(|db| db.execute_batch("create table t (n); insert into t values (0)"))
        .await
        .unwrap();
    let add = |number: i64| {
        let store = Arc::clone(&store);
        let work = move |db: &rusqlite::Connection| {
            db.query_row("update t set n = n + ?1 returning n", [number], |row| {
                row.get::<_, i64>(0)
            })
        };
        async move { store.write(work).await }
    };
    // What it did before it fails must go.
    let fails = store.write(|db| {
        db.execute("update t set n = n + 1000", [])?;
        db.execute("insert into no_table values (1)", [])
    });
    let panics = store.write(|db| -> rusqlite::Result<()> {
        db.execute("update t set n = n + 1000", [])?;
        panic!("a write that panics")
    });
    let (release, held) = held_up(&store);
    held.await;
    let release = async { release.send(()).unwrap() };
    let (first, failed, second, panicked, third, ()) =
        tokio::join!(add(1), fails, add(10), panics, add(100), release);
    let sums = [first, second, third].map(|sum| sum.unwrap());
    assert_eq!(sums, [1, 11, 111]);
    assert!(matches!(failed, Err(StoreError::Defect(_))), "{failed:?}");
    assert!(
        matches!(panicked, Err(StoreError::Defect(_))),
        "{panicked:?}"
    );
    assert_eq!(add(0).await.unwrap(), 111);
}

#[tokio::test]
async fn a_write_that_fails_alone_leaves_nothing() {
    let (_folder, store) = fresh();
    store
        .write(|db| db.execute_batch("create table t (n integer primary key)"))
        .await
        .unwrap();
    let failed = store
        .write(|db| {
            db.execute("insert into t values (1)", [])?;
            db.execute("insert into t values (1)", [])
        })
        .await;
    assert!(matches!(failed, Err(StoreError::Defect(_))), "{failed:?}");
    let count = |db: &rusqlite::Connection| {
        db.query_row("select count(*) from t", [], |row| row.get::<_, i64>(0))
    };
    assert_eq!(store.write(count).await.unwrap(), 0);
}

#[tokio::test]
async fn a_create_that_fails_counts_for_nothing() {
    let (_folder, store) = fresh();
    let job = |id| {
        let source_bytes = Some(bytes::Bytes::from_static(b"a picture"));
        let job = conformance::new_job(conformance::T0);
        NewJob {
            id,
            source_bytes,
            ..job
        }
    };
    let ids = [1, 2].map(|at| JobId::new(UnixMs(at)));
    store.job_create(job(ids[0]), None).await.unwrap();
    let kept = |db: &rusqlite::Connection| {
        db.query_row("select sum(bytes) from kept_total", [], |row| {
            row.get::<_, i64>(0)
        })
    };
    let of_one = store.read(kept).await.unwrap();
    assert!(of_one > 0);
    let (release, held) = held_up(&store);
    held.await;
    let release = async { release.send(()).unwrap() };
    let (again, other, ()) = tokio::join!(
        store.job_create(job(ids[0]), None),
        store.job_create(job(ids[1]), None),
        release
    );
    assert!(matches!(again, Err(StoreError::Defect(_))), "{again:?}");
    other.unwrap();
    assert_eq!(store.read(kept).await.unwrap(), 2 * of_one);
}

#[tokio::test]
async fn a_full_disk_is_said_and_passes_when_there_is_room() {
    let (_folder, store) = fresh();
    let fill = |megabytes: usize| {
        store.write(move |db| {
            db.execute("create table if not exists t (x blob)", [])?;
            db.execute("insert into t values (zeroblob(?1))", [megabytes << 20])
        })
    };
    fill(0).await.unwrap();
    let limit = |pages: u32| {
        store.write(move |db| {
            db.query_row(&format!("pragma max_page_count = {pages}"), [], |_| Ok(()))
        })
    };
    limit(64).await.unwrap();
    let (full, neighbour) = tokio::join!(fill(4), fill(0));
    assert!(matches!(full, Err(StoreError::Full(_))), "{full:?}");
    // Whether the neighbour shared the failed transaction or not, it was told the truth.
    let rows: i64 = store
        .read(|db| db.query_row("select count(*) from t", [], |row| row.get(0)))
        .await
        .unwrap();
    assert_eq!(rows, if neighbour.is_ok() { 2 } else { 1 });
    limit(1_000_000).await.unwrap();
    fill(4).await.unwrap();
}

#[tokio::test]
async fn a_statement_is_prepared_once_whatever_it_is_run_with() {
    let (_folder, store) = fresh();
    let prepared = |db: &rusqlite::Connection| {
        let mut due =
            db.prepare("select id from jobs where stage = ?1 and run_at <= ?2 limit ?3")?;
        for limit in 1..9 {
            due.query_map(("submit", 7, limit), |_| Ok(()))?
                .for_each(drop);
        }
        Ok(due.get_status(rusqlite::StatementStatus::RePrepare))
    };
    assert_eq!(store.read(prepared).await.unwrap(), 0);
    assert_eq!(store.write(prepared).await.unwrap(), 0);
}

#[cfg(unix)]
#[test]
fn the_database_file_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let (folder, _store) = fresh();
    let mode = std::fs::metadata(folder.path().join("new/lamina.db"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
}

/// The database and what lies beside it, by name.
fn beside(folder: &std::path::Path) -> Vec<String> {
    let names = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = names
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("lamina.db"))
        .collect();
    names.sort_unstable();
    names
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_database_has_one_owner_under_all_its_names() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lamina.db");
    let first = SqliteStore::open(&path).unwrap();
    let (link, hard) = (folder.path().join("link.db"), folder.path().join("hard.db"));
    std::os::unix::fs::symlink("lamina.db", &link).unwrap();
    std::fs::hard_link(&path, &hard).unwrap();
    let folders = folder.path().join("folders");
    std::os::unix::fs::symlink(folder.path(), &folders).unwrap();
    let names = [link.clone(), hard, folders.join("lamina.db")];
    let refused = |name: &std::path::PathBuf| {
        for opened in [
            SqliteStore::open(name).map(drop),
            SqliteStore::migrate(name).map(drop),
            super::Replacement::begin(name).map(drop),
        ] {
            assert!(
                matches!(opened, Err(OpenError::OwnedByAnother { .. })),
                "{name:?}: {opened:?}"
            );
        }
    };
    names.iter().for_each(refused);
    std::fs::remove_file(folder.path().join("lamina.db.lock")).unwrap();
    names.iter().chain([&path]).for_each(refused);
    first.close().await;
    for name in names.iter().chain([&path]) {
        SqliteStore::open(name).unwrap();
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_link_to_a_database_that_is_still_to_be_made_is_the_database() {
    let folder = tempfile::tempdir().unwrap();
    let (path, link) = (
        folder.path().join("lamina.db"),
        folder.path().join("link.db"),
    );
    std::os::unix::fs::symlink("lamina.db", &link).unwrap();
    let first = SqliteStore::open(&link).unwrap();
    assert!(SqliteStore::open(&path).is_err());
    first.close().await;
    assert!(path.exists() && folder.path().join("lamina.db.lock").exists());
}

#[tokio::test]
async fn whatever_way_a_store_ends_its_file_is_whole() {
    for orderly in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lamina.db");
        let store = SqliteStore::open(&path).unwrap();
        store
            .write(|db| db.execute_batch("create table t (k)"))
            .await
            .unwrap();
        // Every reader has its connection in use.
        let reads = (0..30).map(|_| {
            store.read(|db| db.query_row("select count(*) from t", [], |row| row.get::<_, i64>(0)))
        });
        for read in futures_util::future::join_all(reads).await {
            assert_eq!(read.unwrap(), 0);
        }
        if orderly {
            store.close().await;
        }
        drop(store);
        let copy = folder.path().join("copy.db");
        std::fs::copy(&path, &copy).unwrap();
        let copy = rusqlite::Connection::open(&copy).unwrap();
        copy.query_row("select count(*) from t", [], |_| Ok(()))
            .unwrap();
        let left = beside(folder.path());
        let left = left.iter().filter(|name| !name.ends_with(".reserve"));
        assert_eq!(left.collect::<Vec<_>>(), ["lamina.db", "lamina.db.lock"]);
    }
}

#[tokio::test]
async fn words_of_a_job_that_is_gone_are_in_no_file_once_the_journal_is_empty() {
    let (folder, store) = fresh();
    let folder = folder.path().join("new");
    let stands = |word: &str| {
        let files = beside(&folder).into_iter();
        let bytes = files.map(|name| std::fs::read(folder.join(name)).unwrap());
        let mut found = bytes.filter(|bytes| {
            bytes
                .windows(word.len())
                .any(|window| window == word.as_bytes())
        });
        found.next().is_some()
    };
    store
        .write(|db| {
            db.execute_batch("create table t (k integer primary key, word)")?;
            db.execute("insert into t values (1, 'SECRETWORD')", [])
        })
        .await
        .unwrap();
    store.journal_empty().await.unwrap();
    assert!(stands("SECRETWORD"), "the test proves nothing");
    store
        .forget(None, |db| db.execute("update t set word = ''", []))
        .await
        .unwrap();
    assert!(stands("SECRETWORD"), "the test proves nothing");
    // A reader in the way is told, and asked again.
    let other = rusqlite::Connection::open(folder.join("lamina.db")).unwrap();
    other.execute_batch("begin").unwrap();
    other
        .query_row("select count(*) from t", [], |_| Ok(()))
        .unwrap();
    store
        .forget(None, |db| db.execute("insert into t values (2, '')", []))
        .await
        .unwrap();
    assert!(!store.journal_empty().await.unwrap());
    other.execute_batch("commit").unwrap();
    assert!(store.journal_empty().await.unwrap());
    assert!(!stands("SECRETWORD"));
}

#[tokio::test]
async fn a_source_of_a_job_that_is_gone_is_in_no_file_once_the_journal_is_empty() {
    let (folder, store) = fresh();
    let folder = folder.path().join("new");
    // Of several pages, and known by a word in each.
    let picture = bytes::Bytes::from("PIXELSECRET ".repeat(4_000));
    let stands = || {
        let files = beside(&folder).into_iter();
        let read = files.map(|name| std::fs::read(folder.join(name)).unwrap());
        let word = b"PIXELSECRET";
        let found = read.map(|bytes| bytes.windows(word.len()).filter(|at| at == word).count());
        found.sum::<usize>()
    };
    let mut job = conformance::new_job(conformance::T0);
    job.source_bytes = Some(picture.clone());
    let (id, owner) = (job.id, job.owner.clone());
    store.job_create(job, None).await.unwrap();
    store.journal_empty().await.unwrap();
    assert!(stands() > 3_900, "the test proves nothing");
    assert_eq!(store.source_bytes(id).await.unwrap(), Some(picture));
    let now = conformance::at(5);
    store.job_delete(&owner, id, now).await.unwrap();
    assert!(store.journal_empty().await.unwrap());
    assert_eq!(stands(), 0);
}

#[tokio::test]
async fn a_file_that_was_emptied_is_not_taken_for_a_new_database() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lamina.db");
    // Nothing was here yet: an empty file is as good as none.
    std::fs::write(&path, "").unwrap();
    let store = SqliteStore::open(&path).unwrap();
    let id = store.deployment().await.unwrap().id;
    store.close().await;
    std::fs::write(&path, "").unwrap();
    for refused in [
        SqliteStore::open(&path).map(drop),
        SqliteStore::migrate(&path).map(drop),
    ] {
        match refused {
            Err(OpenError::Emptied { deployment, .. }) => assert_eq!(deployment, id),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(path.metadata().unwrap().len(), 0);
    std::fs::remove_file(&path).unwrap();
    let anew = SqliteStore::open(&path).unwrap();
    let anew = anew.deployment().await.unwrap();
    assert_ne!(anew.id, id);
}

/// A database of some pages, closed.
async fn filled(path: &std::path::Path) {
    let store = SqliteStore::open(path).unwrap();
    store
        .write(|db| {
            db.execute_batch("create table t (k integer primary key, x)")?;
            for _ in 0..200 {
                db.execute("insert into t (x) values (hex(randomblob(500)))", [])?;
            }
            Ok(())
        })
        .await
        .unwrap();
    store.close().await;
}

#[tokio::test]
async fn a_damaged_or_truncated_database_refuses_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lamina.db");
    filled(&path).await;
    let whole = std::fs::read(&path).unwrap();
    let middle = whole.len() / 2 / 4096 * 4096;
    let mut overwritten = whole.clone();
    overwritten[middle..middle + 8192].fill(0xa5);
    let mut no_header = whole.clone();
    no_header[..100].fill(0);
    for (how, bytes) in [
        ("cut in half", &whole[..middle]),
        ("cut in the first page", &whole[..1000]),
        ("cut to some bytes", &whole[..10]),
        ("pages overwritten", &overwritten),
        ("no header", &no_header),
    ] {
        std::fs::write(&path, bytes).unwrap();
        let opened = SqliteStore::open(&path);
        assert!(
            matches!(opened, Err(OpenError::Damaged { .. })),
            "{how}: {opened:?}"
        );
    }
    std::fs::write(&path, &whole).unwrap();
    SqliteStore::open(&path).unwrap();
}

#[tokio::test]
async fn a_database_that_is_damaged_or_replaced_while_it_serves_is_not_ready_any_more() {
    let (folder, store) = fresh();
    store.ping().await.unwrap();
    // What SQLite says of a damaged page, whichever statement meets it.
    let corrupt = || {
        let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
        rusqlite::Error::SqliteFailure(code, None)
    };
    let met = store.read(move |_| Err::<(), _>(corrupt())).await;
    assert!(matches!(met, Err(StoreError::Damaged(_))), "{met:?}");
    assert!(!met.unwrap_err().is_temporary());
    let ready = store.ping().await;
    assert!(matches!(ready, Err(StoreError::Damaged(_))), "{ready:?}");

    let (other_folder, store) = fresh();
    let path = other_folder.path().join("new/lamina.db");
    std::fs::rename(&path, other_folder.path().join("aside")).unwrap();
    assert!(matches!(store.ping().await, Err(StoreError::Damaged(_))));
    std::fs::copy(other_folder.path().join("aside"), &path).unwrap();
    assert!(matches!(store.ping().await, Err(StoreError::Damaged(_))));
    drop((folder, store));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_who_read_a_job_that_was_written_cost_one_read() {
    let folder = tempfile::tempdir().unwrap();
    let metrics = crate::metrics::Metrics::new();
    let path = folder.path().join("lamina.db");
    let store = SqliteStore::open_measured(&path, metrics.database.clone()).unwrap();
    let job = conformance::new_job(conformance::T0);
    let (id, owner) = (job.id, job.owner.clone());
    store.job_create(job, None).await.unwrap();
    store.job_get(&owner, id).await.unwrap();
    let write = |db: &rusqlite::Connection| db.execute("update jobs set run_at = run_at", []);
    assert_eq!(store.write(write).await.unwrap(), 1);
    let reads = || {
        let text = metrics.text();
        let name = "lamina_database_read_duration_seconds_count ";
        let count = text.lines().find_map(|line| line.strip_prefix(name));
        count.expect("a count").parse::<u64>().unwrap()
    };
    let before = reads();
    let all = (0..50).map(|_| store.job_get(&owner, id));
    for found in futures_util::future::join_all(all).await {
        assert!(matches!(found.unwrap(), crate::store::Lookup::Found(_)));
    }
    assert_eq!(reads() - before, 1);
}
