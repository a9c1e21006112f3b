//! Options of traces: those of OpenTelemetry's own names that lamina follows.

use reqwest::header::{HeaderName, HeaderValue};

use super::reader::Reader;
use crate::trace::TraceSettings;

impl Reader<'_> {
    /// `None` unless there is a collector.
    pub(super) fn traces(&mut self) -> Option<TraceSettings> {
        let endpoint = self.base_url("OTEL_EXPORTER_OTLP_ENDPOINT");
        let headers = self.text("OTEL_EXPORTER_OTLP_HEADERS");
        if !headers.is_empty() && !headers.split(',').all(is_header) {
            // The text may be a key.
            self.wrong(
                "OTEL_EXPORTER_OTLP_HEADERS",
                "expected name=value, separated by commas",
            );
        }
        let ratio = self.parse("OTEL_TRACES_SAMPLER_ARG", "a number from 0 to 1");
        if !(0.0..=1.0).contains(&ratio) {
            self.wrong(
                "OTEL_TRACES_SAMPLER_ARG",
                format!("expected a number from 0 to 1, got {ratio}"),
            );
        }
        let settings = TraceSettings {
            headers: (!headers.is_empty()).then(|| headers.into()),
            service: self.text("OTEL_SERVICE_NAME").to_owned(),
            attributes: self.resource_attributes(),
            ratio,
            endpoint: endpoint?,
        };
        if cfg!(not(feature = "otlp")) {
            self.wrong(
                "OTEL_EXPORTER_OTLP_ENDPOINT",
                "this lamina was built without traces: build it with --features otlp, or leave this option out",
            );
        }
        Some(settings)
    }

    fn resource_attributes(&mut self) -> Vec<(String, String)> {
        let name = "OTEL_RESOURCE_ATTRIBUTES";
        let mut attributes = Vec::new();
        let parts: Vec<&str> = self.list(name).collect();
        for part in parts {
            match part.split_once('=') {
                Some((key, value)) if !key.trim().is_empty() => {
                    attributes.push((key.trim().to_owned(), value.trim().to_owned()));
                }
                _ => self.wrong(name, format!("expected name=value, got {part:?}")),
            }
        }
        attributes
    }
}

fn is_header(pair: &str) -> bool {
    pair.split_once('=').is_some_and(|(name, value)| {
        name.trim().parse::<HeaderName>().is_ok() && value.trim().parse::<HeaderValue>().is_ok()
    })
}
