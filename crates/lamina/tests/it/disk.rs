//! What is erased, when, and by whom: a disk that fills up and empties itself, a provider that does not
//! answer, an upload that cannot be erased, a database that does not know its storage, a backup that is
//! killed.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use lamina::clock::ManualClock;
use lamina::jobs::UnixMs;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::support::{
    Process, S3, Setup, TestApp, Way, files, held_emulator, json_of, left_out, picture, png_base64,
    png_bytes, until,
};

const START: UnixMs = UnixMs(1_795_356_717_000);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// A real disk of some megabytes.
pub(crate) struct SmallDisk(TempDir);

impl SmallDisk {
    pub(crate) fn mount(size: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
            .arg(folder.path())
            .status();
        let mounted = mounted.is_ok_and(|status| status.success());
        mounted.then(|| Self(folder))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    fn setup(&self) -> Setup {
        let database = self.path().join("lamina.db").display().to_string();
        let blobs = format!("file:{}", self.path().join("blobs").display());
        Setup::new(Way::Local)
            .with("DATABASE_PATH", &database)
            .with("STORAGE_URL", &blobs)
    }

    /// Takes all that is left, as another program would.
    pub(crate) fn fill(&self) -> PathBuf {
        let ballast = self.path().join("ballast");
        let mut file = std::fs::File::create(&ballast).unwrap();
        while std::io::Write::write(&mut file, &[7; 4096]).is_ok_and(|written| written > 0) {}
        ballast
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

async fn upload(app: &TestApp) -> (StatusCode, Value) {
    let sent = app
        .client
        .post(format!("{}/api/upload", app.base))
        .header("content-type", "image/png")
        .body(png_bytes(&picture(300, 300)));
    let answer = sent.send().await.unwrap();
    (answer.status(), json_of(answer).await)
}

async fn delete(app: &TestApp, id: &str) -> StatusCode {
    let url = format!("{}/api/jobs/{id}", app.base);
    app.client.delete(url).send().await.unwrap().status()
}

async fn ready(app: &TestApp) -> Value {
    json_of(app.get("/readyz").send().await.unwrap()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_pictures_filled_refuses_more_and_empties_itself() {
    let Some(disk) = SmallDisk::mount("12m") else {
        return left_out("the test of a disk that fills up; it needs root, to mount a small one");
    };
    let clock = ManualClock::at(START);
    let mut setup = disk.setup();
    setup.clock = Arc::new(clock.clone());
    let app = TestApp::start_with(setup, None).await;
    let finished = app
        .create(&json!({ "image_base64": png_base64(&picture(64, 48)) }))
        .await;
    app.finished(&finished).await;
    let refused = loop {
        let (status, answer) = upload(&app).await;
        if status != StatusCode::CREATED {
            break (status, answer);
        }
    };
    assert_eq!(refused.0, StatusCode::INSUFFICIENT_STORAGE);
    assert_eq!(refused.1["code"], "storage_full");
    // Now others fill what was kept free, to the last byte.
    let ballast = disk.fill();
    until("readiness to say so", || async {
        (ready(&app).await["checks"]["space"] == "failed").then_some(())
    })
    .await;
    // Everything that makes room works, and so does reading.
    assert_eq!(app.job(&finished).await["status"], "completed");
    assert_eq!(delete(&app, &finished).await, StatusCode::NO_CONTENT);

    clock.advance(DAY);
    until("room for pictures", || async {
        app.store.signal().erase.notify_one();
        files(&disk.path().join("blobs/uploads"))
            .is_empty()
            .then_some(())
    })
    .await;
    std::fs::remove_file(ballast).unwrap();
    until("pictures to be taken again", || async {
        (upload(&app).await.0 == StatusCode::CREATED).then_some(())
    })
    .await;
    assert_eq!(ready(&app).await["checks"]["database"], "ok");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deletion_is_answered_on_a_disk_with_nothing_left() {
    let Some(disk) = SmallDisk::mount("12m") else {
        return left_out(
            "the test of a deletion on a full disk; it needs root, to mount a small one",
        );
    };
    let app = TestApp::start_with(disk.setup(), None).await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(
            app.create(&json!({ "image_base64": png_base64(&picture(64, 48)) }))
                .await,
        );
    }
    for id in &ids {
        app.finished(id).await;
    }
    disk.fill();
    for id in &ids {
        assert_eq!(delete(&app, id).await, StatusCode::NO_CONTENT);
    }
    until("the bytes to go", || async {
        files(&disk.path().join("blobs/jobs"))
            .is_empty()
            .then_some(())
    })
    .await;
    // A start over a full disk works too.
    disk.fill();
    let folder = app.stop().await;
    let app = TestApp::start_in(folder, disk.setup(), None).await;
    let gone = app.get(&format!("/api/jobs/{}", ids[0])).send().await;
    assert_eq!(gone.unwrap().status(), StatusCode::GONE);
    app.stop().await;
}

/// What is kept for the database is used up too: then the bytes of the picture make the room for the row.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deletion_erases_first_where_not_even_its_row_can_be_written() {
    let Some(disk) = SmallDisk::mount("16m") else {
        return left_out(
            "the test of a deletion on a full disk; it needs root, to mount a small one",
        );
    };
    let app = TestApp::start_with(disk.setup(), None).await;
    let id = app
        .create(&json!({ "image_base64": png_base64(&picture(1800, 1200)) }))
        .await;
    app.finished(&id).await;
    std::fs::remove_file(disk.path().join("lamina.db.reserve")).unwrap();
    until("nothing to be left that could be written", || async {
        // What stands in the journal leaves room in its file.
        app.store.journal_empty().await.unwrap();
        disk.fill();
        app.store.ping().await.ok()?;
        let database = disk.path().join("lamina.db-wal");
        std::fs::metadata(database)
            .is_ok_and(|journal| journal.len() == 0)
            .then_some(())
    })
    .await;
    assert_eq!(delete(&app, &id).await, StatusCode::NO_CONTENT);
    assert!(files(&disk.path().join("blobs/jobs")).is_empty());
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_cannot_be_erased_is_not_taken_for_erased_and_holds_up_nothing() {
    let app = TestApp::start(Way::Local, None).await;
    let mut ids = Vec::new();
    for _ in 0..2 {
        let body = json!({ "image_base64": png_base64(&picture(64, 48)) });
        ids.push(app.create(&body).await);
        app.finished(ids.last().unwrap()).await;
    }
    let jobs = app.folder.path().join("blobs/jobs");
    let (place, aside) = (jobs.join(&ids[0]), app.folder.path().join("aside"));
    std::fs::rename(&place, &aside).unwrap();
    std::fs::write(&place, "in the way").unwrap();
    for id in &ids {
        assert_eq!(delete(&app, id).await, StatusCode::NO_CONTENT);
    }
    let database = rusqlite::Connection::open(app.folder.path().join("lamina.db")).unwrap();
    let erased = |id: &str| -> bool {
        let erased = "select erased_at is not null from jobs where id = ?1";
        database.query_row(erased, [id], |row| row.get(0)).unwrap()
    };
    until("the other to go", || async {
        app.store.signal().erase.notify_one();
        (erased(&ids[1]) && !jobs.join(&ids[1]).exists()).then_some(())
    })
    .await;
    assert!(!erased(&ids[0]));
    std::fs::remove_file(&place).unwrap();
    std::fs::rename(&aside, &place).unwrap();
    until("it to go after all", || async {
        app.store.signal().erase.notify_one();
        (erased(&ids[0]) && !place.exists()).then_some(())
    })
    .await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn erasing_and_expiring_wait_for_no_provider() {
    let (emulator, clock) = (held_emulator().await, ManualClock::at(START));
    let mut setup = Setup::new(Way::FalPolling);
    setup.clock = Arc::new(clock.clone());
    let app = TestApp::start_with(setup.clone(), Some(&emulator)).await;
    let mut running = Vec::new();
    for _ in 0..20 {
        running.push(
            app.create(&json!({ "image_base64": png_base64(&picture(64, 48)) }))
                .await,
        );
    }
    emulator.wait_for_submissions(20).await;
    for id in &running {
        until("the job to wait", || async {
            (app.job(id).await["status"] == "processing").then_some(())
        })
        .await;
    }
    let folder = app.stop().await;

    // A queue that takes connections and never says a word.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", silent.local_addr().unwrap());
    let mut setup = setup.with("FAL_QUEUE_URL", &address);
    setup = setup.with("FAL_KEY", &emulator.key());
    let app = TestApp::start_in(folder, setup.with("FAL_WEBHOOKS", "false"), None).await;
    let jobs = app.folder.path().join("blobs/jobs");
    let expiring = app
        .create(&json!({ "image_base64": png_base64(&picture(64, 48)), "engine": "local" }))
        .await;
    app.finished(&expiring).await;
    for id in &running {
        assert_eq!(delete(&app, id).await, StatusCode::NO_CONTENT);
    }
    until("the deleted jobs' bytes to go", || async {
        let left = running
            .iter()
            .filter(|id| !files(&jobs.join(id)).is_empty());
        (left.count() == 0).then_some(())
    })
    .await;
    clock.advance(DAY);
    until("the expired job's bytes to go", || async {
        app.store.signal().erase.notify_one();
        files(&jobs.join(&expiring)).is_empty().then_some(())
    })
    .await;
    // What is to be ended at the provider is still known.
    let open = app.store.job_cancellable(99, &[]).await.unwrap();
    assert_eq!(open.len(), 20);
    app.stop().await;
    emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_that_cannot_be_erased_holds_up_nothing() {
    let clock = ManualClock::at(START);
    let mut setup = Setup::new(Way::Local);
    setup.clock = Arc::new(clock.clone());
    let app = TestApp::start_with(setup, None).await;
    let stuck = upload(&app).await.1["upload_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let other = upload(&app).await.1["upload_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let job = app
        .create(&json!({ "image_base64": png_base64(&picture(64, 48)) }))
        .await;
    app.finished(&job).await;
    let blobs = app.folder.path().join("blobs");
    // A folder cannot be removed as long as it is no folder.
    let (place, aside) = (blobs.join("uploads").join(&stuck), blobs.join("aside"));
    std::fs::rename(&place, &aside).unwrap();
    std::fs::write(&place, "in the way").unwrap();
    clock.advance(DAY);
    until("everything else to go", || async {
        app.store.signal().erase.notify_one();
        let left = [
            blobs.join("uploads").join(&other),
            blobs.join("jobs").join(&job),
        ];
        left.iter().all(|folder| !folder.exists()).then_some(())
    })
    .await;
    clock.advance(8 * DAY);
    until("the job to be forgotten", || async {
        app.store.signal().erase.notify_one();
        let answer = app.get(&format!("/api/jobs/{job}")).send().await.unwrap();
        (answer.status() == StatusCode::NOT_FOUND).then_some(())
    })
    .await;
    std::fs::remove_file(&place).unwrap();
    std::fs::rename(&aside, &place).unwrap();
    until("the upload to go after all", || async {
        app.store.signal().erase.notify_one();
        (!place.exists()).then_some(())
    })
    .await;
    app.stop().await;
}

/// A service over a storage that it shares with others, at a time of its own.
async fn start_at(
    folder: TempDir,
    storage: &[(&'static str, String)],
    clock: &ManualClock,
) -> TestApp {
    let mut setup = Setup::new(Way::Local);
    setup.options.extend(storage.iter().cloned());
    setup.clock = Arc::new(clock.clone());
    TestApp::start_in(folder, setup, None).await
}

async fn ownership(app: &TestApp, wanted: &str) {
    until("the sweep to have looked", || async {
        (ready(app).await["checks"]["ownership"] == wanted).then_some(())
    })
    .await;
}

/// A database, as a file, and back.
fn copy_database(from: &Path, to: &Path) {
    std::fs::copy(from.join("lamina.db"), to.join("lamina.db")).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_does_not_know_a_folder_erases_nothing_of_it() {
    let blobs = tempfile::tempdir().unwrap();
    let url = format!("file:{}", blobs.path().display());
    only_the_own_storage_is_swept(&[("STORAGE_URL", url)], blobs.path()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_does_not_know_a_bucket_erases_nothing_of_it() {
    let s3 = S3::start().await;
    only_the_own_storage_is_swept(&s3.options(), &s3.objects()).await;
}

async fn only_the_own_storage_is_swept(storage: &[(&'static str, String)], blobs: &Path) {
    let clock = ManualClock::at(START);
    let start = |folder| start_at(folder, storage, &clock);
    let made = |app: TestApp| async move {
        let id = app
            .create(&json!({ "image_base64": png_base64(&picture(64, 48)) }))
            .await;
        app.finished(&id).await;
        (app, id)
    };
    let pictures = || {
        let mut found = files(&blobs.join("jobs"));
        found.sort_unstable();
        found
    };
    // An ordinary life, in which the storage gets its mark, and a copy of the database from then.
    let (app, _) = made(start(tempfile::tempdir().unwrap()).await).await;
    ownership(&app, "ok").await;
    let folder = app.stop().await;
    let older = tempfile::tempdir().unwrap();
    copy_database(folder.path(), older.path());
    let (app, newer) = made(start(folder).await).await;
    let folder = app.stop().await;
    let all = pictures();

    clock.advance(Duration::from_secs(2 * 3600));
    // A new database: it works, and sweeps nothing.
    let app = start(tempfile::tempdir().unwrap()).await;
    ownership(&app, "failed").await;
    until("readiness all the same", || async {
        let answer = app.get("/readyz").send().await.unwrap();
        (answer.status() == StatusCode::OK).then_some(())
    })
    .await;
    assert!(
        app.scrape()
            .await
            .contains("lamina_ready{part=\"ownership\"} 0")
    );
    let stranger = app.stop().await;
    assert_eq!(pictures(), all);

    // An older copy of the right one: the same.
    let app = start(older).await;
    ownership(&app, "failed").await;
    let older = app.stop().await;
    assert_eq!(pictures(), all);

    // The right one goes on, and nothing is missing.
    let app = start(folder).await;
    ownership(&app, "ok").await;
    app.stop().await;
    assert_eq!(pictures(), all);

    // A storage that nobody marked, as before there were marks: its database takes it over.
    std::fs::remove_file(blobs.join("deployment.json")).unwrap();
    let app = start(stranger).await;
    ownership(&app, "failed").await;
    app.stop().await;
    assert_eq!(pictures(), all);
    let app = start(older).await;
    // Without the mark it is the layers that tell: such jobs had rows.
    ownership(&app, "failed").await;
    let older = app.stop().await;
    assert_eq!(pictures(), all);

    // The operator knows better.
    let database = older.path().join("lamina.db").display().to_string();
    let mut options = vec![("DATABASE_PATH", database)];
    options.extend(storage.iter().cloned());
    let options: Vec<_> = options.iter().map(|(n, v)| (*n, v.as_str())).collect();
    let (status, said) = Process::run(&["blobs", "adopt"], &options).await;
    assert!(status.success(), "{said}");
    // The command goes by the machine's clock.
    clock.advance(Duration::from_secs(30 * 365 * 24 * 3600));
    let app = start(older).await;
    ownership(&app, "ok").await;
    until("what it does not know to be swept", || async {
        let left = files(&blobs.join("jobs").join(&newer));
        left.is_empty().then_some(())
    })
    .await;
    app.stop().await;
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_that_is_killed_leaves_nothing() {
    use rustix::fs::{CWD, FileType, Mode, mknodat};

    let app = TestApp::start(Way::Local, None).await;
    let id = app
        .create(&json!({ "image_base64": png_base64(&picture(64, 48)) }))
        .await;
    app.finished(&id).await;
    let folder = app.stop().await;
    // Behind the database comes the secret, here a pipe that nobody writes to: the backup goes no further, however fast it is.
    let secret = folder.path().join("signing-secret");
    let _ = std::fs::remove_file(&secret);
    let (mode, kind) = (Mode::RUSR | Mode::WUSR, FileType::Fifo);
    mknodat(CWD, &secret, kind, mode, 0).unwrap();
    let to = tempfile::tempdir().unwrap();
    let file = to.path().join("backup.lamina").display().to_string();
    let database = folder.path().join("lamina.db").display().to_string();
    let backup = Process::command(&["backup", &file], &[("DATABASE_PATH", &database)]);
    let is_empty = || std::fs::read_dir(to.path()).unwrap().next().is_none();
    // At its very beginning there is an empty file with a name for a moment, which SQLite needs to open it.
    until("the backup to be written", || async {
        (backup.has_open(to.path()) && is_empty()).then_some(())
    })
    .await;
    backup.kill().await;
    assert!(is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_was_emptied_refuses_the_start_and_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lamina.db");
    let options = [("DATABASE_PATH", path.to_str().unwrap()), ("PORT", "0")];
    let served = Process::start(&options).await;
    until("the storage to be marked", || async {
        let mark = folder.path().join("blobs/deployment.json");
        mark.exists().then_some(())
    })
    .await;
    served.terminate().await;
    std::fs::write(&path, "").unwrap();
    // Also where the file beside it is gone: the storage knows.
    for also in ["lamina.db.reserve", "lamina.db.lock"] {
        let _ = std::fs::remove_file(folder.path().join(also));
        let (status, said) = Process::spawn(&options).ended().await;
        assert_eq!(status.code(), Some(1), "{said}");
        assert!(
            said.contains("is an empty file") && said.contains("lamina restore"),
            "{said}"
        );
        assert_eq!(path.metadata().unwrap().len(), 0);
    }
}
