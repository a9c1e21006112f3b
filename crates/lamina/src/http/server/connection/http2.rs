//! HTTP/2 without TLS on one connection, with the ends that HTTP/1 has: one without a request is
//! closed as soon as an idle one of HTTP/1, although the client answers pings; an answer of which the
//! client takes nothing, or too little, is reset, although others go on; and no connection lasts for ever.
//!
//! Floods are bounded by `h2`: resets (`max_pending_accept_reset_streams` and
//! `max_local_error_reset_streams`), and CONTINUATION frames by the size of a header block.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::rt::Executor;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::TokioTimer;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::answer_body::Taking;
use super::{Io, Served, answer};
use crate::http::state::body_budget::BodyBudget;
use crate::http::state::limits::ConnectionLimits;
use crate::http::state::pace::Pace;

/// Requests at once on one connection. Clients that open more wait for one to end.
const STREAMS: u32 = 64;
/// Bytes of one answer that are on their way at once.
const SEND_BYTES: usize = 64 << 10;
/// What one request may send ahead of its being read.
const STREAM_WINDOW: u32 = 64 << 10;
/// The same of a whole connection, taken from the budget of all bodies as long as it lasts.
const WINDOW: u32 = 256 << 10;
/// The least that the protocol allows (RFC 9113, 6.9.2), where the budget does not have more.
const LEAST_WINDOW: u32 = 65_535;
/// Streams that a client opened and reset before they were looked at.
const UNSEEN_RESETS: usize = 20;
/// Streams that were reset because the client broke the protocol.
const FAULTY_STREAMS: usize = 64;
/// How long a client whose place is wanted for another may take to close.
const EVICTED_LINGER: Duration = Duration::from_millis(100);

pub(super) async fn run(
    io: Io,
    served: Served,
    limits: &ConnectionLimits,
    bodies: &BodyBudget,
    stop: &CancellationToken,
) {
    let share = bodies.hold(WINDOW as usize);
    let window = share.as_ref().map_or(LEAST_WINDOW, |_| WINDOW);
    let activity = Arc::clone(&served.activity);
    let service = service_fn(move |request| {
        let answered = served.clone();
        async move {
            let taking = TAKING.try_with(Arc::clone).ok();
            answer(answered, request, taking).await
        }
    });
    let mut builder = http2::Builder::new(Streams {
        pace: Pace::new(limits.write_stall, limits.least_rate),
    });
    builder
        .timer(TokioTimer::new())
        .keep_alive_interval(Some(limits.ping))
        .keep_alive_timeout(limits.ping)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(window)
        .max_concurrent_streams(STREAMS)
        .max_send_buf_size(SEND_BYTES)
        .max_pending_accept_reset_streams(UNSEEN_RESETS)
        .max_local_error_reset_streams(FAULTY_STREAMS)
        .max_header_list_size(u32::try_from(limits.buffer_bytes).unwrap_or(64 << 10));
    let mut connection = pin!(builder.serve_connection(io, service));
    let linger = tokio::select! {
        ended = &mut connection => return log_end(ended),
        () = stop.cancelled() => limits.linger,
        () = activity.evicted.cancelled() => limits.linger.min(EVICTED_LINGER),
        () = activity.idle_for(limits.header_read) => limits.linger,
        () = sleep_until(Instant::now() + limits.longest_life) => limits.linger,
    };
    connection.as_mut().graceful_shutdown();
    // What is under way is finished. Then it is for the client to take what is left, and to close.
    let over = async {
        sleep_until(Instant::now() + linger).await;
        activity.idle_for(linger).await;
    };
    tokio::select! {
        ended = &mut connection => log_end(ended),
        () = over => {}
    }
}

fn log_end(ended: hyper::Result<()>) {
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}

tokio::task_local! {
    /// Of the stream that this task answers.
    static TAKING: Arc<Taking>;
}

/// Runs each stream in a task of its own, and ends the stream when its client takes too little of the
/// answer: dropped, it is reset.
#[derive(Clone, Copy, Debug)]
struct Streams {
    pace: Pace,
}

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Streams {
    fn execute(&self, stream: F) {
        let taking = Arc::new(Taking::new(self.pace));
        tokio::spawn(TAKING.scope(Arc::clone(&taking), async move {
            tokio::select! {
                biased;
                () = stream => {}
                () = taking.stalled() => tracing::debug!("a client took too little of an answer, which is reset"),
            }
        }));
    }
}
