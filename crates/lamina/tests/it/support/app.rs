//! The service under test, on a port of its own, with a database and blobs of its own.

use std::sync::Arc;
use std::time::Duration;

use fal_emulator::Emulator;
use lamina::app::{App, Tuning};
use lamina::clock::{Clock, SystemClock};
use lamina::config::Config;
use lamina::jobs::Backoff;
use lamina::store::Store;
use lamina::worker::WorkerSettings;
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{S3, until};

/// Which engine a test runs on, and how it learns that the engine is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Local,
    FalPolling,
    FalWebhooks,
}

/// How the service is set up.
#[derive(Clone)]
pub(crate) struct Setup {
    pub(crate) way: Way,
    pub(crate) options: Vec<(&'static str, String)>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) tuning: Tuning,
}

impl Setup {
    pub(crate) fn new(way: Way) -> Self {
        Self {
            way,
            options: Vec::new(),
            clock: Arc::new(SystemClock::default()),
            tuning: quick(),
        }
    }

    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.options.push((name, value.to_owned()));
        self
    }
}

impl Setup {
    /// Pictures in this bucket.
    pub(crate) fn over(mut self, s3: &S3) -> Self {
        self.options.extend(s3.options());
        self
    }
}

/// Delays that suit tests; what is tested is their order, not their length.
fn quick() -> Tuning {
    let backoff = Backoff {
        base: Duration::from_millis(10),
        cap: Duration::from_millis(50),
        max_attempts: 5,
    };
    Tuning {
        worker: WorkerSettings {
            backoff,
            storage_pause: Duration::from_millis(100),
            unknown_pause: Duration::from_millis(10),
            ..WorkerSettings::default()
        },
        fetch_total: Some(Duration::from_secs(2)),
        ..Tuning::default()
    }
}

/// Must be stopped by [`TestApp::stop`]; dropping it running fails the test.
pub(crate) struct TestApp {
    pub(crate) base: String,
    /// Where its metrics are.
    pub(crate) metrics: String,
    pub(crate) client: Client,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) folder: TempDir,
    stop: CancellationToken,
    server: Option<JoinHandle<()>>,
}

impl TestApp {
    pub(crate) async fn start(way: Way, emulator: Option<&Emulator>) -> Self {
        Self::start_with(Setup::new(way), emulator).await
    }

    pub(crate) async fn start_with(setup: Setup, emulator: Option<&Emulator>) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), setup, emulator).await
    }

    pub(crate) async fn start_in(
        folder: TempDir,
        setup: Setup,
        emulator: Option<&Emulator>,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let database = folder.path().join("lamina.db").display().to_string();
        let mut options = vec![
            ("DATABASE_PATH", database),
            ("FETCH_ALLOW_HTTP", "true".into()),
        ];
        options.push(("FETCH_ALLOW_NETS", "127.0.0.0/8".into()));
        if let Some(emulator) = emulator {
            options.extend(fal_options(emulator));
        }
        if setup.way == Way::FalWebhooks {
            options.push(("PUBLIC_URL", base.clone()));
        } else {
            // No callback is waited for; this is the time before fal's list is asked.
            options.push(("SUBMIT_UNKNOWN_GRACE", "200ms".into()));
        }
        options.extend(setup.options);
        let pairs = options.iter().map(|(name, value)| (*name, value.as_str()));
        let config = Config::from_pairs(pairs).unwrap_or_else(|errors| panic!("{errors:?}"));
        let scraped = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let metrics = format!("http://{}/metrics", scraped.local_addr().unwrap());
        let app = App::build(&config, setup.clock, setup.tuning).unwrap();
        let app = app.scraped_on(scraped);
        let (store, stop) = (app.store(), CancellationToken::new());
        let server = tokio::spawn(app.serve(listener, stop.clone()));
        let client = Client::builder().no_proxy().build().unwrap();
        Self {
            base,
            metrics,
            client,
            store,
            folder,
            stop,
            server: Some(server),
        }
    }

    /// Stops in order and gives the folder back, for a restart.
    pub(crate) async fn stop(mut self) -> TempDir {
        self.stop.cancel();
        self.server.take().unwrap().await.unwrap();
        let spare = tempfile::tempdir().unwrap();
        std::mem::replace(&mut self.folder, spare)
    }

    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        self.client.get(format!("{}{path}", self.base))
    }

    /// What a scraper is told now.
    pub(crate) async fn scrape(&self) -> String {
        let answer = self.client.get(&self.metrics).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        answer.text().await.unwrap()
    }

    pub(crate) async fn create(&self, body: &Value) -> String {
        let created = self
            .client
            .post(format!("{}/api/jobs", self.base))
            .json(body)
            .send()
            .await
            .unwrap();
        let status = created.status();
        let location = created
            .headers()
            .get("location")
            .map(|value| value.to_str().unwrap().to_owned());
        let created = json_of(created).await;
        assert_eq!(status, StatusCode::ACCEPTED, "{created}");
        let id = created["job_id"].as_str().unwrap().to_owned();
        assert_eq!(location.unwrap(), format!("/api/jobs/{id}"));
        assert_eq!(created["status"], "pending");
        id
    }

    pub(crate) async fn job(&self, id: &str) -> Value {
        let answer = self.get(&format!("/api/jobs/{id}")).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        json_of(answer).await
    }

    /// Every job, newest first, page by page.
    pub(crate) async fn jobs(&self) -> Vec<Value> {
        let (mut jobs, mut path) = (Vec::new(), "/api/jobs?limit=100".to_owned());
        loop {
            let page = json_of(self.get(&path).send().await.unwrap()).await;
            jobs.extend(page["jobs"].as_array().unwrap().iter().cloned());
            let Some(cursor) = page["next_cursor"].as_str() else {
                return jobs;
            };
            path = format!("/api/jobs?limit=100&cursor={cursor}");
        }
    }

    /// Polls as an app would and returns the finished job; progress must never fall on the way.
    pub(crate) async fn finished(&self, id: &str) -> Value {
        let latest = std::sync::Mutex::new(0.0);
        until("a finished job", || async {
            let job = self.job(id).await;
            let progress = job["progress"].as_f64().unwrap();
            let before = std::mem::replace(&mut *latest.lock().unwrap(), progress);
            let failed = job["status"] == "failed";
            assert!(
                progress >= before || failed,
                "progress fell from {before} to {progress}"
            );
            assert_eq!(progress >= 1.0, job["status"] == "completed", "{job}");
            (failed || job["status"] == "completed").then_some(job)
        })
        .await
    }

    /// Creates a job from a small picture and waits for its end.
    pub(crate) async fn split(&self, fields: Value) -> Value {
        let mut body = json!({ "image_base64": super::png_base64(&super::picture(64, 48)) });
        body.as_object_mut()
            .unwrap()
            .extend(fields.as_object().cloned().unwrap_or_default());
        let id = self.create(&body).await;
        self.finished(&id).await
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        let running = self
            .server
            .as_ref()
            .is_some_and(|server| !server.is_finished());
        assert!(
            !running || std::thread::panicking(),
            "the test ended with the service still running"
        );
    }
}

pub(crate) fn fal_options(emulator: &Emulator) -> Vec<(&'static str, String)> {
    vec![
        ("FAL_API_KEY", emulator.key()),
        ("FAL_QUEUE_URL", emulator.queue_url()),
        ("FAL_REST_URL", emulator.rest_url()),
        ("FAL_JWKS_URL", emulator.jwks_url()),
        ("FAL_PLATFORM_URL", emulator.platform_url()),
    ]
}

pub(crate) async fn json_of(response: Response) -> Value {
    let text = response.text().await.unwrap();
    serde_json::from_str(&text).unwrap_or_else(|_| panic!("not JSON: {text}"))
}
