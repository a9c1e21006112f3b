//! A process that is given few descriptors takes as many as it may.

use std::process::Stdio;

use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

use crate::support::left_out;

/// The soft and the hard limit of a process's open files.
fn open_files(pid: u32) -> Option<(u64, u64)> {
    let limits = std::fs::read_to_string(format!("/proc/{pid}/limits")).ok()?;
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    let mut numbers = line.split_whitespace().map(|word| word.parse().ok());
    Some((numbers.next()??, numbers.next()??))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_soft_limit_of_descriptors_is_raised_as_far_as_the_hard_one_lets_it() {
    let folder = tempfile::tempdir().unwrap();
    // Enough for all connections; fewer, so that fewer connections are taken.
    for (hard, soft, connections, warned) in [(1_500, 1_256, "500", false), (600, 600, "500", true)]
    {
        // A shell, because no process sets the limits of a child before it runs without `unsafe`.
        let script = format!("ulimit -Sn 128 && ulimit -Hn {hard} && exec \"$0\" serve");
        let mut command = Command::new("sh");
        command
            .args(["-c", &script, env!("CARGO_BIN_EXE_lamina")])
            .env_clear()
            .env("DATABASE_PATH", folder.path().join("lamina.db"))
            .env("PORT", "0")
            .env("MAX_CONNECTIONS", connections)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut said = String::new();
        while !said.contains("lamina serves on ") {
            let line = lines.next_line().await.unwrap();
            said.push_str(&line.unwrap_or_else(|| panic!("it ended: {said}")));
        }
        let Some(limits) = open_files(child.id().unwrap()) else {
            return left_out("the limit of descriptors; only Linux shows another process's");
        };
        assert_eq!(limits, (soft, hard), "{said}");
        let told = said.contains("fewer connections than MAX_CONNECTIONS");
        assert_eq!(told, warned, "{said}");
        child.kill().await.unwrap();
    }
}
