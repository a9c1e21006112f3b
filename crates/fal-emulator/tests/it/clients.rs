//! The stock clients, unchanged, against the emulator: PyPI `fal-client` and npm `@fal-ai/client`.
//!
//! They run when they are found: in `clients/python/.venv` and `clients/js/node_modules`, where
//! `clients/install` puts them, or where `LAMINA_TEST_PYTHON` (an interpreter or a virtual
//! environment) and `LAMINA_TEST_NODE_MODULES` (a folder of that name) point. Otherwise the test
//! says what it left out; with `LAMINA_REQUIRE_ALL=1` that is a failure.

use std::env;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Output;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fal_emulator::{Config, Emulator};
use tokio::process::Command;

use crate::bench::png;

fn clients() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("clients")
}

/// Says what is not tested, or fails when everything must be.
fn left_out(what: &str) {
    let text = format!("LEFT OUT: {what}; prepare it with crates/fal-emulator/clients/install");
    assert_ne!(env::var("LAMINA_REQUIRE_ALL").as_deref(), Ok("1"), "{text}");
    // Past the test harness, which would swallow it: a left-out test must be seen.
    writeln!(std::io::stderr(), "{text}").expect("standard error");
}

async fn emulator() -> Emulator {
    // Both clients run several requests at once, and retry by themselves.
    let config = Config {
        concurrency: None,
        ..Config::default()
    };
    Emulator::start(config).await.expect("loopback is there")
}

/// Runs a script to its end; on failure its output is the test's.
async fn run(mut command: Command, emulator: &Emulator) -> Output {
    let ran = command
        .env("EMULATOR_URL", emulator.url())
        .env("FAL_KEY", emulator.key())
        .kill_on_drop(true)
        .output()
        .await
        .expect("the interpreter was found");
    let (told, wrong) = (
        String::from_utf8_lossy(&ran.stdout),
        String::from_utf8_lossy(&ran.stderr),
    );
    assert!(ran.status.success(), "{told}\n{wrong}");
    ran
}

fn shown(ran: &Output) -> usize {
    let told = String::from_utf8_lossy(&ran.stdout);
    told.lines().filter(|line| line.starts_with("ok: ")).count()
}

/// An interpreter that can import the client.
async fn python() -> Option<PathBuf> {
    let chosen = env::var_os("LAMINA_TEST_PYTHON").map(PathBuf::from);
    let place = chosen.unwrap_or_else(|| clients().join("python/.venv"));
    let interpreter = if place.is_dir() {
        place.join("bin/python")
    } else {
        place
    };
    let mut probe = Command::new(&interpreter);
    probe.args(["-c", "import fal_client, cryptography"]);
    let probed = probe.output().await.ok()?;
    probed.status.success().then_some(interpreter)
}

#[tokio::test]
async fn the_stock_python_client_works_over_plain_http() {
    let Some(python) = python().await else {
        return left_out("Python's fal-client over plain HTTP");
    };
    let emulator = emulator().await;
    let mut command = Command::new(python);
    command.arg(clients().join("python/plain.py"));
    let ran = run(command, &emulator).await;
    assert!(shown(&ran) >= 25, "only {} checks ran", shown(&ran));
    assert_eq!(emulator.cancelled().len(), 1);
}

#[tokio::test]
async fn the_stock_python_client_works_untouched_behind_tls() {
    let Some(python) = python().await else {
        return left_out("Python's fal-client behind TLS");
    };
    let emulator = emulator().await;
    let mut command = Command::new(python);
    command.arg(clients().join("python/unpatched.py"));
    command.env("IMAGE_BASE64", STANDARD.encode(png(96, 64)));
    let ran = run(command, &emulator).await;
    assert!(shown(&ran) >= 6, "only {} checks ran", shown(&ran));
    assert_eq!(emulator.submissions_count(), 2);
}

#[tokio::test]
async fn the_stock_javascript_client_works_unchanged() {
    let chosen = env::var_os("LAMINA_TEST_NODE_MODULES").map(PathBuf::from);
    let modules = chosen.unwrap_or_else(|| clients().join("js/node_modules"));
    let node = Command::new("node").arg("--version").output().await;
    if node.is_err() || !modules.join("@fal-ai/client").is_dir() {
        return left_out("JavaScript's @fal-ai/client");
    }
    // Modules are found beside the script, so the scripts go where the modules are.
    let folder = tempfile::tempdir().expect("a folder");
    for script in ["emulated.mjs", "unchanged.mjs"] {
        let from = clients().join("js").join(script);
        std::fs::copy(from, folder.path().join(script)).expect("a copy");
    }
    let modules = std::fs::canonicalize(modules).expect("it is a folder");
    std::os::unix::fs::symlink(modules, folder.path().join("node_modules")).expect("a link");
    let image = folder.path().join("image.png");
    std::fs::write(&image, png(96, 64)).expect("a file");

    let emulator = emulator().await;
    let mut command = Command::new("node");
    command.arg(folder.path().join("unchanged.mjs"));
    command.env("IMAGE_FILE", image);
    let ran = run(command, &emulator).await;
    assert!(shown(&ran) >= 50, "only {} checks ran", shown(&ran));
}
