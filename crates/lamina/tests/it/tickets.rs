//! Direct uploads over real sockets: by a link of lamina, and by a presigned link of a real S3
//! server; how they end, and what is left of them.

use std::sync::Arc;
use std::time::Duration;

use axum::http::Method;
use lamina::clock::{Clock as _, ManualClock, SystemClock};
use lamina::jobs::{UnixMs, UploadId};
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::support::{Process, S3, Setup, TestApp, Way, files, json_of, picture, png_bytes, until};

async fn ticket(app: &TestApp, terms: Value) -> Value {
    let asked = app.client.post(format!("{}/api/uploads", app.base));
    let answer = asked.json(&terms).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::CREATED);
    json_of(answer).await
}

/// Sends a file exactly as the ticket says.
async fn put(app: &TestApp, ticket: &Value, file: Vec<u8>) -> Response {
    let mut request = app.client.put(ticket["url"].as_str().unwrap());
    for (name, value) in ticket["headers"].as_object().unwrap() {
        request = request.header(name, value.as_str().unwrap());
    }
    request.body(file).send().await.unwrap()
}

async fn used(app: &TestApp, ticket: &Value) -> (u16, Value) {
    let asked = app.client.post(format!("{}/api/jobs", app.base));
    let body = json!({ "upload_id": ticket["upload_id"] });
    let answer = asked.json(&body).send().await.unwrap();
    (answer.status().as_u16(), json_of(answer).await)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_picture_sent_by_a_ticket_becomes_a_job() {
    let app = TestApp::start(Way::Local, None).await;
    becomes_a_job(&app).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_picture_put_into_the_bucket_becomes_a_job_and_its_raw_bytes_go() {
    let s3 = S3::start().await;
    let app = TestApp::start_with(Setup::new(Way::Local).over(&s3), None).await;
    let given = becomes_a_job(&app).await;
    assert_eq!(
        s3.count(&Method::PUT, "incoming.bin"),
        1,
        "it never passed lamina"
    );
    let id = given["upload_id"].as_str().unwrap();
    let left = files(&s3.objects().join("uploads").join(id));
    assert_eq!(left.len(), 1, "{left:?}");
    // Whoever uses the link again changes nothing of the upload.
    let again = put(&app, &given, png_bytes(&picture(64, 48))).await;
    assert_eq!(again.status(), StatusCode::OK);
    assert_eq!(used(&app, &given).await.0, 202);
    app.stop().await;
}

async fn becomes_a_job(app: &TestApp) -> Value {
    let file = png_bytes(&picture(64, 48));
    let terms = json!({"content_type": "image/png", "bytes": file.len()});
    let given = ticket(app, terms).await;
    let (status, refused) = used(app, &given).await;
    assert_eq!((status, &refused["code"]), (409, &json!("upload_pending")));
    assert!(put(app, &given, file).await.status().is_success());
    let (status, job) = used(app, &given).await;
    assert_eq!(status, 202, "{job}");
    let job = app.finished(job["job_id"].as_str().unwrap()).await;
    assert_eq!(job["status"], "completed", "{job}");
    assert!(files(&app.folder.path().join("incoming")).is_empty());
    given
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_bucket_took_unseen_is_refused_when_it_is_used() {
    let s3 = S3::start().await;
    let setup = Setup::new(Way::Local)
        .over(&s3)
        .with("MAX_IMAGE_BYTES", "100000");
    let app = TestApp::start_with(setup, None).await;
    let mut cut = png_bytes(&picture(64, 48));
    cut.truncate(200);
    for (file, status, code) in [
        (
            b"%PDF-1.7 and more".to_vec(),
            415,
            "image_format_unsupported",
        ),
        (vec![0; 300_000], 413, "image_too_many_bytes"),
        (cut, 422, "image_truncated"),
    ] {
        let given = ticket(&app, json!({})).await;
        assert_eq!(given["headers"], json!({}));
        assert_eq!(put(&app, &given, file).await.status(), StatusCode::OK);
        let (found, refused) = used(&app, &given).await;
        assert_eq!(
            (found, &refused["code"]),
            (status, &json!(code)),
            "{refused}"
        );
    }
    // A body that is not what was declared never gets in.
    let given = ticket(&app, json!({"content_type": "image/png", "bytes": 5})).await;
    let put = app.client.put(given["url"].as_str().unwrap());
    let sent = put
        .header("content-type", "image/png")
        .body("123456")
        .send()
        .await;
    assert_eq!(sent.unwrap().status(), StatusCode::FORBIDDEN);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tickets_and_resumable_uploads_go_with_their_time() {
    expire(Setup::new(Way::Local), None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tickets_of_a_bucket_go_with_their_time() {
    let s3 = S3::start().await;
    expire(Setup::new(Way::Local).over(&s3), Some(&s3)).await;
}

async fn expire(mut setup: Setup, bucket: Option<&S3>) {
    // The bucket has a clock of its own, and checks the links by it.
    let clock = ManualClock::at(SystemClock::default().now());
    setup.clock = Arc::new(clock.clone());
    let app = TestApp::start_with(setup.clone(), None).await;
    let (unused, filled) = (ticket(&app, json!({})).await, ticket(&app, json!({})).await);
    let file = png_bytes(&picture(64, 48));
    assert!(put(&app, &filled, file.clone()).await.status().is_success());
    let created = app.client.post(format!("{}/api/uploads/tus", app.base));
    let created = created
        .header("tus-resumable", "1.0.0")
        .header("upload-length", "1000")
        .header("content-type", "application/offset+octet-stream")
        .body("a beginning");
    assert_eq!(created.send().await.unwrap().status(), StatusCode::CREATED);
    let objects = bucket.map(|s3| s3.objects().join("uploads"));
    let left = |folder: &std::path::Path| {
        let incoming = files(&folder.join("incoming")).len();
        incoming + objects.as_ref().map_or(0, |folder| files(folder).len())
    };
    assert_eq!(left(app.folder.path()), 2);

    clock.advance(Duration::from_secs(3600));
    for ticket in [&unused, &filled] {
        assert_eq!(used(&app, ticket).await.0, 422);
    }
    let swept = |app: &TestApp, wanted| {
        app.store.signal().erase.notify_one();
        (left(app.folder.path()) == wanted).then_some(())
    };
    until("the ticket's bytes to go", || async { swept(&app, 1) }).await;
    // The rest is found by the next life too.
    let folder = app.stop().await;
    clock.advance(Duration::from_secs(23 * 3600));
    let app = TestApp::start_in(folder, setup, None).await;
    // So long an absence could be a clock that leapt: it has to run on for an hour from the start.
    until("the beginning to go", || async {
        clock.advance(Duration::from_secs(3601));
        swept(&app, 0)
    })
    .await;
    let id: UploadId = filled["upload_id"].as_str().unwrap().parse().unwrap();
    assert!(app.store.upload_existing(&[id]).await.unwrap().is_empty());
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_of_an_upload_that_no_row_names_are_swept_once_they_are_old() {
    let clock = ManualClock::at(UnixMs(1_795_356_717_000));
    let mut setup = Setup::new(Way::Local);
    setup.clock = Arc::new(clock.clone());
    let folder = tempfile::tempdir().unwrap();
    let incoming = folder.path().join("incoming");
    std::fs::create_dir(&incoming).unwrap();
    let write = |made: UnixMs| {
        let file = incoming.join(UploadId::new(made).to_string());
        std::fs::write(&file, "bytes").unwrap();
        file
    };
    let old = write(clock.now().minus(Duration::from_secs(3700)));
    let young = write(clock.now());
    let app = TestApp::start_in(folder, setup, None).await;
    until("the orphan to go", || async {
        (!old.exists()).then_some(())
    })
    .await;
    assert!(young.exists());
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_left_of_bodies_that_a_kill_or_a_cut_ended() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("lamina.db").display().to_string();
    let options = [("DATABASE_PATH", database.as_str()), ("PORT", "0")];
    let incoming = folder.path().join("incoming");
    let kept = || files(&incoming).len() + files(&folder.path().join("spool")).len();
    let service = Process::start(&options).await;
    let client = reqwest::Client::new();
    let given = client.post(format!("{}/api/uploads", service.base));
    let given = given
        .json(&json!({"bytes": 1_000_000}))
        .send()
        .await
        .unwrap();
    let given = json_of(given).await;
    let url = given["url"].as_str().unwrap();
    let path = url.strip_prefix(&service.base).unwrap();
    let address = service.base.strip_prefix("http://").unwrap().to_owned();
    let half = |method: &str, path: &str| {
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: {address}\r\ncontent-type: image/png\r\ncontent-length: 1000000\r\n\r\n"
        );
        [head.into_bytes(), vec![7; 500_000]].concat()
    };
    let to = address.as_str();
    let send = |bytes: Vec<u8>| async move {
        let mut socket = TcpStream::connect(to).await.unwrap();
        socket.write_all(&bytes).await.unwrap();
        socket
    };
    // A cut: the half that came is dropped, and the link takes another.
    let ticket = send(half("PUT", path)).await;
    until("the first half", || async { (kept() == 1).then_some(()) }).await;
    let upload = send(half("POST", "/api/upload")).await;
    drop((ticket, upload));
    until("the halves to go", || async { (kept() == 0).then_some(()) }).await;
    // A kill, in the middle of both.
    let _ticket = send(half("PUT", path)).await;
    let _upload = send(half("POST", "/api/upload")).await;
    until("the first half again", || async {
        (kept() == 1).then_some(())
    })
    .await;
    service.kill().await;
    let service = Process::start(&options).await;
    assert_eq!(
        kept(),
        0,
        "what a killed process left is gone when the next one serves"
    );
    let (status, said) = service.terminate().await;
    assert!(status.success(), "{said}");
}
