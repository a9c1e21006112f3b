//! Logs: JSON lines for machines, text on a terminal, always on standard error. Lines are written
//! by a thread of their own, so that a log which nobody reads holds nothing up: what does not fit
//! into its buffer is dropped, counted, and told once there is room. What may never stand in a line
//! is the duty of whoever logs; see CONTRIBUTING.md.

use std::convert::Infallible;
use std::io::IsTerminal;
use std::panic::PanicHookInfo;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use tracing::Level;
use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::format::FmtSpan;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::LogConfig;
use crate::metrics::SampledMetrics;

/// Lines that may wait to be written, 3 MB or so: minutes of an ordinary day, seconds of a bad one.
const BUFFERED_LINES: usize = 8192;
/// Bytes of lines that are written with one call.
const WRITTEN_AT_ONCE: usize = 64 << 10;
/// How often it is looked whether lines were dropped.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// How long the end of a process waits for its last lines to be written.
const LAST_LINES: Duration = Duration::from_secs(2);

/// The log of this process. What waits to be written is written when it is dropped, if somebody
/// reads it.
#[derive(Debug)]
#[must_use]
pub struct Log {
    writer: Option<WorkerGuard>,
    dropped: ErrorCounter,
    reported: AtomicUsize,
}

/// Starts logging for this process. A second call is ignored.
pub fn start(config: &LogConfig) -> Log {
    // The thread flushes whenever no line waits, so nothing is held back; those that wait are written at once.
    let whole = std::io::BufWriter::with_capacity(WRITTEN_AT_ONCE, std::io::stderr());
    let (lines, writer) = NonBlockingBuilder::default()
        .buffered_lines_limit(BUFFERED_LINES)
        .thread_name("log")
        .finish(whole);
    let dropped = lines.error_counter();
    let on_terminal = std::io::stderr().is_terminal();
    let json = config.json.unwrap_or(!on_terminal);
    let filter = config.filter.parse::<Targets>();
    let filter = filter.unwrap_or_else(|_| Targets::new().with_default(LevelFilter::INFO));
    let builder = tracing_subscriber::fmt()
        .with_max_level(LevelFilter::TRACE)
        .with_span_events(FmtSpan::NONE)
        .with_writer(lines);
    // Somebody else's subscriber (a test's) stays.
    let _ = if json {
        builder
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(false)
            .finish()
            .with(filter)
            .try_init()
    } else {
        let builder = builder.with_target(false);
        let builder = if on_terminal {
            builder
        } else {
            builder.with_ansi(false)
        };
        builder.finish().with(filter).try_init()
    };
    log_panics();
    Log {
        writer: Some(writer),
        dropped,
        reported: AtomicUsize::new(0),
    }
}

impl Log {
    /// Tells now and then how many lines were dropped, and counts them in `metrics`. Never returns.
    pub async fn watch(&self, metrics: &SampledMetrics) -> Infallible {
        let mut look = tokio::time::interval(LOOK_EVERY);
        loop {
            look.tick().await;
            self.report_dropped();
            metrics.log_lines_dropped(self.dropped.dropped_lines() as u64);
        }
    }

    fn report_dropped(&self) {
        let dropped = self.dropped.dropped_lines();
        if dropped == self.reported.load(Ordering::Relaxed) {
            return;
        }
        tracing::warn!(
            dropped,
            "log lines were dropped, because nobody read them as fast as they came; the number counts from the start"
        );
        // This line may be dropped too; then it is told again.
        if self.dropped.dropped_lines() == dropped {
            self.reported.store(dropped, Ordering::Relaxed);
        }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.report_dropped();
        // The guard waits for about a second, and complains on standard output if that was not
        // enough: for ever, where that is the same pipe. So it does so elsewhere.
        let (writer, (done, is_done)) = (self.writer.take(), mpsc::channel::<()>());
        let flush = std::thread::Builder::new().spawn(move || {
            drop(writer);
            drop(done);
        });
        if flush.is_ok() {
            let _ = is_done.recv_timeout(LAST_LINES);
        }
    }
}

/// A panic becomes a line of the log. The usual message goes to standard error at once, and would
/// wait for its reader there; it remains for a log that shows no errors.
fn log_panics() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if tracing::enabled!(Level::ERROR) {
            log_panic(panic);
        } else {
            usual(panic);
        }
    }));
}

fn log_panic(panic: &PanicHookInfo<'_>) {
    let backtrace = std::backtrace::Backtrace::capture();
    let backtrace = match backtrace.status() {
        std::backtrace::BacktraceStatus::Captured => Some(backtrace.to_string()),
        _ => None,
    };
    tracing::error!(
        location = panic.location().map(tracing::field::display),
        text = panic.payload_as_str().unwrap_or("without a text"),
        backtrace,
        "a thread panicked"
    );
}
