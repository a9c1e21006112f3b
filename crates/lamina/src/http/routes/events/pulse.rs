//! The times of one event stream: when it has been silent for so long that a proxy, or the phone's network, would
//! take it for dead; when progress that only time makes is shown; and when it ends for no reason of the jobs'.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::frame;
use crate::http::state::limits::RequestLimits;

/// How often a progress that moves by itself is told: smooth enough for a bar, which a page may move on its own.
const MOVES: Duration = Duration::from_secs(2);
/// After an end that is no failure, a client comes back after between one and three of these. They are not the same
/// for all, because a service that stops sends all of its streams away at once.
const RETRY: Duration = Duration::from_millis(1000);

/// What it is time for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beat {
    /// To say that the stream is alive.
    Comment,
    /// To look whether time has moved the job.
    Moves,
    /// To end.
    Over,
}

#[derive(Debug)]
pub(super) struct Pulse {
    last_sent: Instant,
    /// When it was looked last whether time has moved something.
    last_looked: Instant,
    ends: Instant,
    silence: Duration,
    draining: CancellationToken,
}

impl Pulse {
    /// Of a stream that begins now, and ends early when the service stops.
    pub(super) fn new(limits: &RequestLimits, draining: CancellationToken) -> Self {
        let now = Instant::now();
        Self {
            last_sent: now,
            last_looked: now,
            ends: now + limits.event_life,
            silence: limits.event_silence,
            draining,
        }
    }

    /// Something was sent.
    pub(super) fn sent(&mut self) {
        self.last_sent = Instant::now();
    }

    /// Waits for the next beat. `moves`: whether time alone moves what is shown.
    pub(super) async fn beat(&mut self, moves: bool) -> Beat {
        // One timer and not three: thousands of streams let go of theirs at the same moment, when there is news.
        let (comment, moved) = (self.last_sent + self.silence, self.last_looked + MOVES);
        let next = self.ends.min(comment);
        let next = if moves { next.min(moved) } else { next };
        tokio::select! {
            () = self.draining.cancelled() => return Beat::Over,
            () = sleep_until(next) => {}
        }
        if next == self.ends {
            Beat::Over
        } else if next == comment {
            Beat::Comment
        } else {
            self.last_looked = Instant::now();
            Beat::Moves
        }
    }

    /// What a stream begins with, so that its header is sent, and read, before there is news.
    pub(super) fn greeting(&self) -> Bytes {
        frame::retry(RETRY)
    }

    /// What a stream ends with that is not at its jobs' end.
    pub(super) fn farewell(&self) -> Bytes {
        frame::retry(RETRY.mul_f64(1.0 + 2.0 * fastrand::f64()))
    }
}
