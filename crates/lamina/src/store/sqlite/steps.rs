//! What has ended costs nothing any more: a create, a claim, a read and each look of a sweep take as many
//! steps of SQLite's machine over many finished rows of many owners as over few. Steps, because how long
//! they take depends on the machine; a statement that reads what has ended takes thousands more.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rusqlite::Connection;

use super::file::prepare;
use super::job_cache::JobCache;
use super::known_room::KnownRoom;
use super::{SqliteStore, claim, expiry, jobs, spending, stats, submissions};
use crate::access::{SpendCaps, StorageCaps};
use crate::jobs::{Change, Layer, LayerLabels, MediaType, Nonce, Phase, StepRecord};
use crate::store::conformance::{
    LEASE, T0, accepted, at, change, claim as claimed, moment, new_job, owner, wants,
};
use crate::store::{
    Call, ExpiryStore as _, FencedWrite, JobStore as _, Opening, QueueStore as _, StepOutput,
    Store as _,
};

const FEW: u32 = 200;
const MANY: u32 = 20_000;
/// Jobs that are worked on while it is measured.
const ACTIVE: u64 = 12;

/// A database with a completed job, and one that was deleted and erased.
async fn finished() -> (tempfile::TempDir, Connection, [String; 2]) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lamina.db");
    let store = SqliteStore::open(&path).unwrap();
    let (completed_job, _) = accepted(&store, T0).await;
    let job = claimed(&store, Phase::Wait, at(1)).await.unwrap();
    let settle = |phase, output, keep| {
        let step = StepRecord {
            phase: Phase::Wait,
            took: Duration::from_millis(5),
            code: None,
        };
        let change = Change {
            step: Some(step),
            ..change(phase, at(1))
        };
        store.job_apply(&job.lease, change, output, keep, moment(1))
    };
    let collecting = settle(Phase::Collect, StepOutput::None, true).await;
    assert_eq!(collecting.unwrap(), FencedWrite::Applied);
    let layer = Layer {
        order: 0,
        file: 0,
        labels: LayerLabels::default(),
        media_type: MediaType::Png,
        width: 3,
        height: 2,
        bytes: 70,
        sha256: "00".into(),
        bbox: None,
        coverage: 1.0,
        thumbhash: None,
        fidelity_bytes: None,
    };
    let completed = settle(
        Phase::Completed,
        StepOutput::Layers(vec![layer], None),
        false,
    )
    .await;
    assert_eq!(completed.unwrap(), FencedWrite::Applied);
    let (gone, _) = accepted(&store, at(2)).await;
    store.job_delete(&owner("a"), gone, at(3)).await.unwrap();
    store.job_cancelled(gone, at(3)).await.unwrap();
    store.job_erased(gone, at(3)).await.unwrap();
    store.close().await;
    let (db, _) = prepare(&path).unwrap();
    (folder, db, [completed_job.to_string(), gone.to_string()])
}

/// So many more of what is there, of many owners; jobs, their layers and their submissions.
fn multiply(db: &Connection, patterns: &[String; 2], count: u32) {
    let columns = |table: &str, own: &[(&str, &str)]| {
        let sql = format!("select name from pragma_table_info('{table}')");
        let mut names = db.prepare(&sql).unwrap();
        let names = names.query_map([], |row| row.get::<_, String>(0)).unwrap();
        let names: Vec<String> = names.map(|name| name.unwrap()).collect();
        let values: Vec<&str> = names
            .iter()
            .map(|name| {
                own.iter()
                    .find(|(own, _)| own == name)
                    .map_or(name.as_str(), |(_, value)| value)
            })
            .collect();
        (names.join(", "), values.join(", "))
    };
    db.execute_batch("drop table if exists t; create temp table t (n integer, old text, new text)")
        .unwrap();
    db.execute(
        "insert into t
         with recursive c(n) as (select 1 union all select n + 1 from c where n < ?1)
         select n, iif(n % 2, ?2, ?3),
                printf('01000000-%04x-7%03x-8000-%012x', n / 4096 % 65536, n % 4096, abs(random() % 1000000000000))
         from c",
        (count, &patterns[0], &patterns[1]),
    )
    .unwrap();
    let owner = ("owner", "'o' || (n % 1500)");
    let ended = ("ended_seq", "ended_seq + abs(random() % 1000000000000)");
    for (table, id, own) in [
        ("jobs", "id", vec![("id", "new"), owner, ended]),
        ("layers", "job_id", vec![("job_id", "new")]),
        ("steps", "job_id", vec![("job_id", "new")]),
        (
            "submissions",
            "job_id",
            vec![
                ("job_id", "new"),
                ("nonce", "lower(hex(randomblob(16)))"),
                ("request_id", "'r' || random()"),
                owner,
            ],
        ),
    ] {
        let (names, values) = columns(table, &own);
        let sql = format!(
            "insert into {table} ({names}) select {values} from t join {table} on {table}.{id} = t.old"
        );
        assert!(db.execute(&sql, []).unwrap() > 0, "{table}");
    }
}

/// Steps of each thing that is done again and again.
fn measured(db: &mut Connection, round: u32) -> Vec<(&'static str, u64)> {
    let count = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&count);
    let handler = move || {
        counted.fetch_add(1, Ordering::Relaxed);
        false
    };
    db.progress_handler(1, Some(handler)).unwrap();
    let mut steps = Vec::new();
    let mut note = |name| steps.push((name, count.swap(0, Ordering::Relaxed)));
    let now = at(100);
    let mut ids = Vec::new();
    for number in 0..ACTIVE {
        let mut job = new_job(at(50 + number));
        job.owner = owner(&format!("active-{round}-{}", number % 3));
        job.max_active = Some(100);
        ids.push((job.owner.clone(), job.id));
        let made = jobs::create(
            db,
            &job,
            None,
            StorageCaps {
                owner_bytes: Some(1 << 40),
                ..StorageCaps::default()
            },
            &KnownRoom::default(),
        );
        assert!(made.unwrap().is_ok());
    }
    note("create");
    let stage = wants(Phase::Prepare, 5);
    let taken = claim::claim(db, "w", stage, now, LEASE, &claim::Turns::default()).unwrap();
    assert_eq!(taken.len(), 5);
    note("claim");
    assert!(claim::next_due(db, now).unwrap().is_none_or(|due| due > T0));
    note("next due");
    let recent = JobCache::new();
    for (owner, id) in &ids {
        jobs::get_and_keep(db, owner, *id, &recent).unwrap();
    }
    note("read");
    for (owner, _) in &ids {
        jobs::list(db, owner, None, 20).unwrap();
    }
    note("list");
    let nonce = Nonce::random();
    let caps = SpendCaps {
        owner_microusd: Some(1 << 40),
        total_microusd: Some(1 << 40),
    };
    let opened = spending::open(
        db,
        &taken[0].lease,
        &nonce,
        &Call::at(50_000),
        caps,
        moment(100),
    );
    assert_eq!(opened.unwrap(), Opening::Opened);
    submissions::latest(db, taken[0].lease.job).unwrap();
    note("submission");
    assert!(expiry::expire(db, at(0), 100).unwrap().is_empty());
    assert!(expiry::erasable(db, 100, &[]).unwrap().is_empty());
    assert!(expiry::cancellable(db, 100, &[]).unwrap().is_empty());
    assert_eq!(expiry::forget(db, at(0), 100).unwrap(), 0);
    submissions::abandon(db, at(0), at(0), 100).unwrap();
    note("sweeps");
    stats::queue(db, now).unwrap();
    note("queue");
    for (owner, id) in &ids {
        jobs::delete(db, owner, *id, now).unwrap();
        expiry::cancelled(db, *id, now).unwrap();
        expiry::erased(db, *id, now).unwrap();
    }
    note("delete");
    db.progress_handler(0, None::<fn() -> bool>).unwrap();
    steps
}

#[tokio::test]
async fn what_has_ended_makes_nothing_slower() {
    let (_folder, mut db, patterns) = finished().await;
    multiply(&db, &patterns, FEW);
    // What is prepared once is prepared.
    measured(&mut db, 0);
    let few = measured(&mut db, 1);
    multiply(&db, &patterns, MANY);
    // What was prepared before is prepared anew, for its table has changed the schema.
    measured(&mut db, 2);
    let many = measured(&mut db, 3);
    for ((name, few), (_, many)) in few.iter().zip(&many) {
        // Nothing is asked for in this way, so no tenth of nothing is allowed either.
        assert!(
            *many <= few + few / 10,
            "{name}: {few} steps over few rows, {many} over many"
        );
        assert!(*few > 20, "{name}: the test proves nothing");
    }
}
