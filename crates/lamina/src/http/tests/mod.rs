//! The edge over a real database and a real folder, with a clock that tests move by hand. Each
//! test has its own; nothing is left behind.

mod admin;
mod authorisation;
mod bodies;
mod codes;
mod composites;
mod cross_origin;
mod encodings;
mod events;
mod exports;
mod hooks;
mod http2;
mod in_row;
mod jobs;
mod layer_variants;
mod limits;
mod links;
mod observe;
mod openapi;
mod own_links;
mod quotas;
mod ready;
mod single;
mod slashes;
mod tickets;
mod tus;
mod uploads;
mod wire;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::BodyExt;
use image_intake::{Limits, RgbaImage, encode_png};
use serde_json::Value;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::test_state::TestState;
use super::*;
use crate::access::SpendCaps;
use crate::blobs::{BlobKey, Blobs, LinkSigner};
use crate::clock::{Clock, ManualClock};
use crate::disk::{Floor, Space};
use crate::forecast::Forecast;
use crate::jobs::{
    BoundingBox, Change, EngineKind, Failure, FailureCode, JobId, Layer, LayerLabels, MediaType,
    Nonce, OwnerId, Phase, RequestId, Stage, UnixMs,
};
use crate::metrics::Metrics;
use crate::pool::{Pool, PoolSize};
use crate::store::sqlite::SqliteStore;
use crate::store::{
    Claimed, DeploymentStore as _, FencedWrite, JobStore as _, Lease, NewJob, Opening,
    QueueStore as _, SourceInfo, StepOutput, Store, StoredSource, SubmissionStore as _, Want,
};

/// 2026-11-22T14:11:57Z.
const T0: UnixMs = UnixMs(1_795_356_717_000);
const DAY: Duration = Duration::from_secs(86_400);

/// The parts under test, and hands on those behind them.
struct TestServer {
    router: Router,
    at_once: Option<AtOnce>,
    store: Arc<SqliteStore>,
    blobs: Blobs,
    links: Arc<LinkSigner>,
    pool: Pool,
    clock: ManualClock,
    draining: CancellationToken,
    pulse: watch::Sender<Option<Instant>>,
    metrics: Metrics,
    forecast: Forecast,
    folder: tempfile::TempDir,
}

/// Of a run of the paid engine, in millionths of a US dollar.
const PRICE: u64 = 50_000;

/// A line that is reached for the first time while nothing listens is marked as of no interest, for the whole process;
/// where a test of the log begins to listen at that very moment, the mark is written after it and the line is lost to
/// it. So something listens to all lines from the first server on, and keeps none.
fn listen_to_every_log_line() {
    static LISTENS: std::sync::Once = std::sync::Once::new();
    LISTENS.call_once(|| {
        let all = tracing_subscriber::registry();
        // Whoever listens already does as well.
        let _ = tracing::subscriber::set_global_default(all);
    });
}

impl TestServer {
    fn new() -> Self {
        Self::with(|_| {})
    }

    /// A server whose state is changed before it is built.
    fn with(change: impl FnOnce(&mut ApiState)) -> Self {
        Self::at(T0, change)
    }

    /// The same, with the clock at another time.
    fn at(now: UnixMs, change: impl FnOnce(&mut ApiState)) -> Self {
        listen_to_every_log_line();
        let folder = tempfile::tempdir().unwrap();
        let blobs = Blobs::folder(&folder.path().join("blobs")).unwrap();
        let clock = ManualClock::at(now);
        let parts = TestState::over(folder.path(), blobs.clone(), clock.clone());
        let (mut state, store, pulse) = (parts.state, parts.store, parts.pulse);
        state.host_names =
            HostNames::List(["lamina.test", "a.example"].map(str::to_owned).to_vec());
        change(&mut state);
        let (metrics, links) = (state.metrics.clone(), Arc::clone(&state.links));
        let (pool, draining) = (state.pool.clone(), state.draining.clone());
        let forecast = state.forecast.clone();
        let Edge { router, at_once } = edge(state);
        Self {
            store,
            blobs,
            links,
            pool,
            clock,
            draining,
            forecast,
            pulse,
            folder,
            metrics,
            router,
            at_once,
        }
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: body.collect().await.unwrap().to_bytes(),
        }
    }

    async fn get(&self, path: &str) -> Answer {
        self.send(request("GET", path).body(Body::empty()).unwrap())
            .await
    }

    async fn delete(&self, path: &str) -> Answer {
        self.send(request("DELETE", path).body(Body::empty()).unwrap())
            .await
    }

    async fn post_json(&self, body: impl Into<Body>) -> Answer {
        let request = request("POST", "/api/jobs").header("content-type", "application/json");
        self.send(request.body(body.into()).unwrap()).await
    }

    async fn post_with_key(&self, key: &str, body: &str) -> Answer {
        let request = request("POST", "/api/jobs")
            .header("content-type", "application/json")
            .header("idempotency-key", key);
        self.send(request.body(body.to_owned().into()).unwrap())
            .await
    }

    /// A job of its own id, by URL and without the edge.
    async fn row(&self) -> JobId {
        let (id, now) = (JobId::new(T0), self.clock.now());
        let job = NewJob {
            id,
            owner: OwnerId::named("app"),
            engine: EngineKind::Local,
            params: crate::jobs::Params::default(),
            source: StoredSource::Url("https://example.com/a.png".parse().unwrap()),
            source_bytes: None,
            prepared: false,
            created_at: now,
            due_at: now,
            expires_at: now.plus(DAY),
            max_active: None,
            webhook_url: None,
        };
        self.store.job_create(job, None).await.unwrap();
        id
    }

    /// A job by URL, which needs no bytes.
    async fn created(&self) -> JobId {
        let answer = self
            .post_json(r#"{"image_url":"https://example.com/a.png"}"#)
            .await;
        answer.json()["job_id"].as_str().unwrap().parse().unwrap()
    }

    /// Takes the lease of the one job in `phase`.
    async fn lease(&self, phase: Phase) -> Lease {
        self.claim(phase).await.expect("a job is due").lease
    }

    async fn claim(&self, phase: Phase) -> Option<Claimed> {
        let now = self.clock.now();
        let minute = Duration::from_secs(60);
        let stages = Stage::ALL
            .into_iter()
            .filter(|stage| stage.phase() == phase);
        let wants = stages.map(|stage| Want::any(stage, 1));
        let claimed = self
            .store
            .job_claim("test", wants.collect(), now, minute)
            .await
            .unwrap();
        claimed.into_iter().next()
    }

    /// The lease of the one new job, whose picture is ready.
    async fn lease_to_submit(&self) -> Lease {
        if let Some(ready) = self.claim(Phase::Submit).await {
            return ready.lease;
        }
        let lease = self.lease(Phase::Prepare).await;
        let output = StepOutput::Source(SourceInfo {
            media_type: MediaType::Png,
            width: 2,
            height: 2,
            bytes: 70,
        });
        self.apply(&lease, Phase::Submit, output, None).await;
        lease
    }

    /// The one new job, about to be handed over for [`PRICE`].
    async fn opened(&self) -> (Lease, Nonce) {
        let lease = self.lease_to_submit().await;
        let (nonce, caps, now) = (Nonce::random(), SpendCaps::default(), self.clock.now());
        let opening = self
            .store
            .submission_open(
                &lease,
                &nonce,
                crate::store::Call::at(PRICE),
                caps,
                now.into(),
            )
            .await;
        assert_eq!(opening.unwrap(), Opening::Opened);
        (lease, nonce)
    }

    async fn apply(
        &self,
        lease: &Lease,
        phase: Phase,
        output: StepOutput,
        failure: Option<Failure>,
    ) {
        let now = self.clock.now();
        let change = Change {
            phase,
            run_at: now,
            attempt: 0,
            failure,
            wakeable: true,
            step: None,
        };
        let applied = self
            .store
            .job_apply(lease, change, output, phase == Phase::Submit, now.into())
            .await
            .unwrap();
        assert_eq!(applied, FencedWrite::Applied);
    }

    /// A run of the embedded engine took this long.
    fn learn(&self, took: Duration) {
        let layers = crate::jobs::LayersAsked(0);
        self.forecast
            .learn(EngineKind::Local, (640, 480), layers, took);
    }

    /// Brings the one new job to its engine.
    async fn accept(&self, queue_position: Option<u32>) -> Nonce {
        let lease = self.lease_to_submit().await;
        let nonce = Nonce::random();
        let opened = self
            .store
            .submission_open(
                &lease,
                &nonce,
                crate::store::Call::at(0),
                SpendCaps::default(),
                self.clock.now().into(),
            )
            .await
            .unwrap();
        assert_eq!(opened, Opening::Opened);
        let output = StepOutput::Accepted {
            nonce: nonce.clone(),
            request: RequestId("r1".to_owned()),
            queue_position,
            expected: Duration::from_secs(20),
        };
        self.apply(&lease, Phase::Wait, output, None).await;
        nonce
    }

    /// Completes the one new job with two layers, and returns the bytes of each.
    async fn complete(&self, id: JobId) -> Vec<Bytes> {
        self.complete_with(id, |_| {}).await
    }

    /// The same, with something changed about each layer's row.
    async fn complete_with(&self, id: JobId, change: impl Fn(&mut Layer)) -> Vec<Bytes> {
        self.accept(None).await;
        let lease = self.lease(Phase::Wait).await;
        self.apply(&lease, Phase::Collect, StepOutput::None, None)
            .await;
        let (mut layers, mut files) = (Vec::new(), Vec::new());
        for order in 0..2_u32 {
            let file = Bytes::from(format!("the bytes of layer {order}"));
            let key = BlobKey::Layer(id, order, MediaType::Png);
            self.blobs.put(&key, file.clone()).await.unwrap();
            let mut layer = Layer {
                order,
                file: order,
                labels: LayerLabels {
                    name: (order == 1).then(|| "text".to_owned()),
                    kind: (order == 1).then(|| "text".to_owned()),
                    text: (order == 1).then(|| "Grand\nOpening".to_owned()),
                    text_confidence: (order == 1).then_some(0.984_21),
                },
                media_type: MediaType::Png,
                width: 640,
                height: 480,
                bytes: file.len() as u64,
                sha256: "00ff".repeat(16),
                bbox: (order == 1).then_some(BoundingBox {
                    x: 1,
                    y: 2,
                    width: 3,
                    height: 4,
                }),
                coverage: 0.25,
                thumbhash: None,
                fidelity_bytes: None,
            };
            change(&mut layer);
            layers.push(layer);
            files.push(file);
        }
        let lease = self.lease(Phase::Collect).await;
        self.apply(
            &lease,
            Phase::Completed,
            StepOutput::Layers(layers, None),
            None,
        )
        .await;
        files
    }

    async fn fail(&self, code: FailureCode) {
        let lease = self.lease(Phase::Prepare).await;
        self.apply(&lease, Phase::Failed, StepOutput::None, Some(code.into()))
            .await;
    }

    /// Path and query of a link to a blob that need not exist.
    fn link(&self, key: &BlobKey) -> String {
        self.links.served(key, T0.plus(DAY))
    }

    /// Jobs with bytes in the blob store.
    async fn jobs_with_bytes(&self) -> Vec<JobId> {
        self.blobs.owners().await.unwrap().jobs
    }
}

/// An answer that was received to its end.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {:?}", self.body))
    }

    fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// Status and code of a problem, after a look at its form.
    fn code(&self) -> (u16, String) {
        assert_eq!(self.header("content-type"), "application/problem+json");
        let problem = self.json();
        assert_eq!(problem["type"], "about:blank");
        assert_eq!(problem["status"], self.status.as_u16());
        assert!(problem["detail"].as_str().unwrap().ends_with('.'));
        let code = problem["code"].as_str().unwrap().to_owned();
        (self.status.as_u16(), code)
    }

    /// The JSON, with what differs in every run replaced.
    fn calm(&self) -> String {
        calm(&serde_json::to_string_pretty(&self.json()).unwrap())
    }
}

/// Replaces ids and signatures.
fn calm(text: &str) -> String {
    let mut calmed = String::new();
    for line in text.lines() {
        let mut words: Vec<String> = Vec::new();
        for word in line.split_inclusive(['"', '/', '&', '?']) {
            let end = word.trim_end_matches(['"', '/', '&', '?']);
            let rest = &word[end.len()..];
            if end.parse::<JobId>().is_ok() {
                words.push(format!("<id>{rest}"));
            } else if end.starts_with("sig=") {
                words.push(format!("sig=<sig>{rest}"));
            } else {
                words.push(word.to_owned());
            }
        }
        calmed.push_str(&words.concat());
        calmed.push('\n');
    }
    calmed
}

fn request(method: &str, path: &str) -> axum::http::request::Builder {
    Request::builder()
        .method(Method::from_bytes(method.as_bytes()).unwrap())
        .uri(path)
        .header("host", "lamina.test")
}

/// One that is too large to be checked anywhere but on the pool.
fn large_png() -> Vec<u8> {
    png(1024, 768)
}

/// A picture that is not all of one colour.
fn png(width: u32, height: u32) -> Vec<u8> {
    let pixels = (0..width * height)
        .flat_map(|index| {
            let shade = (index.wrapping_mul(2_654_435_761) >> 13) as u8;
            [shade, shade / 2, 255 - shade, 255]
        })
        .collect();
    encode_png(&RgbaImage::new(width, height, pixels).unwrap())
}

fn base64_body(file: &[u8]) -> String {
    format!(r#"{{"image_base64":"{}"}}"#, STANDARD.encode(file))
}
