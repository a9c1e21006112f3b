//! The text that Prometheus reads, format 0.0.4: what every scraper, `promtool` and people with
//! `curl` understand. The library writes OpenMetrics, which names a counter's family without its
//! `_total`; that difference is evened out here.

use prometheus_client::registry::Registry;

/// The media type of the text.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Everything in `registry`.
pub(super) fn encode(registry: &Registry) -> String {
    let mut open_metrics = String::with_capacity(32 << 10);
    // Writing into a string does not fail; what a collector could not write is left out.
    let _ = prometheus_client::encoding::text::encode_registry(&mut open_metrics, registry);
    let mut text = String::with_capacity(open_metrics.len() + 1024);
    let mut lines = open_metrics.lines().peekable();
    while let Some(line) = lines.next() {
        let of_counter = line.starts_with("# HELP ")
            && lines
                .peek()
                .is_some_and(|next| next.starts_with("# TYPE ") && next.ends_with(" counter"));
        if of_counter || (line.starts_with("# TYPE ") && line.ends_with(" counter")) {
            push_as_total(&mut text, line);
        } else {
            text.push_str(line);
        }
        text.push('\n');
    }
    text
}

/// `# TYPE name counter` becomes `# TYPE name_total counter`.
fn push_as_total(text: &mut String, line: &str) {
    let name_end = line
        .match_indices(' ')
        .nth(2)
        .map_or(line.len(), |(at, _)| at);
    text.push_str(&line[..name_end]);
    text.push_str("_total");
    text.push_str(&line[name_end..]);
}
