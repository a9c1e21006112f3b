//! lamina beside what one would write instead, in alternating rounds on one machine:
//! `cargo run -p bench --release -- peers`. lamina's release binary, the Node peer of `peer/` and a
//! bare axum route are processes of their own over fresh folders; so is the fal emulator, whose CPU
//! is told apart. Medians, ratios and conditions are printed.
//!
//! No folder is removed before the end: ext4 without a journal makes files dear for minutes after
//! others were removed. Every process is ended by its id.

mod condition;
mod contender;
mod engine;
mod fill;
mod load;
mod options;
mod rows;
mod server;

use anyhow::Context as _;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

pub(crate) use load::bare_route;
use options::Options;

use crate::report;

/// What the rows share.
struct Arena {
    options: Options,
    /// The clients, on the main thread, so that the load costs as little as it can.
    client: Runtime,
    /// Everything that is written, in a folder for each start.
    folder: TempDir,
    png: Vec<u8>,
}

/// Runs the rows that were asked for.
pub(crate) fn run(arguments: &[String]) -> anyhow::Result<()> {
    let options = Options::parse(arguments)?;
    let arena = Arena {
        client: Builder::new_current_thread().enable_all().build()?,
        folder: tempfile::Builder::new().prefix("lamina-peers-").tempdir()?,
        png: crate::picture::png()?,
        options,
    };
    condition::print(&arena)?;
    report::heading();
    for (name, row) in rows::ROWS {
        if arena.options.wants(name) {
            row(&arena).with_context(|| format!("the row {name} broke off"))?;
        }
    }
    Ok(())
}
