//! Stopping: nothing is lost, nothing is counted, nobody else's file is touched.

use serde_json::json;

use crate::support::{Process, Setup, TestApp, Way, held_emulator, picture, png_base64, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_waits_goes_on_after_a_restart_without_a_second_payment() {
    let emulator = held_emulator().await;
    let app = TestApp::start(Way::FalPolling, Some(&emulator)).await;
    let id = app
        .create(&json!({ "image_base64": png_base64(&picture(64, 48)) }))
        .await;
    let submitted = emulator.wait_for_submissions(1).await;
    until("the job to wait", || async {
        (app.job(&id).await["status"] == "processing").then_some(())
    })
    .await;
    let folder = app.stop().await;

    let app = TestApp::start_in(folder, Setup::new(Way::FalPolling), Some(&emulator)).await;
    assert_eq!(app.job(&id).await["status"], "processing");
    emulator.complete(&submitted[0].request_id).await;
    assert_eq!(app.finished(&id).await["status"], "completed");
    assert_eq!(
        (emulator.submissions_count(), emulator.billable_units()),
        (1, 1)
    );
    app.stop().await;
    emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deleting_a_running_job_cancels_it_at_the_engine() {
    let emulator = held_emulator().await;
    let app = TestApp::start(Way::FalPolling, Some(&emulator)).await;
    let id = app
        .create(&json!({ "image_base64": png_base64(&picture(64, 48)) }))
        .await;
    let submitted = emulator.wait_for_submissions(1).await;
    until("the job to wait", || async {
        (app.job(&id).await["status"] == "processing").then_some(())
    })
    .await;
    let deleted = app
        .client
        .delete(format!("{}/api/jobs/{id}", app.base))
        .send()
        .await
        .unwrap();
    assert_eq!(deleted.status(), 204);
    until("the cancel at fal", || async {
        (emulator.cancelled() == [submitted[0].request_id.clone()]).then_some(())
    })
    .await;
    assert_eq!(emulator.billable_units(), 0);
    app.stop().await;
    emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_process_on_the_same_file_says_so_and_ends() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("lamina.db").display().to_string();
    let options = [("DATABASE_PATH", database.as_str()), ("PORT", "0")];
    let first = Process::start(&options).await;
    let (status, said) = Process::spawn(&options).ended().await;
    assert_eq!(status.code(), Some(1));
    assert!(said.contains("in use by another lamina process"), "{said}");
    let (status, said) = first.terminate().await;
    assert!(status.success(), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_wrong_in_a_configuration_is_named_and_ends_with_code_2() {
    let (status, said) = Process::spawn(&[("PORT", "eighty"), ("HOST", "everywhere")])
        .ended()
        .await;
    assert_eq!(status.code(), Some(2));
    assert!(said.contains("PORT") && said.contains("HOST"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_public_address_without_keys_is_refused_at_start() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("lamina.db").display().to_string();
    let options = [
        ("DATABASE_PATH", database.as_str()),
        ("PORT", "0"),
        ("HOST", "0.0.0.0"),
    ];
    let (status, said) = Process::spawn(&options).ended().await;
    assert_eq!(status.code(), Some(1), "{said}");
    for word in ["0.0.0.0", "API_KEYS", "ALLOW_ANONYMOUS"] {
        assert!(said.contains(word), "{word} is not in {said}");
    }
}
