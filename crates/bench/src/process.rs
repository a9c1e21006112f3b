//! lamina as the process that operators run: the release binary beside this program, over a database
//! that is there, with the embedded engine. Ended by SIGTERM, as a supervisor would.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use rustix::process::{Pid, Signal, kill_process};

/// No start comes near.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running `lamina serve`. Killed when dropped.
pub(crate) struct Process {
    child: Child,
}

impl Process {
    /// The binary that `cargo build --release` puts beside this one.
    pub(crate) fn binary() -> anyhow::Result<PathBuf> {
        let binary = std::env::current_exe()?.with_file_name("lamina");
        ensure!(
            binary.exists(),
            "{} is missing; cargo build --release makes it",
            binary.display()
        );
        Ok(binary)
    }

    /// A port that is free now.
    pub(crate) fn port() -> anyhow::Result<u16> {
        Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
    }

    /// Starts it and returns how long it took until `/readyz` answered 200.
    pub(crate) fn start(
        binary: &Path,
        folder: &Path,
        port: u16,
    ) -> anyhow::Result<(Self, Duration)> {
        Self::start_with(binary, folder, port, &[])
    }

    /// The same with further options.
    pub(crate) fn start_with(
        binary: &Path,
        folder: &Path,
        port: u16,
        options: &[(&str, String)],
    ) -> anyhow::Result<(Self, Duration)> {
        let begun = Instant::now();
        let child = Command::new(binary)
            .arg("serve")
            .env_clear()
            .env("DATABASE_PATH", folder.join("lamina.db"))
            .env("PORT", port.to_string())
            .envs(options.iter().map(|(name, value)| (*name, value)))
            .current_dir(folder)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let mut process = Self { child };
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        // A refused connection costs some ten microseconds; the machine's other core is free for it.
        while !ready(address) {
            let ended = process.child.try_wait()?;
            ensure!(ended.is_none(), "it ended with {ended:?}");
            ensure!(begun.elapsed() < PATIENCE, "it does not become ready");
            std::thread::yield_now();
        }
        Ok((process, begun.elapsed()))
    }

    /// CPU time of all its threads, in seconds.
    pub(crate) fn cpu(&self) -> f64 {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id()));
        let nanos = tasks.into_iter().flatten().flatten().map(|task| {
            let ran = fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
            let nanos = ran.split(' ').next().and_then(|text| text.parse().ok());
            nanos.unwrap_or(0.0)
        });
        nanos.sum::<f64>() / 1e9
    }

    /// A field of `/proc/PID/status`, in bytes.
    pub(crate) fn memory(&self, field: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let status = status.unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix(field));
        let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
        kilobytes.unwrap_or(0u64) * 1024
    }

    /// Asks it to stop and waits for that.
    pub(crate) fn stop(mut self) -> anyhow::Result<()> {
        let pid = i32::try_from(self.child.id())?;
        kill_process(Pid::from_raw(pid).context("no process")?, Signal::TERM)?;
        let status = self.child.wait()?;
        ensure!(status.success(), "it ended with {status}");
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Already ended where it was stopped; then neither has anything to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn ready(address: SocketAddr) -> bool {
    asked(address, "/readyz").is_ok_and(|head| &head == b"HTTP/1.1 200")
}

/// Whether an HTTP server answers there, whatever it says.
pub(crate) fn answers(address: SocketAddr, path: &str) -> bool {
    asked(address, path).is_ok_and(|head| head.starts_with(b"HTTP/1.1 "))
}

/// The answer's first twelve bytes, which end in its status.
fn asked(address: SocketAddr, path: &str) -> std::io::Result<[u8; 12]> {
    let mut socket = TcpStream::connect(address)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n");
    socket.write_all(request.as_bytes())?;
    let mut head = [0; 12];
    socket.read_exact(&mut head)?;
    Ok(head)
}
