//! The real binary as a process that a test may kill.

use std::path::Path;
use std::process::{ExitStatus, Stdio};

use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// A running `lamina`. Killed when dropped.
pub(crate) struct Process {
    child: Child,
    /// Reads all the time: a process whose pipe is full would stand still.
    said: JoinHandle<String>,
    serves: Option<oneshot::Receiver<String>>,
    pub(crate) base: String,
}

impl Process {
    /// Starts `lamina serve` and waits until it says that it serves. `options` are its only
    /// settings.
    pub(crate) async fn start(options: &[(&str, &str)]) -> Self {
        let mut process = Self::spawn(options);
        match process.serves.take().unwrap().await {
            Ok(base) => process.base = base,
            Err(_) => panic!(
                "the process ended before it served: {:?}",
                process.ended().await
            ),
        }
        process
    }

    /// Starts `lamina serve` without waiting for anything.
    pub(crate) fn spawn(options: &[(&str, &str)]) -> Self {
        Self::command(&[], options)
    }

    /// Runs `lamina check` and returns how it ended and its report.
    pub(crate) async fn check(options: &[(&str, &str)]) -> (ExitStatus, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lamina"));
        command.arg("check").env_clear().kill_on_drop(true);
        command.envs(options.iter().copied()).stdin(Stdio::null());
        command.current_dir(Path::new(env!("CARGO_TARGET_TMPDIR")));
        let ended = command.output().await.unwrap();
        (ended.status, String::from_utf8(ended.stdout).unwrap())
    }

    /// Runs the binary with these arguments and options to its end, and returns how it ended and
    /// what it said to people.
    pub(crate) async fn run(arguments: &[&str], options: &[(&str, &str)]) -> (ExitStatus, String) {
        Self::command(arguments, options).ended().await
    }

    /// Ends it at once, as a power cut would.
    pub(crate) async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    /// Starts the binary with arguments.
    pub(crate) fn command(arguments: &[&str], options: &[(&str, &str)]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lamina"));
        command
            .args(arguments)
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
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let (signal, serves) = oneshot::channel();
        let said = tokio::spawn(async move {
            let (mut said, mut signal) = (String::new(), Some(signal));
            while let Ok(Some(line)) = lines.next_line().await {
                if let Some((_, address)) = line.split_once("lamina serves on ")
                    && let Some(signal) = signal.take()
                {
                    let end = address.find(['"', ' ']).unwrap_or(address.len());
                    let _ = signal.send(address[..end].to_owned());
                }
                said.push_str(&line);
                said.push('\n');
            }
            said
        });
        Self {
            child,
            said,
            serves: Some(serves),
            base: String::new(),
        }
    }

    /// The most memory it ever had, in KiB. Linux alone says so.
    pub(crate) fn peak_memory_kib(&self) -> Option<u64> {
        self.status_kib("VmHWM:")
    }

    /// Pages of files that it has now, its binary's above all, in KiB. Linux alone says so.
    pub(crate) fn file_memory_kib(&self) -> Option<u64> {
        self.status_kib("RssFile:")
    }

    /// The memory it has now, in KiB. Linux alone says so.
    pub(crate) fn memory_kib(&self) -> Option<u64> {
        self.status_kib("VmRSS:")
    }

    fn status_kib(&self, field: &str) -> Option<u64> {
        let status = format!("/proc/{}/status", self.child.id()?);
        let status = std::fs::read_to_string(status).ok()?;
        let line = status.lines().find(|line| line.starts_with(field));
        line?.split_whitespace().nth(1)?.parse().ok()
    }

    /// Whether it has a file of this folder open, with a name or without. Linux alone says so.
    pub(crate) fn has_open(&self, folder: &Path) -> bool {
        let open = format!("/proc/{}/fd", self.child.id().unwrap());
        let open = std::fs::read_dir(open).into_iter().flatten().flatten();
        let mut leads = open.filter_map(|entry| std::fs::read_link(entry.path()).ok());
        leads.any(|lead| lead.starts_with(folder))
    }

    /// Whether it has not ended yet.
    pub(crate) fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits for the process to end by itself.
    pub(crate) async fn died(&mut self) {
        self.child.wait().await.unwrap();
    }

    /// Waits for the process to end by itself and returns how it ended and what it said.
    pub(crate) async fn ended(mut self) -> (ExitStatus, String) {
        let status = self.child.wait().await.unwrap();
        (status, self.said.await.unwrap())
    }

    /// Asks for an orderly stop and waits for it.
    pub(crate) async fn terminate(self) -> (ExitStatus, String) {
        let pid =
            rustix::process::Pid::from_raw(self.child.id().unwrap().try_into().unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        self.ended().await
    }
}
