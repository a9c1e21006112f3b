//! fal calls back: what is asked of it then.

use std::time::{Duration, Instant};

use fal_emulator::{Fault, ModelError};
use serde_json::{Value, json};

use crate::support::{TestApp, Way, held_emulator, picture, png_base64, until};

/// A job by webhooks, to its end, with the questions about its status and result since fal was done, and the time.
async fn called_back(fault: Option<Fault>) -> (Value, [u64; 2], Duration) {
    let emulator = held_emulator().await;
    emulator.script_many(fault);
    let app = TestApp::start(Way::FalWebhooks, Some(&emulator)).await;
    let picture = json!({ "image_base64": png_base64(&picture(64, 48)) });
    let id = app.create(&picture).await;
    until("the job to wait", || async {
        (app.job(&id).await["status"] == "processing").then_some(())
    })
    .await;
    let (before, since) = (emulator.counters(), Instant::now());
    for run in emulator.wait_for_submissions(1).await {
        emulator.complete(&run.request_id).await;
    }
    let job = app.finished(&id).await;
    let took = since.elapsed();
    let now = emulator.counters();
    app.stop().await;
    emulator.stop().await;
    let asked = [
        now.status_reads - before.status_reads,
        now.result_reads - before.result_reads,
    ];
    (job, asked, took)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_result_that_is_there_is_asked_for_at_once() {
    let (job, asked, _) = called_back(None).await;
    assert_eq!(job["status"], "completed", "{job}");
    assert_eq!(asked, [0, 1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_there_is_none_the_status_tells_why() {
    let refused = Fault::ModelError(ModelError::ContentPolicyViolation);
    let (job, asked, _) = called_back(Some(refused)).await;
    assert_eq!(job["error_code"], "content_refused", "{job}");
    assert_eq!(asked, [1, 2]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_result_that_cannot_be_had_now_is_asked_for_no_sooner_than_fal_wants() {
    let (job, asked, took) = called_back(Some(Fault::ResultErrors {
        status: 429,
        times: 1,
        retry_after: Some(3),
    }))
    .await;
    assert_eq!(job["status"], "completed", "{job}");
    assert!(took >= Duration::from_secs(3), "{took:?}");
    // Nothing called since, so the status is asked first.
    assert_eq!(asked, [1, 2]);
}
