//! The rows of the table, each with its own starts.

mod added;
mod creates;
mod finished;
mod reads;
mod waiting;
mod whole;

use std::path::PathBuf;

use super::Arena;
use crate::report;
use crate::stats::{median, spread};

/// Runs a row.
type Run = fn(&Arena) -> anyhow::Result<()>;

/// The rows by name, in the order they run.
pub(super) const ROWS: [(&str, Run); 6] = [
    ("creates", creates::run),
    ("reads", reads::run),
    ("jobs", whole::run),
    ("added", added::run),
    ("waiting", waiting::run),
    ("finished", finished::run),
];

/// A folder that nothing was in.
fn fresh(arena: &Arena) -> anyhow::Result<PathBuf> {
    let folder = tempfile::Builder::new().tempdir_in(arena.folder.path())?;
    // It goes with the arena's own, and not before.
    Ok(folder.keep())
}

/// One line: lamina's and the other's values of all rounds, and the ratio of their medians.
fn compare(what: &str, lamina: &[f64], other: (&str, &[f64]), decimals: usize) {
    let (name, others) = other;
    report::line(
        what,
        &spread(lamina, decimals),
        &format!("{name}: {}", spread(others, decimals)),
        &ratio(median(lamina), median(others)),
    );
}

/// How many times the other's; of nothing there is no multiple.
fn ratio(lamina: f64, other: f64) -> String {
    if other > 0.0 {
        format!("{:.2} ×", lamina / other)
    } else {
        "–".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_has_no_multiple() {
        assert_eq!(ratio(3.0, 2.0), "1.50 ×");
        assert_eq!(ratio(3.0, 0.0), "–");
    }
}
