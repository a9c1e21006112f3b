//! Calls to engines: how long they take and how they fail.

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;

use super::declare::metrics;
use crate::jobs::{EngineKind, FailureCode};

type Label<const N: usize> = [(&'static str, &'static str); N];

/// What an engine was asked, or did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EngineCall {
    /// Making a picture reachable: its upload where that is the way.
    Input,
    /// Handing a picture over.
    Submit,
    /// Asking where a request stands, and for its result.
    Check,
    /// Asking what the engine took, after an answer was lost.
    History,
    /// Stopping a request.
    Cancel,
    /// Deleting what the engine keeps.
    Erase,
    /// The run itself: never timed here, but it can fail.
    Run,
}

impl EngineCall {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Submit => "submit",
            Self::Check => "check",
            Self::History => "history",
            Self::Cancel => "cancel",
            Self::Erase => "erase",
            Self::Run => "run",
        }
    }
}

/// Failures that an operator can do something about.
const ALARMING: [FailureCode; 5] = [
    FailureCode::EngineAuth,
    FailureCode::EngineAccountLocked,
    FailureCode::EngineUnavailable,
    FailureCode::EngineBusy,
    FailureCode::EngineFailed,
];

fn durations() -> Histogram {
    Histogram::new([
        0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
    ])
}

metrics! {
    /// Calls to the engines of one service.
    pub struct EngineMetrics {
        /// Time of a call to an engine, failed ones too: input (the upload of the picture), submit, check, history, cancel or erase
        calls: Family<Label<2>, Histogram, fn() -> Histogram> = histogram "lamina_engine_call_duration_seconds"["engine", "call"], Family::new_with_constructor(durations);
        /// Calls to an engine that failed, and runs of it (call=run), by the code of docs/errors.md
        errors: Family<Label<3>, Counter> = counter "lamina_engine_errors_total"["engine", "call", "code"];
    }
}

impl Default for EngineMetrics {
    fn default() -> Self {
        let metrics = Self::declared();
        // What alerts look for exists before it happens: a series that begins with its first event
        // hides that event from increase() and rate().
        for engine in EngineKind::ALL {
            for call in [
                EngineCall::Input,
                EngineCall::Submit,
                EngineCall::Check,
                EngineCall::Run,
            ] {
                for code in ALARMING {
                    let _ = metrics.errors_of(engine, call, code);
                }
            }
        }
        metrics
    }
}

impl EngineMetrics {
    /// A call ended, well or not.
    pub fn called(&self, engine: EngineKind, call: EngineCall, duration: Duration) {
        let labels = [("engine", engine.as_str()), ("call", call.as_str())];
        let calls = self.calls.get_or_create(&labels);
        calls.observe(duration.as_secs_f64());
    }

    fn errors_of(&self, engine: EngineKind, call: EngineCall, code: FailureCode) -> Counter {
        let labels = [
            ("engine", engine.as_str()),
            ("call", call.as_str()),
            ("code", code.as_str()),
        ];
        self.errors.get_or_create_owned(&labels)
    }

    /// A call or a run failed.
    pub fn failed(&self, engine: EngineKind, call: EngineCall, code: FailureCode) {
        self.errors_of(engine, call, code).inc();
    }
}
