//! The conformance suite against SQLite, and what only a file can do wrong.

use std::sync::Arc;

use super::{OpenError, SqliteStore};
use crate::store::{Store, StoreError, conformance};

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
    assert!(matches!(full, Err(StoreError::Unavailable(_))), "{full:?}");
    // Whether the neighbour shared the failed transaction or not, it was told the truth.
    let rows: i64 = store
        .read(|db| db.query_row("select count(*) from t", [], |row| row.get(0)))
        .await
        .unwrap();
    assert_eq!(rows, if neighbour.is_ok() { 2 } else { 1 });
    limit(1_000_000).await.unwrap();
    fill(4).await.unwrap();
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
