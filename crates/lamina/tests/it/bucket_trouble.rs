//! Bad days of a bucket: down, slow, refusing, answering half. Creates are refused with a word on
//! what to do, jobs wait and end well, readiness says how it is, and a stop is a stop.

use std::time::{Duration, Instant};

use axum::http::Method;
use fal_emulator::{Config as EmulatorConfig, Emulator};
use lamina::jobs::Phase;
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};

use crate::support::{
    Fault, Process, S3, Setup, TestApp, Way, json_of, picture, png_base64, png_bytes, until,
};

const ALL: [Method; 4] = [Method::GET, Method::HEAD, Method::PUT, Method::DELETE];
const READS: [Method; 2] = [Method::GET, Method::HEAD];
const DOWN: Fault = Fault::Answer(503, "ServiceUnavailable");

fn body() -> Value {
    json!({ "image_base64": png_base64(&picture(64, 48)) })
}

async fn post(app: &TestApp) -> Response {
    let request = app.client.post(format!("{}/api/jobs", app.base));
    request.json(&body()).send().await.unwrap()
}

async fn refused(answer: Response, status: StatusCode, code: &str) -> bool {
    let (got, again) = (
        answer.status(),
        answer.headers().contains_key("retry-after"),
    );
    let answer = json_of(answer).await;
    assert_eq!((got, &answer["code"]), (status, &json!(code)), "{answer}");
    again
}

async fn ready(app: &TestApp) -> bool {
    app.get("/readyz").send().await.unwrap().status() == StatusCode::OK
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_bucket_is_down_creates_are_refused_and_readiness_says_so() {
    let mut s3 = S3::start().await;
    let app = TestApp::start_with(Setup::new(Way::Local).over(&s3), None).await;
    until("readiness", || async { ready(&app).await.then_some(()) }).await;
    s3.down().await;
    let unavailable = StatusCode::SERVICE_UNAVAILABLE;
    assert!(refused(post(&app).await, unavailable, "storage_unavailable").await);
    let upload = app.client.post(format!("{}/api/upload", app.base));
    let upload = upload.body(png_bytes(&picture(30, 30))).send().await;
    assert!(refused(upload.unwrap(), unavailable, "storage_unavailable").await);
    // What readiness learnt a moment ago counts for a few seconds.
    until("readiness to notice", || async {
        (!ready(&app).await).then_some(())
    })
    .await;
    assert_eq!(
        app.get("/healthz").send().await.unwrap().status(),
        StatusCode::OK
    );

    s3.up().await;
    until("readiness to come back", || async {
        ready(&app).await.then_some(())
    })
    .await;
    assert_eq!(app.split(json!({})).await["status"], "completed");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_that_takes_no_writes_is_not_ready() {
    let s3 = S3::start().await;
    let app = TestApp::start_with(Setup::new(Way::Local).over(&s3), None).await;
    until("readiness", || async { ready(&app).await.then_some(()) }).await;
    // Full, or the key may only read: reading goes on as if nothing were.
    s3.fail(&[Method::PUT], Fault::Answer(507, "QuotaExceeded"));
    let unavailable = StatusCode::SERVICE_UNAVAILABLE;
    refused(post(&app).await, unavailable, "storage_unavailable").await;
    until("readiness to notice", || async {
        (!ready(&app).await).then_some(())
    })
    .await;
    s3.heal();
    until("readiness to come back", || async {
        ready(&app).await.then_some(())
    })
    .await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paid_result_waits_until_the_bucket_is_back() {
    let mut s3 = S3::start().await;
    let config = EmulatorConfig {
        hold: true,
        ..EmulatorConfig::default()
    };
    let emulator = Emulator::start(config).await.unwrap();
    let setup = Setup::new(Way::FalPolling)
        .over(&s3)
        .with("FAL_IMAGE", "data");
    let app = TestApp::start_with(setup, Some(&emulator)).await;
    let id = app.create(&body()).await;
    let submitted = emulator.wait_for_submissions(1).await;
    s3.down().await;
    emulator.complete(&submitted[0].request_id).await;
    until("the job to be collected", || async {
        (app.job(&id).await["progress"].as_f64() > Some(0.94)).then_some(())
    })
    .await;
    assert_eq!(app.job(&id).await["status"], "processing");
    s3.up().await;
    assert_eq!(app.finished(&id).await["status"], "completed");
    assert_eq!(emulator.billable_units(), 1);
    app.stop().await;
    emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_picture_that_fal_could_not_fetch_from_the_bucket_is_handed_over_again() {
    let mut s3 = S3::start().await;
    let config = EmulatorConfig {
        hold: true,
        ..EmulatorConfig::default()
    };
    let emulator = Emulator::start(config).await.unwrap();
    let setup = Setup::new(Way::FalPolling).over(&s3);
    let app = TestApp::start_with(setup, Some(&emulator)).await;
    let id = app.create(&body()).await;
    let submitted = emulator.wait_for_submissions(1).await;
    until("the job to wait", || async {
        (app.job(&id).await["status"] == "processing").then_some(())
    })
    .await;
    s3.down().await;
    // It fetches the picture when it begins.
    emulator.complete(&submitted[0].request_id).await;
    until("the job to be handed over again", || async {
        let phase = app.store.job_phase(id.parse().unwrap()).await.unwrap();
        (phase == Some(Phase::Submit)).then_some(())
    })
    .await;
    // It was accepted once, and does not fall back in the app's eyes.
    assert_eq!(app.job(&id).await["status"], "processing");
    s3.up().await;
    let again = emulator.wait_for_submissions(2).await;
    emulator.complete(&again[1].request_id).await;
    assert_eq!(app.finished(&id).await["status"], "completed");
    assert_eq!(emulator.billable_units(), 1);
    app.stop().await;
    emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_whose_picture_cannot_be_read_waits_unpaid_whichever_way_it_would_go() {
    for (way, image) in [
        (Way::Local, "auto"),
        (Way::FalPolling, "bucket"),
        (Way::FalPolling, "upload"),
        (Way::FalPolling, "data"),
    ] {
        let s3 = S3::start().await;
        let emulator = Emulator::start(EmulatorConfig::default()).await.unwrap();
        let mut setup = Setup::new(way).over(&s3);
        let mut fal = None;
        if way == Way::FalPolling {
            setup = setup.with("FAL_IMAGE", image);
            fal = Some(&emulator);
        }
        let app = TestApp::start_with(setup, fal).await;
        s3.fail(&READS, DOWN);
        let id = app.create(&body()).await;
        // Four requests a try: more tries than a job has attempts.
        let asked = || s3.count(&Method::GET, "source") + s3.count(&Method::HEAD, "source");
        until("many tries", || async { (asked() >= 24).then_some(()) }).await;
        assert_eq!(app.job(&id).await["status"], "pending");
        assert_eq!(emulator.billable_units(), 0);
        s3.heal();
        let job = app.finished(&id).await;
        assert_eq!(job["status"], "completed", "{way:?} {image} {job}");
        app.stop().await;
        emulator.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_cannot_read_its_picture_is_handed_over_again_later() {
    let s3 = S3::start().await;
    let app = TestApp::start_with(Setup::new(Way::Local).over(&s3), None).await;
    // Its size can be asked for, so the engine takes it, and then finds nothing.
    s3.fail(&[Method::GET], DOWN);
    let id = app.create(&body()).await;
    until("some tries", || async {
        (s3.count(&Method::GET, "source") >= 24).then_some(())
    })
    .await;
    assert_ne!(app.job(&id).await["status"], "failed");
    s3.heal();
    assert_eq!(app.finished(&id).await["status"], "completed");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_key_is_said_to_the_client_once_and_to_the_operator_in_full() {
    let s3 = S3::start().await;
    let wrong = Setup::new(Way::Local)
        .over(&s3)
        .with("S3_SECRET_ACCESS_KEY", "another");
    let app = TestApp::start_with(wrong, None).await;
    let status = StatusCode::INTERNAL_SERVER_ERROR;
    let again = refused(post(&app).await, status, "storage_refused").await;
    assert!(!again, "trying again does not help");
    assert_eq!(s3.count(&Method::PUT, "source"), 1);
    assert!(!ready(&app).await);
    let folder = app.stop().await;

    let database = folder.path().join("lamina.db").display().to_string();
    let mut options = s3.options();
    options.push(("DATABASE_PATH", database));
    options.push(("S3_SECRET_ACCESS_KEY", "another".into()));
    let pairs: Vec<_> = options
        .iter()
        .map(|(name, v)| (*name, v.as_str()))
        .collect();
    let (status, report) = Process::check(&pairs).await;
    assert_eq!(status.code(), Some(1), "{report}");
    assert!(report.contains("BAD  storage"), "{report}");
    assert!(report.contains("S3_SECRET_ACCESS_KEY"), "{report}");

    let app = TestApp::start_in(folder, Setup::new(Way::Local).over(&s3), None).await;
    until("readiness", || async { ready(&app).await.then_some(()) }).await;
    assert_eq!(app.split(json!({})).await["status"], "completed");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_waits_while_the_key_is_revoked() {
    let s3 = S3::start().await;
    let app = TestApp::start_with(Setup::new(Way::Local).over(&s3), None).await;
    s3.fail(&READS, Fault::Answer(403, "AccessDenied"));
    let id = app.create(&body()).await;
    until("some tries", || async {
        let asked = s3.count(&Method::GET, "source") + s3.count(&Method::HEAD, "source");
        (asked >= 7).then_some(())
    })
    .await;
    assert_eq!(app.job(&id).await["status"], "pending");
    s3.heal();
    assert_eq!(app.finished(&id).await["status"], "completed");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_the_bucket_cuts_reaches_the_client_whole() {
    let s3 = S3::start().await;
    let setup = Setup::new(Way::Local)
        .over(&s3)
        .with("STORAGE_LINKS", "lamina");
    let app = TestApp::start_with(setup, None).await;
    let job = app.split(json!({})).await;
    let layer = &job["layers"][0];
    s3.fail_next(Method::GET, Fault::CutBody);
    let answer = app.client.get(layer["url"].as_str().unwrap()).send().await;
    let bytes = answer.unwrap().bytes().await.unwrap();
    assert_eq!(layer["bytes"], bytes.len());
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_that_refuses_head_serves_links_as_any_other() {
    for status in [403, 405, 501] {
        let s3 = S3::start().await;
        let setup = Setup::new(Way::Local)
            .over(&s3)
            .with("STORAGE_LINKS", "lamina");
        let app = TestApp::start_with(setup, None).await;
        s3.fail(&[Method::HEAD], Fault::Answer(status, "AccessDenied"));
        let job = app.split(json!({})).await;
        let layer = &job["layers"][0];
        let url = layer["url"].as_str().unwrap();
        for _ in 0..2 {
            let answer = app.client.get(url).send().await.unwrap();
            assert_eq!(answer.status(), StatusCode::OK, "{status}");
            let bytes = answer.bytes().await.unwrap();
            assert_eq!(layer["bytes"], bytes.len());
            let part = app.client.get(url).header("range", "bytes=-7");
            let part = part.send().await.unwrap();
            assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
            assert_eq!(part.bytes().await.unwrap(), bytes[bytes.len() - 7..]);
            let head = app.client.head(url).send().await.unwrap();
            assert_eq!(head.headers()["content-length"], bytes.len().to_string());
        }
        // A bucket is asked once whether it knows HEAD, and goes on being asked for what it does.
        let refused = s3.count(&Method::HEAD, "layers");
        app.client.get(url).send().await.unwrap();
        assert_eq!(s3.count(&Method::HEAD, "layers"), refused);
        s3.fail(&[Method::GET], Fault::Answer(403, "AccessDenied"));
        let answer = app.client.get(url).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
        s3.heal();
        app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_does_not_wait_for_a_bucket_that_hangs() {
    let s3 = S3::start().await;
    let setup = Setup::new(Way::Local).over(&s3).with("STOP_GRACE", "1s");
    let app = TestApp::start_with(setup, None).await;
    let job = app.split(json!({})).await;
    s3.fail(&ALL, Fault::Hang);
    // Before the delete: the sweep comes at once after it.
    let lists = s3.count(&Method::GET, "");
    let url = format!("{}/api/jobs/{}", app.base, job["job_id"].as_str().unwrap());
    let deleted = app.client.delete(&url).send().await.unwrap();
    assert_eq!(deleted.status(), StatusCode::NO_CONTENT);
    until("the sweep to ask", || async {
        (s3.count(&Method::GET, "") > lists).then_some(())
    })
    .await;
    let begun = Instant::now();
    app.stop().await;
    // The call itself would be waited for much longer.
    assert!(begun.elapsed() < Duration::from_secs(30));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_that_hangs_is_not_ready_and_does_not_hang_the_question() {
    let s3 = S3::start().await;
    let app = TestApp::start_with(Setup::new(Way::Local).over(&s3), None).await;
    s3.fail(&ALL, Fault::Hang);
    let answer = app.get("/readyz").send().await.unwrap();
    assert!(refused(answer, StatusCode::SERVICE_UNAVAILABLE, "not_ready").await);
    let health = app.get("/healthz").send().await.unwrap();
    assert_eq!(health.status(), StatusCode::OK);
    s3.heal();
    until("readiness to come back", || async {
        ready(&app).await.then_some(())
    })
    .await;
    app.stop().await;
}
