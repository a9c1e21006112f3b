//! What is printed: one Markdown table, a line at a time, so that a run that breaks off still
//! shows what it had.

use std::io::Write as _;

/// The head of the table.
pub(crate) fn heading() {
    write("| what | lamina | baseline | ratio |");
    write("|---|---|---|---|");
}

/// One line.
pub(crate) fn line(what: &str, lamina: &str, baseline: &str, ratio: &str) {
    write(&format!("| {what} | {lamina} | {baseline} | {ratio} |"));
}

/// What is said outside the table.
pub(crate) fn text(text: &str) {
    write(text);
}

/// A closed pipe is the reader's choice, and no reason to fail.
fn write(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}
