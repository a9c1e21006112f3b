//! `lamina notices`: whoever passes the binary on passes on the licences of what is inside.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

#[test]
fn the_program_prints_the_licences_of_what_is_inside_it() {
    let ended = Command::new(env!("CARGO_BIN_EXE_lamina"))
        .arg("notices")
        .env_clear()
        .output()
        .unwrap();
    assert!(ended.status.success());
    let said = String::from_utf8(ended.stdout).unwrap();
    for inside in ["\nrten ", "\naws-lc-sys ", "\nlibsqlite3-sys ", "SQLite"] {
        assert!(said.contains(inside), "{inside:?} is missing");
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_lamina"))
        .arg("notices")
        .env_clear()
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut reader = BufReader::new(child.stdout.take().unwrap());
    reader.read_line(&mut line).unwrap();
    drop(reader);
    let ended = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success() && said.is_empty(), "{said}");
}
