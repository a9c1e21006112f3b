//! What the process uses of the machine, under the names that every Prometheus client gives them.
//! Linux only: elsewhere these are not there.

use super::catalog::Catalog;

#[cfg(not(target_os = "linux"))]
pub(super) fn enter(_catalog: &mut Catalog) {}

#[cfg(target_os = "linux")]
pub(super) use linux::enter;

#[cfg(target_os = "linux")]
mod linux {
    use procfs::process::Process as Proc;
    use prometheus_client::collector::Collector;
    use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
    use prometheus_client::metrics::counter::ConstCounter;
    use prometheus_client::metrics::gauge::ConstGauge;

    use super::Catalog;
    use crate::metrics::catalog::{Entry, Kind, counter, gauge};

    const CPU: Entry = counter(
        "process_cpu_seconds_total",
        &[],
        "CPU time of this process, in user and system mode",
    );
    const RESIDENT: Entry = gauge(
        "process_resident_memory_bytes",
        &[],
        "Memory of this process that is in RAM",
    );
    const FDS: Entry = gauge("process_open_fds", &[], "Open file descriptors");
    const MAX_FDS: Entry = gauge(
        "process_max_fds",
        &[],
        "Most file descriptors that may be open",
    );
    const THREADS: Entry = gauge("process_threads", &[], "Threads of this process");
    const START: Entry = gauge(
        "process_start_time_seconds",
        &[],
        "When this process started, in seconds since the Unix epoch",
    );

    pub(in crate::metrics) fn enter(catalog: &mut Catalog) {
        for entry in [CPU, RESIDENT, FDS, MAX_FDS, THREADS, START] {
            catalog.describe(entry);
        }
        catalog.registry().register_collector(Box::new(Process));
    }

    #[derive(Debug)]
    struct Process;

    struct Usage {
        cpu_seconds: f64,
        resident: u64,
        fds: u64,
        max_fds: u64,
        threads: u64,
        start: f64,
    }

    #[expect(clippy::cast_precision_loss, reason = "ticks of a century fit")]
    fn usage() -> Option<Usage> {
        let process = Proc::myself().ok()?;
        let stat = process.stat().ok()?;
        let ticks = procfs::ticks_per_second() as f64;
        let booted = procfs::boot_time_secs().ok()? as f64;
        let max_fds = match process.limits().ok()?.max_open_files.soft_limit {
            procfs::process::LimitValue::Value(most) => most,
            procfs::process::LimitValue::Unlimited => u64::MAX,
        };
        Some(Usage {
            cpu_seconds: (stat.utime + stat.stime) as f64 / ticks,
            resident: stat.rss * procfs::page_size(),
            fds: process.fd_count().ok()? as u64,
            max_fds,
            threads: u64::try_from(stat.num_threads).unwrap_or_default(),
            start: booted + stat.starttime as f64 / ticks,
        })
    }

    impl Collector for Process {
        fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
            let Some(usage) = usage() else { return Ok(()) };
            #[expect(clippy::cast_precision_loss, reason = "the text has floats anyway")]
            let gauges = [
                (RESIDENT, usage.resident as f64),
                (FDS, usage.fds as f64),
                (MAX_FDS, usage.max_fds as f64),
                (THREADS, usage.threads as f64),
                (START, usage.start),
            ];
            write(&mut encoder, CPU, &ConstCounter::new(usage.cpu_seconds))?;
            for (entry, value) in gauges {
                write(&mut encoder, entry, &ConstGauge::new(value))?;
            }
            Ok(())
        }
    }

    fn write(
        encoder: &mut DescriptorEncoder<'_>,
        entry: Entry,
        metric: &impl EncodeMetric,
    ) -> Result<(), std::fmt::Error> {
        let name = match entry.kind {
            Kind::Counter => entry.name.trim_end_matches("_total"),
            Kind::Gauge | Kind::Histogram => entry.name,
        };
        let help = format!("{}.", entry.help);
        let metric_encoder = encoder.encode_descriptor(name, &help, None, metric.metric_type())?;
        metric.encode(metric_encoder)
    }
}
