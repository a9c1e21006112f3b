//! Jobs that are deleted at any moment leave nothing behind: not in the embedded engine, not at fal,
//! and not in the process's memory.

use std::collections::BTreeSet;
use std::time::Duration;

use fal_emulator::{Config as EmulatorConfig, Emulator};
use futures_util::StreamExt as _;
use reqwest::{Client, StatusCode};
use serde_json::json;
use tokio::time::{Instant, sleep_until};

use crate::support::{
    Process, emulator_with, fal_options, files, json_of, left_out, picture, png_base64, until,
};

/// As many as the bar asks for; a leak of an eighth of a megabyte each shows beside [`SPARE_KIB`].
const JOBS: usize = 500;
const AT_ONCE: usize = 12;
/// What an idle process may have more than before.
const SPARE_KIB: u64 = 60 << 10;

/// Between the create and the delete of one job: so many milliseconds, at random, spread over a job's life
/// and most of them early; the same in every run, so that a failure repeats.
fn patience(number: usize) -> Duration {
    let mut chance = number as u64 + 20_261_128;
    for _ in 0..3 {
        chance = chance
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
    }
    let most = [5, 50, 200, 800][number % 4];
    Duration::from_millis((chance >> 33) % most)
}

async fn create_and_delete(client: &Client, base: &str, number: usize, image: &str) {
    let body = json!({ "image_base64": image, "num_layers": 4 });
    let url = format!("{base}/api/jobs");
    let created = client.post(&url).json(&body).send().await.unwrap();
    assert_eq!(created.status(), StatusCode::ACCEPTED);
    let id = json_of(created).await["job_id"]
        .as_str()
        .unwrap()
        .to_owned();
    sleep_until(Instant::now() + patience(number)).await;
    let deleted = client.delete(format!("{url}/{id}")).send().await.unwrap();
    assert_eq!(deleted.status(), StatusCode::NO_CONTENT);
}

/// Returns whether memory could be measured.
async fn deletions_leave_nothing(emulator: Option<&Emulator>) {
    let folder = tempfile::tempdir().unwrap();
    let mut options = vec![
        (
            "DATABASE_PATH",
            folder.path().join("lamina.db").display().to_string(),
        ),
        ("PORT", "0".to_owned()),
        ("LOCAL_CONCURRENCY", "2".to_owned()),
    ];
    if let Some(emulator) = emulator {
        options.extend(fal_options(emulator));
        options.push(("FAL_ADMIN_KEY", emulator.admin_key()));
    }
    let pairs: Vec<(&str, &str)> = options.iter().map(|(n, v)| (*n, v.as_str())).collect();
    let process = Process::start(&pairs).await;
    let (client, base) = (
        Client::builder().no_proxy().build().unwrap(),
        process.base.clone(),
    );
    let image = png_base64(&picture(256, 192));
    // What is loaded once, such as networks and threads, is no leak.
    for number in 0..AT_ONCE {
        create_and_delete(&client, &base, 7 * number + 1, &image).await;
    }
    checkpointed(&folder).await;
    let before = process.memory_kib();
    futures_util::stream::iter(0..JOBS)
        .for_each_concurrent(AT_ONCE, |number| {
            create_and_delete(&client, &base, number, &image)
        })
        .await;
    checkpointed(&folder).await;
    match before.zip(process.memory_kib()) {
        None => left_out("memory after deletions; only Linux says it"),
        Some((before, _)) => {
            until("memory to be given back", || async {
                let now = process.memory_kib()?;
                (now < before + SPARE_KIB).then_some(())
            })
            .await;
        }
    }
    if let Some(emulator) = emulator {
        nothing_left_at_fal(emulator).await;
    }
    let (status, said) = process.terminate().await;
    assert!(status.success(), "{said}");
}

/// Each run was cancelled, or what it made was erased.
async fn nothing_left_at_fal(emulator: &Emulator) {
    until("every run to be ended at fal", || async {
        let cancelled: BTreeSet<String> = emulator.cancelled().into_iter().collect();
        let mut runs = emulator.requests().into_iter();
        runs.all(|run| run.erased || cancelled.contains(&run.request_id))
            .then_some(())
    })
    .await;
}

/// Waits until every deleted job is erased, and no byte that a step stored meanwhile is left.
async fn checkpointed(folder: &tempfile::TempDir) {
    let path = folder.path().join("lamina.db");
    let database = rusqlite::Connection::open(path).unwrap();
    until("everything to be erased", || async {
        let left = "select count(*) from jobs where erased_at is null";
        let left: i64 = database.query_row(left, [], |row| row.get(0)).ok()?;
        (left == 0).then_some(())
    })
    .await;
    until("every byte to be gone", || async {
        files(&folder.path().join("blobs/jobs"))
            .is_empty()
            .then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_deleted_at_any_moment_leave_nothing_in_the_embedded_engine() {
    deletions_leave_nothing(None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_deleted_at_any_moment_leave_nothing_here_and_nothing_at_fal() {
    let emulator = emulator_with(EmulatorConfig {
        concurrency: Some(8),
        ..EmulatorConfig::default()
    })
    .await;
    deletions_leave_nothing(Some(&emulator)).await;
    emulator.stop().await;
}
