//! Resumable uploads by the stock client, npm `tus-js-client`, against the real binary: through
//! connections that are cut, connections that die unnoticed, and a server that is killed.
//!
//! The client runs where Node is found and `tests/tus-client/install` was run (or where
//! `LAMINA_TEST_TUS_MODULES` names a `node_modules`); else the test says what it left out.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use image::{Rgba, RgbaImage};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;

use crate::support::{
    Break, Process, Proxy, files, json_of, kept_port, left_out, png_bytes, until,
};

/// Node with the client, in a folder where the script finds it.
struct Stock {
    folder: TempDir,
}

impl Stock {
    async fn find() -> Option<Self> {
        let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tus-client");
        let chosen = std::env::var_os("LAMINA_TEST_TUS_MODULES").map(PathBuf::from);
        let modules = chosen.unwrap_or_else(|| own.join("node_modules"));
        let node = Command::new("node").arg("--version").output().await;
        if node.is_err() || !modules.join("tus-js-client").is_dir() {
            left_out("tus-js-client; prepare it with crates/lamina/tests/tus-client/install");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        std::fs::copy(own.join("upload.mjs"), folder.path().join("upload.mjs")).unwrap();
        let modules = std::fs::canonicalize(modules).unwrap();
        std::os::unix::fs::symlink(modules, folder.path().join("node_modules")).unwrap();
        std::fs::write(folder.path().join("picture.png"), noise()).unwrap();
        Some(Self { folder })
    }

    fn picture(&self) -> Vec<u8> {
        std::fs::read(self.folder.path().join("picture.png")).unwrap()
    }

    /// Runs the client to its end in one of its ways and returns what it tells.
    async fn run(&self, base: &str, mode: &str) -> Value {
        let ran = Command::new("node")
            .arg(self.folder.path().join("upload.mjs"))
            .env("ENDPOINT", format!("{base}/api/uploads/tus"))
            .env("FILE", self.folder.path().join("picture.png"))
            .env("MODE", mode)
            .kill_on_drop(true)
            .output()
            .await
            .unwrap();
        let (told, wrong) = (
            String::from_utf8_lossy(&ran.stdout),
            String::from_utf8_lossy(&ran.stderr),
        );
        assert!(ran.status.success(), "{mode}: {told}\n{wrong}");
        serde_json::from_str(&told).unwrap_or_else(|_| panic!("{mode}: {told}\n{wrong}"))
    }
}

/// A picture that does not compress: about 1.9 MB.
fn noise() -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(7);
    png_bytes(&RgbaImage::from_fn(700, 700, |_, _| {
        Rgba([random.u8(..), random.u8(..), random.u8(..), 255])
    }))
}

/// The real binary, on a port that it has again after a restart.
struct Service {
    folder: TempDir,
    port: String,
    rate: &'static str,
    process: Process,
}

impl Service {
    async fn start() -> Self {
        Self::limited_to("off").await
    }

    /// Lets its callers ask this often.
    async fn limited_to(rate: &'static str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = kept_port().to_string();
        let process = Self::process(&folder, &port, rate).await;
        Self {
            folder,
            port,
            rate,
            process,
        }
    }

    async fn process(folder: &TempDir, port: &str, rate: &str) -> Process {
        let database = folder.path().join("lamina.db").display().to_string();
        let options = [("DATABASE_PATH", &*database), ("PORT", port)];
        Process::start(&[options.as_slice(), &[("RATE_LIMIT", rate)]].concat()).await
    }

    /// SIGKILL and a new life, on the same port and data.
    async fn killed_and_started_again(self) -> Self {
        self.process.kill().await;
        let process = Self::process(&self.folder, &self.port, self.rate).await;
        Self { process, ..self }
    }

    fn address(&self) -> SocketAddr {
        let address = self.process.base.strip_prefix("http://");
        address.unwrap().parse().unwrap()
    }

    /// Bytes that have arrived of all uploads together.
    fn arrived(&self) -> u64 {
        let arrived = files(&self.folder.path().join("incoming"));
        let sizes = arrived
            .iter()
            .map(|file| file.metadata().map_or(0, |meta| meta.len()));
        sizes.sum()
    }

    /// The upload is the picture, byte by byte; a job of it is taken, and nothing else is left.
    async fn has_it(&self, told: &Value, picture: &[u8]) {
        let id = told["url"].as_str().unwrap().rsplit('/').next().unwrap();
        let (client, base) = (Client::new(), &self.process.base);
        let state = || async {
            let answer = client.get(format!("{base}/api/uploads/{id}")).send().await;
            json_of(answer.unwrap()).await
        };
        assert_eq!(state().await["status"], "received", "{told}");
        let create = client
            .post(format!("{base}/api/jobs"))
            .json(&json!({ "upload_id": id }));
        let created = create.send().await.unwrap();
        assert_eq!(created.status(), StatusCode::ACCEPTED);
        let job = json_of(created).await;
        let url = format!("{base}/api/jobs/{}", job["job_id"].as_str().unwrap());
        client.delete(url).send().await.unwrap();
        let upload = state().await;
        let link = upload["upload"]["url"].as_str().unwrap().to_owned();
        let stored = client
            .get(link)
            .send()
            .await
            .unwrap()
            .bytes()
            .await
            .unwrap();
        assert!(stored == picture, "{told}");
        assert_eq!(self.arrived(), 0);
        assert!(files(&self.folder.path().join("spool")).is_empty());
    }

    async fn stop(self) {
        let (status, said) = self.process.terminate().await;
        assert!(status.success(), "{said}");
        assert!(!said.contains("internal_error"), "{said}");
    }
}

fn count(told: &Value, method: &str) -> usize {
    let requests = told["requests"].as_array().unwrap();
    requests.iter().filter(|sent| *sent == method).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rate_does_not_end_an_upload_that_was_let_in() {
    let Some(stock) = Stock::find().await else {
        return;
    };
    // The beginning, and what is asked afterwards; there are more parts than that.
    let service = Service::limited_to("1/h burst 10").await;
    for mode in ["chunks", "override"] {
        let told = stock.run(&service.process.base, mode).await;
        let parts = count(&told, "PATCH") + count(&told, "POST") - 1;
        assert!(parts > 10, "{told}");
        service.has_it(&told, &stock.picture()).await;
    }
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_stock_client_uploads_in_each_of_its_ways() {
    let Some(stock) = Stock::find().await else {
        return;
    };
    let service = Service::start().await;
    let picture = stock.picture();
    for mode in ["whole", "chunks", "override", "first", "deferred"] {
        let told = stock.run(&service.process.base, mode).await;
        assert_eq!(
            count(&told, "HEAD"),
            0,
            "{mode} was not interrupted: {told}"
        );
        service.has_it(&told, &picture).await;
    }
    let told = stock.run(&service.process.base, "end").await;
    assert_eq!(told["status"], 404, "the client has ended it");
    assert_eq!(service.arrived(), 0);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_stock_client_gets_through_connections_that_are_cut_in_the_middle() {
    let Some(stock) = Stock::find().await else {
        return;
    };
    let service = Service::start().await;
    for break_ in [Break::Cut(300_000), Break::Dead(300_000)] {
        let proxy = Proxy::to(service.address(), &[break_; 3]).await;
        let told = stock.run(&proxy.base, "whole").await;
        assert_eq!(proxy.left(), 0, "{break_:?} did not come to pass");
        assert!(count(&told, "HEAD") >= 3, "{told}");
        assert_eq!(count(&told, "POST"), 1, "it was resumed, not begun anew");
        service.has_it(&told, &stock.picture()).await;
    }
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_stock_client_gets_through_a_server_that_is_killed_in_the_middle() {
    let Some(stock) = Stock::find().await else {
        return;
    };
    let mut service = Service::start().await;
    let proxy = Proxy::to(
        service.address(),
        &[Break::Hold(700_000), Break::Hold(400_000)],
    )
    .await;
    let base = proxy.base.clone();
    let upload = async { stock.run(&base, "whole").await };
    let kills = async {
        let mut before = 0;
        for _ in 0..2 {
            until("the line to break", || async {
                proxy.has_broken().then_some(())
            })
            .await;
            // More arrived in this life than in the one before.
            let arrived = &service;
            until("bytes on disk", || async {
                (arrived.arrived() > before).then_some(())
            })
            .await;
            service = service.killed_and_started_again().await;
            before = service.arrived();
            assert!(before > 0, "what had arrived is there after the kill");
        }
        service
    };
    let (told, service) = tokio::join!(upload, kills);
    assert_eq!(count(&told, "POST"), 1, "it was resumed, not begun anew");
    assert!(count(&told, "HEAD") >= 2, "{told}");
    service.has_it(&told, &stock.picture()).await;
    service.stop().await;
}
