//! Outgoing webhooks, to receivers that take, fail, hang and go: each event at least once, signed, in order for each
//! job, through a kill too, and never to an address that is not for strangers.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::hmac;
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lamina::clock::ManualClock;
use lamina::jobs::UnixMs;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::{Process, Setup, TestApp, Way, json_of, picture, png_base64, until};

/// What a receiver does with one delivery.
#[derive(Clone, Copy, Debug)]
enum Does {
    Answers(u16),
    /// 503, and wants to be asked again in so many seconds.
    Waits(u32),
    Hangs,
}

#[derive(Clone, Debug)]
struct Received {
    headers: HeaderMap,
    body: String,
}

impl Received {
    fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    fn event(&self) -> String {
        let body: Value = serde_json::from_str(&self.body).unwrap();
        body["type"].as_str().unwrap().to_owned()
    }

    /// Whether one of its signatures is by this secret.
    fn is_signed_by(&self, secret: &str) -> bool {
        let key = STANDARD
            .decode(secret.strip_prefix("whsec_").unwrap())
            .unwrap();
        let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
        let (id, time) = (self.header("webhook-id"), self.header("webhook-timestamp"));
        let signed = format!("{id}.{time}.{}", self.body);
        let right = format!(
            "v1,{}",
            STANDARD.encode(hmac::sign(&key, signed.as_bytes()))
        );
        self.header("webhook-signature")
            .split(' ')
            .any(|found| found == right)
    }
}

/// Does what it is told, and then takes everything.
#[derive(Clone, Default)]
struct Receiver {
    script: Arc<Mutex<VecDeque<Does>>>,
    received: Arc<Mutex<Vec<Received>>>,
}

impl Receiver {
    async fn start(script: impl IntoIterator<Item = Does>) -> (Self, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::on(listener, script)
    }

    fn on(listener: TcpListener, script: impl IntoIterator<Item = Does>) -> (Self, String) {
        let receiver = Self::default();
        receiver.script.lock().extend(script);
        let url = format!("http://{}/hooks", listener.local_addr().unwrap());
        let routes = Router::new().route("/hooks", post(receive));
        let routes = routes.with_state(receiver.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        (receiver, url)
    }

    fn received(&self) -> Vec<Received> {
        self.received.lock().clone()
    }
}

async fn receive(State(receiver): State<Receiver>, headers: HeaderMap, body: String) -> Response {
    receiver.received.lock().push(Received { headers, body });
    let does = receiver.script.lock().pop_front();
    match does.unwrap_or(Does::Answers(204)) {
        Does::Answers(status) => StatusCode::from_u16(status).unwrap().into_response(),
        Does::Waits(seconds) => {
            let headers = [("retry-after", seconds.to_string())];
            (StatusCode::SERVICE_UNAVAILABLE, headers).into_response()
        }
        Does::Hangs => std::future::pending().await,
    }
}

fn at_a_time() -> (ManualClock, Setup) {
    let clock = ManualClock::at(UnixMs(1_795_356_717_000));
    let mut setup = Setup::new(Way::Local);
    setup.clock = Arc::new(clock.clone());
    (clock, setup)
}

async fn create(app: &TestApp, url: Option<&str>) -> String {
    app.create(&json!({ "image_base64": png_base64(&picture(64, 48)), "webhook_url": url }))
        .await
}

async fn get(app: &TestApp, path: &str) -> Value {
    let answer = app.get(path).send().await.unwrap();
    assert_eq!(answer.status(), 200, "{path}");
    json_of(answer).await
}

async fn deliveries(app: &TestApp, job: &str) -> Vec<Value> {
    let path = format!("/api/webhooks/deliveries?job_id={job}");
    get(app, &path).await["deliveries"]
        .as_array()
        .unwrap()
        .clone()
}

/// Waits until the newest delivery of the job is what is wanted; the worker is asked to look again and again.
async fn delivery(app: &TestApp, job: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    until("the delivery", || async {
        app.store.signal().deliver.notify_one();
        let found = deliveries(app, job).await;
        found.first().filter(|found| wanted(found)).cloned()
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_that_fails_and_hangs_is_told_in_the_end_and_all_of_it_is_signed() {
    let fails = [Does::Answers(500); 5];
    let (receiver, url) = Receiver::start(fails.into_iter().chain([Does::Hangs])).await;
    let (clock, setup) = at_a_time();
    let app = TestApp::start_with(setup, None).await;
    let id = create(&app, Some(&url)).await;
    let job = app.finished(&id).await;
    for attempts in 1..=6 {
        let tried = delivery(&app, &id, |found| found["attempts"] == attempts).await;
        assert_eq!(tried["state"], "due", "{tried}");
        let status = if attempts == 6 {
            json!(null)
        } else {
            json!(500)
        };
        assert_eq!(tried["status"], status, "{tried}");
        assert_eq!(receiver.received().len(), attempts);
        clock.advance(Duration::from_secs(4 * 3600));
    }
    let done = delivery(&app, &id, |found| found["state"] == "delivered").await;
    assert_eq!(
        (&done["attempts"], &done["status"]),
        (&json!(7), &json!(204))
    );
    let secret = get(&app, "/api/webhooks").await["secret"]
        .as_str()
        .unwrap()
        .to_owned();
    let received = receiver.received();
    let first = &received[0];
    for one in &received {
        assert!(one.is_signed_by(&secret), "{one:?}");
        assert_eq!(one.header("content-type"), "application/json");
        assert_eq!(one.header("webhook-id"), done["id"]);
        assert_eq!(one.body, first.body);
    }
    let body: Value = serde_json::from_str(&first.body).unwrap();
    assert_eq!(body["type"], "job.completed");
    for field in [
        "job_id",
        "status",
        "error",
        "error_code",
        "engine",
        "created_at",
        "expires_at",
    ] {
        assert_eq!(body["data"][field], job[field], "{field}");
    }
    assert_eq!(body["data"].as_object().unwrap().len(), 7);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_of_a_job_come_in_their_order_and_a_ladder_ends_before_the_job() {
    let (receiver, url) = Receiver::start([Does::Waits(3600)]).await;
    let (clock, setup) = at_a_time();
    let app = TestApp::start_with(setup, None).await;
    let (asks, never) = (
        create(&app, Some(&url)).await,
        create(&app, Some("http://127.0.0.1:9/")).await,
    );
    app.finished(&asks).await;
    app.finished(&never).await;
    // Whichever of them came first was asked to wait; both have their turn in the end.
    let tried = delivery(&app, &never, |found| found["attempts"] == 1).await;
    assert_eq!(tried["error"], "fetch_connect_failed", "{tried}");
    let waits = delivery(&app, &asks, |found| found["attempts"] == 1).await;
    let next: jiff::Timestamp = waits["next_at"].as_str().unwrap().parse().unwrap();
    assert_eq!(
        next.as_millisecond(),
        1_795_356_717_000 + 3_600_000,
        "{waits}"
    );
    clock.advance(Duration::from_secs(3_600));
    delivery(&app, &asks, |found| found["state"] == "delivered").await;

    clock.advance(Duration::from_secs(22 * 3600 + 1800));
    delivery(&app, &never, |found| found["attempts"] == 2).await;
    clock.advance(Duration::from_secs(3600));
    until("both to expire", || async {
        app.store.signal().erase.notify_one();
        let events = deliveries(&app, &never).await;
        (events.len() == 2).then_some(())
    })
    .await;
    delivery(&app, &asks, |found| {
        found["event"] == "job.expired" && found["state"] == "delivered"
    })
    .await;
    let events: Vec<_> = receiver.received().iter().map(Received::event).collect();
    assert_eq!(events, ["job.completed", "job.completed", "job.expired"]);
    // No later event overtakes one that is due.
    let of_never = deliveries(&app, &never).await;
    assert_eq!(of_never[1]["event"], "job.completed");
    assert!(
        of_never[1]["state"] == "given_up" || of_never[0]["attempts"] == 0,
        "{of_never:?}"
    );
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_that_is_not_for_strangers_is_never_called() {
    let (receiver, url) = Receiver::start([]).await;
    let setup = Setup::new(Way::Local).with("FETCH_ALLOW_NETS", "10.77.0.0/16");
    let app = TestApp::start_with(setup, None).await;
    let port = url.rsplit(':').next().unwrap();
    for url in [
        url.clone(),
        format!("http://localhost:{port}"),
        "http://169.254.169.254/".into(),
    ] {
        let id = create(&app, Some(&url)).await;
        app.finished(&id).await;
        let refused = delivery(&app, &id, |found| found["state"] == "given_up").await;
        let error = refused["error"].as_str().unwrap();
        assert!(
            matches!(error, "fetch_address_refused" | "fetch_port_refused"),
            "{refused}"
        );
        assert_eq!(refused["attempts"], 1);
    }
    assert_eq!(receiver.received().len(), 0);
    let wrong = json!({ "image_base64": "AA==", "webhook_url": "ftp://example.com/" });
    let post = app
        .client
        .post(format!("{}/api/jobs", app.base))
        .json(&wrong);
    let wrong = json_of(post.send().await.unwrap()).await;
    assert_eq!(wrong["errors"][0]["pointer"], "/webhook_url", "{wrong}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_owners_address_is_told_until_it_is_gone_and_secrets_are_replaced_without_a_gap() {
    let (receiver, url) = Receiver::start([]).await;
    let (clock, setup) = at_a_time();
    let app = TestApp::start_with(setup, None).await;
    let set = app.client.put(format!("{}/api/webhooks", app.base));
    let set = json_of(set.json(&json!({ "url": url })).send().await.unwrap()).await;
    assert_eq!(set["url"], url);
    let before = set["secret"].as_str().unwrap().to_owned();
    let rotate = app.client.post(format!("{}/api/webhooks/secret", app.base));
    let after = json_of(rotate.send().await.unwrap()).await;
    let fresh = after["secret"].as_str().unwrap().to_owned();
    assert!(before != fresh && after["old_secret_until"].is_string());

    let id = create(&app, None).await;
    app.finished(&id).await;
    let done = delivery(&app, &id, |found| found["state"] == "delivered").await;
    let both = receiver.received().remove(0);
    assert!(both.is_signed_by(&before) && both.is_signed_by(&fresh));
    // Again, after the old secret's time.
    clock.advance(Duration::from_secs(23 * 3600));
    let path = format!(
        "{}/api/webhooks/deliveries/{}/replay",
        app.base,
        done["id"].as_str().unwrap()
    );
    clock.advance(Duration::from_secs(3599));
    let replayed = app.client.post(&path).send().await.unwrap();
    assert_eq!(replayed.status(), 202);
    delivery(&app, &id, |found| found["state"] == "delivered").await;
    clock.advance(Duration::from_secs(2));
    app.client.post(&path).send().await.unwrap();
    until("the third", || async {
        app.store.signal().deliver.notify_one();
        (receiver.received().len() == 3).then_some(())
    })
    .await;
    let received = receiver.received();
    assert!(received[1].is_signed_by(&before));
    assert!(!received[2].is_signed_by(&before) && received[2].is_signed_by(&fresh));

    // Whoever answers 410 is told nothing any more.
    receiver.script.lock().push_back(Does::Answers(410));
    let id = create(&app, None).await;
    app.finished(&id).await;
    let gone = delivery(&app, &id, |found| found["state"] == "given_up").await;
    assert_eq!(
        (&gone["status"], &gone["attempts"]),
        (&json!(410), &json!(1))
    );
    assert_eq!(get(&app, "/api/webhooks").await["url"], Value::Null);
    let id = create(&app, None).await;
    app.finished(&id).await;
    assert_eq!(deliveries(&app, &id).await, [] as [Value; 0]);
    let none = app
        .get("/api/webhooks/deliveries/msg_none")
        .send()
        .await
        .unwrap();
    assert_eq!(json_of(none).await["code"], "delivery_not_found");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_between_the_end_of_a_job_and_its_receiver_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("lamina.db").display().to_string();
    // A port where nobody listens yet.
    let place = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = place.local_addr().unwrap();
    drop(place);
    let options = [
        ("DATABASE_PATH", database.as_str()),
        ("PORT", "0"),
        ("FETCH_ALLOW_HTTP", "true"),
        ("FETCH_ALLOW_NETS", "127.0.0.0/8"),
    ];
    let first = Process::start(&options).await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let body = json!({ "image_base64": png_base64(&picture(64, 48)), "webhook_url": format!("http://{address}/hooks") });
    let created = client.post(format!("{}/api/jobs", first.base)).json(&body);
    let id = json_of(created.send().await.unwrap()).await["job_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let waits = format!("{}/api/jobs/{id}?wait=60", first.base);
    until("the job's end", || async {
        let job = json_of(client.get(&waits).send().await.unwrap()).await;
        (job["status"] == "completed").then_some(())
    })
    .await;
    first.kill().await;
    let listener = TcpListener::bind(address).await.unwrap();
    let (receiver, _) = Receiver::on(listener, []);
    let second = Process::start(&options).await;
    until("the webhook", || async {
        receiver
            .received()
            .iter()
            .any(|one| one.event() == "job.completed")
            .then_some(())
    })
    .await;
    second.terminate().await;
}
