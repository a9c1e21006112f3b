//! What is not counted as it happens but looked at when somebody asks: the queue, the ledger of
//! spending, the pool, the disk. Spending is a counter that is read from the database, so that it
//! survives restarts.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;

use super::declare::metrics;
use crate::jobs::{EngineKind, Phase};

type Label<const N: usize> = [(&'static str, &'static str); N];
type Fraction = Gauge<f64, AtomicU64>;

/// One look at the service.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    /// By phase: due (those at work included), due later, and how long the oldest that is due and
    /// not at work has been so.
    pub queue: Vec<(Phase, u64, u64, Duration)>,
    /// By engine and the submission's state: how many, and their price in millionths of a dollar.
    pub submissions: Vec<(EngineKind, &'static str, u64, u64)>,
    /// What counts against the caps of this UTC day, in millionths of a dollar.
    pub spent_today: u64,
    /// Jobs that are gone and whose bytes are not erased yet.
    pub erasable: u64,
    /// Deliveries of webhooks that are not done, and how long the oldest has been so.
    pub webhooks: (u64, Duration),
    /// Bytes that are kept, by what for.
    pub kept: Vec<(&'static str, u64)>,
    /// Most bytes that may be, all owners together.
    pub kept_limit: Option<u64>,
    /// Pieces of image work that run.
    pub pool_running: usize,
    /// Pieces of image work that wait.
    pub pool_waiting: usize,
    /// Megapixels being worked on.
    pub pool_megapixels: usize,
    /// Bytes that the service may still write to the file system of its database, and its size.
    pub disk: Option<(u64, u64)>,
    /// Bytes of it below which no picture is taken.
    pub disk_floor: u64,
}

metrics! {
    /// Gauges, and counters of what is counted elsewhere.
    pub struct SampledMetrics {
        /// Jobs that have not ended: due (running steps included) or later; counted up to 100000
        queue: Family<Label<2>, Gauge> = gauge "lamina_queue_jobs"["phase", "state"];
        /// How long the oldest due job without a running step has waited for it; 0 when there is none
        oldest: Family<Label<1>, Fraction> = gauge "lamina_queue_oldest_due_seconds"["phase"];
        /// Jobs that are deleted or expired and whose pictures are not erased yet; counted up to 100000
        erasable: Gauge = gauge "lamina_jobs_erasable"[];
        /// Webhooks to be delivered, those that wait for their next attempt included; counted up to 100000
        hooks_waiting: Gauge = gauge "lamina_webhooks_waiting"[];
        /// Age of the oldest webhook to be delivered; 0 when there is none
        hooks_oldest: Fraction = gauge "lamina_webhooks_oldest_seconds"[];
        /// Calls that handed a picture to an engine, over all time: open, accepted, failed (accepted, and the run failed), refused or unknown
        submissions: Family<Label<2>, Gauge> = gauge "lamina_submissions"["engine", "state"];
        /// US dollars owed for submissions that the engine took, over all time; a restart does not set it back
        spend: Family<Label<1>, Counter<f64, AtomicU64>> = counter "lamina_spend_usd_total"["engine"];
        /// US dollars of submissions that are open or unknown, and may have been paid
        at_risk: Family<Label<1>, Fraction> = gauge "lamina_spend_at_risk_usd"["engine"];
        /// US dollars that count against the day's limit: submissions of this UTC day that were or may have been taken
        spend_today: Fraction = gauge "lamina_spend_today_usd"[];
        /// US dollars that may be spent on one UTC day in all; 0 when no limit is set
        spend_limit: Fraction = gauge "lamina_spend_limit_usd"[];
        /// Whether the database could be asked for this scrape: 1 or 0
        looked: Gauge = gauge "lamina_database_up"[];
        /// Whether work can be taken, by the part of /readyz; accepting is 0 while it stops, ownership alone keeps no work out; 1 or 0
        ready: Family<Label<1>, Gauge> = gauge "lamina_ready"["part"];
        /// Pieces of image work that run or wait
        pool: Family<Label<1>, Gauge> = gauge "lamina_image_pool_tasks"["state"];
        /// Megapixels of four bytes that pictures being worked on hold; the pool takes 90
        megapixels: Gauge = gauge "lamina_image_pool_megapixels"[];
        /// Bytes that may still be written to the file system of the database
        disk_free: Gauge = gauge "lamina_disk_free_bytes"[];
        /// Size of the file system of the database
        disk_size: Gauge = gauge "lamina_disk_size_bytes"[];
        /// Bytes that count against MAX_STORED_BYTES, by what they are kept for
        kept: Family<Label<1>, Gauge> = gauge "lamina_stored_bytes"["kind"];
        /// What MAX_STORED_BYTES comes to; 0 where there is no bound
        kept_limit: Gauge = gauge "lamina_stored_limit_bytes"[];
        /// Bytes of the fullest disk below which no picture is taken (MIN_FREE_DISK_BYTES)
        disk_floor: Gauge = gauge "lamina_disk_floor_bytes"[];
        /// Log lines dropped because no one read them as fast as they came
        log_dropped: Counter = counter "lamina_log_lines_dropped_total"[];
        /// Spans dropped because the collector did not take them as fast as they came, or not at all
        spans_dropped: Counter = counter "lamina_trace_spans_dropped_total"[];
        /// Always 1; the version is in the label
        build: Family<Label<1>, Gauge> = gauge "lamina_build_info"["version"];
    }
}

impl Default for SampledMetrics {
    fn default() -> Self {
        Self::declared()
    }
}

impl SampledMetrics {
    /// Shows what was found; `None` when the database could not be asked.
    pub fn show(&self, sample: Option<&Sample>) {
        self.looked.set(i64::from(sample.is_some()));
        self.build
            .get_or_create(&[("version", env!("CARGO_PKG_VERSION"))])
            .set(1);
        if let Some(sample) = sample {
            self.show_queue(sample);
            self.show_submissions(sample);
            self.show_machine(sample);
        }
    }

    /// Shows which parts let work in.
    pub fn show_ready(&self, parts: &[(&'static str, bool)]) {
        for (part, ready) in parts {
            let now = self.ready.get_or_create(&[("part", part)]);
            now.set(i64::from(*ready));
        }
    }

    /// What may be spent on a UTC day in all, in millionths of a dollar.
    pub fn spend_limit(&self, microusd: Option<u64>) {
        self.spend_limit.set(dollars(microusd.unwrap_or(0)));
    }

    /// How many log lines were dropped since the start.
    pub fn log_lines_dropped(&self, lines: u64) {
        self.log_dropped.inner().store(lines, Ordering::Relaxed);
    }

    /// How many spans were dropped since the start.
    pub fn spans_dropped(&self, spans: u64) {
        self.spans_dropped.inner().store(spans, Ordering::Relaxed);
    }

    fn show_queue(&self, sample: &Sample) {
        for (phase, due, later, oldest) in &sample.queue {
            let phase = ("phase", phase.as_str());
            let states = [("due", *due), ("later", *later)];
            for (state, jobs) in states {
                let jobs_now = self.queue.get_or_create(&[phase, ("state", state)]);
                jobs_now.set(whole(jobs));
            }
            let oldest_now = self.oldest.get_or_create(&[phase]);
            oldest_now.set(oldest.as_secs_f64());
        }
        self.erasable.set(whole(sample.erasable));
        let (waiting, oldest) = sample.webhooks;
        self.hooks_waiting.set(whole(waiting));
        self.hooks_oldest.set(oldest.as_secs_f64());
        for (kind, bytes) in &sample.kept {
            let now = self.kept.get_or_create(&[("kind", kind)]);
            now.set(whole(*bytes));
        }
        self.kept_limit.set(whole(sample.kept_limit.unwrap_or(0)));
    }

    fn show_submissions(&self, sample: &Sample) {
        self.spend_today.set(dollars(sample.spent_today));
        for engine in EngineKind::ALL {
            let of_engine = sample.submissions.iter().filter(|(e, ..)| *e == engine);
            let usd = |states: &[&str]| {
                let chosen = of_engine.clone().filter(|(_, s, ..)| states.contains(s));
                dollars(chosen.map(|(.., price)| price).sum())
            };
            let label = [("engine", engine.as_str())];
            let spent = usd(&["accepted", "failed"]);
            let spend = self.spend.get_or_create(&label);
            spend.inner().store(spent.to_bits(), Ordering::Relaxed);
            drop(spend);
            let at_risk = self.at_risk.get_or_create(&label);
            at_risk.set(usd(&["open", "unknown"]));
            drop(at_risk);
            for (_, state, count, _) in of_engine {
                let labels = [("engine", engine.as_str()), ("state", *state)];
                self.submissions.get_or_create(&labels).set(whole(*count));
            }
        }
    }

    fn show_machine(&self, sample: &Sample) {
        let pool = [
            ("running", sample.pool_running),
            ("waiting", sample.pool_waiting),
        ];
        for (state, pieces) in pool {
            let now = self.pool.get_or_create(&[("state", state)]);
            now.set(whole(pieces as u64));
        }
        self.megapixels.set(whole(sample.pool_megapixels as u64));
        if let Some((free, size)) = sample.disk {
            self.disk_free.set(whole(free));
            self.disk_size.set(whole(size));
        }
        self.disk_floor.set(whole(sample.disk_floor));
    }
}

#[expect(clippy::cast_precision_loss, reason = "dollars, to a millionth")]
fn dollars(microusd: u64) -> f64 {
    microusd as f64 / 1e6
}

fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
