//! Logs: JSON lines for machines, text on a terminal, always on standard error. What may never
//! stand in them is the duty of whoever logs; see CONTRIBUTING.md.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::FmtSpan;

use crate::config::LogConfig;

/// Starts logging for this process. A second call is ignored.
pub fn start(config: &LogConfig) {
    let json = config
        .json
        .unwrap_or_else(|| !std::io::stderr().is_terminal());
    let builder = tracing_subscriber::fmt()
        .with_env_filter(
            EnvFilter::try_new(&config.filter).unwrap_or_else(|_| EnvFilter::new("info")),
        )
        .with_span_events(FmtSpan::NONE)
        .with_writer(std::io::stderr);
    // Somebody else's subscriber (a test's) stays.
    let _ = if json {
        builder
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(false)
            .try_init()
    } else {
        builder.with_target(false).try_init()
    };
}
