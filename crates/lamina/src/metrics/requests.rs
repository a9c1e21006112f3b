//! Requests and connections. Every request passes here, so a call costs a few hundred nanoseconds
//! at most (`crates/bench`, row `reads`).

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;

use super::catalog::Catalog;
use super::declare::metrics;

/// Where a request went. `route` is a template of the router's list.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Target {
    route: String,
    method: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answer {
    #[prometheus(flatten)]
    target: Target,
    status: u16,
}

fn durations() -> Histogram {
    Histogram::new([
        0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
    ])
}

/// Requests and connections of one service.
#[derive(Clone, Debug, Default)]
pub struct RequestMetrics(Arc<Series>);

metrics! {
    /// The numbers behind [`RequestMetrics`].
    struct Series {
        /// Requests that were answered, by the route's template and the status
        answered: Family<Answer, Counter> = counter "lamina_http_requests_total"["route", "method", "status"];
        /// Time from a request's header to the beginning of its answer, without waits that were asked for
        durations: Family<Target, Histogram, fn() -> Histogram> = histogram "lamina_http_request_duration_seconds"["route", "method"], Family::new_with_constructor(durations);
        /// Requests answered with a problem, by its code (docs/errors.md)
        problems: Family<[(&'static str, &'static str); 1], Counter> = counter "lamina_http_problems_total"["code"];
        /// Requests whose client went away before the answer
        abandoned: Counter = counter "lamina_http_requests_abandoned_total"[];
        /// Requests that wait for the beginning of their answer
        in_flight: Gauge = gauge "lamina_http_requests_in_flight"[];
        /// Open connections, idle ones too; at most MAX_CONNECTIONS and 16 in reserve
        connections: Gauge = gauge "lamina_http_connections"[];
        /// Bodies on their way: in (creates and uploads being received) or out (files being sent)
        streams: Family<[(&'static str, &'static str); 1], Gauge> = gauge "lamina_http_streams"["direction"];
        /// Event streams and waiting reads; at most MAX_EVENT_STREAMS
        waits: Family<[(&'static str, &'static str); 1], Gauge> = gauge "lamina_http_event_streams"["kind"];
        /// Variants of layers that links asked for: found as made before, made, or made and not_kept for want of room
        variants: Family<[(&'static str, &'static str); 1], Counter> = counter "lamina_layer_variants_total"["outcome"];
    }
}

impl Default for Series {
    fn default() -> Self {
        let series = Self::declared();
        for direction in [Direction::In, Direction::Out] {
            let _ = series.streams.get_or_create(&direction.label());
        }
        for outcome in [
            VariantOutcome::Found,
            VariantOutcome::Made,
            VariantOutcome::NotKept,
        ] {
            let _ = series.variants.get_or_create(&outcome.label());
        }
        for kind in [WaitKind::Stream, WaitKind::Poll] {
            let _ = series.waits.get_or_create(&kind.label());
        }
        series
    }
}

/// A request that was not answered yet; dropped without [`InFlight::answered`], its client left.
#[derive(Debug)]
#[must_use]
pub struct InFlight<'a> {
    series: &'a Series,
    answered: bool,
}

/// Answers of one route, method and status.
#[derive(Clone, Debug)]
pub struct AnsweredSeries {
    count: Counter,
    durations: Histogram,
}

/// An open connection, until it is dropped.
#[derive(Debug)]
#[must_use]
pub struct OpenConnection(Gauge);

/// Which way a body goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From a client.
    In,
    /// To a client.
    Out,
}

impl Direction {
    fn label(self) -> [(&'static str, &'static str); 1] {
        let word = match self {
            Self::In => "in",
            Self::Out => "out",
        };
        [("direction", word)]
    }
}

/// How a variant of a layer came to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VariantOutcome {
    /// It was made before.
    Found,
    /// It was made, and is kept.
    Made,
    /// It was made for this answer alone.
    NotKept,
}

impl VariantOutcome {
    fn label(self) -> [(&'static str, &'static str); 1] {
        let word = match self {
            Self::Found => "found",
            Self::Made => "made",
            Self::NotKept => "not_kept",
        };
        [("outcome", word)]
    }
}

/// How a client waits for news of jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitKind {
    /// By an event stream.
    Stream,
    /// By a read that is answered once something changed.
    Poll,
}

impl WaitKind {
    fn label(self) -> [(&'static str, &'static str); 1] {
        let word = match self {
            Self::Stream => "stream",
            Self::Poll => "poll",
        };
        [("kind", word)]
    }
}

/// A client that waits, until it is dropped.
#[derive(Debug)]
#[must_use]
pub struct OpenWait(Gauge);

/// A body on its way, until it is dropped.
#[derive(Debug)]
#[must_use]
pub struct OpenStream(Gauge);

impl RequestMetrics {
    /// A body of a create or an upload, or a file, begins to be moved.
    pub fn stream(&self, direction: Direction) -> OpenStream {
        let open = self.0.streams.get_or_create(&direction.label()).clone();
        open.inc();
        OpenStream(open)
    }

    /// A client begins to wait for news of jobs.
    pub fn wait(&self, kind: WaitKind) -> OpenWait {
        let open = self.0.waits.get_or_create(&kind.label()).clone();
        open.inc();
        OpenWait(open)
    }

    /// A variant of a layer is about to be sent.
    pub fn variant(&self, outcome: VariantOutcome) {
        self.0.variants.get_or_create(&outcome.label()).inc();
    }

    /// A request begins.
    pub fn begin(&self) -> InFlight<'_> {
        self.0.in_flight.inc();
        InFlight {
            series: &self.0,
            answered: false,
        }
    }

    /// The counts of one kind of answer, for whoever gives many. `route` must be a template.
    #[must_use]
    pub fn series(&self, route: &str, method: &str, status: u16) -> AnsweredSeries {
        let answer = Answer::of(route, method, status);
        AnsweredSeries {
            count: self.0.answered.get_or_create(&answer).clone(),
            durations: self.0.durations.get_or_create(&answer.target).clone(),
        }
    }

    /// A request is answered with a problem of this code.
    pub fn problem(&self, code: &'static str) {
        self.0.problems.get_or_create(&[("code", code)]).inc();
    }

    /// A connection was accepted.
    pub fn connection(&self) -> OpenConnection {
        self.0.connections.inc();
        OpenConnection(self.0.connections.clone())
    }

    pub(super) fn enter(&self, catalog: &mut Catalog) {
        self.0.enter(catalog);
    }
}

impl Answer {
    fn of(route: &str, method: &str, status: u16) -> Self {
        let target = Target {
            route: route.to_owned(),
            method: known(method),
        };
        Self { target, status }
    }
}

impl AnsweredSeries {
    /// One more of them, that took so long from the request's header.
    pub fn answered(&self, duration: Duration) {
        self.count.inc();
        self.durations.observe(duration.as_secs_f64());
    }
}

impl InFlight<'_> {
    /// The answer begins. `route` must be a template, `duration` runs from the request's header.
    pub fn answered(mut self, route: &str, method: &str, status: u16, duration: Duration) {
        self.answered = true;
        let answer = Answer::of(route, method, status);
        let series = self.series;
        series.answered.get_or_create(&answer).inc();
        series
            .durations
            .get_or_create(&answer.target)
            .observe(duration.as_secs_f64());
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.series.in_flight.dec();
        if !self.answered {
            self.series.abandoned.inc();
        }
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Drop for OpenWait {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// A client may invent methods; each would be a series of its own.
fn known(method: &str) -> &'static str {
    const METHODS: [&str; 7] = ["GET", "POST", "DELETE", "HEAD", "PATCH", "PUT", "OPTIONS"];
    METHODS
        .into_iter()
        .find(|known| *known == method)
        .unwrap_or("other")
}
