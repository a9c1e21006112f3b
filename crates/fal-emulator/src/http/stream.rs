//! The status as server-sent events: one `data:` line per change, only the logs that are new, a
//! comment when nothing happened for a while, and the end after `COMPLETED`.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::answer::{self, Answer};
use super::call::Call;
use super::read::{describe, unknown};
use crate::shared::Shared;

struct Watcher {
    shared: Arc<Shared>,
    changes: watch::Receiver<u64>,
    app: String,
    id: String,
    with_logs: bool,
    logs_sent: usize,
    /// The last event without its logs: an event is due when it differs.
    last: Option<Value>,
    done: bool,
}

/// `GET …/status/stream`.
pub(super) fn stream(shared: &Arc<Shared>, call: &Call, app: String, id: &str) -> Answer {
    {
        let mut board = shared.board();
        board.counters.status_reads += 1;
        if board.job(&app, id).is_none() {
            return unknown();
        }
    }
    let watcher = Watcher {
        changes: shared.changes(),
        shared: Arc::clone(shared),
        app,
        id: id.to_owned(),
        with_logs: call.wants_logs(),
        logs_sent: 0,
        last: None,
        done: false,
    };
    let events = stream::unfold(watcher, |mut watcher| async move {
        let event = watcher.next().await?;
        Some((Ok::<_, Infallible>(event), watcher))
    });
    let body = Body::from_stream(events);
    let answered = answer::with_type(200, "text/event-stream; charset=utf-8", body);
    answer::for_request(answered, id)
}

impl Watcher {
    /// The next event or comment; `None` ends the stream.
    async fn next(&mut self) -> Option<Bytes> {
        if self.done {
            return None;
        }
        let quiet_until = Instant::now() + self.shared.config.ping_interval;
        loop {
            if let Some(event) = self.look()? {
                return Some(Bytes::from(format!("data: {event}\n\n")));
            }
            match timeout_at(quiet_until, self.changes.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return None,
                Err(_) => return Some(Bytes::from_static(b": ping\n\n")),
            }
        }
    }

    /// `Some(None)`: nothing new. `None`: the request is gone.
    fn look(&mut self) -> Option<Option<Value>> {
        self.changes.mark_unchanged();
        let board = self.shared.board();
        let job = board.job(&self.app, &self.id)?;
        let bare = describe(&board, job, None);
        let fresh = &job.logs[self.logs_sent..];
        let news = self.last.as_ref() != Some(&bare) || (self.with_logs && !fresh.is_empty());
        if !news {
            return Some(None);
        }
        let event = if self.with_logs {
            describe(&board, job, Some(fresh))
        } else {
            bare.clone()
        };
        self.logs_sent = job.logs.len();
        self.done = job.is_done();
        self.last = Some(bare);
        Some(Some(event))
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        // Whoever waits for clients to leave is told.
        self.shared.changed();
    }
}
