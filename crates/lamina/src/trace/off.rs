//! Stands in for the exporter in a build without the feature `otlp`: there is none.

use std::future::Future;
use std::time::Duration;

use super::{CallerTrace, JobEnd, TraceSettings};
use crate::jobs::{EngineKind, JobId, Phase};

#[derive(Clone, Debug)]
pub(super) enum Exporter {}

#[derive(Debug)]
pub(super) enum Open {}

impl Exporter {
    pub(super) fn start(_settings: &TraceSettings) -> Result<Self, String> {
        Err("this lamina was built without traces: build it with --features otlp".to_owned())
    }

    pub(super) fn request(&self, _method: &str, _route: &str, _caller: &CallerTrace<'_>) -> Open {
        match *self {}
    }

    pub(super) fn step(&self, _job: JobId, _phase: Phase, _engine: EngineKind) -> Open {
        match *self {}
    }

    pub(super) fn job_ended(&self, _end: &JobEnd<'_>) {
        match *self {}
    }

    pub(super) fn dropped(&self) -> u64 {
        match *self {}
    }

    pub(super) fn stop(&self, _limit: Duration) {
        match *self {}
    }
}

impl Open {
    pub(super) async fn run<F: Future>(&self, _work: F) -> F::Output {
        match *self {}
    }

    pub(super) fn set(&self, _name: &'static str, _value: &str) {
        match *self {}
    }

    pub(super) fn fail(&self, _code: &str) {
        match *self {}
    }

    pub(super) fn status(&self, _status: u16) {
        match *self {}
    }
}

pub(super) fn child(_name: &'static str) -> Option<Open> {
    None
}

pub(super) fn link(_job: JobId) {}

pub(super) fn parent_header() -> Option<String> {
    None
}
