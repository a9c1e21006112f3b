//! Paid once: what was done is not done again because an answer was lost, late, odd or a lie, and what
//! was never taken is not held to be paid.

use std::sync::Arc;
use std::time::Duration;

use fal_emulator::{Config as EmulatorConfig, Emulator, Fault, ModelError, RequestError};
use lamina::clock::{Clock as _, ManualClock};
use lamina::jobs::UnixMs;
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::support::{
    Setup, TestApp, Way, emulator, emulator_with, held_emulator, picture, png_base64, shared_clock,
    until,
};

/// The states of all submissions, oldest first.
fn submissions(app: &TestApp) -> String {
    let database = Connection::open(app.folder.path().join("lamina.db")).unwrap();
    let query = "select coalesce(group_concat(state, ' '), '') from (select state from submissions order by opened_at, rowid)";
    database.query_row(query, [], |row| row.get(0)).unwrap()
}

async fn started(emulator: &Emulator) -> TestApp {
    TestApp::start(Way::FalPolling, Some(emulator)).await
}

fn small() -> Value {
    json!({ "image_base64": png_base64(&picture(64, 48)) })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_finished_run_is_asked_for_again_and_never_paid_again() {
    tokio::join!(
        paid_once_whatever_is_answered(Way::FalPolling),
        // The result is asked for before the status.
        paid_once_whatever_is_answered(Way::FalWebhooks),
    );
}

async fn paid_once_whatever_is_answered(way: Way) {
    let emulator = emulator().await;
    let app = TestApp::start(way, Some(&emulator)).await;
    for fault in faults_of_a_finished_run() {
        emulator.reset();
        emulator.script(fault.clone());
        let job = app.split(json!({})).await;
        assert_eq!(job["status"], "completed", "{way:?}, {fault:?}: {job}");
        assert_eq!(emulator.submissions_count(), 1, "{way:?}, {fault:?}");
    }
    app.stop().await;
    emulator.stop().await;
}

fn faults_of_a_finished_run() -> Vec<Fault> {
    let lies = [
        RequestError::InternalError,
        RequestError::RunnerDisconnected,
        RequestError::RunnerIncompleteResponse,
        RequestError::RequestTimeout,
        RequestError::BadRequest,
        RequestError::ClientCancelled,
    ];
    let mut faults: Vec<Fault> = lies
        .into_iter()
        .map(|kind| Fault::ResultLies { kind, times: 2 })
        .collect();
    for status in [
        400, 401, 403, 404, 408, 409, 410, 429, 499, 500, 502, 503, 504,
    ] {
        faults.push(Fault::ResultErrors {
            status,
            times: 2,
            retry_after: None,
        });
        faults.push(Fault::StatusErrors { status, times: 2 });
    }
    faults.extend([
        Fault::ResultCut,
        Fault::LayerMissing { times: 2 },
        Fault::LayerGarbled { times: 2 },
        Fault::LayerErrors { times: 2 },
    ]);
    faults
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_make_no_sense_count_in_a_row_alone() {
    let emulator = held_emulator().await;
    let app = started(&emulator).await;
    // The fifth in a row would be the last.
    emulator.script_together([
        Fault::StatusErrors {
            status: 404,
            times: 4,
        },
        Fault::ResultErrors {
            status: 404,
            times: 4,
            retry_after: None,
        },
    ]);
    let id = app.create(&small()).await;
    let submitted = emulator.wait_for_submissions(1).await;
    until("an answer that makes sense", || async {
        (emulator.counters().status_reads > 5).then_some(())
    })
    .await;
    emulator.complete(&submitted[0].request_id).await;
    let job = app.finished(&id).await;
    assert_eq!(job["status"], "completed", "{job}");
    assert_eq!(emulator.submissions_count(), 1);
    app.stop().await;
    emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_a_run_that_failed_is_submitted_again() {
    let emulator = emulator().await;
    let app = started(&emulator).await;
    emulator.script(Fault::RequestError(RequestError::RunnerDisconnected));
    assert_eq!(app.split(json!({})).await["status"], "completed");
    assert_eq!(emulator.submissions_count(), 2);

    // The result says so for ever, and the status never did.
    emulator.reset();
    emulator.script(Fault::ResultLies {
        kind: RequestError::RunnerDisconnected,
        times: u32::MAX,
    });
    let setup = Setup::new(Way::FalPolling).with("ENGINE_TIMEOUT", "1s");
    let folder = app.stop().await;
    let app = TestApp::start_in(folder, setup, Some(&emulator)).await;
    let job = app.split(json!({})).await;
    assert_eq!(job["error_code"], "engine_failed", "{job}");
    assert_eq!(emulator.submissions_count(), 1);

    emulator.reset();
    emulator.script(Fault::ModelError(ModelError::ContentPolicyViolation));
    let job = app.split(json!({})).await;
    assert_eq!(job["error_code"], "content_refused", "{job}");
    assert_eq!(emulator.submissions_count(), 1);
    app.stop().await;
    emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_picture_is_uploaded_before_the_intent_and_used_again() {
    let emulator = emulator().await;
    let app = started(&emulator).await;
    // An upload that fails leaves nothing of which it is unknown whether it was paid.
    emulator.set_locked(true);
    let job = app.split(json!({})).await;
    assert_eq!(job["error_code"], "engine_account_locked", "{job}");
    assert_eq!(submissions(&app), "");
    emulator.set_locked(false);

    emulator.script_many([
        Fault::RateLimited { retry_after: None },
        Fault::RateLimited { retry_after: None },
    ]);
    let job = app.split(json!({})).await;
    assert_eq!(job["status"], "completed", "{job}");
    assert_eq!(submissions(&app), "refused refused accepted");
    assert_eq!(emulator.uploads().len(), 1);
    // The address shows the picture to whoever has it, so it is not kept.
    let database = Connection::open(app.folder.path().join("lamina.db")).unwrap();
    let query = "select count(*) from jobs where input_address is not null";
    let kept: u32 = database.query_row(query, [], |row| row.get(0)).unwrap();
    assert_eq!(kept, 0);

    // A run that failed may have failed for its input.
    emulator.reset();
    emulator.script(Fault::RequestError(RequestError::InternalError));
    assert_eq!(app.split(json!({})).await["status"], "completed");
    assert_eq!(emulator.uploads().len(), 2);
    app.stop().await;
    emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_picture_that_will_not_be_submitted_does_not_leave() {
    let emulator = emulator().await;
    let setup = Setup::new(Way::FalPolling).with("SPEND_LIMIT_USD_PER_DAY", "0.04");
    let app = TestApp::start_with(setup, Some(&emulator)).await;
    let body = small();
    let created = app.client.post(format!("{}/api/jobs", app.base));
    let created = created.json(&body).send().await.unwrap();
    // The edge refuses what cannot be afforded, or the worker does.
    if created.status() == 202 {
        let made = crate::support::json_of(created).await;
        let job = app.finished(made["job_id"].as_str().unwrap()).await;
        assert_eq!(job["error_code"], "spend_limit_reached", "{job}");
    }
    assert_eq!(emulator.uploads().len(), 0);
    app.stop().await;
    emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_submission_says_whose_it_is_and_wants_no_other_endpoint() {
    let emulator = emulator().await;
    let app = started(&emulator).await;
    let job = app.split(json!({})).await;
    let headers = &emulator.requests()[0].headers;
    assert_eq!(headers["x-app-fal-disable-fallback"], "1");
    let tags = &headers["x-fal-tags"];
    let id = job["job_id"].as_str().unwrap();
    assert!(tags.contains(&format!("lamina-job={id}")), "{tags}");
    let database = Connection::open(app.folder.path().join("lamina.db")).unwrap();
    let query = "select nonce from submissions";
    let nonce: String = database.query_row(query, [], |row| row.get(0)).unwrap();
    // It opens the webhook's address.
    assert!(!tags.contains(&nonce), "{tags}");
    app.stop().await;
    emulator.stop().await;
}

/// A job whose answer is lost after the request was taken, under these faults of the list.
async fn lost(app: &TestApp, emulator: &Emulator, faults: &[Fault]) -> Value {
    emulator.reset();
    let lost = [Fault::DropAfterEnqueue];
    emulator.script_together(lost.into_iter().chain(faults.iter().cloned()));
    app.split(json!({})).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_whose_answer_was_lost_is_found_in_the_list() {
    for faults in [
        &[][..],
        &[Fault::HistoryLate { reads: 3 }],
        &[Fault::HistoryErrors {
            status: 503,
            times: 2,
        }],
    ] {
        // Each alone in its time: two lost calls could be each other's.
        let emulator = emulator().await;
        let app = started(&emulator).await;
        let job = lost(&app, &emulator, faults).await;
        assert_eq!(job["status"], "completed", "{faults:?}: {job}");
        assert_eq!(emulator.submissions_count(), 1, "{faults:?}");
        assert_eq!(submissions(&app), "accepted", "{faults:?}");
        assert!(emulator.counters().history_reads >= 2);
        app.stop().await;
        emulator.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_that_proves_nothing_leaves_the_decision_to_the_policy() {
    for faults in [
        &[Fault::HistoryMissing][..],
        &[Fault::HistoryLate { reads: 99 }],
        &[Fault::HistoryTwo],
        &[Fault::HistoryErrors {
            status: 503,
            times: 99,
        }],
        &[Fault::HistoryErrors {
            status: 403,
            times: 99,
        }],
    ] {
        let emulator = emulator().await;
        let app = started(&emulator).await;
        // An earlier request that is listed is no proof that a later one would be.
        assert_eq!(app.split(json!({})).await["status"], "completed");
        let faults = [&[Fault::DropAfterEnqueue], faults].concat();
        emulator.script_together(faults.clone());
        let job = app.split(json!({})).await;
        assert_eq!(job["error_code"], "submission_unknown", "{faults:?}: {job}");
        assert_eq!(submissions(&app), "accepted unknown", "{faults:?}");
        assert_eq!(emulator.submissions_count(), 2, "{faults:?}");
        app.stop().await;
        emulator.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_the_list_names_tags_they_tell_lost_calls_apart() {
    let emulator = emulator_with(EmulatorConfig {
        list_tags: true,
        ..EmulatorConfig::default()
    })
    .await;
    let app = started(&emulator).await;
    emulator.script_together([Fault::DropAfterEnqueue, Fault::HistoryTwo]);
    emulator.script(Fault::SubmitGarbled);
    let (one, two) = (app.create(&small()).await, app.create(&small()).await);
    for id in [one, two] {
        let job = app.finished(&id).await;
        assert_eq!(job["status"], "completed", "{job}");
    }
    assert_eq!(emulator.submissions_count(), 2);
    assert_eq!(submissions(&app), "accepted accepted");
    app.stop().await;
    emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_list_proves_was_not_taken_is_submitted_again() {
    let clock = ManualClock::at(UnixMs(1_795_356_717_000));
    let emulator = emulator_with(EmulatorConfig {
        clock: shared_clock(&clock),
        ..EmulatorConfig::default()
    })
    .await;
    let mut setup = Setup::new(Way::FalPolling).with("SUBMIT_UNKNOWN_GRACE", "2m");
    setup.clock = Arc::new(clock.clone());
    let app = TestApp::start_with(setup, Some(&emulator)).await;
    emulator.script(Fault::DropBeforeEnqueue);
    let lost = app.create(&small()).await;
    until("the lost call", || async {
        (submissions(&app) == "open" && app.store.job_counts().await.unwrap().leased == 0)
            .then_some(())
    })
    .await;
    // What comes later is listed, so the list is no older than that.
    clock.advance(Duration::from_secs(90));
    let later = app.create(&small()).await;
    let next = async |id: &str| {
        until("the job's end", || async {
            app.store.signal().due.notify_one();
            let job = app.job(id).await;
            if job["status"] == "completed" || job["status"] == "failed" {
                return Some(job);
            }
            let due = app.store.job_next_due(clock.now()).await.unwrap();
            if app.store.job_counts().await.unwrap().leased == 0
                && let Some(due) = due
            {
                clock.advance(due.since(clock.now()));
            }
            None
        })
        .await
    };
    assert_eq!(next(&later).await["status"], "completed");
    let job = next(&lost).await;
    assert_eq!(job["status"], "completed", "{job}");
    assert_eq!(submissions(&app), "refused accepted accepted");
    assert_eq!(emulator.submissions_count(), 2);
    app.stop().await;
    emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_call_of_a_job_that_is_gone_is_closed_at_the_next_start() {
    let emulator = emulator().await;
    let setup = Setup::new(Way::FalPolling).with("SUBMIT_UNKNOWN_GRACE", "1h");
    let app = TestApp::start_with(setup.clone(), Some(&emulator)).await;
    emulator.script(Fault::DropAfterEnqueue);
    let id = app.create(&small()).await;
    until("the lost call", || async {
        (submissions(&app) == "open" && app.store.job_counts().await.unwrap().leased == 0)
            .then_some(())
    })
    .await;
    let url = format!("{}/api/jobs/{id}", app.base);
    assert_eq!(app.client.delete(url).send().await.unwrap().status(), 204);
    assert_eq!(submissions(&app), "open");
    let folder = app.stop().await;
    let app = TestApp::start_in(folder, setup, Some(&emulator)).await;
    until("the end of the submission", || async {
        (submissions(&app) == "unknown").then_some(())
    })
    .await;
    until("the count", || async {
        let text = app.scrape().await;
        text.contains("lamina_submissions_given_up_total{engine=\"fal\"} 1")
            .then_some(())
    })
    .await;
    app.stop().await;
    emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_engine_decides_how_many_layers_are_fetched() {
    let emulator = held_emulator().await;
    let app = started(&emulator).await;
    for (fault, downloads) in [
        // Refused before one is fetched; the emulator fetched the picture itself.
        (Fault::MoreImages { by: 200 }, 1),
        (
            Fault::LayerHuge {
                bytes: 1 << 40,
                declared: true,
            },
            3,
        ),
        (
            Fault::LayerHuge {
                bytes: 40 << 20,
                declared: false,
            },
            3,
        ),
    ] {
        emulator.reset();
        emulator.script(fault.clone());
        let mut body = small();
        body["num_layers"] = json!(2);
        let id = app.create(&body).await;
        let submitted = emulator.wait_for_submissions(1).await;
        emulator.complete(&submitted[0].request_id).await;
        let job = app.finished(&id).await;
        assert_eq!(job["error_code"], "engine_output_too_large", "{fault:?}");
        assert_eq!(emulator.counters().downloads, downloads, "{fault:?}");
        let stored = app.folder.path().join("blobs/jobs").join(&id);
        let layers = crate::support::files(&stored);
        let is_layer = |file: &&std::path::PathBuf| {
            file.file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with("layer_"))
        };
        assert_eq!(layers.iter().filter(is_layer).count(), 0, "{fault:?}");
    }
    app.stop().await;
    emulator.stop().await;
}

/// A job whose call was taken, whose answer was lost, and whose process then stopped.
async fn lost_and_stopped(emulator: &Emulator) -> (tempfile::TempDir, String) {
    let setup = Setup::new(Way::FalPolling).with("SUBMIT_UNKNOWN_GRACE", "1h");
    let app = TestApp::start_with(setup, Some(emulator)).await;
    emulator.script(Fault::DropAfterEnqueue);
    let id = app.create(&small()).await;
    until("the lost call", || async {
        (submissions(&app) == "open" && app.store.job_counts().await.unwrap().leased == 0)
            .then_some(())
    })
    .await;
    (app.stop().await, id)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_call_is_looked_for_at_the_model_that_it_went_to() {
    let emulator = emulator_with(EmulatorConfig {
        apps: vec![fal_emulator::MODEL.to_owned(), "fal-ai/another".to_owned()],
        ..EmulatorConfig::default()
    })
    .await;
    let (folder, id) = lost_and_stopped(&emulator).await;
    let setup = Setup::new(Way::FalPolling).with("FAL_MODEL", "fal-ai/another");
    let app = TestApp::start_in(folder, setup, Some(&emulator)).await;
    // The row sleeps as long as the last process wanted.
    Connection::open(app.folder.path().join("lamina.db"))
        .unwrap()
        .execute_batch("update jobs set run_at = 0; update submissions set waits_since = 0")
        .unwrap();
    app.store.signal().due.notify_one();
    let job = app.finished(&id).await;
    assert_eq!(job["status"], "completed", "{job}");
    assert_eq!(submissions(&app), "accepted");
    assert_eq!(emulator.submissions_count(), 1);
    app.stop().await;
    emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_is_cancelled_at_the_model_that_it_went_to() {
    let emulator = emulator_with(EmulatorConfig {
        apps: vec![fal_emulator::MODEL.to_owned(), "fal-ai/another".to_owned()],
        // It runs as long as the test.
        latency: Duration::from_secs(600),
        ..EmulatorConfig::default()
    })
    .await;
    let app = started(&emulator).await;
    let id = app.create(&small()).await;
    let submitted = emulator.wait_for_submissions(1).await;
    until("the accepted call", || async {
        (submissions(&app) == "accepted").then_some(())
    })
    .await;
    let setup = Setup::new(Way::FalPolling).with("FAL_MODEL", "fal-ai/another");
    let app = TestApp::start_in(app.stop().await, setup, Some(&emulator)).await;
    let url = format!("{}/api/jobs/{id}", app.base);
    let deleted = app.client.delete(url).send().await.unwrap();
    assert_eq!(deleted.status(), 204);
    until("the run to be cancelled", || async {
        let cancelled = emulator.cancelled();
        cancelled.contains(&submitted[0].request_id).then_some(())
    })
    .await;
    app.stop().await;
    emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_accounts_list_proves_nothing_of_a_lost_call() {
    const OTHERS: &str = "another-account:and-its-secret";
    let emulator = emulator_with(EmulatorConfig {
        keys: vec![fal_emulator::DEFAULT_KEY.to_owned(), OTHERS.to_owned()],
        ..EmulatorConfig::default()
    })
    .await;
    let (folder, id) = lost_and_stopped(&emulator).await;
    let setup = Setup::new(Way::FalPolling).with("FAL_API_KEY", OTHERS);
    let app = TestApp::start_in(folder, setup, Some(&emulator)).await;
    // That account has runs of its own, which came later.
    assert_eq!(app.split(json!({})).await["status"], "completed");
    Connection::open(app.folder.path().join("lamina.db"))
        .unwrap()
        .execute_batch("update jobs set run_at = 0 where phase = 'submit'; update submissions set waits_since = 0")
        .unwrap();
    app.store.signal().due.notify_one();
    let job = app.finished(&id).await;
    assert_eq!(job["error_code"], "submission_unknown", "{job}");
    assert_eq!(emulator.counters().history_reads, 0);
    assert_eq!(emulator.submissions_count(), 2);
    app.stop().await;
    emulator.stop().await;
}

/// A job that an account's run stands for, in a service that has another account's key now.
async fn moved_to_another_account() -> (TestApp, String, [Emulator; 2]) {
    const OTHERS: &str = "another-account:and-its-secret";
    let emulator = held_emulator().await;
    let app = started(&emulator).await;
    let id = app.create(&small()).await;
    until("the accepted call", || async {
        (submissions(&app) == "accepted").then_some(())
    })
    .await;
    let folder = app.stop().await;
    // An account knows nothing of another's requests.
    let others = emulator_with(EmulatorConfig {
        keys: vec![OTHERS.to_owned()],
        ..EmulatorConfig::default()
    })
    .await;
    let mut setup = Setup::new(Way::FalPolling)
        .with("FAL_API_KEY", OTHERS)
        .with("FAL_ADMIN_KEY", &others.admin_key());
    // Between tries of what failed.
    setup.tuning.worker.storage_pause = Duration::from_millis(1);
    let app = TestApp::start_in(folder, setup, Some(&others)).await;
    (app, id, [emulator, others])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_of_another_account_is_told_as_such_and_not_as_lost() {
    let (app, id, emulators) = moved_to_another_account().await;
    let job = app.finished(&id).await;
    assert_eq!(job["error_code"], "engine_account_changed", "{job}");
    assert_eq!(submissions(&app), "accepted", "it may have been paid");
    app.stop().await;
    for emulator in emulators {
        emulator.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_of_another_account_that_cannot_be_cancelled_is_counted_and_all_else_is_released() {
    let (app, id, emulators) = moved_to_another_account().await;
    let url = format!("{}/api/jobs/{id}", app.base);
    let deleted = app.client.delete(url).send().await.unwrap();
    assert_eq!(deleted.status(), 204);
    let counted =
        r#"lamina_engine_errors_total{engine="fal",call="cancel",code="engine_account_changed"}"#;
    until("the cancel to be counted", || async {
        app.scrape().await.contains(counted).then_some(())
    })
    .await;
    // Its copies are asked to go all the same, and its bytes are gone.
    let asked = r#"lamina_engine_call_duration_seconds_count{engine="fal",call="erase"}"#;
    until("the copies to be asked for", || async {
        app.scrape().await.contains(asked).then_some(())
    })
    .await;
    until("everything to be erased", || async {
        let left = crate::support::files(&app.folder.path().join("blobs/jobs").join(&id));
        left.is_empty().then_some(())
    })
    .await;
    app.stop().await;
    for emulator in emulators {
        emulator.stop().await;
    }
}
