//! A picture is gone when its time is over, with a clock that the test moves.

use std::sync::Arc;
use std::time::Duration;

use lamina::clock::{Clock as _, ManualClock};
use lamina::jobs::UnixMs;
use reqwest::StatusCode;
use serde_json::json;

use crate::support::{Setup, TestApp, Way, json_of, picture, png_base64, png_bytes, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_day_after_its_create_a_job_is_gone_with_its_bytes_and_a_week_later_forgotten() {
    let clock = ManualClock::at(UnixMs(1_795_356_717_000));
    let mut setup = Setup::new(Way::Local);
    setup.clock = Arc::new(clock.clone());
    let app = TestApp::start_with(setup, None).await;
    let upload = app
        .client
        .post(format!("{}/api/upload", app.base))
        .header("content-type", "image/png");
    let upload = json_of(
        upload
            .body(png_bytes(&picture(30, 30)))
            .send()
            .await
            .unwrap(),
    )
    .await;
    let id = app
        .create(&json!({ "image_base64": png_base64(&picture(64, 48)) }))
        .await;
    let job = app.finished(&id).await;
    let link = job["layers"][0]["url"].as_str().unwrap().to_owned();

    clock.advance(Duration::from_secs(24 * 3600));
    assert_eq!(
        app.client.get(&link).send().await.unwrap().status(),
        StatusCode::GONE
    );
    assert_eq!(
        app.client
            .get(upload["url"].as_str().unwrap())
            .send()
            .await
            .unwrap()
            .status(),
        StatusCode::GONE
    );
    let blobs = app.folder.path().join("blobs");
    until("every byte to go", || async {
        // The janitor's own period is longer than a test should wait.
        app.store.signal().erase.notify_one();
        let left = [
            blobs.join("jobs").join(&id),
            blobs
                .join("uploads")
                .join(upload["upload_id"].as_str().unwrap()),
        ];
        (!left.iter().any(|folder| folder.exists())).then_some(())
    })
    .await;
    let gone = app.get(&format!("/api/jobs/{id}")).send().await.unwrap();
    assert_eq!(gone.status(), StatusCode::GONE);
    assert_eq!(json_of(gone).await["code"], "job_expired");
    let used = app
        .client
        .post(format!("{}/api/jobs", app.base))
        .json(&json!({ "upload_id": upload["upload_id"] }));
    assert_eq!(
        used.send().await.unwrap().status(),
        StatusCode::UNPROCESSABLE_ENTITY
    );

    clock.advance(Duration::from_secs(7 * 24 * 3600 + 1));
    until("the row to be forgotten", || async {
        app.store.signal().erase.notify_one();
        let answer = app.get(&format!("/api/jobs/{id}")).send().await.unwrap();
        (answer.status() == StatusCode::NOT_FOUND).then_some(())
    })
    .await;
    assert!(clock.now() > UnixMs(1_795_356_717_000));
    app.stop().await;
}
