//! Rolling restarts under load, with the real binary: a stop by SIGTERM and a new process on the
//! same port and data, three times, while clients create jobs and wait for them. Nothing is lost,
//! nothing is done twice, and no client is told anything but a success or to come back.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use fal_emulator::Config as EmulatorConfig;
use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until};

use crate::support::{Process, Way, emulator_with, fal_options, kept_port, picture, png_base64};

const JOBS: usize = 200;
const CLIENTS: usize = 16;
/// Restarts begin when so many jobs were acknowledged, and no longer ones are waited for.
const RESTARTS: [usize; 3] = [30, 90, 150];
/// No healthy run comes near.
const BOUND: Duration = Duration::from_secs(300);

/// A client as an app should be: it repeats what was not answered, creates with its key.
#[derive(Clone)]
struct App {
    http: Client,
    base: String,
    end: Instant,
    created: Arc<AtomicUsize>,
    told_to_come_back: Arc<AtomicUsize>,
}

impl App {
    /// Asks until there is an answer, and checks everything that came instead of one.
    async fn answer(&self, request: impl Fn() -> RequestBuilder) -> Vec<u8> {
        self.until(|| async {
            let answer = match request().send().await {
                Ok(answer) => answer,
                // Nobody listened, or the connection broke before the answer.
                Err(error) => {
                    assert!(error.is_connect() || error.is_request(), "{error:?}");
                    self.told_to_come_back.fetch_add(1, Ordering::Relaxed);
                    return None;
                }
            };
            let status = answer.status();
            if status == 503 {
                assert!(answer.headers().contains_key("retry-after"));
                self.told_to_come_back.fetch_add(1, Ordering::Relaxed);
                return None;
            }
            let whole = answer.bytes().await;
            let shown = String::from_utf8_lossy(whole.as_deref().unwrap_or_default());
            assert!(status.is_success(), "{status}: {shown}");
            whole.ok().map(|bytes| bytes.to_vec())
        })
        .await
    }

    async fn until<T, F: Future<Output = Option<T>>>(&self, mut probe: impl FnMut() -> F) -> T {
        loop {
            if let Some(found) = probe().await {
                return found;
            }
            assert!(Instant::now() < self.end, "the jobs did not come to an end");
            sleep_until(Instant::now() + Duration::from_millis(30)).await;
        }
    }

    async fn json(&self, request: impl Fn() -> RequestBuilder) -> Value {
        serde_json::from_slice(&self.answer(request).await).unwrap()
    }

    /// One job from create to a fetched layer; returns its id.
    async fn split(&self, number: usize, image: &str) -> String {
        let body = json!({ "image_base64": image, "num_layers": 2, "seed": number });
        let url = format!("{}/api/jobs", self.base);
        let key = format!("job-{number}");
        let create = || {
            self.http
                .post(&url)
                .header("idempotency-key", &key)
                .json(&body)
        };
        let made = self.json(create).await;
        self.created.fetch_add(1, Ordering::Relaxed);
        let id = made["job_id"].as_str().unwrap().to_owned();
        let url = format!("{url}/{id}");
        let ended = self
            .until(|| async {
                let job = self.json(|| self.http.get(&url)).await;
                (job["status"] != "pending" && job["status"] != "processing").then_some(job)
            })
            .await;
        assert_eq!(ended["status"], "completed", "{ended}");
        let layer = &ended["layers"][0];
        let link = layer["url"].as_str().unwrap();
        let bytes = self.answer(|| self.http.get(link)).await;
        assert_eq!(bytes.len() as u64, layer["bytes"].as_u64().unwrap());
        id
    }

    async fn all(&self) -> Vec<String> {
        let (mut ids, mut path) = (Vec::new(), "limit=100".to_owned());
        loop {
            let url = format!("{}/api/jobs?{path}", self.base);
            let page = self.json(|| self.http.get(&url)).await;
            let jobs = page["jobs"].as_array().unwrap().iter();
            ids.extend(jobs.map(|job| job["job_id"].as_str().unwrap().to_owned()));
            let Some(cursor) = page["next_cursor"].as_str() else {
                return ids;
            };
            path = format!("limit=100&cursor={cursor}");
        }
    }
}

async fn rolling(way: Way) {
    let config = EmulatorConfig {
        concurrency: Some(20),
        ..EmulatorConfig::default()
    };
    let emulator = emulator_with(config).await;
    let folder = tempfile::tempdir().unwrap();
    let port = kept_port();
    let base = format!("http://127.0.0.1:{port}");
    let database = folder.path().join("lamina.db").display().to_string();
    let mut options = vec![("DATABASE_PATH", database), ("PORT", port.to_string())];
    options.extend(fal_options(&emulator));
    if way == Way::FalWebhooks {
        options.push(("PUBLIC_URL", base.clone()));
    }
    let options: Vec<(&str, &str)> = options.iter().map(|(n, v)| (*n, v.as_str())).collect();

    let mut process = Process::start(&options).await;
    let app = App {
        http: Client::builder().no_proxy().build().unwrap(),
        base,
        end: Instant::now() + BOUND,
        created: Arc::default(),
        told_to_come_back: Arc::default(),
    };
    let image: Arc<str> = png_base64(&picture(64, 48)).into();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let (app, image) = (app.clone(), Arc::clone(&image));
            tokio::spawn(async move {
                let mut ids = Vec::new();
                for number in (client..JOBS).step_by(CLIENTS) {
                    ids.push(app.split(number, &image).await);
                }
                ids
            })
        })
        .collect();
    for created in RESTARTS {
        app.until(|| async { (app.created.load(Ordering::Relaxed) >= created).then_some(()) })
            .await;
        let (status, said) = process.terminate().await;
        assert!(status.success(), "{said}");
        assert!(!said.contains("cut off"), "{said}");
        process = Process::start(&options).await;
    }
    let mut ids = BTreeSet::new();
    for client in clients {
        ids.extend(client.await.unwrap());
    }
    assert_eq!(ids.len(), JOBS);
    assert_eq!(app.all().await.into_iter().collect::<BTreeSet<_>>(), ids);
    assert!(
        app.told_to_come_back.load(Ordering::Relaxed) > 0,
        "nobody noticed the restarts"
    );
    let (status, said) = process.terminate().await;
    assert!(status.success(), "{said}");
    assert_eq!(emulator.billable_units(), JOBS as u64);
    if way == Way::FalPolling {
        assert_eq!(emulator.submissions_count(), JOBS as u64);
    }
    let database = rusqlite::Connection::open(folder.path().join("lamina.db")).unwrap();
    let strays: i64 = database
        .query_row(
            "select count(*) from submissions where state in ('open', 'unknown')",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(strays, 0);
    emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rolling_restarts_lose_nothing_and_pay_nothing_twice_when_lamina_asks_fal() {
    rolling(Way::FalPolling).await;
}

/// fal fetches pictures from lamina here, and finds nobody during a restart: such a run fails, is not
/// billed, and is made again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rolling_restarts_lose_nothing_and_pay_nothing_twice_when_fal_calls_back() {
    rolling(Way::FalWebhooks).await;
}
