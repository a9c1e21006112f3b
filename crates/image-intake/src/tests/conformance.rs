//! The conformance set: thousands of small files by writers of their own, and what Pillow (libjpeg-turbo, zlib, libwebp)
//! or a standard's formula sees in each. `tests/conformance/` of this crate writes it. No file may be taken for another
//! picture, and none refused that the independent reader takes.

use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use super::samples::*;
use crate::{Limits, decode_rgba, normalise};

/// The interpreter of `.ci/run`, or one that is installed and has Pillow.
pub(super) fn python() -> Option<&'static str> {
    const VENV: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../.ci/.venv/bin/python");
    [VENV, "python3"].into_iter().find(|python| {
        let found = Command::new(python).args(["-c", "import PIL"]).output();
        found.is_ok_and(|output| output.status.success())
    })
}

#[test]
fn every_file_of_the_conformance_set_is_seen_as_independent_readers_see_it() {
    let Some(python) = python() else {
        let text = "the conformance set of pictures needs Python with Pillow";
        assert_ne!(
            std::env::var("LAMINA_REQUIRE_ALL").as_deref(),
            Ok("1"),
            "{text}"
        );
        // Past the harness, which swallows what a passing test says.
        let _ = writeln!(std::io::stderr(), "LEFT OUT: {text}");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance/corpus.py");
    let written = Command::new(python)
        .args(["-B", "-W", "ignore"])
        .arg(script)
        .arg(folder.path())
        .output()
        .unwrap();
    assert!(written.status.success(), "{written:?}");
    let manifest = std::fs::read_to_string(folder.path().join("manifest.tsv")).unwrap();
    let lines: Vec<Vec<&str>> = manifest
        .lines()
        .map(|line| line.split('\t').collect())
        .collect();
    assert!(lines.len() > 2_900, "{} files", lines.len());
    let wrong: Vec<String> = lines
        .iter()
        .filter_map(|line| judged(folder.path(), line).err())
        .collect();
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// Holds one file against its line of the manifest.
fn judged(folder: &Path, line: &[&str]) -> Result<(), String> {
    let (name, limits) = (line[0], Limits::default());
    let file = std::fs::read(folder.join(name)).unwrap();
    let seen = decode_rgba(&file, &limits);
    let stored = normalise(&file.into(), &limits);
    let code = match &seen {
        Ok(_) => "pixels",
        Err(error) => error.code(),
    };
    let expected = if line[1] == "code" { line[2] } else { "pixels" };
    if code != expected {
        return Err(format!("{name}: {code} instead of {expected}"));
    }
    let Ok(seen) = seen else {
        return Ok(());
    };
    let stored = stored.map_err(|error| format!("{name}: stored as {error}"))?;
    if contains(&stored.bytes, SECRET) {
        return Err(format!("{name}: what was hidden in it is stored"));
    }
    if decode_rgba(&stored.bytes, &limits).as_ref() != Ok(&seen) {
        return Err(format!("{name}: what is stored shows something else"));
    }
    let size = [seen.width(), seen.height()].map(|side| side.to_string());
    if size != line[2..4] {
        return Err(format!("{name}: it has {size:?} pixels"));
    }
    let truth = std::fs::read(folder.join(format!("{name}.rgba"))).unwrap();
    let difference = worst_shown(seen.pixels(), &truth);
    let allowed: u8 = line[4].parse().unwrap();
    if difference > allowed {
        return Err(format!("{name}: off by {difference}, {allowed} allowed"));
    }
    Ok(())
}

/// The largest difference of any sample that shows; under alpha 0 no colour does.
fn worst_shown(seen: &[u8], truth: &[u8]) -> u8 {
    let pairs = seen.as_chunks::<4>().0.iter().zip(truth.as_chunks::<4>().0);
    pairs
        .filter(|(seen, truth)| seen[3] > 0 || truth[3] > 0)
        .flat_map(|(seen, truth)| seen.iter().zip(truth))
        .map(|(seen, truth)| seen.abs_diff(*truth))
        .max()
        .unwrap_or(0)
}
