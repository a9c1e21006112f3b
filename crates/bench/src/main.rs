//! Measures what lamina costs, beside baselines of the same run: `cargo run -p bench --release`,
//! or with the names of rows after `--`; `peers` runs a table of its own, see `peers`. Loopback only, bounded in count and time, and never a
//! verdict: no test depends on a number that comes out of it.
//!
//! Service, emulator and client live in one process on threads of their own, so that each one's
//! CPU is known by name of thread. Their wall-clock rates share the machine's cores.

mod bare;
mod client;
mod cpu;
mod load;
mod peers;
mod picture;
mod plain;
mod process;
mod report;
mod rows;
mod service;
mod stage;
mod stats;

use anyhow::Context as _;

fn main() -> anyhow::Result<()> {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    match wanted.split_first() {
        Some((first, rest)) if first == "peers" => return peers::run(rest),
        Some((first, rest)) if first == "bare-route" => return peers::bare_route(rest),
        _ => {}
    }
    for name in &wanted {
        let known = rows::ROWS.map(|(row, _)| row);
        anyhow::ensure!(
            known.contains(&name.as_str()),
            "no row is called {name:?}; there are {known:?}, and \"peers\" before all others"
        );
    }
    let stage = stage::Stage::new().context("the threads cannot be started")?;
    report::heading();
    for (name, run) in rows::ROWS {
        if wanted.is_empty() || wanted.iter().any(|row| row == name) {
            run(&stage).with_context(|| format!("the row {name} broke off"))?;
        }
    }
    Ok(())
}
