//! The command line; see `cli`.

use std::process::ExitCode;

use clap::Parser as _;

// glibc keeps an arena for each thread and gives little back: decoding pictures on many threads
// would hold several times the memory that is in use.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    lamina::cli::Cli::parse().run()
}
