//! Thousands who wait for news of one job, by event streams and by reads that wait: what they cost the process in
//! memory, and the database in reads, and how long news takes to reach all of them. The news is the job's end by a
//! DELETE; the times run from before that is sent, and hold what this one thread needs to read them all.

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::client::{Connection, get, post};
use crate::process::Process;
use crate::report;
use crate::stage::Stage;
use crate::stats::{millis, percentile};

const STREAMS: usize = 5_000;
const POLLS: usize = 1_000;
/// Longer than the silence after which a stream says that it is alive.
const WINDOW: Duration = Duration::from_secs(20);
/// In milliseconds, for the slowest of a hundred.
const AIM_NEWS: f64 = 200.0;
/// Over the idle process, in megabytes.
const AIM_MEMORY: f64 = 150.0;

pub(super) fn run(stage: &Stage) -> anyhow::Result<()> {
    let descriptors = lamina::runtime::raise_descriptors(STREAMS);
    ensure!(
        descriptors >= STREAMS,
        "the system gives too few descriptors"
    );
    let folder = tempfile::tempdir()?;
    let (port, metrics) = (Process::port()?, Process::port()?);
    let metrics = SocketAddr::from(([127, 0, 0, 1], metrics));
    // The job's picture is asked for here and never given, so that nothing but the service works.
    let never = TcpListener::bind("127.0.0.1:0")?;
    let picture = format!("http://{}/a.png", never.local_addr()?);
    let options = [
        ("MAX_CONNECTIONS", "8000".to_owned()),
        ("MAX_EVENT_STREAMS", "8000".to_owned()),
        ("MAX_EVENT_STREAMS_PER_KEY", "off".to_owned()),
        ("FETCH_ALLOW_HTTP", "true".to_owned()),
        ("FETCH_ALLOW_NETS", "127.0.0.0/8".to_owned()),
        ("METRICS_LISTEN", metrics.to_string()),
    ];
    let (process, _) = Process::start_with(&Process::binary()?, folder.path(), port, &options)?;
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    for (what, count, path, opened, news) in [
        (
            "event streams",
            STREAMS,
            "/events",
            "event: status",
            "event: deleted",
        ),
        ("reads that wait", POLLS, "?wait=60", "", "HTTP/1.1 410"),
    ] {
        let idle = process.memory("RssAnon:");
        let told = stage.client.block_on(async {
            let job = created(address, &picture).await?;
            let waits = Waits {
                address,
                count,
                request: get(&format!("{job}{path}"), ""),
                opened,
                news,
            };
            waits
                .measure(&job, metrics, || process.memory("RssAnon:"))
                .await
        })?;
        let memory = (told.memory as f64 - idle as f64) / 1e6;
        report::line(
            &format!("{count} {what}: news to all, p50 and p99, ms"),
            &format!(
                "{:.0}, {:.0}",
                percentile(&told.times, 50.0),
                percentile(&told.times, 99.0)
            ),
            &format!("aim at p99: {AIM_NEWS}"),
            &format!("{:.0} %", percentile(&told.times, 99.0) / AIM_NEWS * 100.0),
        );
        report::line(
            "their memory, MB over idle",
            &format!("{memory:.1}"),
            &format!("aim: {AIM_MEMORY}"),
            &format!("{:.0} %", memory / AIM_MEMORY * 100.0),
        );
        report::line(
            &format!(
                "reads of the database in {} s of waiting, and for the news",
                WINDOW.as_secs()
            ),
            &format!("{:.0}, {:.0}", told.reads_waiting, told.reads_news),
            &format!("who waits: {count}"),
            "–",
        );
    }
    process.stop()
}

/// The path of a job that waits for its picture.
async fn created(address: SocketAddr, picture: &str) -> anyhow::Result<String> {
    let request = post("/api/jobs", &json!({ "image_url": picture }));
    let mut connection = Connection::open(address).await?;
    let created = connection.expect(&request, 202).await?.json()?;
    let id = created["job_id"].as_str().context("no job")?;
    Ok(format!("/api/jobs/{id}"))
}

/// Those who wait.
struct Waits {
    address: SocketAddr,
    count: usize,
    request: Vec<u8>,
    /// What is sent once it waits; empty where nothing is.
    opened: &'static str,
    news: &'static str,
}

struct Told {
    /// Milliseconds of each.
    times: Vec<f64>,
    /// While all wait, in bytes.
    memory: u64,
    reads_waiting: f64,
    reads_news: f64,
}

impl Waits {
    async fn measure(
        &self,
        job: &str,
        metrics: SocketAddr,
        memory: impl Fn() -> u64,
    ) -> anyhow::Result<Told> {
        let (ready, mut all_ready) = mpsc::unbounded_channel();
        let mut waits = JoinSet::new();
        for _ in 0..self.count {
            // One after the other, so that the queue of the listening socket does not overflow.
            let mut socket = TcpStream::connect(self.address).await?;
            socket.write_all(&self.request).await?;
            let (ready, opened, news) = (ready.clone(), self.opened, self.news);
            waits.spawn(async move {
                let mut text = Vec::with_capacity(1 << 10);
                read_until(&mut socket, &mut text, opened).await?;
                ready.send(())?;
                read_until(&mut socket, &mut text, news).await?;
                anyhow::Ok(Instant::now())
            });
        }
        for _ in 0..self.count {
            all_ready.recv().await.context("nobody is left")?;
        }
        // Reads that wait say nothing; they are there by then.
        sleep_until(Instant::now() + Duration::from_secs(2)).await;
        let before = reads(metrics).await?;
        sleep_until(Instant::now() + WINDOW).await;
        let (waiting, memory) = (reads(metrics).await?, memory());
        let mut connection = Connection::open(self.address).await?;
        let request = format!("DELETE {job} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n");
        let begun = Instant::now();
        let status = connection.exchange(request.as_bytes()).await?.status;
        ensure!(status == 204, "the delete was answered {status}");
        let mut times = Vec::new();
        while let Some(told) = waits.join_next().await {
            times.push(millis(told??.duration_since(begun)));
        }
        Ok(Told {
            times,
            memory,
            reads_waiting: waiting - before,
            reads_news: reads(metrics).await? - waiting,
        })
    }
}

async fn read_until(
    socket: &mut TcpStream,
    text: &mut Vec<u8>,
    wanted: &str,
) -> anyhow::Result<()> {
    while memchr::memmem::find(text, wanted.as_bytes()).is_none() {
        let count = socket.read_buf(text).await?;
        ensure!(count > 0, "closed after {}", String::from_utf8_lossy(text));
    }
    text.clear();
    Ok(())
}

/// How often the database was read.
async fn reads(metrics: SocketAddr) -> anyhow::Result<f64> {
    let mut connection = Connection::open(metrics).await?;
    let answer = connection.expect(&get("/metrics", ""), 200).await?;
    let text = std::str::from_utf8(answer.body)?;
    let line = "lamina_database_read_duration_seconds_count ";
    let found = text.lines().find_map(|found| found.strip_prefix(line));
    Ok(found.context("no such metric")?.parse()?)
}
