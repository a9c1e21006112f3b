//! Several owners' jobs at once on a bad day: the process is killed again and again, the provider
//! hangs, the database is locked for longer than any wait, the lease is lost in the middle of a paid
//! call. Nothing is lost, nobody's job is blamed for another's, and each is paid once.

use std::time::Duration;

use fal_emulator::{Config as EmulatorConfig, Emulator, Fault};
use lamina::clock::{Clock as _, ManualClock};
use lamina::jobs::UnixMs;
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until};

use crate::support::{
    Leaps, Process, Setup, TestApp, Way, emulator_with, fal_options, kept_port, picture,
    png_base64, shared_clock, until,
};

const KEYS: [(&str, &str); 3] = [
    ("ann", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
    ("ben", "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"),
    ("cat", "cccccccccccccccccccccccccccccccc"),
];
/// The owner whose submissions are answered by nobody while the process dies again and again.
const HANGING: &str = KEYS[2].1;
/// Jobs of each owner.
const JOBS: usize = 4;
/// Where the process dies, life after life: more often than a guilty job may end it.
const DEATHS: [&str; 8] = [
    "after_write_wait",
    "before_write_collect",
    "before_blobs",
    "after_blobs",
    "before_write_completed",
    "before_blobs",
    "after_blobs",
    "before_blobs",
];

struct Crowd {
    client: Client,
    base: String,
    image: String,
}

impl Crowd {
    /// One owner's job, made or found again; none where nobody answered.
    async fn create(&self, key: &str, number: usize, prompt: &str) -> Option<String> {
        let body = json!({ "image_base64": self.image, "num_layers": 2, "prompt": prompt });
        let request = self.client.post(format!("{}/api/jobs", self.base));
        let request = request.bearer_auth(key).json(&body);
        let sent = request.header("idempotency-key", format!("job-{number}"));
        let answer: Value = sent.send().await.ok()?.json().await.ok()?;
        Some(answer["job_id"].as_str()?.to_owned())
    }

    async fn create_all(&self) -> Option<Vec<(&'static str, String)>> {
        let mut ids = Vec::new();
        for (_, key) in KEYS {
            for number in 0..JOBS {
                // The provider answers none of this owner's submissions.
                let prompt = if key == HANGING { "hang" } else { "go on" };
                ids.push((key, self.create(key, number, prompt).await?));
            }
        }
        Some(ids)
    }

    async fn ended(&self, key: &str, id: &str) -> Option<Value> {
        let request = self.client.get(format!("{}/api/jobs/{id}", self.base));
        let answer = request.bearer_auth(key).send().await.ok()?;
        // The process may die in the middle of its answer.
        let job: Value = answer.json().await.ok()?;
        (job["status"] == "completed" || job["status"] == "failed").then_some(job)
    }

    /// Waits until a life has nothing left to die at: every job that the provider answers has ended.
    async fn nothing_left(&self, jobs: &[(&'static str, String)]) {
        until("a death, or the end of every job", || async {
            for (key, id) in jobs.iter().filter(|(key, _)| *key != HANGING) {
                self.ended(key, id).await?;
            }
            Some(())
        })
        .await;
    }
}

fn release_all(emulator: &Emulator) {
    for request in emulator.requests() {
        emulator.release(&request.request_id);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_owners_jobs_outlive_many_kills_beside_a_provider_that_hangs() {
    let emulator = emulator_with(EmulatorConfig {
        concurrency: Some(4),
        ..EmulatorConfig::default()
    })
    .await;
    for _ in 0..JOBS {
        emulator.script_for_prompt("hang", Fault::SubmitHeld);
    }
    let folder = tempfile::tempdir().unwrap();
    let port = kept_port().to_string();
    let base = format!("http://127.0.0.1:{port}");
    let keys: Vec<String> = KEYS
        .iter()
        .map(|(name, key)| format!("{name}:{key}"))
        .collect();
    let mut options = vec![
        (
            "DATABASE_PATH",
            folder.path().join("lamina.db").display().to_string(),
        ),
        ("PORT", port),
        ("PUBLIC_URL", base.clone()),
        ("API_KEYS", keys.join(",")),
        ("SUBMIT_UNKNOWN", "retry".to_owned()),
        ("SUBMIT_UNKNOWN_GRACE", "3s".to_owned()),
    ];
    options.extend(fal_options(&emulator));
    let start = async |death: Option<&str>| {
        let mut pairs: Vec<(&str, &str)> = options.iter().map(|(n, v)| (*n, v.as_str())).collect();
        pairs.extend(death.map(|death| ("LAMINA_TEST_CRASH_POINT", death)));
        Process::start(&pairs).await
    };
    let crowd = Crowd {
        client: Client::builder().no_proxy().build().unwrap(),
        base,
        image: png_base64(&picture(64, 48)),
    };
    let mut deaths = 0;
    for death in DEATHS {
        let mut life = start(Some(death)).await;
        // Nobody may be left to answer; then it has died.
        let jobs = crowd.create_all().await.unwrap_or_default();
        // All may be done before the last points are met. How long either takes says nothing.
        let died = tokio::select! {
            biased;
            () = life.died() => true,
            () = crowd.nothing_left(&jobs), if !jobs.is_empty() => false,
        };
        deaths += usize::from(died);
        if !died {
            life.kill().await;
        }
    }
    assert!(deaths >= 3, "the process died {deaths} times only");
    release_all(&emulator);
    let last = start(None).await;
    let jobs = until("every create to be answered", || crowd.create_all()).await;
    for (key, id) in &jobs {
        let job = until("a job's end", || crowd.ended(key, id)).await;
        assert_eq!(job["status"], "completed", "{job}");
    }
    let (status, said) = last.terminate().await;
    assert!(status.success(), "{said}");
    // What was paid twice is counted: a life may end between the record of a call and the call.
    let database = rusqlite::Connection::open(folder.path().join("lamina.db")).unwrap();
    let unknown = "select count(*) from submissions where state = 'unknown'";
    let unknown: u64 = database.query_row(unknown, [], |row| row.get(0)).unwrap();
    let (paid, jobs) = (emulator.billable_units(), jobs.len() as u64);
    assert!(
        (jobs..=jobs + unknown).contains(&paid),
        "{paid} paid, {unknown} unknown"
    );
    emulator.stop().await;
}

/// Longer than six writes and their pauses take.
const LOCKED: Duration = Duration::from_secs(40);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_paid_is_written_down_however_long_the_database_is_locked() {
    let emulator = emulator_with(EmulatorConfig::default()).await;
    emulator.script_for_prompt("held", Fault::SubmitHeld);
    let mut setup = Setup::new(Way::FalPolling);
    // A lease that would run out many times.
    setup.tuning.worker.lease = Duration::from_secs(3);
    let app = TestApp::start_with(setup, Some(&emulator)).await;
    let image = png_base64(&picture(64, 48));
    let held = app
        .create(&json!({ "image_base64": image, "prompt": "held" }))
        .await;
    let other = app.create(&json!({ "image_base64": image })).await;
    emulator.wait_for_submissions(2).await;
    let locker = rusqlite::Connection::open(app.folder.path().join("lamina.db")).unwrap();
    locker.busy_timeout(Duration::from_secs(30)).unwrap();
    locker.execute_batch("begin immediate").unwrap();
    release_all(&emulator);
    sleep_until(Instant::now() + LOCKED).await;
    locker.execute_batch("rollback").unwrap();
    for id in [held, other] {
        assert_eq!(app.finished(&id).await["status"], "completed");
    }
    assert_eq!(emulator.billable_units(), 2);
    assert_eq!(app.store.submission_unknown_count().await.unwrap(), 0);
    let told = app.scrape().await;
    assert!(
        told.contains("lamina_leases_lost_total{reason=\"taken\"} 0"),
        "{told}"
    );
    app.stop().await;
    emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_deleted_in_the_middle_of_its_paid_call_has_its_run_cancelled() {
    let emulator = emulator_with(EmulatorConfig {
        // It runs as long as the test.
        latency: Duration::from_secs(600),
        ..EmulatorConfig::default()
    })
    .await;
    emulator.script(Fault::SubmitHeld);
    let mut setup = Setup::new(Way::FalPolling);
    // The loss is noticed while the answer is still held back.
    setup.tuning.worker.lease = Duration::from_millis(60);
    let app = TestApp::start_with(setup, Some(&emulator)).await;
    let id = app
        .create(&json!({ "image_base64": png_base64(&picture(64, 48)) }))
        .await;
    let submitted = emulator.wait_for_submissions(1).await;
    let url = format!("{}/api/jobs/{id}", app.base);
    let deleted = app.client.delete(url).send().await.unwrap();
    assert_eq!(deleted.status(), StatusCode::NO_CONTENT);
    let folder = app.folder.path().join("blobs/jobs").join(&id);
    until("the picture to be erased", || async {
        (!folder.exists()).then_some(())
    })
    .await;
    sleep_until(Instant::now() + Duration::from_millis(300)).await;
    until("the run to be cancelled", || async {
        emulator.release(&submitted[0].request_id);
        let cancelled = emulator.cancelled();
        cancelled.contains(&submitted[0].request_id).then_some(())
    })
    .await;
    assert_eq!(app.store.submission_unknown_count().await.unwrap(), 0);
    app.stop().await;
    emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_other_side_puts_a_job_to_sleep_beyond_the_jobs_own_limits() {
    let clock = ManualClock::at(UnixMs(1_795_356_717_000));
    let emulator = emulator_with(EmulatorConfig {
        clock: shared_clock(&clock),
        ..EmulatorConfig::default()
    })
    .await;
    let day = Fault::RateLimited {
        retry_after: Some(86_400),
    };
    emulator.script_once_for_prompt("patience", day);
    let mut setup = Setup::new(Way::FalPolling).with("ENGINE_TIMEOUT", "30s");
    setup.clock = std::sync::Arc::new(clock.clone());
    let app = TestApp::start_with(setup, Some(&emulator)).await;
    let begun = clock.now();
    let id = app
        .create(&json!({ "image_base64": png_base64(&picture(64, 48)), "prompt": "patience" }))
        .await;
    let leaps = Leaps::of(&app, &clock);
    while leaps.leap(&app, &emulator).await {}
    assert_eq!(app.job(&id).await["status"], "completed");
    let took = clock.now().since(begun);
    assert!(took <= Duration::from_secs(60), "{took:?}");
    app.stop().await;
    emulator.stop().await;
}
