//! Backups of a database with jobs in every phase and of the pictures they need, put back at other
//! times, into other places and from files that are not what they were.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use aws_lc_rs::digest;
use bytes::Bytes;
use rusqlite::Connection;
use secrecy::ExposeSecret as _;
use tempfile::TempDir;

use super::*;
use crate::blobs::{BlobKey, Blobs};
use crate::jobs::{EngineKind, JobId, MediaType, OwnerId, Phase, UnixMs, UploadId};
use crate::secret;
use crate::store::sqlite::{OpenError, SqliteStore};
use crate::store::{
    ExpiryStore as _, Gone, JobStore as _, Lookup, Store as _, SubmissionStore as _,
};

const FIXTURE: &str = include_str!("../../migrations/fixtures/0001.sql");
/// When the fixture's jobs were made; they live for a day.
const T0: UnixMs = UnixMs(1_795_356_717_000);

fn job(number: u32) -> JobId {
    let id = format!("019a0000-0000-7000-8000-{number:012}");
    id.parse().unwrap()
}

fn upload() -> UploadId {
    "019a0000-0000-7000-9000-000000000001".parse().unwrap()
}

fn source(number: u32) -> BlobKey {
    BlobKey::Source(job(number), MediaType::Png)
}

fn layer(number: u32, order: u32) -> BlobKey {
    BlobKey::Layer(job(number), order, MediaType::Png)
}

fn picture(key: &BlobKey) -> Bytes {
    format!("the bytes of {key}").repeat(50).into()
}

/// What a backup of the fixture has to hold.
fn wanted() -> Vec<BlobKey> {
    let sources = (2..=6).map(source);
    let rest = [
        layer(5, 0),
        layer(5, 1),
        BlobKey::Upload(upload(), MediaType::Jpeg),
    ];
    sources.chain(rest).collect()
}

/// One deployment's data.
struct Data {
    folder: TempDir,
    blobs: Blobs,
}

impl Data {
    fn empty() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let blobs = Blobs::folder(&folder.path().join("blobs")).unwrap();
        Self { folder, blobs }
    }

    /// The fixture, its pictures, and pictures that nobody needs.
    async fn full() -> Self {
        let data = Self::empty();
        let database = Connection::open(data.database()).unwrap();
        database.execute_batch(FIXTURE).unwrap();
        for order in 0..2 {
            let sha256 = digest::digest(&digest::SHA256, &picture(&layer(5, order)));
            let hex = const_hex::encode(sha256);
            database
                .execute("update layers set sha256 = ?1 where ord = ?2", (hex, order))
                .unwrap();
        }
        drop(database);
        SqliteStore::migrate(&data.database()).unwrap();
        secret::load_or_make(data.folder.path()).unwrap();
        let needless = [source(7), layer(3, 0), source(99)];
        for key in wanted().iter().chain(&needless) {
            data.blobs.put(key, picture(key)).await.unwrap();
        }
        data
    }

    fn database(&self) -> PathBuf {
        self.folder.path().join("lamina.db")
    }

    async fn backup(&self, file: &std::path::Path, now: UnixMs) -> Result<Made, BackupError> {
        let backup = Backup {
            database: self.database(),
            pictures: Some(self.blobs.clone()),
            secret_of: Some(self.folder.path().to_owned()),
        };
        backup.write(file, now).await
    }

    fn restore(&self) -> Restore {
        Restore {
            database: self.database(),
            pictures: self.blobs.clone(),
            secret_to: Some(self.folder.path().to_owned()),
            force: false,
            resume: false,
            repeatable: |kind| kind != EngineKind::Fal,
            price_microusd: 50_000,
        }
    }

    async fn pictures(&self) -> BTreeSet<String> {
        let (keys, others) = self.blobs.keys().await.unwrap();
        assert_eq!(others, 0);
        keys.iter().map(|(key, _)| key.path()).collect()
    }
}

async fn phases(store: &SqliteStore) -> Vec<Option<Phase>> {
    let mut phases = Vec::new();
    for number in 1..=6 {
        phases.push(store.job_phase(job(number)).await.unwrap());
    }
    phases
}

fn paths(keys: &[BlobKey]) -> BTreeSet<String> {
    keys.iter().map(BlobKey::path).collect()
}

#[tokio::test]
async fn everything_alive_comes_back_and_nothing_else() {
    let (data, to) = (Data::full().await, Data::empty());
    let file = data.folder.path().join("file.lamina");
    let made = data.backup(&file, T0).await.unwrap();
    assert_eq!((made.jobs, made.uploads, made.pictures), (6, 1, 8));
    assert!(made.secret && made.damaged.is_empty());
    assert_eq!(made.bytes, file.metadata().unwrap().len());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = file.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    assert!(matches!(
        data.backup(&file, T0).await,
        Err(BackupError::Exists(_))
    ));

    let later = T0.plus(Duration::from_secs(3600));
    let restored = to.restore().run(&file, later).await.unwrap();
    assert_eq!(
        (restored.jobs, restored.uploads, restored.pictures),
        (6, 1, 8)
    );
    assert_eq!((restored.expired, restored.deleted), (0, 0));
    assert!(restored.secret);
    assert_eq!(restored.made_at, Some(T0));
    assert_eq!(to.pictures().await, paths(&wanted()));
    for key in wanted() {
        assert_eq!(to.blobs.get(&key).await.unwrap(), picture(&key), "{key}");
    }
    let secrets = [&data, &to].map(|data| secret::kept(data.folder.path()).unwrap().unwrap());
    assert_eq!(secrets[0].expose_secret(), secrets[1].expose_secret());
}

#[tokio::test]
async fn what_may_have_been_handed_over_since_is_not_handed_over_again() {
    let data = Data::full().await;
    let file = data.folder.path().join("file.lamina");
    data.backup(&file, T0).await.unwrap();
    for resume in [false, true] {
        let to = Data::empty();
        let restore = Restore {
            resume,
            ..to.restore()
        };
        let restored = restore.run(&file, T0).await.unwrap();
        assert_eq!(restored.unknown, usize::from(!resume));
        let store = SqliteStore::open(&to.database()).unwrap();
        let first = if resume {
            Phase::Prepare
        } else {
            Phase::Failed
        };
        // The second was being handed over already: its submission is open, and is resolved as after
        // a crash. The third and fourth are known to fal by their numbers.
        let rest = [
            Phase::Submit,
            Phase::Wait,
            Phase::Collect,
            Phase::Completed,
            Phase::Failed,
        ];
        let expected: Vec<_> = [first].into_iter().chain(rest).map(Some).collect();
        assert_eq!(phases(&store).await, expected);
        // One was unknown before; what a restore fails may have been paid and is counted.
        let unknown = store.submission_unknown_count().await.unwrap();
        assert_eq!(unknown, 1 + u64::from(!resume));
        let owner = OwnerId::named("app");
        if let Lookup::Found(found) = store.job_get(&owner, job(1)).await.unwrap() {
            let code = found.failure.as_ref().map(|failure| failure.code.as_ref());
            assert_eq!(code, (!resume).then_some("submission_unknown"));
        }
        // No lease of the restore is left.
        let counts = store.job_counts().await.unwrap();
        assert!(counts.leased <= 1, "{counts:?}");
        store.close().await;
    }
}

#[tokio::test]
async fn what_an_engine_may_simply_be_asked_again_goes_on() {
    let data = Data::full().await;
    let file = data.folder.path().join("file.lamina");
    data.backup(&file, T0).await.unwrap();
    for (repeatable, unknown) in [(true, 0), (false, 1)] {
        let to = Data::empty();
        let restore = Restore {
            repeatable: if repeatable { |_| true } else { |_| false },
            ..to.restore()
        };
        assert_eq!(restore.run(&file, T0).await.unwrap().unknown, unknown);
    }
}

#[tokio::test]
async fn what_has_expired_meanwhile_does_not_come_back() {
    let (data, to) = (Data::full().await, Data::empty());
    let file = data.folder.path().join("file.lamina");
    data.backup(&file, T0).await.unwrap();
    let too_late = T0.plus(Duration::from_secs(86_400));
    let restored = to.restore().run(&file, too_late).await.unwrap();
    assert_eq!(
        (restored.expired, restored.jobs, restored.uploads),
        (6, 0, 0)
    );
    assert_eq!(to.pictures().await, BTreeSet::new());
    let store = SqliteStore::open(&to.database()).unwrap();
    for number in 1..=6 {
        let found = store.job_get(&OwnerId::named("app"), job(number)).await;
        assert!(
            matches!(found, Ok(Lookup::Gone(Gone::Expired))),
            "{found:?}"
        );
    }
    store.close().await;
    // Their words are gone from the file too.
    let bytes = std::fs::read(to.database()).unwrap();
    let prompt = b"a cup on a table";
    assert!(!bytes.windows(prompt.len()).any(|window| window == prompt));
}

#[tokio::test]
async fn a_job_whose_pictures_are_missing_is_told_and_comes_back_deleted() {
    let (data, to) = (Data::full().await, Data::empty());
    data.blobs.remove(&layer(5, 1)).await.unwrap();
    let file = data.folder.path().join("file.lamina");
    let made = data.backup(&file, T0).await.unwrap();
    assert_eq!(made.damaged, [job(5)]);
    let restored = to.restore().run(&file, T0).await.unwrap();
    assert_eq!((restored.deleted, restored.jobs), (1, 5));
    // Neither its source nor its other layer is put back.
    assert_eq!(to.pictures().await.len(), 5);
    let store = SqliteStore::open(&to.database()).unwrap();
    let found = store.job_get(&OwnerId::named("app"), job(5)).await;
    assert!(
        matches!(found, Ok(Lookup::Gone(Gone::Deleted))),
        "{found:?}"
    );
    store.close().await;
}

#[tokio::test]
async fn a_layer_that_is_not_the_one_that_was_measured_is_refused() {
    let (data, to) = (Data::full().await, Data::empty());
    let other = Bytes::from_static(b"another picture");
    data.blobs.put(&layer(5, 0), other).await.unwrap();
    let file = data.folder.path().join("file.lamina");
    data.backup(&file, T0).await.unwrap();
    let error = to.restore().run(&file, T0).await.unwrap_err().to_string();
    assert!(error.contains("damaged at jobs/"), "{error}");
    assert!(!to.database().exists());
}

#[tokio::test]
async fn a_file_that_was_cut_or_changed_touches_nothing() {
    let data = Data::full().await;
    let file = data.folder.path().join("file.lamina");
    data.backup(&file, T0).await.unwrap();
    let whole = std::fs::read(&file).unwrap();
    let to = Data::empty();
    let mut cases: Vec<(String, Vec<u8>)> = (0..20)
        .map(|part| whole.len() * part / 20)
        .map(|end| (format!("cut at {end}"), whole[..end].to_vec()))
        .collect();
    for marker in [&b"CREATE TABLE"[..], b"the bytes of", b"\"schema\""] {
        let at = whole
            .windows(marker.len())
            .position(|window| window == marker);
        let mut changed = whole.clone();
        changed[at.unwrap()] ^= 1;
        cases.push((format!("changed at {at:?}"), changed));
    }
    cases.push(("text".into(), b"not a backup at all\n".repeat(200)));
    for (name, bytes) in cases {
        let broken = data.folder.path().join("broken");
        std::fs::write(&broken, bytes).unwrap();
        let refused = to.restore().run(&broken, T0).await;
        assert!(
            matches!(refused, Err(RestoreError::Backup { .. })),
            "{name}: {refused:?}"
        );
        assert!(!to.database().exists(), "{name}");
        assert_eq!(to.pictures().await, BTreeSet::new(), "{name}");
    }
}

#[tokio::test]
async fn a_database_is_replaced_only_when_asked_and_never_under_its_owner() {
    let data = Data::full().await;
    let file = data.folder.path().join("file.lamina");
    data.backup(&file, T0).await.unwrap();
    let to = Data::empty();
    let store = SqliteStore::open(&to.database()).unwrap();
    let force = Restore {
        force: true,
        ..to.restore()
    };
    let refused = force.run(&file, T0).await;
    assert!(
        matches!(
            refused,
            Err(RestoreError::Database(OpenError::OwnedByAnother { .. }))
        ),
        "{refused:?}"
    );
    store.close().await;
    let refused = to.restore().run(&file, T0).await;
    assert!(
        matches!(refused, Err(RestoreError::Exists(_))),
        "{refused:?}"
    );
    assert_eq!(force.run(&file, T0).await.unwrap().jobs, 6);
    assert_eq!(force.run(&file, T0).await.unwrap().jobs, 6);
}

#[tokio::test]
async fn a_replicated_database_is_put_in_place_with_its_journal() {
    let (data, to) = (Data::full().await, Data::empty());
    // Somebody still has it open, so that its last commits stand in the journal.
    let open = Connection::open(data.database()).unwrap();
    open.pragma_update(None, "journal_mode", "wal").unwrap();
    open.execute("update jobs set owner = 'other' where phase = 'failed'", [])
        .unwrap();
    let restored = to.restore().run(&data.database(), T0).await.unwrap();
    assert_eq!(
        (restored.jobs, restored.pictures, restored.unknown),
        (6, 0, 1)
    );
    assert_eq!(restored.made_at, None);
    let store = SqliteStore::open(&to.database()).unwrap();
    let listed = store.job_list(&OwnerId::named("other"), None, 10).await;
    assert_eq!(listed.unwrap().len(), 1);
    store.close().await;
}
