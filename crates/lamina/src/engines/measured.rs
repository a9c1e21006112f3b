//! An engine whose calls are timed and traced, and whose failures are counted. It decides nothing and changes
//! no answer.

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;

use super::{
    Accepted, Check, Engine, EngineError, EngineFacts, History, Input, Order, SubmitError,
};
use crate::jobs::{FailureCode, JobId, Nonce, RequestId, UnixMs};
use crate::metrics::{EngineCall, EngineMetrics};
use crate::trace::{self, Scope};

/// An engine, measured.
#[derive(Debug)]
pub(super) struct Measured {
    engine: Arc<dyn Engine>,
    metrics: EngineMetrics,
}

impl Measured {
    pub(super) fn new(engine: Arc<dyn Engine>, metrics: EngineMetrics) -> Self {
        Self { engine, metrics }
    }

    fn called(&self, call: EngineCall, since: Instant, failed: Option<FailureCode>, span: &Scope) {
        let kind = self.engine.facts().kind;
        self.metrics.called(kind, call, since.elapsed());
        if let Some(code) = failed {
            self.metrics.failed(kind, call, code);
            span.fail(code.as_str());
        }
    }

    async fn checked(
        &self,
        call: impl Future<Output = Result<Check, EngineError>>,
    ) -> Result<Check, EngineError> {
        let (since, span) = (Instant::now(), trace::child("engine check"));
        let answer = span.run(call).await;
        let failed = answer.as_ref().err().map(|error| error.code);
        self.called(EngineCall::Check, since, failed, &span);
        let run_failed = match &answer {
            Ok(Check::Failed(error)) => Some(error.code),
            Ok(Check::Lost) => Some(FailureCode::EngineLostRequest),
            Ok(Check::ResultGone) => Some(FailureCode::EngineResultExpired),
            Ok(Check::Queued { .. } | Check::Running { .. } | Check::Ready(_)) | Err(_) => None,
        };
        if let Some(code) = run_failed {
            let kind = self.engine.facts().kind;
            self.metrics.failed(kind, EngineCall::Run, code);
        }
        answer
    }
}

#[async_trait]
impl Engine for Measured {
    fn facts(&self) -> EngineFacts {
        self.engine.facts()
    }

    async fn input(&self, order: &Order) -> Result<Input, EngineError> {
        let (since, span) = (Instant::now(), trace::child("engine input"));
        let answer = span.run(self.engine.input(order)).await;
        let failed = answer.as_ref().err().map(|error| error.code);
        self.called(EngineCall::Input, since, failed, &span);
        answer
    }

    async fn submit(&self, order: &Order) -> Result<Accepted, SubmitError> {
        let (since, span) = (Instant::now(), trace::child("engine submit"));
        let answer = span.run(self.engine.submit(order)).await;
        let failed = answer.as_ref().err().map(|failed| failed.error.code);
        self.called(EngineCall::Submit, since, failed, &span);
        answer
    }

    fn place(&self) -> Option<String> {
        self.engine.place()
    }

    async fn check(&self, request: &RequestId, place: Option<&str>) -> Result<Check, EngineError> {
        self.checked(self.engine.check(request, place)).await
    }

    async fn check_done(
        &self,
        request: &RequestId,
        place: Option<&str>,
    ) -> Result<Check, EngineError> {
        self.checked(self.engine.check_done(request, place)).await
    }

    fn lists(&self, place: Option<&str>) -> bool {
        self.engine.lists(place)
    }

    async fn history(
        &self,
        job: JobId,
        nonce: &Nonce,
        place: Option<&str>,
        since: UnixMs,
    ) -> Result<History, EngineError> {
        let (begun, span) = (Instant::now(), trace::child("engine history"));
        let answer = span
            .run(self.engine.history(job, nonce, place, since))
            .await;
        let failed = answer.as_ref().err().map(|error| error.code);
        self.called(EngineCall::History, begun, failed, &span);
        answer
    }

    async fn cancel(&self, request: &RequestId, place: Option<&str>) -> Result<(), EngineError> {
        let (since, span) = (Instant::now(), trace::child("engine cancel"));
        let answer = span.run(self.engine.cancel(request, place)).await;
        let failed = answer.as_ref().err().map(|error| error.code);
        self.called(EngineCall::Cancel, since, failed, &span);
        answer
    }

    async fn erase(&self, request: &RequestId) -> Result<(), EngineError> {
        let (since, span) = (Instant::now(), trace::child("engine erase"));
        let answer = span.run(self.engine.erase(request)).await;
        let failed = answer.as_ref().err().map(|error| error.code);
        self.called(EngineCall::Erase, since, failed, &span);
        answer
    }

    fn release(&self, request: &RequestId) {
        self.engine.release(request);
    }
}
