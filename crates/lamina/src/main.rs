//! The command line; see `cli`.

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    lamina::cli::Cli::parse().run()
}
