//! What fal can do wrong: every fault that the emulator knows, each on a job of its own, ends in a
//! completed job or in a failed one with a documented code and a sentence; the ledger of payments
//! is right, and nothing half-done is left.

mod ends;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use fal_emulator::{Config as EmulatorConfig, Emulator, Fault};
use futures_util::StreamExt as _;
use lamina::clock::ManualClock;
use lamina::jobs::UnixMs;
use serde_json::{Value, json};

use crate::support::{
    Leaps, Setup, TestApp, Way, emulator_with, picture, png_base64, shared_clock, until,
};
use ends::{ASKED, Course, End, end};

const START: UnixMs = UnixMs(1_795_356_717_000);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_that_happens_once_has_its_end() {
    every_fault_has_its_end(Course::Once).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_that_happens_again_and_again_has_its_end() {
    every_fault_has_its_end(Course::Always).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_has_its_end_where_fal_calls_back() {
    every_fault_has_its_end(Course::Webhooks).await;
}

/// All faults at once on one service, each on a job whose prompt names it.
async fn every_fault_has_its_end(course: Course) {
    let clock = ManualClock::at(START);
    let emulator = emulator_with(EmulatorConfig {
        clock: shared_clock(&clock),
        concurrency: None,
        ..EmulatorConfig::default()
    })
    .await;
    let app = TestApp::start_with(setup(course, &clock), Some(&emulator)).await;
    let jobs: Vec<(Fault, String)> = futures_util::stream::iter(Fault::all())
        .map(|fault| troubled_job(&app, &emulator, course, fault))
        .buffered(8)
        .collect()
        .await;
    let leaps = Leaps::of(&app, &clock);
    let (mut wrong, mut seen) = (Vec::new(), HashMap::new());
    while leaps.leap(&app, &emulator).await {
        for job in app.jobs().await {
            wrong.extend(went_back(&mut seen, &job));
        }
    }
    for (fault, id) in &jobs {
        let wanted = end(fault, course);
        if let Err(found) = check(&app, &emulator, &leaps, fault, id, &wanted).await {
            wrong.push(format!("{}: {found}", fault.name()));
        }
    }
    assert!(wrong.is_empty(), "{course:?}:\n{}", wrong.join("\n"));
    app.stop().await;
    emulator.stop().await;
}

fn setup(course: Course, clock: &ManualClock) -> Setup {
    let way = match course {
        Course::Once | Course::Always => Way::FalPolling,
        Course::Webhooks => Way::FalWebhooks,
    };
    let mut setup = Setup::new(way)
        .with("ENGINE_TIMEOUT", "5s")
        .with("SUBMIT_UNKNOWN_GRACE", "500ms");
    setup.clock = Arc::new(clock.clone());
    // The one real wait of the table: a layer that never ends is fetched for so long.
    setup.tuning.fetch_total = Some(Duration::from_secs(1));
    setup
}

async fn troubled_job(
    app: &TestApp,
    emulator: &Emulator,
    course: Course,
    fault: Fault,
) -> (Fault, String) {
    let prompt = prompt(&fault);
    match course {
        Course::Once | Course::Webhooks => {
            emulator.script_once_for_prompt(&prompt, fault.clone());
        }
        Course::Always => emulator.script_for_prompt(&prompt, fault.clone()),
    }
    let image = png_base64(&picture(64, 48));
    let body = json!({ "image_base64": image, "num_layers": ASKED, "prompt": prompt });
    (fault, app.create(&body).await)
}

/// In brackets, because some names end like others.
fn prompt(fault: &Fault) -> String {
    format!("[{}]", fault.name())
}

async fn check(
    app: &TestApp,
    emulator: &Emulator,
    leaps: &Leaps,
    fault: &Fault,
    id: &str,
    wanted: &End,
) -> Result<(), String> {
    let job = app.job(id).await;
    let same = |what: &str, found: &Value, wanted: Value| {
        if *found == wanted {
            Ok(())
        } else {
            Err(format!(
                "{what} is {found}, not {wanted} ({})",
                job["error"]
            ))
        }
    };
    let status = if wanted.code.is_some() {
        "failed"
    } else {
        "completed"
    };
    same("status", &job["status"], json!(status))?;
    same("error_code", &job["error_code"], json!(wanted.code))?;
    same(
        "submissions",
        &json!(leaps.submissions(id)),
        json!(wanted.submissions),
    )?;
    let prompt = prompt(fault);
    let runs = emulator.requests();
    let paid: u64 = runs
        .iter()
        .filter(|run| run.input["prompt"] == prompt)
        .map(|run| run.billed_units)
        .sum();
    same("paid", &json!(paid), json!(wanted.paid))?;
    let named = job["layers"].as_array().map_or(0, Vec::len);
    let stored = stored_layers(app, id);
    let rows = leaps.layer_rows(id);
    same(
        "layers named, written and stored",
        &json!([named, rows, stored]),
        json!([wanted.layers, wanted.layers, wanted.layers]),
    )?;
    one_size(&job)?;
    match wanted.code {
        Some(code) => explained(code, &job),
        None => same("error", &job["error"], Value::Null),
    }
}

/// A stack has one size, whatever the engine gave.
fn one_size(job: &Value) -> Result<(), String> {
    let layers = job["layers"].as_array().map_or(&[][..], Vec::as_slice);
    let sizes: BTreeSet<_> = layers
        .iter()
        .map(|layer| (layer["width"].as_u64(), layer["height"].as_u64()))
        .collect();
    if sizes.len() > 1 {
        return Err(format!("layers have the sizes {sizes:?}"));
    }
    Ok(())
}

/// Complains of a job that shows less than before.
fn went_back(seen: &mut HashMap<String, (usize, f64)>, job: &Value) -> Option<String> {
    let steps = ["pending", "processing", "completed", "failed"];
    let step = steps
        .iter()
        .position(|step| job["status"] == *step)
        .unwrap();
    let now = (step, job["progress"].as_f64().unwrap());
    let before = seen.insert(job["job_id"].as_str().unwrap().to_owned(), now)?;
    let back = now.0 < before.0 || now.1 < before.1;
    back.then(|| format!("a job went from {before:?} back to {now:?}"))
}

/// The code is documented, and the sentence says what happened and what to do.
fn explained(code: &str, job: &Value) -> Result<(), String> {
    let documentation = include_str!("../../../../../docs/errors.md");
    if !documentation.contains(&format!("| `{code}` |")) {
        return Err(format!("{code} is not in docs/errors.md"));
    }
    let sentence = job["error"].as_str().unwrap_or_default();
    if sentence.ends_with('.') && sentence.matches(['.', ';']).count() >= 2 {
        Ok(())
    } else {
        Err(format!("the sentence says too little: {sentence}"))
    }
}

fn stored_layers(app: &TestApp, id: &str) -> usize {
    let folder = app.folder.path().join("blobs/jobs").join(id);
    // A job without layers may have no folder.
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    files
        .filter(|file| file.file_name().to_string_lossy().starts_with("layer_"))
        .count()
}

/// So that no stranger's webhook decides when they are fetched.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_of_webhooks_are_fetched_at_the_start_before_any_has_come() {
    let emulator = emulator_with(EmulatorConfig::default()).await;
    let keys = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/keys", keys.local_addr().unwrap());
    let setup = Setup::new(Way::FalWebhooks).with("FAL_JWKS_URL", &address);
    let app = TestApp::start_with(setup, Some(&emulator)).await;
    let asked = tokio::time::timeout(Duration::from_secs(300), keys.accept());
    drop(asked.await.expect("the keys are asked for").unwrap());
    app.stop().await;
    emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_that_fal_did_not_sign_is_refused_and_one_that_it_signed_anew_is_not() {
    for (fault, taken) in [
        (Fault::WebhookForged, false),
        (Fault::WebhookStale, false),
        (Fault::WebhookUnsigned, false),
        (Fault::WebhookRotatedKey, true),
        (Fault::WebhookTwice, true),
    ] {
        let clock = ManualClock::at(START);
        let emulator = emulator_with(EmulatorConfig {
            clock: shared_clock(&clock),
            ..EmulatorConfig::default()
        })
        .await;
        let app = TestApp::start_with(setup(Course::Webhooks, &clock), Some(&emulator)).await;
        let (fault, id) = troubled_job(&app, &emulator, Course::Webhooks, fault).await;
        let first = emulator.wait_for_webhooks(1).await.remove(0);
        let status = first.status.unwrap();
        assert_eq!(
            (200..300).contains(&status),
            taken,
            "{}: {status}",
            fault.name()
        );
        if taken {
            // The clock stands still: only the webhook can have told.
            assert_eq!(app.finished(&id).await["status"], "completed");
        } else {
            assert_ne!(app.job(&id).await["status"], "completed");
        }
        app.stop().await;
        emulator.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_never_ends_is_cancelled_when_its_time_is_over() {
    for (fault, cancelled) in [(Fault::Nothing, 1), (Fault::CancelIgnored, 0)] {
        let clock = ManualClock::at(START);
        let emulator = emulator_with(EmulatorConfig {
            clock: shared_clock(&clock),
            hold: true,
            ..EmulatorConfig::default()
        })
        .await;
        let app = TestApp::start_with(setup(Course::Once, &clock), Some(&emulator)).await;
        let (_, id) = troubled_job(&app, &emulator, Course::Once, fault).await;
        until("the job to wait", || async {
            (app.job(&id).await["status"] == "processing").then_some(())
        })
        .await;
        let job = until("the job's end", || async {
            clock.advance(Duration::from_secs(1));
            app.store.signal().due.notify_one();
            let job = app.job(&id).await;
            (job["status"] == "failed").then_some(job)
        })
        .await;
        assert_eq!(job["error_code"], "engine_timeout");
        assert_eq!(emulator.cancelled().len(), cancelled);
        app.stop().await;
        emulator.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancellation_that_comes_too_late_leaves_nothing_of_a_deleted_job() {
    let emulator = crate::support::held_emulator().await;
    emulator.script(Fault::CancelIgnored);
    let app = TestApp::start(Way::FalPolling, Some(&emulator)).await;
    let id = app
        .create(&json!({ "image_base64": png_base64(&picture(64, 48)) }))
        .await;
    let run = emulator.wait_for_submissions(1).await.remove(0);
    until("the job to wait", || async {
        (app.job(&id).await["status"] == "processing").then_some(())
    })
    .await;
    let url = format!("{}/api/jobs/{id}", app.base);
    assert_eq!(app.client.delete(&url).send().await.unwrap().status(), 204);
    // It runs on, is paid, and nobody fetches what it made.
    emulator.complete(&run.request_id).await;
    let folder = app.folder.path().join("blobs/jobs").join(&id);
    until("its bytes to go", || async {
        (!folder.exists()).then_some(())
    })
    .await;
    assert_eq!(app.client.get(&url).send().await.unwrap().status(), 410);
    assert_eq!(emulator.billable_units(), 1);
    assert_eq!(emulator.counters().result_reads, 0);
    app.stop().await;
    emulator.stop().await;
}
