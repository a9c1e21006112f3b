//! A picture is gone when its time is over, with a clock that the test moves.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use lamina::clock::{Clock as _, ManualClock};
use lamina::jobs::{JobId, UnixMs, UploadId};
use reqwest::StatusCode;
use serde_json::json;
use tempfile::TempDir;

use crate::support::{
    S3, Setup, TestApp, Way, files, json_of, picture, png_base64, png_bytes, until,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_day_after_its_create_a_job_is_gone_with_its_bytes_and_a_week_later_forgotten() {
    expires(Setup::new(Way::Local), None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_day_after_its_create_a_job_is_gone_from_the_bucket_too() {
    let s3 = S3::start().await;
    expires(Setup::new(Way::Local).over(&s3), Some(&s3)).await;
    let mut left = files(&s3.objects());
    left.sort_unstable();
    assert_eq!(
        left,
        [
            s3.objects().join("deployment.json"),
            s3.objects().join("probe")
        ],
        "the file that readiness writes and the storage's mark are all that is left"
    );
}

/// As on a disk that is so full that no row can be written: what would be marked first is erased all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_over_is_erased_although_its_row_cannot_be_written() {
    let clock = ManualClock::at(UnixMs(1_795_356_717_000));
    let mut setup = Setup::new(Way::Local);
    setup.clock = Arc::new(clock.clone());
    let app = TestApp::start_with(setup, None).await;
    let id = app
        .create(&json!({ "image_base64": png_base64(&picture(64, 48)) }))
        .await;
    app.finished(&id).await;
    let other = rusqlite::Connection::open(app.folder.path().join("lamina.db")).unwrap();
    other.execute_batch("begin immediate").unwrap();
    clock.advance(Duration::from_secs(24 * 3600));
    until("every byte to go", || async {
        app.store.signal().erase.notify_one();
        let left = files(&app.folder.path().join("blobs/jobs").join(&id));
        left.is_empty().then_some(())
    })
    .await;
    let phase = |id: &str| -> String {
        let phase = "select phase from jobs where id = ?1";
        other.query_row(phase, [id], |row| row.get(0)).unwrap()
    };
    assert_eq!(phase(&id), "completed", "the test proves nothing");
    other.execute_batch("rollback").unwrap();
    until("the row to follow", || async {
        app.store.signal().erase.notify_one();
        (phase(&id) == "expired").then_some(())
    })
    .await;
    app.stop().await;
}

async fn expires(mut setup: Setup, bucket: Option<&S3>) {
    let clock = ManualClock::at(UnixMs(1_795_356_717_000));
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
    for link in [&link, upload["url"].as_str().unwrap()] {
        let answer = app.client.get(link).send().await.unwrap();
        // The bucket has a clock of its own; there, the bytes go.
        assert!(bucket.is_some() || answer.status() == StatusCode::GONE);
    }
    let blobs = bucket.map_or_else(|| app.folder.path().join("blobs"), S3::objects);
    until("every byte to go", || async {
        // Maintenance's own period is longer than a test should wait.
        app.store.signal().erase.notify_one();
        let left = [
            blobs.join("jobs").join(&id),
            blobs
                .join("uploads")
                .join(upload["upload_id"].as_str().unwrap()),
        ];
        left.iter()
            .all(|folder| files(folder).is_empty())
            .then_some(())
    })
    .await;
    let answer = app.client.get(&link).send().await.unwrap();
    assert!(answer.status().is_client_error(), "{}", answer.status());
    assert_eq!(
        app.get("/readyz").send().await.unwrap().status(),
        StatusCode::OK
    );
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_that_no_row_names_are_swept_once_they_are_old() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = folder.path().join("blobs");
    sweeps(folder, Setup::new(Way::Local), &blobs).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_that_no_row_names_are_swept_from_the_bucket_too_and_from_nowhere_else() {
    let s3 = S3::start().await;
    let neighbour = s3.objects().parent().unwrap().join("jobs/other/source.png");
    std::fs::create_dir_all(neighbour.parent().unwrap()).unwrap();
    std::fs::write(&neighbour, "of another program").unwrap();
    let setup = Setup::new(Way::Local).over(&s3);
    sweeps(tempfile::tempdir().unwrap(), setup, &s3.objects()).await;
    assert!(neighbour.exists());
}

/// The sweep runs at a start, so what it must find is there before the second one.
async fn sweeps(folder: TempDir, setup: Setup, blobs: &Path) {
    let clock = ManualClock::at(UnixMs(1_795_356_717_000));
    let start = |folder| {
        let mut setup = setup.clone();
        setup.clock = Arc::new(clock.clone());
        TestApp::start_in(folder, setup, None)
    };
    let app = start(folder).await;
    let kept = app
        .create(&json!({ "image_base64": png_base64(&picture(64, 48)) }))
        .await;
    app.finished(&kept).await;
    let folder = app.stop().await;

    clock.advance(Duration::from_secs(2 * 3600));
    let now = clock.now();
    let write = |path: String| {
        let file = blobs.join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, "bytes").unwrap();
        file
    };
    let old = now.minus(Duration::from_secs(3700));
    let orphans = [
        write(format!("jobs/{}/source.png", JobId::new(old))),
        write(format!("uploads/{}/image.png", UploadId::new(old))),
    ];
    let young = [
        write(format!("jobs/{}/source.png", JobId::new(now))),
        write(format!("uploads/{}/image.png", UploadId::new(now))),
    ];
    let app = start(folder).await;
    until("the orphans to go", || async {
        (!orphans.iter().any(|file| file.exists())).then_some(())
    })
    .await;
    assert!(young.iter().all(|file| file.exists()));
    assert!(!files(&blobs.join("jobs").join(&kept)).is_empty());
    app.stop().await;
}
