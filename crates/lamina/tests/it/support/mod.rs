//! What every test stands on.

mod app;
mod collector;
mod emulator;
mod event_reader;
mod leaps;
mod pictures;
mod ports;
mod process;
mod proxy;
mod s3;

pub(crate) use app::{Setup, TestApp, Way, fal_options, json_of};
pub(crate) use collector::{Collector, hex};
pub(crate) use emulator::{emulator, emulator_with, held_emulator, shared_clock};
pub(crate) use event_reader::{Event, EventReader, Said};
pub(crate) use leaps::Leaps;
pub(crate) use pictures::{composite, largest_difference, picture, png_base64, png_bytes};
pub(crate) use ports::kept_port;
pub(crate) use process::Process;
pub(crate) use proxy::{Break, Proxy};
pub(crate) use s3::{BUCKET, Fault, PREFIX, S3};

use std::future::Future;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// Says plainly what is not tested here, past the harness that swallows a passing test's output;
/// where everything is required, it fails instead.
pub(crate) fn left_out(what: &str) {
    assert_ne!(
        std::env::var("LAMINA_REQUIRE_ALL").as_deref(),
        Ok("1"),
        "LEFT OUT: {what}"
    );
    let _ = writeln!(std::io::stderr(), "LEFT OUT: {what}");
}

/// How long a test waits for what must come: no healthy run comes near, on no machine and beside no
/// load, so that what fails here is wrong and not slow.
const PATIENCE: Duration = Duration::from_secs(300);

/// The one bounded poll: asks until `probe` has an answer, for at most [`PATIENCE`].
pub(crate) async fn until<T, F: Future<Output = Option<T>>>(
    what: &str,
    mut probe: impl FnMut() -> F,
) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = probe().await {
            return found;
        }
        assert!(Instant::now() < end, "waited {PATIENCE:?} for: {what}");
        sleep_until(Instant::now() + Duration::from_millis(20)).await;
    }
}

/// Every file below a folder; none when it is not there.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}
