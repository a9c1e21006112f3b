//! Answers for people: columns on standard output, nothing drawn around them, so that `awk` can
//! read them too. It knows no command.

use std::io::Write as _;

use comfy_table::{Table, presets};
use serde_json::Value;

/// Prints rows below a heading; says so when there are none.
pub(super) fn print(heading: &[&str], rows: impl IntoIterator<Item = Vec<String>>) {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(heading);
    table.add_rows(rows);
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    let lines: Vec<String> = table
        .lines()
        .map(|line| line.trim_end().to_owned())
        .collect();
    line(&lines.join("\n"));
}

/// Prints fields of the rows of an answer.
pub(super) fn of(heading: &[&str], fields: &[&str], rows: &Value) {
    let rows = rows.as_array().into_iter().flatten();
    let cells = |row: &Value| fields.iter().map(|field| cell(row, field)).collect();
    print(heading, rows.map(cells));
}

/// Prints an answer as it came.
pub(super) fn json(answer: &Value) {
    line(&serde_json::to_string_pretty(answer).unwrap_or_default());
}

/// Prints a line. A reader that has seen enough (`head`) is no error.
pub(super) fn line(text: &str) {
    drop(writeln!(std::io::stdout().lock(), "{text}"));
}

/// A field as a cell; `-` for one that is null or absent.
pub(super) fn cell(row: &Value, field: &str) -> String {
    match &row[field] {
        Value::Null => "-".to_owned(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
