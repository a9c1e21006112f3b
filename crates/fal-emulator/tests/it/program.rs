//! The program, as a person runs it: what it prints, and that it ends when told to.

use std::process::Stdio;

use fal_emulator::{DEFAULT_KEY, MODEL};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

use crate::bench::input;

#[tokio::test]
async fn it_says_where_it_is_serves_and_ends_on_a_signal() {
    let mut program = Command::new(env!("CARGO_BIN_EXE_fal-emulator"))
        .args(["--port", "0", "--layers", "synthetic", "--latency", "0"])
        .args(["--queue-time", "0", "--concurrency", "unlimited"])
        .env("RUST_LOG", "off")
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("the program was built");
    let mut lines = BufReader::new(program.stdout.take().expect("piped")).lines();
    let mut printed = Vec::new();
    while let Some(line) = lines.next_line().await.expect("text") {
        let last = line.starts_with("All faults:");
        printed.push(line);
        if last {
            break;
        }
    }
    let exported = |name: &str| {
        let start = format!("export {name}=");
        let found = printed
            .iter()
            .find_map(|line| line.trim().strip_prefix(&start));
        found.expect("it is printed").to_owned()
    };
    assert_eq!(exported("FAL_KEY"), DEFAULT_KEY);
    let queue = exported("FAL_QUEUE_URL");
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([]);
    let client = client.build().expect("a client");
    let call = client.post(format!("{queue}/run/{MODEL}")).json(&input());
    let call = call.header("authorization", format!("Key {DEFAULT_KEY}"));
    let answered: Value = call
        .send()
        .await
        .expect("an answer")
        .json()
        .await
        .expect("JSON");
    assert_eq!(answered["images"].as_array().map(Vec::len), Some(4));
    let keys = client
        .get(exported("FAL_JWKS_URL"))
        .send()
        .await
        .expect("an answer");
    assert_eq!(keys.status(), 200);

    let id = program.id().and_then(|id| Pid::from_raw(id.cast_signed()));
    kill_process(id.expect("it runs"), Signal::TERM).expect("it is ours");
    assert!(program.wait().await.expect("it ends").success());
}

#[tokio::test]
async fn it_refuses_options_that_mean_nothing() {
    for options in [["--concurrency", "0"], ["--latency", "soon"]] {
        let mut program = Command::new(env!("CARGO_BIN_EXE_fal-emulator"));
        let ended = program.args(options).output().await.expect("it starts");
        assert!(!ended.status.success());
        let text = String::from_utf8_lossy(&ended.stderr);
        assert!(text.contains(options[1]), "{text}");
    }
}
