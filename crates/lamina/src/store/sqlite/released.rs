//! Databases of past releases open, and say what they said. One file for each released schema, see
//! `migrations/README.md`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;

use super::{NEWEST_SCHEMA, OpenError, SqliteStore};
use crate::jobs::{JobId, NumLayers, OwnerId, Phase, RequestId, Stage, UnixMs, UploadId};
use crate::store::{
    Created, ExpiryStore as _, Gone, IdempotencyKey, JobStore as _, Lookup, QueueStore as _, Store,
    StoredSource, SubmissionState, SubmissionStore as _, UploadStore as _, Want,
};

/// When the fixtures' jobs were made.
const T0: UnixMs = UnixMs(1_795_356_717_000);
/// The number of the last schema with a fixture: every schema that was released has one.
const RELEASED: usize = 1;

fn fixture(schema: usize) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/fixtures");
    folder.join(format!("{schema:04}.sql"))
}

fn database(folder: &Path, schema: usize) -> PathBuf {
    let path = folder.join("lamina.db");
    let sql = std::fs::read_to_string(fixture(schema)).unwrap();
    let database = Connection::open(&path).unwrap();
    database.execute_batch(&sql).unwrap();
    let version: usize = database
        .query_row("select user_version from pragma_user_version", [], |row| {
            row.get(0)
        })
        .unwrap();
    assert_eq!(version, schema);
    path
}

fn job(number: u32) -> JobId {
    format!("019a0000-0000-7000-8000-{number:012}")
        .parse()
        .unwrap()
}

#[tokio::test]
async fn the_schema_of_every_release_opens_and_its_jobs_are_right() {
    for schema in 1..=RELEASED {
        let folder = tempfile::tempdir().unwrap();
        let path = database(folder.path(), schema);
        assert_eq!(SqliteStore::migrate(&path).unwrap(), NEWEST_SCHEMA - schema);
        let store = SqliteStore::open(&path).unwrap();
        as_the_edge_sees_them(&store).await;
        as_the_worker_sees_them(&store).await;
        store.close().await;
    }
}

async fn as_the_edge_sees_them(store: &SqliteStore) {
    let owner = OwnerId::named("app");
    let phases = [
        Phase::Prepare,
        Phase::Submit,
        Phase::Wait,
        Phase::Collect,
        Phase::Completed,
        Phase::Failed,
    ];
    for (number, phase) in (1..).zip(phases) {
        let Lookup::Found(found) = store.job_get(&owner, job(number)).await.unwrap() else {
            panic!("{phase} is not found");
        };
        assert_eq!(found.phase, phase);
        assert_eq!((found.created_at, found.source.is_some()), (T0, number > 1));
        if number % 2 == 1 {
            assert_eq!(found.params.seed, Some(u64::MAX));
            assert_eq!(found.params.num_layers, Some(NumLayers::Count(3)));
        } else {
            assert_eq!(found.params.num_layers, Some(NumLayers::Auto));
        }
        let failed = found.failure.as_ref().map(|failure| failure.code.as_ref());
        assert_eq!(failed, (phase == Phase::Failed).then_some("engine_failed"));
        assert_eq!(
            found.layers.len(),
            2 * usize::from(phase == Phase::Completed)
        );
        if let Some(cup) = found.layers.get(1) {
            assert_eq!(
                (cup.labels.name.as_deref(), cup.bytes, cup.sha256.len()),
                (Some("cup"), 20_001, 64)
            );
            assert_eq!(cup.bbox.map(|bbox| (bbox.x, bbox.width)), Some((10, 300)));
        }
    }
    for (number, gone) in [(7, Gone::Deleted), (8, Gone::Expired)] {
        let found = store.job_get(&owner, job(number)).await.unwrap();
        assert!(
            matches!(found, Lookup::Gone(how) if how == gone),
            "{found:?}"
        );
    }
    let listed = store.job_list(&owner, None, 100).await.unwrap();
    assert_eq!(listed.len(), phases.len());
    let key = IdempotencyKey {
        key: "key-1".into(),
        body_sha256: std::array::from_fn(|index| u8::try_from(index).unwrap()),
    };
    let known = store.job_by_key(&owner, &key).await.unwrap();
    assert!(matches!(known, Some(Created::Existing { id, .. }) if id == job(1)));
    let upload: UploadId = "019a0000-0000-7000-9000-000000000001".parse().unwrap();
    let upload = store.upload_get(&owner, upload, T0).await.unwrap();
    assert!(upload.is_some());
}

async fn as_the_worker_sees_them(store: &SqliteStore) {
    let later = T0.plus(Duration::from_secs(3600));
    store.lease_end_all_others("test", &[], T0).await.unwrap();
    let wants = Stage::ALL.map(|stage| Want::any(stage, 10)).to_vec();
    let lease = Duration::from_secs(60);
    let mut claimed = store.job_claim("test", wants, later, lease).await.unwrap();
    claimed.sort_by_key(|job| job.lease.job.to_string());
    let ids: Vec<JobId> = claimed.iter().map(|job| job.lease.job).collect();
    assert_eq!(ids, (1..=4).map(job).collect::<Vec<_>>());
    assert!(matches!(claimed[0].source, StoredSource::Url(_)));
    let submission_of = |index: usize| {
        let submission = claimed[index].submission.as_ref();
        submission.map(|found| (found.state, found.request.clone()))
    };
    let request = |id: &str| Some(RequestId(id.to_owned()));
    assert_eq!(submission_of(0), None);
    assert_eq!(submission_of(1), Some((SubmissionState::Open, None)));
    assert_eq!(
        submission_of(2),
        Some((SubmissionState::Accepted, request("req-3")))
    );
    assert_eq!(
        submission_of(3),
        Some((SubmissionState::Accepted, request("req-4b")))
    );
    assert_eq!(claimed[3].runs, 2);
    assert_eq!(store.submission_unknown_count().await.unwrap(), 1);
    let erasable = store.job_erasable(10, &[]).await.unwrap();
    assert_eq!(erasable, [job(7)]);
}

#[test]
fn a_file_of_a_newer_lamina_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = database(folder.path(), RELEASED);
    let newer = Connection::open(&path).unwrap();
    newer.pragma_update(None, "journal_mode", "wal").unwrap();
    newer
        .pragma_update(None, "user_version", NEWEST_SCHEMA + 1)
        .unwrap();
    drop(newer);
    let before = std::fs::read(&path).unwrap();
    for refused in [
        SqliteStore::open(&path).map(|_| ()),
        SqliteStore::migrate(&path).map(|_| ()),
    ] {
        let error = refused.unwrap_err();
        assert!(matches!(error, OpenError::TooNew { .. }), "{error}");
        let text = error.to_string();
        assert!(text.contains("start a newer lamina"), "{text}");
        assert!(text.contains(&(NEWEST_SCHEMA + 1).to_string()), "{text}");
    }
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[test]
fn an_engine_of_any_word_fits_the_schema_and_old_calls_know_whether_they_are_repeatable() {
    for schema in 1..=RELEASED {
        let folder = tempfile::tempdir().unwrap();
        let path = database(folder.path(), schema);
        SqliteStore::migrate(&path).unwrap();
        let database = Connection::open(&path).unwrap();
        let one = |sql: &str| -> i64 { database.query_row(sql, [], |row| row.get(0)).unwrap() };
        let wrong = "select count(*) from submissions where repeatable <> (engine = 'local')";
        assert_eq!(one(wrong), 0);
        let jobs = one("select count(*) from jobs");
        let changed = database.execute("update jobs set engine = 'another'", []);
        assert_eq!(i64::try_from(changed.unwrap()).unwrap(), jobs);
        // The other checks of the table still hold, and the file is whole.
        assert!(database.execute("update jobs set phase = 'x'", []).is_err());
        let intact: String = database
            .query_row("pragma integrity_check", [], |row| row.get(0))
            .unwrap();
        assert_eq!(intact, "ok");
    }
}
