//! A backup made by `lamina backup` while the real binary works under load, and two lives after the
//! loss of the original: whatever was acknowledged before the backup is there and comes to its end,
//! and fal is paid once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fal_emulator::{Config as EmulatorConfig, Emulator};
use reqwest::Client;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Process, emulator_with, fal_options, json_of, picture, png_base64, until};

const CLIENTS: usize = 6;

fn options(folder: &TempDir, emulator: &Emulator) -> Vec<(&'static str, String)> {
    let database = folder.path().join("lamina.db").display().to_string();
    let mut options = vec![("DATABASE_PATH", database), ("PORT", "0".to_owned())];
    options.push(("SUBMIT_UNKNOWN_GRACE", "1s".to_owned()));
    options.extend(fal_options(emulator));
    options
}

fn pairs<'a>(options: &'a [(&'static str, String)]) -> Vec<(&'a str, &'a str)> {
    let pairs = options.iter();
    pairs.map(|(name, value)| (*name, value.as_str())).collect()
}

/// Creates jobs until nobody answers any more, each with a seed of its own, and notes what was
/// acknowledged.
async fn create(base: String, client: usize, acknowledged: Arc<Mutex<BTreeMap<String, u64>>>) {
    let (http, image) = (Client::new(), png_base64(&picture(64, 48)));
    for number in 0.. {
        let seed = (client * 100_000 + number) as u64;
        let body = json!({ "image_base64": image, "num_layers": 2, "seed": seed });
        let sent = http.post(format!("{base}/api/jobs")).json(&body).send();
        let Ok(answer) = sent.await else { return };
        let Ok(made) = answer.json::<Value>().await else {
            return;
        };
        let id = made["job_id"].as_str().unwrap().to_owned();
        acknowledged.lock().unwrap().insert(id, seed);
    }
}

/// Waits until every one of `ids` has ended; returns the codes of those that failed.
async fn ended(base: &str, ids: impl Iterator<Item = &String>) -> Vec<String> {
    let (http, mut failed) = (Client::new(), Vec::new());
    for id in ids {
        let url = format!("{base}/api/jobs/{id}");
        let job = until("the job's end", || async {
            let answer = http.get(&url).send().await.unwrap();
            assert_eq!(answer.status(), 200, "{id}");
            let job = json_of(answer).await;
            (job["status"] == "completed" || job["status"] == "failed").then_some(job)
        })
        .await;
        if let Some(code) = job["error_code"].as_str() {
            failed.push(code.to_owned());
            continue;
        }
        for layer in job["layers"].as_array().unwrap() {
            let link = layer["url"].as_str().unwrap();
            let bytes = http.get(link).send().await.unwrap().bytes().await.unwrap();
            assert_eq!(bytes.len() as u64, layer["bytes"].as_u64().unwrap());
        }
    }
    failed
}

/// Whose a folder's storage says that it is.
fn marked(folder: &TempDir) -> Option<String> {
    let mark = std::fs::read(folder.path().join("blobs/deployment.json")).ok()?;
    let mark: Value = serde_json::from_slice(&mark).unwrap();
    Some(mark["deployment"].as_str().unwrap().to_owned())
}

/// What a folder's database is called.
fn deployment(folder: &TempDir) -> String {
    let database = rusqlite::Connection::open(folder.path().join("lamina.db")).unwrap();
    database
        .query_row("select id from deployment", [], |row| row.get(0))
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restore_beside_pictures_that_it_does_not_know_claims_nothing() {
    let emulator = emulator_with(EmulatorConfig::default()).await;
    let (original, crowded) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let given = options(&original, &emulator);
    Process::start(&pairs(&given)).await.terminate().await;
    let file = original.path().join("file.lamina");
    let path = file.to_str().unwrap();
    let (status, said) = Process::run(&["backup", path], &pairs(&given)).await;
    assert!(status.success(), "{said}");
    let strange = crowded
        .path()
        .join("blobs/jobs/01999999-9999-7999-8999-999999999999");
    std::fs::create_dir_all(&strange).unwrap();
    std::fs::write(strange.join("source.png"), "another's").unwrap();
    let given = options(&crowded, &emulator);
    let (status, said) = Process::run(&["restore", path], &pairs(&given)).await;
    assert!(status.success(), "{said}");
    assert!(said.contains("lamina blobs adopt"), "{said}");
    assert_eq!(marked(&crowded), None);
    emulator.stop().await;
}

/// How often fal was given the same job.
fn handed_over(emulator: &Emulator) -> BTreeMap<u64, usize> {
    let mut times = BTreeMap::new();
    for request in emulator.requests() {
        let seed = request.input["seed"].as_u64().unwrap();
        *times.entry(seed).or_default() += 1;
    }
    times
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_under_load_loses_no_acknowledged_job_and_pays_none_twice() {
    let config = EmulatorConfig {
        concurrency: Some(8),
        latency: Duration::from_millis(200),
        ..EmulatorConfig::default()
    };
    let emulator = emulator_with(config).await;
    let original = tempfile::tempdir().unwrap();
    let given = options(&original, &emulator);
    let process = Process::start(&pairs(&given)).await;
    let acknowledged = Arc::new(Mutex::new(BTreeMap::new()));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let (base, acknowledged) = (process.base.clone(), Arc::clone(&acknowledged));
            tokio::spawn(create(base, client, acknowledged))
        })
        .collect();
    emulator.wait_for_completed(5).await;
    let before = acknowledged.lock().unwrap().clone();
    let file = original.path().join("file.lamina");
    let path = file.to_str().unwrap();
    let (status, said) = Process::run(&["backup", path], &pairs(&given)).await;
    assert!(status.success(), "{said}");
    assert!(said.contains("pictures"), "{said}");
    // The original goes on for a while, hands over and is charged for what the backup does not know.
    let after = emulator.submissions_count();
    emulator
        .wait_until(|counted| counted.submissions > after + 5)
        .await;
    process.kill().await;
    for client in clients {
        client.await.unwrap();
    }
    let paid_before: BTreeSet<u64> = handed_over(&emulator).into_keys().collect();

    let restored = tempfile::tempdir().unwrap();
    let given = options(&restored, &emulator);
    let (status, said) = Process::run(&["restore", path], &pairs(&given)).await;
    assert!(status.success(), "{said}");
    let process = Process::start(&pairs(&given)).await;
    let failed = ended(&process.base, before.keys()).await;
    assert!(
        failed.iter().all(|code| code == "submission_unknown"),
        "{failed:?}"
    );
    assert!(failed.len() < before.len(), "nothing was completed");
    let (status, said) = process.terminate().await;
    assert!(status.success(), "{said}");
    let twice: Vec<_> = handed_over(&emulator)
        .into_iter()
        .filter(|(seed, times)| paid_before.contains(seed) && *times > 1)
        .collect();
    assert!(twice.is_empty(), "handed over again: {twice:?}");

    // Had the original been stopped before the backup, nothing could have been handed over since.
    let resumed = tempfile::tempdir().unwrap();
    let mut given = options(&resumed, &emulator);
    given.push(("SUBMIT_UNKNOWN", "retry".to_owned()));
    let (status, said) = Process::run(&["restore", path, "--resume"], &pairs(&given)).await;
    assert!(status.success(), "{said}");
    let process = Process::start(&pairs(&given)).await;
    assert_eq!(
        ended(&process.base, before.keys()).await,
        Vec::<String>::new()
    );
    let (status, said) = process.terminate().await;
    assert!(status.success(), "{said}");
    emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn links_outlive_a_restore_and_nothing_is_replaced_unasked() {
    let emulator = emulator_with(EmulatorConfig::default()).await;
    let original = tempfile::tempdir().unwrap();
    let given = options(&original, &emulator);
    let process = Process::start(&pairs(&given)).await;
    let body = json!({ "image_base64": png_base64(&picture(64, 48)), "num_layers": 2 });
    let post = Client::new().post(format!("{}/api/jobs", process.base));
    let made = json_of(post.json(&body).send().await.unwrap()).await;
    let id = made["job_id"].as_str().unwrap().to_owned();
    assert!(ended(&process.base, [&id].into_iter()).await.is_empty());
    let url = format!("{}/api/jobs/{id}", process.base);
    let job = json_of(Client::new().get(url).send().await.unwrap()).await;
    let link = job["layers"][0]["url"].as_str().unwrap();
    let link = link.strip_prefix(&process.base).unwrap().to_owned();

    let file = original.path().join("file.lamina");
    let path = file.to_str().unwrap();
    let run = async |arguments: &[&str], given: &[(&'static str, String)]| {
        let (status, said) = Process::run(arguments, &pairs(given)).await;
        (status.code(), said)
    };
    let (code, said) = run(&["backup", path], &given).await;
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = run(&["backup", path], &given).await;
    assert_eq!(code, Some(1));
    assert!(said.contains("exists"), "{said}");
    let (code, said) = run(&["restore", path, "--force"], &given).await;
    assert_eq!(code, Some(1));
    assert!(said.contains("in use by another lamina"), "{said}");
    process.terminate().await;
    let (code, said) = run(&["restore", path], &given).await;
    assert_eq!(code, Some(1));
    assert!(said.contains("--force"), "{said}");

    let elsewhere = tempfile::tempdir().unwrap();
    let given = options(&elsewhere, &emulator);
    let (code, said) = run(&["restore", path], &given).await;
    assert_eq!(code, Some(0), "{said}");
    // Whose the storage is, it says before anything is started over it.
    assert_eq!(marked(&elsewhere), Some(deployment(&elsewhere)));
    let process = Process::start(&pairs(&given)).await;
    let url = format!("{}{link}", process.base);
    assert_eq!(Client::new().get(url).send().await.unwrap().status(), 200);
    process.terminate().await;
    emulator.stop().await;
}
