//! The process is killed at a point of a job's life, and the machine's clock is stepped before the next
//! one starts: both at once, as when a machine loses power and boots with a wrong clock. Killed is the
//! real binary; what starts then takes the time from a clock of the test's.

use std::sync::Arc;
use std::time::Duration;

use lamina::clock::{Clock as _, ManualClock, SystemClock};
use lamina::jobs::UnixMs;
use rusqlite::Connection;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{
    Process, Setup, TestApp, Way, emulator, fal_options, picture, png_base64, until,
};

const HOUR: i64 = 3_600_000;
/// Within the job's day, in both directions.
const STEPS: [i64; 4] = [HOUR, -HOUR, 23 * HOUR, -23 * HOUR];
/// Around the paid call, while the run is waited for, and among the layers.
const POINTS: [&str; 6] = [
    "after_input_noted",
    "after_intent",
    "after_call",
    "after_write_wait",
    "before_blobs",
    "after_blobs",
];

/// The database's folder, with a job whose process was killed there.
async fn killed_at(point: &str, emulator: &fal_emulator::Emulator) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("lamina.db").display().to_string();
    let mut options = vec![("DATABASE_PATH", database), ("PORT", "0".to_owned())];
    options.push(("LAMINA_TEST_CRASH_POINT", point.to_owned()));
    options.extend(fal_options(emulator));
    let pairs: Vec<(&str, &str)> = options.iter().map(|(n, v)| (*n, v.as_str())).collect();
    let process = Process::start(&pairs).await;
    let body = json!({ "image_base64": png_base64(&picture(64, 48)), "num_layers": 2 });
    let url = format!("{}/api/jobs", process.base);
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    // The process may end before it answers; the job is there by then.
    let _ = client.post(url).json(&body).send().await;
    let (status, said) = process.ended().await;
    let signal = std::os::unix::process::ExitStatusExt::signal(&status);
    assert_eq!(signal, Some(9), "{point}: {said}");
    folder
}

async fn outlives(point: &str, step: i64) {
    let emulator = emulator().await;
    let folder = killed_at(point, &emulator).await;
    let database = Connection::open(folder.path().join("lamina.db")).unwrap();
    let id: String = database
        .query_row("select id from jobs", [], |row| row.get(0))
        .unwrap();
    drop(database);
    let clock = ManualClock::at(UnixMs(SystemClock::default().wall().0 + step));
    let mut setup = Setup::new(Way::FalPolling)
        .with("SUBMIT_UNKNOWN", "retry")
        .with("SUBMIT_UNKNOWN_GRACE", "1s");
    setup.clock = Arc::new(clock.clone());
    let app = TestApp::start_in(folder, setup, Some(&emulator)).await;
    let job: Value = until("the job's end", || async {
        clock.advance(Duration::from_millis(250));
        app.store.signal().due.notify_one();
        let job = app.job(&id).await;
        (job["status"] == "completed" || job["status"] == "failed").then_some(job)
    })
    .await;
    assert_eq!(job["status"], "completed", "{point}, {step}: {job}");
    for layer in job["layers"].as_array().unwrap() {
        let answer = app.client.get(layer["url"].as_str().unwrap()).send().await;
        let bytes = answer.unwrap().bytes().await.unwrap();
        assert_eq!(bytes.len() as u64, layer["bytes"].as_u64().unwrap());
    }
    // What may have been paid twice is counted, and only a call whose answer was lost can be.
    let unknown = app.store.submission_unknown_count().await.unwrap();
    let paid = emulator.billable_units();
    assert!(
        (1..=1 + unknown).contains(&paid),
        "{point}, {step}: {paid} paid, {unknown} unknown"
    );
    let in_doubt = ["after_intent", "after_call"].contains(&point);
    assert!(
        unknown == 0 || in_doubt,
        "{point}, {step}: {unknown} unknown"
    );
    app.stop().await;
    emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_and_a_step_of_the_clock_together_lose_nothing_and_pay_nothing_twice() {
    for point in POINTS {
        let lives = STEPS.map(|step| tokio::spawn(outlives(point, step)));
        for life in lives {
            life.await.unwrap();
        }
    }
}
