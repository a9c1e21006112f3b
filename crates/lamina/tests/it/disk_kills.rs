//! Trouble of the disk together with kills: what is paid is written down, or counted, when a full disk or
//! a database that another program locks is followed by the end of the process.

use std::time::Duration;

use fal_emulator::{Config as EmulatorConfig, Emulator, Fault};
use reqwest::Client;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until};

use crate::disk::SmallDisk;
use crate::support::{
    Process, Setup, TestApp, Way, emulator_with, fal_options, files, held_emulator, left_out,
    picture, png_base64, until,
};

const JOBS: usize = 6;

struct Crowd {
    options: Vec<(&'static str, String)>,
    client: Client,
    image: String,
}

impl Crowd {
    fn over(database: String, blobs: String, emulator: &Emulator) -> Self {
        let mut options = vec![
            ("DATABASE_PATH", database),
            ("STORAGE_URL", blobs),
            ("PORT", "0".to_owned()),
            ("SUBMIT_UNKNOWN", "retry".to_owned()),
            ("SUBMIT_UNKNOWN_GRACE", "1s".to_owned()),
        ];
        options.extend(fal_options(emulator));
        Self {
            options,
            client: Client::builder().no_proxy().build().unwrap(),
            image: png_base64(&picture(64, 48)),
        }
    }

    async fn start(&self) -> Process {
        let pairs = self.options.iter();
        let pairs: Vec<(&str, &str)> = pairs.map(|(n, v)| (*n, v.as_str())).collect();
        Process::start(&pairs).await
    }

    async fn create(&self, base: &str) -> Vec<String> {
        let mut ids = Vec::new();
        for number in 0..JOBS {
            let body = json!({ "image_base64": self.image, "num_layers": 2, "seed": number });
            let sent = self.client.post(format!("{base}/api/jobs")).json(&body);
            let made: Value = sent.send().await.unwrap().json().await.unwrap();
            ids.push(
                made["job_id"]
                    .as_str()
                    .unwrap_or_else(|| panic!("{made}"))
                    .to_owned(),
            );
        }
        ids
    }

    async fn all_complete(&self, base: &str, ids: &[String]) {
        for id in ids {
            let url = format!("{base}/api/jobs/{id}");
            let job = until("a job's end", || async {
                let job: Value = self.client.get(&url).send().await.ok()?.json().await.ok()?;
                (job["status"] == "completed" || job["status"] == "failed").then_some(job)
            })
            .await;
            assert_eq!(job["status"], "completed", "{job}");
        }
    }

    /// What was paid, and what may have been paid twice.
    fn accounts(&self, emulator: &Emulator) -> (u64, u64) {
        let database = rusqlite::Connection::open(&self.options[0].1).unwrap();
        let unknown = "select count(*) from submissions where state = 'unknown'";
        let unknown = database.query_row(unknown, [], |row| row.get(0)).unwrap();
        (emulator.billable_units(), unknown)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_and_kills_on_it_lose_no_run_that_was_paid() {
    let Some(disk) = SmallDisk::mount("16m") else {
        return left_out("the test of kills on a full disk; it needs root, to mount a small one");
    };
    let emulator = held_emulator().await;
    let database = disk.path().join("lamina.db").display().to_string();
    let blobs = format!("file:{}", disk.path().join("blobs").display());
    let crowd = Crowd::over(database, blobs, &emulator);
    let life = crowd.start().await;
    let ids = crowd.create(&life.base).await;
    emulator.wait_for_submissions(JOBS as u64).await;
    let ballast = disk.fill();
    // The runs end while nothing of them can be stored; the process dies, and so does the next.
    emulator.set_hold(false);
    for request in emulator.requests() {
        emulator.complete(&request.request_id).await;
    }
    life.kill().await;
    let second = crowd.start().await;
    until("the second process to see what is wrong", || async {
        let ready = crowd.client.get(format!("{}/readyz", second.base)).send();
        let ready: Value = ready.await.ok()?.json().await.ok()?;
        (ready["checks"]["space"] == "failed").then_some(())
    })
    .await;
    second.kill().await;
    std::fs::remove_file(ballast).unwrap();
    let last = crowd.start().await;
    crowd.all_complete(&last.base, &ids).await;
    let (status, said) = last.terminate().await;
    assert!(status.success(), "{said}");
    let (paid, unknown) = crowd.accounts(&emulator);
    assert!(
        (JOBS as u64..=JOBS as u64 + unknown).contains(&paid),
        "{paid} paid, {unknown} unknown"
    );
    emulator.stop().await;
}

/// As long as any wait for a lock of one statement, several times.
const LOCKED: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_locked_database_and_a_kill_while_it_is_lose_no_run_that_was_paid() {
    let emulator = emulator_with(EmulatorConfig::default()).await;
    for _ in 0..JOBS {
        emulator.script(Fault::SubmitHeld);
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lamina.db");
    let blobs = format!("file:{}", folder.path().join("blobs").display());
    let crowd = Crowd::over(path.display().to_string(), blobs, &emulator);
    let life = crowd.start().await;
    let ids = crowd.create(&life.base).await;
    let first = emulator.wait_for_submissions(1).await;
    let locker = rusqlite::Connection::open(&path).unwrap();
    locker.busy_timeout(Duration::from_secs(60)).unwrap();
    locker.execute_batch("begin immediate").unwrap();
    let end = Instant::now() + LOCKED;
    // Answers come that nobody can write down, and then nobody is there who has them.
    emulator.release(&first[0].request_id);
    sleep_until(end).await;
    life.kill().await;
    locker.execute_batch("rollback").unwrap();
    drop(locker);
    let last = crowd.start().await;
    until("what is held to be let go", || async {
        for request in emulator.requests() {
            emulator.release(&request.request_id);
        }
        let base = &last.base;
        for id in &ids {
            let asked = crowd
                .client
                .get(format!("{base}/api/jobs/{id}"))
                .send()
                .await;
            let job: Value = asked.ok()?.json().await.ok()?;
            (job["status"] == "completed").then_some(())?;
        }
        Some(())
    })
    .await;
    let (status, said) = last.terminate().await;
    assert!(status.success(), "{said}");
    let (paid, unknown) = crowd.accounts(&emulator);
    assert!(
        (JOBS as u64..=JOBS as u64 + unknown).contains(&paid),
        "{paid} paid, {unknown} unknown"
    );
    emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn layers_that_find_no_room_are_stored_when_there_is_some() {
    let Some(disk) = SmallDisk::mount("12m") else {
        return left_out("the test of layers on a full disk; it needs root, to mount a small one");
    };
    let emulator = held_emulator().await;
    // The database lies elsewhere: what fails is the storing alone.
    let blobs = format!("file:{}", disk.path().join("blobs").display());
    let setup = Setup::new(Way::FalPolling).with("STORAGE_URL", &blobs);
    let app = TestApp::start_with(setup, Some(&emulator)).await;
    let id = app
        .create(&json!({ "image_base64": png_base64(&picture(300, 300)) }))
        .await;
    let run = emulator.wait_for_submissions(1).await.remove(0);
    let ballast = disk.fill();
    emulator.set_hold(false);
    emulator.complete(&run.request_id).await;
    // The provider has fetched the picture itself.
    let before = emulator.counters().downloads;
    // More often than a step that counts its failures is tried (`Backoff::max_attempts` of these tests).
    until("the step to be put off again and again", || async {
        let told = app.scrape().await;
        let mut lines = told.lines().filter(|line| {
            line.starts_with("lamina_step_duration_seconds_count")
                && line.contains("\"collect\"")
                && line.contains("\"snooze\"")
        });
        let count: f64 = lines.next()?.rsplit(' ').next()?.parse().ok()?;
        (count >= 8.0).then_some(())
    })
    .await;
    // Nothing is fetched to be thrown away.
    assert_eq!(emulator.counters().downloads, before);
    assert_eq!(app.job(&id).await["status"], "processing");
    std::fs::remove_file(ballast).unwrap();
    assert_eq!(app.finished(&id).await["status"], "completed");
    assert_eq!(emulator.billable_units(), 1);
    // Nothing half-written is left beside what the job names.
    let layers = app.job(&id).await["layers"].as_array().unwrap().len();
    let stored = files(&disk.path().join("blobs/jobs").join(&id));
    let stored = stored
        .iter()
        .filter(|file| file.to_string_lossy().contains("layer_"));
    assert_eq!(stored.count(), layers);
    app.stop().await;
    emulator.stop().await;
}
