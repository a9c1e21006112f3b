//! The list of metrics: what is registered is described in the same call, so that documentation,
//! dashboards and alerts can be held to it by tests.

use prometheus_client::registry::{Metric, Registry};

/// The type of a metric, as Prometheus knows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only rises; a restart may set it back to zero.
    Counter,
    /// Rises and falls.
    Gauge,
    /// Durations or sizes by bucket, with `_bucket`, `_sum` and `_count`.
    Histogram,
}

impl Kind {
    /// Prometheus's word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// One metric.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Its name as it is exported; a counter's ends in `_total`.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// The names of its labels.
    pub labels: &'static [&'static str],
    /// What it says, in one sentence without a full stop.
    pub help: &'static str,
}

/// A registry that remembers what was put into it.
#[derive(Debug, Default)]
pub(super) struct Catalog {
    registry: Registry,
    entries: Vec<Entry>,
}

impl Catalog {
    pub(super) fn add(&mut self, entry: Entry, metric: impl Metric) {
        // The library appends what the format wants at a counter's name.
        let name = match entry.kind {
            Kind::Counter => entry.name.trim_end_matches("_total"),
            Kind::Gauge | Kind::Histogram => entry.name,
        };
        self.registry.register(name, entry.help, metric);
        self.entries.push(entry);
    }

    /// Names what a collector makes by itself when it is asked.
    pub(super) fn describe(&mut self, entry: Entry) {
        self.entries.push(entry);
    }

    pub(super) fn registry(&mut self) -> &mut Registry {
        &mut self.registry
    }

    pub(super) fn close(self) -> (Registry, Vec<Entry>) {
        (self.registry, self.entries)
    }
}

/// A counter's entry.
pub(super) const fn counter(
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
) -> Entry {
    Entry {
        name,
        kind: Kind::Counter,
        labels,
        help,
    }
}

/// A gauge's entry.
pub(super) const fn gauge(
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
) -> Entry {
    Entry {
        name,
        kind: Kind::Gauge,
        labels,
        help,
    }
}

/// A histogram's entry.
pub(super) const fn histogram(
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
) -> Entry {
    Entry {
        name,
        kind: Kind::Histogram,
        labels,
        help,
    }
}
