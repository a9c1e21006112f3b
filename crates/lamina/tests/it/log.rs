//! A log that nobody reads: the real binary with a pipe for its standard error that stays full.

use std::process::Stdio;
use std::time::Duration;

use reqwest::{Client, StatusCode};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::support::{kept_port, until};

/// Each writes dozens of lines at this level; together they are many times what a pipe and the
/// buffer before it hold.
const REQUESTS: usize = 1_500;

struct Unread {
    child: Child,
    base: String,
    client: Client,
    _folder: TempDir,
}

impl Unread {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = kept_port();
        let child = Command::new(env!("CARGO_BIN_EXE_lamina"))
            .env_clear()
            .env("DATABASE_PATH", folder.path().join("lamina.db"))
            .env("PORT", port.to_string())
            .env("LOG", "trace")
            .env("LOG_FORMAT", "json")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .current_dir(folder.path())
            .spawn()
            .unwrap();
        let client = Client::builder()
            .no_proxy()
            .http2_prior_knowledge()
            .timeout(Duration::from_secs(30))
            .build()
            .unwrap();
        let unread = Self {
            child,
            base: format!("http://127.0.0.1:{port}"),
            client,
            _folder: folder,
        };
        until("the service", || async { unread.ask().await.ok() }).await;
        unread
    }

    async fn ask(&self) -> reqwest::Result<StatusCode> {
        let asked = self.client.get(format!("{}/openapi.json", self.base));
        let answer = asked.send().await?;
        let status = answer.status();
        // An answer that is not taken whole resets its stream, and many such end the connection.
        answer.bytes().await.map(|_| status)
    }

    async fn answers_many(&self) {
        for asked in 0..REQUESTS {
            let answer = self.ask().await;
            let answer = answer.unwrap_or_else(|error| panic!("after {asked}: {error:?}"));
            assert_eq!(answer, StatusCode::OK);
        }
    }

    fn ask_to_stop(&self) {
        let pid = Pid::from_raw(self.child.id().unwrap().try_into().unwrap()).unwrap();
        kill_process(pid, Signal::TERM).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_nobody_reads_holds_up_neither_requests_nor_the_stop() {
    let mut unread = Unread::start().await;
    unread.answers_many().await;
    unread.ask_to_stop();
    let ended = tokio::time::timeout(Duration::from_secs(60), unread.child.wait()).await;
    assert!(ended.expect("it ends").unwrap().success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_is_read_again_says_what_it_lost_and_ends_whole() {
    let mut unread = Unread::start().await;
    unread.answers_many().await;
    let mut log = BufReader::new(unread.child.stderr.take().unwrap());
    let mut said = String::new();
    unread.ask_to_stop();
    log.read_to_string(&mut said).await.unwrap();
    assert!(unread.child.wait().await.unwrap().success());
    for line in said.lines() {
        serde_json::from_str::<serde_json::Value>(line).unwrap_or_else(|_| panic!("{line}"));
    }
    assert!(
        said.contains("log lines were dropped"),
        "nothing was dropped"
    );
    let last = said.lines().last().unwrap();
    assert!(
        last.contains("log lines were dropped") || last.contains("lamina has stopped"),
        "{last}"
    );
}
