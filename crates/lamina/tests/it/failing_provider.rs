//! A provider that fails in a tenth of its answers, by chance and all at once with everything else: calls
//! that never arrive, answers that are lost on their way, answers that are cut and answers that are late.
//! Under that load, and over kills, no job is lost and nothing is paid twice but what is counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use fal_emulator::{Config as EmulatorConfig, Emulator};
use futures_util::StreamExt as _;
use reqwest::Client;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::{Process, emulator_with, fal_options, picture, png_base64, until};

const JOBS: usize = 60;
const OWNERS: [&str; 3] = ["ann", "ben", "cat"];
/// The process is killed when so many jobs have ended.
const KILLS: [usize; 2] = [10, 30];

/// Stands before the emulator and spoils a tenth of its answers.
struct Spoiler {
    client: Client,
    to: String,
    chance: AtomicU64,
    spoilt: AtomicUsize,
    passed: AtomicUsize,
}

impl Spoiler {
    /// Its address.
    async fn before(emulator: &Emulator, seed: u64) -> (String, Arc<Self>) {
        let spoiler = Arc::new(Self {
            client: Client::builder().no_proxy().build().unwrap(),
            to: emulator.queue_url(),
            chance: AtomicU64::new(seed),
            spoilt: AtomicUsize::new(0),
            passed: AtomicUsize::new(0),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/", listener.local_addr().unwrap());
        let router = Router::new()
            .fallback(pass)
            .with_state(Arc::clone(&spoiler));
        tokio::spawn(async move { axum::serve(listener, router).await });
        (address, spoiler)
    }

    /// The next number below `most`; the same in every run, in the order in which they are asked for.
    fn next(&self, most: u64) -> u64 {
        let step = |before: u64| {
            before
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407)
        };
        let update = self
            .chance
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |before| {
                Some(step(before))
            });
        (step(update.unwrap()) >> 33) % most
    }

    async fn forward(&self, request: Request) -> Response {
        let (parts, body) = request.into_parts();
        let body = axum::body::to_bytes(body, 8 << 20).await.unwrap();
        let path = parts.uri.path_and_query().map_or("", |path| path.as_str());
        let url = format!("{}{path}", self.to.trim_end_matches('/'));
        let mut forwarded = self.client.request(parts.method, url).body(body);
        for (name, value) in &parts.headers {
            if !of_the_connection(name) {
                forwarded = forwarded.header(name, value);
            }
        }
        let answer = forwarded.send().await.unwrap();
        let mut response = Response::builder().status(answer.status());
        for (name, value) in answer.headers() {
            if !of_the_connection(name) {
                response = response.header(name, value);
            }
        }
        let body: Bytes = answer.bytes().await.unwrap();
        response.body(Body::from(body)).unwrap()
    }
}

fn of_the_connection(name: &HeaderName) -> bool {
    [
        header::HOST,
        header::CONNECTION,
        header::CONTENT_LENGTH,
        header::TRANSFER_ENCODING,
    ]
    .contains(name)
}

async fn pass(State(spoiler): State<Arc<Spoiler>>, request: Request) -> Response {
    if spoiler.next(10) > 0 {
        spoiler.passed.fetch_add(1, Ordering::Relaxed);
        return spoiler.forward(request).await;
    }
    spoiler.spoilt.fetch_add(1, Ordering::Relaxed);
    match spoiler.next(4) {
        // It never arrives.
        0 => StatusCode::BAD_GATEWAY.into_response(),
        // It arrives, and the answer is lost.
        1 => {
            spoiler.forward(request).await;
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
        // The answer is cut.
        2 => {
            let whole = spoiler.forward(request).await;
            let (parts, body) = whole.into_parts();
            let body = axum::body::to_bytes(body, 8 << 20).await.unwrap();
            let half = body.slice(..body.len() / 2);
            let broken = Err(std::io::Error::other("cut"));
            let cut = futures_util::stream::iter([Ok(half), broken]);
            Response::from_parts(parts, Body::from_stream(cut))
        }
        // It arrives, and the answer is no JSON.
        _ => {
            spoiler.forward(request).await;
            (StatusCode::OK, "<html>a page</html>").into_response()
        }
    }
}

struct Crowd {
    client: Client,
    base: String,
    image: String,
}

fn key(owner: &str) -> String {
    format!("the-key-of-{owner}-in-this-test")
}

impl Crowd {
    /// Makes the job, or finds it again, and says whether it has ended; `None` where nobody answers.
    async fn look(&self, number: usize) -> Option<Value> {
        let key = key(OWNERS[number % OWNERS.len()]);
        let body = json!({ "image_base64": self.image, "num_layers": 2, "seed": number });
        let create = self.client.post(format!("{}/api/jobs", self.base));
        let create = create.bearer_auth(&key).json(&body);
        let create = create.header("idempotency-key", format!("job-{number}"));
        let made: Value = create.send().await.ok()?.json().await.ok()?;
        let id = made["job_id"].as_str()?;
        let asked = self.client.get(format!("{}/api/jobs/{id}", self.base));
        let asked = asked.bearer_auth(&key).send();
        let job: Value = asked.await.ok()?.json().await.ok()?;
        (job["status"] == "completed" || job["status"] == "failed").then_some(job)
    }

    async fn ended(&self) -> Vec<Value> {
        let looks = futures_util::stream::iter(0..JOBS).map(|number| self.look(number));
        let found = looks.buffered(4).filter_map(std::future::ready);
        found.collect().await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_that_fails_in_a_tenth_of_its_answers_costs_time_only() {
    let emulator = emulator_with(EmulatorConfig {
        concurrency: Some(8),
        ..EmulatorConfig::default()
    })
    .await;
    let (address, spoiler) = Spoiler::before(&emulator, 20_261_128).await;
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("lamina.db");
    let keys = OWNERS.map(|owner| format!("{owner}:{}", key(owner)));
    let mut options = vec![
        ("DATABASE_PATH", database.display().to_string()),
        ("PORT", "0".to_owned()),
        ("API_KEYS", keys.join(",")),
        ("RATE_LIMIT", "off".to_owned()),
        ("MAX_JOBS_PER_KEY", "off".to_owned()),
        ("SUBMIT_UNKNOWN", "retry".to_owned()),
        ("SUBMIT_UNKNOWN_GRACE", "1s".to_owned()),
    ];
    options.extend(fal_options(&emulator));
    options.retain(|(name, _)| *name != "FAL_QUEUE_URL");
    options.push(("FAL_QUEUE_URL", address));
    let pairs: Vec<(&str, &str)> = options.iter().map(|(n, v)| (*n, v.as_str())).collect();
    let mut process = Process::start(&pairs).await;
    let mut crowd = Crowd {
        client: Client::builder().no_proxy().build().unwrap(),
        base: process.base.clone(),
        image: png_base64(&picture(64, 48)),
    };
    for enough in KILLS {
        until("some jobs to end", || async {
            (crowd.ended().await.len() >= enough).then_some(())
        })
        .await;
        process.kill().await;
        process = Process::start(&pairs).await;
        crowd.base.clone_from(&process.base);
    }
    let jobs = until("every job to end", || async {
        let ended = crowd.ended().await;
        (ended.len() == JOBS).then_some(ended)
    })
    .await;
    for job in &jobs {
        assert_eq!(job["status"], "completed", "{job}");
    }
    let (status, said) = process.terminate().await;
    assert!(status.success(), "{said}");
    let (spoilt, passed) = (&spoiler.spoilt, &spoiler.passed);
    let (spoilt, passed) = (
        spoilt.load(Ordering::Relaxed),
        passed.load(Ordering::Relaxed),
    );
    assert!(spoilt * 20 > passed, "{spoilt} of {passed} were spoilt");
    let database = rusqlite::Connection::open(database).unwrap();
    let unknown = "select count(*) from submissions where state = 'unknown'";
    let unknown: u64 = database.query_row(unknown, [], |row| row.get(0)).unwrap();
    let paid = emulator.billable_units();
    assert!(
        (JOBS as u64..=JOBS as u64 + unknown).contains(&paid),
        "{paid} paid, {unknown} unknown"
    );
    emulator.stop().await;
}
