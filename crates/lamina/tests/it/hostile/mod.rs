//! Everything a stranger may send, over real sockets to the real binary: each is refused with its
//! documented code, nothing of it is kept, and meanwhile the service stays small and answers.

mod generated;
mod pictures;
mod requests;
mod server;
mod uploads;

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::http::Method;
use bytes::Bytes;
use futures_util::StreamExt as _;
use reqwest::Client;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::support::{Process, until};

/// The most memory that the process may ever have had: 200 MB. Half of that is usual, and hardly
/// differs between runs.
const MOST_MEMORY_KIB: u64 = 200_000_000 / 1024;
/// Hostile clients at once.
const AT_ONCE: usize = 8;

struct Case {
    name: String,
    wish: Wish,
    status: u16,
    /// In the problem, or in the job.
    code: &'static str,
}

enum Wish {
    Http {
        method: Method,
        path: String,
        headers: Vec<(&'static str, String)>,
        body: Bytes,
    },
    /// These bytes, and nothing else, on a connection.
    Wire(Vec<u8>),
    /// A job of this URL, which is taken and fails.
    Job(String),
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_a_stranger_sends_is_refused_by_its_name_in_bounded_memory() {
    let strangers = server::Server::start().await;
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("lamina.db").display().to_string();
    let service = Process::start(&[
        ("DATABASE_PATH", &database),
        ("PORT", "0"),
        ("FETCH_ALLOW_HTTP", "true"),
        ("FETCH_ALLOW_NETS", "127.0.0.1/32"),
    ])
    .await;
    let client = Client::builder().no_proxy().build().unwrap();
    let cases = [
        requests::of_pictures(),
        requests::of_json(),
        requests::of_forms(),
        requests::of_addresses(),
        requests::of_the_wire(),
        requests::of_urls(&strangers.base),
    ];
    let cases: Vec<Case> = cases.into_iter().flatten().collect();
    assert!(cases.len() >= 120, "{} cases", cases.len());
    let health = Health::watch(&service.base);
    let (count, base) = (cases.len(), service.base.as_str());
    let wrong: Vec<String> = futures_util::stream::iter(cases)
        .map(|case| refused(&client, base, case))
        .buffer_unordered(AT_ONCE)
        .filter_map(|outcome| std::future::ready(outcome.err()))
        .collect()
        .await;
    assert!(
        wrong.is_empty(),
        "{} of {count}:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    let (slowest, probes) = health.stop().await;
    let memory = service.peak_memory_kib().unwrap_or(0);
    // How quick it is depends on the machine; the load tool measures that.
    let _ = writeln!(
        std::io::stderr(),
        "{count} hostile inputs; peak memory {} MiB; {probes} health checks, the slowest {} ms",
        memory / 1024,
        slowest.as_millis()
    );
    assert!(memory < MOST_MEMORY_KIB, "{memory} KiB");
    nothing_is_kept(folder.path());
    let (status, said) = service.terminate().await;
    assert!(status.success(), "{said}");
    assert!(
        !said.contains("panicked") && !said.contains("internal_error"),
        "{said}"
    );
}

/// No upload, no picture of a job, no body on its way in.
fn nothing_is_kept(folder: &std::path::Path) {
    for kept in ["blobs/uploads", "blobs/jobs", "spool"] {
        let files = std::fs::read_dir(folder.join(kept)).map_or(0, Iterator::count);
        assert_eq!(files, 0, "{kept}");
    }
}

async fn refused(client: &Client, base: &str, case: Case) -> Result<(), String> {
    let (status, code, detail) = match case.wish {
        Wish::Http {
            method,
            path,
            headers,
            body,
        } => asked(client, method, &format!("{base}{path}"), &headers, body).await,
        Wish::Wire(bytes) => said_on_the_wire(base, &bytes).await,
        Wish::Job(url) => failed_job(client, base, &url).await,
    };
    let names = (status, code.as_str());
    let problem = if names != (case.status, case.code) {
        format!("got {names:?}, not {:?}", (case.status, case.code))
    } else if !code.is_empty() && detail.len() < 20 {
        format!("it says too little: {detail:?}")
    } else if detail.contains("secret") {
        "it repeats a secret".to_owned()
    } else {
        return Ok(());
    };
    Err(format!("{}: {problem}", case.name))
}

async fn asked(
    client: &Client,
    method: Method,
    url: &str,
    headers: &[(&'static str, String)],
    body: Bytes,
) -> (u16, String, String) {
    let mut request = client.request(method, url).body(body);
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    match request.send().await {
        Ok(answer) => {
            let status = answer.status().as_u16();
            let text = answer.text().await.unwrap_or_default();
            let (code, detail) = problem(&text);
            (status, code, detail)
        }
        Err(error) => (0, String::new(), format!("{error:?}")),
    }
}

fn problem(text: &str) -> (String, String) {
    let body: Value = serde_json::from_str(text).unwrap_or_default();
    let field = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    (field("code"), field("detail"))
}

async fn said_on_the_wire(base: &str, bytes: &[u8]) -> (u16, String, String) {
    let address = base.strip_prefix("http://").unwrap();
    let mut socket = TcpStream::connect(address).await.unwrap();
    // The service may answer and close before it has taken everything.
    let _ = socket.write_all(bytes).await;
    let mut answer = Vec::new();
    let _ = socket.read_to_end(&mut answer).await;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer.get(9..12).and_then(|status| status.parse().ok());
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    let (code, detail) = problem(body);
    (status.unwrap_or(0), code, detail)
}

async fn failed_job(client: &Client, base: &str, url: &str) -> (u16, String, String) {
    let jobs = format!("{base}/api/jobs");
    let created = client.post(&jobs).json(&json!({ "image_url": url }));
    let created: Value = created.send().await.unwrap().json().await.unwrap();
    let Some(id) = created["job_id"].as_str() else {
        return (
            0,
            created["code"].to_string(),
            created["detail"].to_string(),
        );
    };
    let job = format!("{jobs}/{id}");
    until("a refused URL's job to fail", || async {
        let answer = client.get(&job).send().await.unwrap();
        let status = answer.status().as_u16();
        let view: Value = answer.json().await.unwrap();
        let field = |name: &str| view[name].as_str().unwrap_or_default().to_owned();
        (view["status"] == "failed" || view["status"] == "completed")
            .then(|| (status, field("error_code"), field("error")))
    })
    .await
}

/// Asks for the service's health all the time.
struct Health {
    enough: Arc<AtomicBool>,
    asking: tokio::task::JoinHandle<(Duration, usize)>,
}

impl Health {
    fn watch(base: &str) -> Self {
        let enough = Arc::new(AtomicBool::new(false));
        let (url, told) = (format!("{base}/healthz"), Arc::clone(&enough));
        let asking = tokio::spawn(async move {
            let client = Client::builder().no_proxy().build().unwrap();
            let (mut slowest, mut count) = (Duration::ZERO, 0);
            let mut every = tokio::time::interval(Duration::from_millis(20));
            while !told.load(Ordering::Relaxed) {
                every.tick().await;
                let begun = Instant::now();
                let answer = client.get(&url).send().await.expect("an answer");
                assert_eq!(answer.status(), 200);
                slowest = slowest.max(begun.elapsed());
                count += 1;
            }
            (slowest, count)
        });
        Self { enough, asking }
    }

    /// The slowest answer and how many there were.
    async fn stop(self) -> (Duration, usize) {
        self.enough.store(true, Ordering::Relaxed);
        self.asking.await.unwrap()
    }
}
