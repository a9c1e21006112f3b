//! The queue between spans and the collector: bounded, and honest about what it drops. The SDK's
//! own queue behind it keeps its count to itself, so this one is the smaller and lets nothing
//! through that the other would drop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use opentelemetry::Context;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, Span, SpanData, SpanExporter, SpanProcessor,
};

/// Spans that wait or are on their way: some two megabytes.
const WAITING: usize = 4096;
/// Spans in one request.
const BATCH: usize = 512;
/// How long a span waits for company.
const DELAY: Duration = Duration::from_secs(2);

/// What was dropped, and what waits.
#[derive(Debug, Default)]
pub(super) struct Dropped {
    dropped: AtomicU64,
    waiting: AtomicUsize,
    failing: AtomicBool,
}

impl Dropped {
    pub(super) fn count(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    fn add(&self, spans: usize) {
        self.dropped.fetch_add(spans as u64, Ordering::Relaxed);
    }

    /// Said once, and once more when it is over.
    fn log_export(&self, failed: Option<&str>) {
        let was = self.failing.swap(failed.is_some(), Ordering::Relaxed);
        match failed {
            Some(error) if !was => {
                tracing::warn!(
                    error,
                    "spans cannot be delivered and are dropped; is OTEL_EXPORTER_OTLP_ENDPOINT right?"
                );
            }
            None if was => tracing::info!("spans are delivered again"),
            Some(_) | None => {}
        }
    }
}

/// Lets a span into the queue, or drops it.
#[derive(Debug)]
pub(super) struct Gate {
    queue: BatchSpanProcessor,
    dropped: Arc<Dropped>,
}

impl Gate {
    pub(super) fn over(exporter: opentelemetry_otlp::SpanExporter, dropped: Arc<Dropped>) -> Self {
        let config = BatchConfigBuilder::default()
            .with_max_queue_size(2 * WAITING)
            .with_max_export_batch_size(BATCH)
            .with_scheduled_delay(DELAY)
            .build();
        let counted = Counted {
            exporter,
            dropped: Arc::clone(&dropped),
        };
        let queue = BatchSpanProcessor::builder(counted)
            .with_batch_config(config)
            .build();
        Self { queue, dropped }
    }
}

impl SpanProcessor for Gate {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.queue.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        if self.dropped.waiting.load(Ordering::Relaxed) >= WAITING {
            self.dropped.add(1);
            return;
        }
        self.dropped.waiting.fetch_add(1, Ordering::Relaxed);
        self.queue.on_end(span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.queue.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.queue.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.queue.set_resource(resource);
    }
}

/// An exporter whose failures are counted.
#[derive(Debug)]
struct Counted {
    exporter: opentelemetry_otlp::SpanExporter,
    dropped: Arc<Dropped>,
}

impl SpanExporter for Counted {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        let sent = self.exporter.export(batch).await;
        self.dropped.waiting.fetch_sub(spans, Ordering::Relaxed);
        match &sent {
            Ok(()) => self.dropped.log_export(None),
            Err(error) => {
                self.dropped.add(spans);
                self.dropped.log_export(Some(&error.to_string()));
            }
        }
        sent
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}
