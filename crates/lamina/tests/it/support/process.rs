//! The real binary as a process that a test may kill.

use std::path::Path;
use std::process::{ExitStatus, Stdio};

use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr, Command};

/// A running `lamina serve`. Killed when dropped.
pub(crate) struct Process {
    child: Child,
    lines: Lines<BufReader<ChildStderr>>,
    pub(crate) base: String,
}

impl Process {
    /// Starts the binary and waits until it says that it serves. `options` are its only settings.
    pub(crate) async fn start(options: &[(&str, &str)]) -> Self {
        let mut process = Self::spawn(options);
        while let Some(line) = process.lines.next_line().await.unwrap() {
            if let Some((_, address)) = line.split_once("lamina serves on ") {
                let end = address.find(['"', ' ']).unwrap_or(address.len());
                process.base = address[..end].to_owned();
                return process;
            }
        }
        panic!(
            "the process ended before it served: {:?}",
            process.child.wait().await
        );
    }

    /// Starts the binary without waiting for anything.
    pub(crate) fn spawn(options: &[(&str, &str)]) -> Self {
        Self::command(&[], options)
    }

    /// Starts the binary with arguments.
    pub(crate) fn command(arguments: &[&str], options: &[(&str, &str)]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lamina"));
        command.args(arguments);
        command
            .env_clear()
            .envs(options.iter().copied())
            .env("LOG_FORMAT", "json");
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command.current_dir(Path::new(env!("CARGO_TARGET_TMPDIR")));
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        Self {
            child,
            lines,
            base: String::new(),
        }
    }

    /// Waits for the process to end by itself and returns what it said and how it ended.
    pub(crate) async fn ended(mut self) -> (ExitStatus, String) {
        let mut said = String::new();
        while let Some(line) = self.lines.next_line().await.unwrap() {
            said.push_str(&line);
            said.push('\n');
        }
        (self.child.wait().await.unwrap(), said)
    }

    /// Asks for an orderly stop and waits for it.
    pub(crate) async fn terminate(self) -> (ExitStatus, String) {
        let pid =
            rustix::process::Pid::from_raw(self.child.id().unwrap().try_into().unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        self.ended().await
    }
}
