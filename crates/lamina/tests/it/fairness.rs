//! One owner's slow hosts and many jobs hold up nobody else's, at any stage.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::support::{
    Setup, TestApp, Way, emulator_with, json_of, picture, png_base64, png_bytes, until,
};

/// Of 32 bytes, as keys are.
const MANY: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const SAME: &str = "cccccccccccccccccccccccccccccccc";
const FEW: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
/// Jobs of the one owner; more than there are places at any stage.
const JOBS: usize = 30;

/// Two owners; one of them has two keys.
fn setup(way: Way) -> Setup {
    let keys = format!("many:{MANY},many:{SAME},few:{FEW}");
    let mut setup = Setup::new(way).with("API_KEYS", &keys);
    // The slow hosts outlast the test.
    setup.tuning.fetch_total = Some(Duration::from_secs(600));
    setup
}

async fn create(app: &TestApp, key: Option<&str>, body: &Value) -> String {
    let mut request = app.client.post(format!("{}/api/jobs", app.base)).json(body);
    if let Some(key) = key {
        request = request.bearer_auth(key);
    }
    let answer = request.send().await.unwrap();
    let status = answer.status();
    let created = json_of(answer).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{created}");
    created["job_id"].as_str().unwrap().to_owned()
}

async fn job(app: &TestApp, key: Option<&str>, id: &str) -> Value {
    let mut request = app.get(&format!("/api/jobs/{id}"));
    if let Some(key) = key {
        request = request.bearer_auth(key);
    }
    json_of(request.send().await.unwrap()).await
}

async fn completed(app: &TestApp, key: Option<&str>, body: &Value) {
    let id = create(app, key, body).await;
    let ended = until("the other owner's job", || async {
        let job = job(app, key, &id).await;
        (job["status"] == "completed" || job["status"] == "failed").then_some(job)
    })
    .await;
    assert_eq!(ended["status"], "completed", "{ended}");
}

fn small() -> Value {
    json!({ "image_base64": png_base64(&picture(48, 32)), "num_layers": 1 })
}

/// Answers at once, and then with nothing for as long as anyone listens.
async fn tarpit() -> (u16, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let serving = tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((mut socket, _)) = listener.accept().await {
            let head =
                "HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 100000\r\n\r\n";
            let _ = socket.write_all(head.as_bytes()).await;
            held.push(socket);
        }
    });
    (port, serving)
}

/// A host that gives one picture to anyone who asks.
async fn host(picture: Vec<u8>) -> (u16, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let serving = tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut request = [0; 4096];
            let _ = socket.read(&mut request).await;
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                picture.len()
            );
            let _ = socket.write_all(head.as_bytes()).await;
            let _ = socket.write_all(&picture).await;
        }
    });
    (port, serving)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_hosts_of_one_owner_hold_up_no_other_owners_job() {
    let ((slow, first), (quick, second)) =
        (tarpit().await, host(png_bytes(&picture(40, 30))).await);
    let app = TestApp::start_with(setup(Way::Local), None).await;
    let mut waiting = Vec::new();
    for number in 0..JOBS {
        let key = if number % 2 == 0 { MANY } else { SAME };
        let url = format!("http://127.0.0.1:{slow}/{number}.png");
        waiting.push(create(&app, Some(key), &json!({ "image_url": url })).await);
    }
    // Nothing to fetch, and something to fetch.
    completed(&app, Some(FEW), &small()).await;
    let fetched =
        json!({ "image_url": format!("http://localhost:{quick}/p.png"), "num_layers": 1 });
    completed(&app, Some(FEW), &fetched).await;
    // Its own jobs that need no fetch do not wait behind those that do.
    completed(&app, Some(MANY), &small()).await;
    for id in &waiting {
        assert_eq!(job(&app, Some(MANY), id).await["status"], "pending");
    }
    first.abort();
    second.abort();
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_slow_host_holds_up_nobody_where_everybody_is_anonymous() {
    let ((slow, first), (quick, second)) =
        (tarpit().await, host(png_bytes(&picture(40, 30))).await);
    let mut anonymous = Setup::new(Way::Local);
    anonymous.tuning.fetch_total = Some(Duration::from_secs(600));
    let app = TestApp::start_with(anonymous, None).await;
    for number in 0..JOBS {
        let url = format!("http://127.0.0.1:{slow}/{number}.png");
        create(&app, None, &json!({ "image_url": url })).await;
    }
    completed(&app, None, &small()).await;
    let fetched =
        json!({ "image_url": format!("http://localhost:{quick}/p.png"), "num_layers": 1 });
    completed(&app, None, &fetched).await;
    first.abort();
    second.abort();
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_embedded_engines_queue_goes_round_by_owner() {
    let app = TestApp::start_with(setup(Way::Local), None).await;
    let large = json!({ "image_base64": png_base64(&picture(256, 192)) });
    let mut queued = Vec::new();
    for _ in 0..JOBS {
        queued.push(create(&app, Some(MANY), &large).await);
    }
    completed(&app, Some(FEW), &small()).await;
    let mut done = 0;
    for id in &queued {
        done += usize::from(job(&app, Some(MANY), id).await["status"] == "completed");
    }
    assert!(done < JOBS / 2, "{done} of {JOBS} were let in before");
    for id in &queued {
        let url = format!("{}/api/jobs/{id}", app.base);
        let deleted = app.client.delete(url).bearer_auth(MANY).send().await;
        assert_eq!(deleted.unwrap().status(), StatusCode::NO_CONTENT);
    }
    // What is deleted leaves the engine's queue.
    completed(&app, Some(MANY), &small()).await;
    app.stop().await;
}

/// The provider answers none of the one owner's submissions.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_that_hangs_on_one_owners_jobs_takes_the_others() {
    let emulator = emulator_with(fal_emulator::Config::default()).await;
    for _ in 0..JOBS {
        emulator.script_for_prompt("hang", fal_emulator::Fault::SubmitHeld);
    }
    let app = TestApp::start_with(setup(Way::FalPolling), Some(&emulator)).await;
    for _ in 0..JOBS {
        let mut body = small();
        body["prompt"] = json!("hang");
        create(&app, Some(MANY), &body).await;
    }
    completed(&app, Some(FEW), &small()).await;
    for request in emulator.requests() {
        emulator.release(&request.request_id);
    }
    app.stop().await;
    emulator.stop().await;
}
