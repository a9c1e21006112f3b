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

use crate::support::{Process, Setup, TestApp, Way, json_of, left_out, picture, png_base64, until};

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
    delivery(&app, &never, |found| found["attempts"] == 2).await;

    clock.advance(Duration::from_secs(22 * 3600 + 1800));
    delivery(&app, &never, |found| found["attempts"] == 3).await;
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

/// A job of this key that fails at once, because its address may not be opened.
async fn create_failing(app: &TestApp, key: &str, url: &str) -> String {
    let body = json!({ "image_url": "http://10.0.0.1/a.png", "webhook_url": url });
    let post = app.client.post(format!("{}/api/jobs", app.base));
    let answer = post.bearer_auth(key).json(&body).send().await.unwrap();
    assert_eq!(answer.status(), 202);
    json_of(answer).await["job_id"].as_str().unwrap().to_owned()
}

async fn page(app: &TestApp, key: &str, query: &str) -> (u16, Value) {
    let list = app.get(&format!("/api/webhooks/deliveries?{query}"));
    let answer = list.bearer_auth(key).send().await.unwrap();
    (answer.status().as_u16(), json_of(answer).await)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn receivers_of_one_owner_that_all_hang_hold_up_nobody_else() {
    const OWNERS: [&str; 2] = ["the-key-of-owner-a", "the-key-of-owner-b"];
    let (hanging, slow) = Receiver::start([Does::Hangs; 60]).await;
    let (receiver, url) = Receiver::start([]).await;
    let setup =
        Setup::new(Way::Local).with("API_KEYS", &format!("a:{},b:{}", OWNERS[0], OWNERS[1]));
    let app = TestApp::start_with(setup, None).await;
    for _ in 0..50 {
        create_failing(&app, OWNERS[0], &slow).await;
    }
    // All that it may hold, which leaves places.
    until("most of the places", || async {
        (hanging.received().len() >= 20).then_some(())
    })
    .await;
    let job = create_failing(&app, OWNERS[1], &url).await;
    until("the other owner's webhook", || async {
        (receiver.received().len() == 1).then_some(())
    })
    .await;
    assert!(receiver.received()[0].body.contains(&job));
    assert!(hanging.received().len() < 32, "places are left");

    // All of them page by page, each once and the newest first.
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let (status, found) = page(&app, OWNERS[0], &format!("limit=20{cursor}")).await;
        assert_eq!(status, 200, "{found}");
        let deliveries = found["deliveries"].as_array().unwrap();
        seen.extend(
            deliveries
                .iter()
                .map(|one| one["id"].as_str().unwrap().to_owned()),
        );
        let Some(next) = found["next_cursor"].as_str() else {
            break;
        };
        assert_eq!(seen.last().map(String::as_str), Some(next));
        cursor = format!("&cursor={next}");
    }
    assert_eq!(seen.len(), 50);
    assert_eq!(std::collections::BTreeSet::from_iter(&seen).len(), 50);
    // A cursor of somebody else's leads nowhere.
    let (_, none) = page(&app, OWNERS[1], &format!("cursor={}", seen[0])).await;
    assert_eq!(none["deliveries"], json!([]));
    for wrong in [
        "cursor=7",
        "limit=0",
        "limit=101",
        "colour=red",
        "limit=1&limit=2",
    ] {
        let (status, problem) = page(&app, OWNERS[0], wrong).await;
        assert_eq!(
            (status, &problem["code"]),
            (422, &json!("invalid_query")),
            "{wrong}"
        );
    }
    let scraped = app.scrape().await;
    let value = |series: &str| {
        let line = scraped.lines().find_map(|line| line.strip_prefix(series));
        line.unwrap_or_else(|| panic!("no {series}"))
            .trim()
            .parse::<f64>()
            .unwrap()
    };
    assert!(value("lamina_webhook_attempts_total{outcome=\"delivered\"}") >= 1.0);
    assert!(value("lamina_webhooks_waiting ") >= 50.0, "{scraped}");
    app.stop().await;
}

/// What a description of a type wants of a value, as far as this API's webhooks use JSON Schema.
fn holds(schema: &Value, value: &Value, place: &str) {
    if let Some(only) = schema.get("const") {
        assert_eq!(value, only, "{place}");
    }
    let kinds: Vec<_> = match &schema["type"] {
        Value::String(kind) => vec![kind.as_str()],
        Value::Array(kinds) => kinds.iter().map(|kind| kind.as_str().unwrap()).collect(),
        _ => Vec::new(),
    };
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    assert!(
        kinds.is_empty() || kinds.contains(&kind),
        "{place}: {kind}, not {kinds:?}"
    );
    match (schema["format"].as_str(), value.as_str()) {
        (Some("date-time"), Some(time)) => {
            time.parse::<jiff::Timestamp>().unwrap();
        }
        (Some("uuid"), Some(id)) => {
            id.parse::<uuid::Uuid>().unwrap();
        }
        _ => {}
    }
    let Some(fields) = value.as_object() else {
        return;
    };
    for required in schema["required"].as_array().unwrap() {
        assert!(
            fields.contains_key(required.as_str().unwrap()),
            "{place}: no {required}"
        );
    }
    for (name, field) in fields {
        let known = &schema["properties"][name];
        assert!(known.is_object(), "{place}.{name} is not described");
        holds(known, field, &format!("{place}.{name}"));
    }
}

/// What receivers were told of one job that completed and one that failed, and of their expiry where `clock` is moved
/// by hand; and the secret.
async fn told(setup: Setup, clock: Option<ManualClock>) -> (Vec<Received>, String) {
    let (receiver, url) = Receiver::start([]).await;
    let app = TestApp::start_with(setup, None).await;
    let id = create(&app, Some(&url)).await;
    app.finished(&id).await;
    let body = json!({ "image_url": "http://10.0.0.1/a.png", "webhook_url": url });
    let failed = app.create(&body).await;
    app.finished(&failed).await;
    let secret = get(&app, "/api/webhooks").await["secret"]
        .as_str()
        .unwrap()
        .to_owned();
    until("both ends", || async {
        app.store.signal().deliver.notify_one();
        (receiver.received().len() >= 2).then_some(())
    })
    .await;
    if let Some(clock) = clock {
        clock.advance(Duration::from_secs(25 * 3600));
        until("both to expire", || async {
            app.store.signal().erase.notify_one();
            app.store.signal().deliver.notify_one();
            (receiver.received().len() >= 4).then_some(())
        })
        .await;
    }
    app.stop().await;
    (receiver.received(), secret)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_delivered_is_what_the_description_of_webhooks_says() {
    let api: Value = serde_json::from_str(include_str!("../../openapi.json")).unwrap();
    let described = api["webhooks"].as_object().unwrap();
    let (clock, setup) = at_a_time();
    let (received, _) = told(setup, Some(clock)).await;
    let events: std::collections::BTreeSet<_> = received.iter().map(Received::event).collect();
    assert!(events.iter().eq(described.keys()), "{events:?}");
    for one in &received {
        let post = &described[&one.event()]["post"];
        let body: Value = serde_json::from_str(&one.body).unwrap();
        let schema = &post["requestBody"]["content"]["application/json"]["schema"];
        holds(schema, &body, &one.event());
        assert_eq!(
            format!("job.{}", body["data"]["status"].as_str().unwrap()),
            one.event()
        );
        for header in post["parameters"].as_array().unwrap() {
            assert!(!one.header(header["name"].as_str().unwrap()).is_empty());
        }
    }
}

/// Asks a stock library about deliveries; none where it is not installed.
fn stock(program: &std::path::Path, script: &str, given: &Value) -> Option<Vec<String>> {
    use std::io::Write as _;
    use std::process::{Command, Stdio};
    let script = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/hook-clients")
        .join(script);
    let run = Command::new(program)
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let mut run = run.ok()?;
    // One that lacks its library ends without reading.
    let _ = run.stdin.take()?.write_all(given.to_string().as_bytes());
    let done = run.wait_with_output().ok()?;
    done.status
        .success()
        .then(|| serde_json::from_slice(&done.stdout).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_stock_libraries_take_what_is_delivered_and_refuse_what_was_changed() {
    // By the true time, which the libraries hold against their own.
    let (received, secret) = told(Setup::new(Way::Local), None).await;
    let good = received.iter().map(|one| {
        let headers = ["webhook-id", "webhook-timestamp", "webhook-signature"];
        let headers: serde_json::Map<_, _> = headers
            .map(|name| (name.to_owned(), one.header(name).into()))
            .into_iter()
            .collect();
        json!({ "headers": headers, "body": one.body })
    });
    let mut deliveries: Vec<Value> = good.collect();
    let mut expected: Vec<String> = received.iter().map(Received::event).collect();
    let mut changed = deliveries[0].clone();
    let body = changed["body"].as_str().unwrap();
    changed["body"] = body.replace("\"status\"", "\"Status\"").into();
    assert_ne!(changed, deliveries[0]);
    deliveries.push(changed);
    expected.push("refused".to_owned());
    let given = json!({ "secret": secret, "deliveries": deliveries });
    let own = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.ci/.venv/bin/python");
    let pythons = [own, "python3".into()];
    let node = stock("node".as_ref(), "verify.mjs", &given);
    let python = pythons
        .iter()
        .find_map(|python| stock(python, "verify.py", &given));
    for (library, said) in [
        (
            "npm standardwebhooks; prepare it with crates/lamina/tests/hook-clients/install",
            node,
        ),
        (
            "Python's standardwebhooks; install it by .ci/requirements.txt",
            python,
        ),
    ] {
        let Some(said) = said else {
            left_out(library);
            continue;
        };
        let said: Vec<_> = said
            .iter()
            .map(|word| word.split(':').next().unwrap())
            .collect();
        assert_eq!(said, expected, "{library}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_names_an_owner_whose_address_may_not_be_called() {
    let app = TestApp::start(Way::Local, None).await;
    let database = app.folder.path().join("lamina.db").display().to_string();
    let set = app.client.put(format!("{}/api/webhooks", app.base));
    let set = set.json(&json!({ "url": "http://127.0.0.1:9999/hooks" }));
    assert_eq!(set.send().await.unwrap().status(), 200);
    let line = async |options: &[(&str, &str)]| {
        let options = [&[("DATABASE_PATH", database.as_str())], options].concat();
        let (_, report) = Process::check(&options).await;
        let line = report.lines().find(|line| {
            line.get(5..)
                .is_some_and(|line| line.starts_with("webhooks"))
        });
        line.unwrap_or_else(|| panic!("{report}")).to_owned()
    };
    let running = line(&[]).await;
    assert!(running.contains("while a lamina runs"), "{running}");
    let folder = app.stop().await;
    let refused = line(&[]).await;
    assert!(
        refused.contains("anonymous") && refused.contains("PUT /api/webhooks"),
        "{refused}"
    );
    let allowed = line(&[
        ("FETCH_ALLOW_HTTP", "true"),
        ("FETCH_ALLOW_NETS", "127.0.0.0/8"),
    ])
    .await;
    assert!(
        allowed.contains("1 address of owners may be called"),
        "{allowed}"
    );
    drop(folder);
}
