//! One split and what it cost. Processor time and memory are read from the system (Linux for the
//! latter); elsewhere they are 0.

use std::time::{Duration, Instant};

use layerize::{Cancel, Layer, Options, Report, RgbaImage, split_with_report};

/// One split and what it cost.
pub(crate) struct Run {
    pub(crate) layers: Vec<Layer>,
    pub(crate) report: Report,
    pub(crate) seconds: f32,
    /// Processor time of all threads, which a shared machine disturbs less than the clock.
    pub(crate) cpu: f32,
    /// Peak memory above what was held before, in MB.
    pub(crate) peak: f32,
}

impl Run {
    pub(crate) fn of(image: &RgbaImage, options: &Options) -> Self {
        let before = memory("VmRSS");
        // Resets the high-water mark; without it (not Linux) the figure is that of the whole run.
        let _ = std::fs::write("/proc/self/clear_refs", "5");
        let (begun, busy) = (Instant::now(), processor_time());
        let (layers, report) =
            split_with_report(image, options, &mut |_| {}, &Cancel::default()).expect("splits");
        Self {
            layers,
            report,
            seconds: begun.elapsed().as_secs_f32(),
            cpu: (processor_time() - busy).as_secs_f32(),
            peak: memory("VmHWM") - before,
        }
    }

    /// The longest stretch, in ms, in which nobody looked at the stop flag.
    pub(crate) fn deaf(&self) -> f32 {
        let longest = self.report.passes.iter().map(|pass| pass.deaf).max();
        longest.unwrap_or_default().as_secs_f32() * 1000.0
    }

    /// Time and deaf stretch of each pass, in ms of processor time.
    pub(crate) fn passes(&self) -> String {
        let each = self.report.passes.iter().map(|time| {
            let (took, deaf) = (time.took.as_millis(), time.deaf.as_millis());
            format!("{} {took}/{deaf}", time.pass)
        });
        each.collect::<Vec<_>>().join(" ")
    }
}

/// Processor time of all threads so far.
pub(crate) fn processor_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(
        time.tv_sec.unsigned_abs(),
        time.tv_nsec.unsigned_abs() as u32,
    )
}

/// A line of `/proc/self/status` in MB; 0 where there is none.
fn memory(key: &str) -> f32 {
    std::fs::read_to_string("/proc/self/status")
        .unwrap_or_default()
        .lines()
        .find(|line| line.starts_with(key))
        .and_then(|line| line.split_whitespace().nth(1)?.parse::<f32>().ok())
        .map_or(0.0, |kilobytes| kilobytes / 1024.0)
}
