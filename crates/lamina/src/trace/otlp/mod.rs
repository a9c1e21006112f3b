//! Spans by the OpenTelemetry SDK, sent over OTLP/HTTP.

mod ids;
mod queue;
mod send;

use std::borrow::Cow;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use opentelemetry::propagation::{Extractor, TextMapPropagator as _};
use opentelemetry::trace::{
    FutureExt as _, SpanBuilder, SpanKind, Status, TraceContextExt as _, Tracer as _,
    TracerProvider as _,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};

use super::{CallerTrace, JobEnd, TraceSettings};
use crate::jobs::{EngineKind, JobId, Phase, UnixMs};
use ids::{ByTraceId, JobIds};
use queue::{Dropped, Gate};

/// The exporter of one service.
#[derive(Clone, Debug)]
pub(super) struct Exporter {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
    sampler: ByTraceId,
    dropped: Arc<Dropped>,
}

/// A span and the context in which its parts are found.
#[derive(Debug)]
pub(super) struct Open(Context);

impl Exporter {
    pub(super) fn start(settings: &TraceSettings) -> Result<Self, String> {
        let dropped = Arc::new(Dropped::default());
        let processor = Gate::over(send::exporter(settings)?, Arc::clone(&dropped));
        let attributes = settings
            .attributes
            .iter()
            .map(|(name, value)| KeyValue::new(name.clone(), value.clone()));
        let resource = Resource::builder_empty()
            .with_service_name(settings.service.clone())
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .with_attributes(attributes)
            .build();
        let sampler = ByTraceId::keeping(settings.ratio);
        let provider = SdkTracerProvider::builder()
            .with_resource(resource)
            .with_sampler(sampler.clone())
            .with_id_generator(JobIds)
            .with_span_processor(processor)
            .build();
        Ok(Self {
            tracer: provider.tracer("lamina"),
            provider,
            sampler,
            dropped,
        })
    }

    pub(super) fn request(&self, method: &str, route: &str, caller: &CallerTrace<'_>) -> Open {
        let parent = TraceContextPropagator::new().extract_with_context(&Context::new(), caller);
        let builder = SpanBuilder::from_name(format!("{method} {route}"))
            .with_kind(SpanKind::Server)
            .with_attributes([
                KeyValue::new("http.request.method", method.to_owned()),
                KeyValue::new("http.route", route.to_owned()),
            ]);
        self.open(builder, &parent)
    }

    pub(super) fn step(&self, job: JobId, phase: Phase, engine: EngineKind) -> Open {
        let parent = ids::whole(job, self.sampler.keeps(ids::trace(job)));
        let builder = SpanBuilder::from_name(phase.as_str())
            .with_kind(SpanKind::Internal)
            .with_attributes(of_job(job, engine));
        self.open(builder, &Context::new().with_remote_span_context(parent))
    }

    pub(super) fn job_ended(&self, end: &JobEnd<'_>) {
        let mut attributes = of_job(end.job, end.engine).to_vec();
        attributes.push(KeyValue::new("lamina.outcome", end.phase.as_str()));
        let builder = SpanBuilder::from_name("job")
            .with_kind(SpanKind::Internal)
            .with_start_time(time(end.created_at))
            .with_attributes(attributes);
        let span = ids::first_span_of(end.job, || {
            self.tracer.build_with_context(builder, &Context::new())
        });
        let whole = Context::new().with_span(span);
        if let Some(code) = end.code {
            fail(&whole, code);
        }
        whole.span().end_with_timestamp(time(end.ended_at));
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped.count()
    }

    pub(super) fn stop(&self, limit: Duration) {
        // What could not be sent was counted and told.
        let _ = self.provider.shutdown_with_timeout(limit);
    }

    fn open(&self, builder: SpanBuilder, parent: &Context) -> Open {
        let span = self.tracer.build_with_context(builder, parent);
        // Its own exporter travels with the span, so that parts find it.
        Open(Context::new().with_value(self.clone()).with_span(span))
    }
}

impl Open {
    pub(super) async fn run<F: Future>(&self, work: F) -> F::Output {
        work.with_context(self.0.clone()).await
    }

    pub(super) fn set(&self, name: &'static str, value: &str) {
        let attribute = KeyValue::new(name, value.to_owned());
        self.0.span().set_attribute(attribute);
    }

    pub(super) fn fail(&self, code: &str) {
        fail(&self.0, code);
    }

    pub(super) fn status(&self, status: u16) {
        let span = self.0.span();
        span.set_attribute(KeyValue::new(
            "http.response.status_code",
            i64::from(status),
        ));
        if status >= 500 {
            span.set_status(Status::error(""));
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        // Not by the last clone of the context: what was spawned inside may live on.
        self.0.span().end();
    }
}

pub(super) fn child(name: &'static str) -> Option<Open> {
    let parent = Context::current();
    let exporter = parent.get::<Exporter>()?;
    if !parent.span().is_recording() {
        return None;
    }
    let builder = SpanBuilder::from_name(name).with_kind(SpanKind::Client);
    Some(exporter.open(builder, &parent))
}

pub(super) fn link(job: JobId) {
    Context::map_current(|current| {
        if let Some(exporter) = current.get::<Exporter>() {
            let whole = ids::whole(job, exporter.sampler.keeps(ids::trace(job)));
            let id = KeyValue::new("lamina.job.id", job.to_string());
            current.span().add_link(whole, vec![id.clone()]);
            current.span().set_attribute(id);
        }
    });
}

pub(super) fn parent_header() -> Option<String> {
    Context::map_current(|current| {
        current.get::<Exporter>()?;
        let span = current.span();
        let span = span.span_context();
        let (trace, id, flags) = (span.trace_id(), span.span_id(), span.trace_flags().to_u8());
        span.is_valid()
            .then(|| format!("00-{trace}-{id}-{flags:02x}"))
    })
}

fn of_job(job: JobId, engine: EngineKind) -> [KeyValue; 2] {
    [
        KeyValue::new("lamina.job.id", job.to_string()),
        KeyValue::new("lamina.engine", engine.as_str()),
    ]
}

fn fail(context: &Context, code: &str) {
    let span = context.span();
    span.set_attribute(KeyValue::new("error.type", code.to_owned()));
    span.set_status(Status::error(Cow::Owned(code.to_owned())));
}

fn time(at: UnixMs) -> SystemTime {
    let millis = u64::try_from(at.0).unwrap_or(0);
    SystemTime::UNIX_EPOCH + Duration::from_millis(millis)
}

impl Extractor for CallerTrace<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        match key {
            "traceparent" => self.parent,
            "tracestate" => self.state,
            _ => None,
        }
    }

    fn keys(&self) -> Vec<&str> {
        vec!["traceparent", "tracestate"]
    }
}
