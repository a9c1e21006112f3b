//! The conditions of a run, without which its numbers say little.

use std::fs;
use std::process::Command;

use super::Arena;
use super::options::{node, program};
use crate::report;

/// Prints them. Finds out on the way whether everything is there.
pub(super) fn print(arena: &Arena) -> anyhow::Result<()> {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let kernel = read("/proc/sys/kernel/osrelease");
    let processor = read("/proc/cpuinfo");
    let processor = processor
        .lines()
        .find(|line| line.starts_with("model name"));
    let processor = processor.and_then(|line| line.split_once(": "));
    let cores = std::thread::available_parallelism()?;
    let (file_system, journal) = file_system(&arena.folder.path().display().to_string());
    let load = read("/proc/loadavg");
    let load = load.split(' ').take(3).collect::<Vec<_>>().join(" ");
    let version = |program, argument| -> anyhow::Result<String> {
        let told = Command::new(program).arg(argument).output()?;
        Ok(String::from_utf8_lossy(&told.stdout).trim().to_owned())
    };
    let (lamina, node) = (program("lamina")?, node()?);
    program("fal-emulator")?;
    report::text(&format!(
        "{}, Node {}; {cores} cores ({}) shared with load and emulator, Linux {}, {file_system} ({journal}); \
         load average at the start {load}; {} rounds of {} s after {} s to warm up; a picture of {} bytes, of which the peer {}.\n",
        version(lamina, "--version")?,
        version(node, "--version")?,
        processor.map_or("unknown", |(_, name)| name),
        kernel.trim(),
        arena.options.rounds,
        arena.options.window.as_secs(),
        arena.options.warm_up.as_secs(),
        arena.png.len(),
        if arena.options.peer_decodes {
            "decodes all"
        } else {
            "reads the header"
        },
    ));
    Ok(())
}

/// The file system below a path, and what is known about its journal: `/proc/fs/jbd2` has a folder
/// for each one.
fn file_system(path: &str) -> (String, &'static str) {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let mount = mounts
        .lines()
        .map(|line| line.split(' ').collect::<Vec<_>>())
        .filter(|fields| fields.len() > 2 && path.starts_with(fields[1]))
        .max_by_key(|fields| fields[1].len());
    let Some(fields) = mount else {
        return ("unknown file system".to_owned(), "journal unknown");
    };
    let device = fs::canonicalize(fields[0]).unwrap_or_default();
    let device = device.file_name().unwrap_or_default().to_string_lossy();
    let journals = fs::read_dir("/proc/fs/jbd2")
        .into_iter()
        .flatten()
        .flatten();
    let mut names = journals.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let journal = match fields[2] {
        "ext4" if names.any(|name| name.starts_with(&format!("{device}-"))) => "with a journal",
        "ext4" => "without a journal",
        _ => "journal unknown",
    };
    (fields[2].to_owned(), journal)
}
