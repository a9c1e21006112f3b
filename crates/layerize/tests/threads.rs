//! `Options::threads` bounds what a split uses. Alone in its program, so that every thread that
//! works is the split's. The runtime also makes threads for callers who set no bound; they sleep.
#![cfg(target_os = "linux")]

use std::collections::HashMap;

use layerize::{Cancel, Options, RgbaImage, split};

/// Processor time of every thread so far, in nanoseconds: the first number of `schedstat`, see the
/// kernel's `Documentation/scheduler/sched-stats.rst`.
fn worked(by: &mut HashMap<String, u64>) {
    for task in std::fs::read_dir("/proc/self/task")
        .expect("Linux tells")
        .flatten()
    {
        let ran = std::fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
        let nanos = ran.split(' ').next().and_then(|text| text.parse().ok());
        let name = task.file_name().to_string_lossy().into_owned();
        by.insert(name, nanos.unwrap_or(0));
    }
}

#[test]
fn a_split_works_on_no_more_threads_than_it_may() {
    let picture = RgbaImage {
        width: 64,
        height: 64,
        pixels: (0..64 * 64 * 4)
            .map(|at| {
                if at % 4 == 3 {
                    255
                } else {
                    (at * 37 % 251) as u8
                }
            })
            .collect(),
    };
    let options = Options {
        threads: Some(1),
        ..Options::default()
    };
    let mut by = HashMap::new();
    let mut look = |_| worked(&mut by);
    split(&picture, &options, &mut look, &Cancel::default()).expect("splits");
    let total: u64 = by.values().sum();
    let busy = by.values().filter(|nanos| **nanos * 20 > total).count();
    // The caller's own thread loads the models and runs what is not worth sharing.
    assert!((1..=2).contains(&busy), "{busy} threads at work: {by:?}");
}
