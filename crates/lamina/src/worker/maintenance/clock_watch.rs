//! Looks at the machine's clock and says when it was stepped: a machine that boots with a wrong clock
//! and then asks the network, a guest that was resumed, an operator's mistake. Waits, leases and
//! time-outs go by a time that never steps (`clock.rs`), so jobs go on; what is left is what ends by
//! the time of day, and `clock/expiry.rs` decides that. Here it is only asked, told of and written
//! down for the next process.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::periodic;
use crate::jobs::{Moment, UnixMs};
use crate::store::{ClockSeen, StoreError};
use crate::worker::Worker;

/// How often the clocks are compared; the worker's other looks are as frequent.
const PERIOD: Duration = Duration::from_secs(5);
/// How often both times are written down for the next process.
const SEE_EVERY: Duration = Duration::from_secs(60);

/// When both times were last written down.
#[derive(Debug, Default)]
pub(in crate::worker) struct SeenAt(Mutex<Option<UnixMs>>);

impl SeenAt {
    /// Whether it is time to write them down.
    fn is_due(&self, now: UnixMs) -> bool {
        let mut written_at = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let due = written_at.is_none_or(|at| now.since(at) >= SEE_EVERY);
        if due {
            *written_at = Some(now);
        }
        due
    }
}

impl Worker {
    /// What ends by the time of day ends by this one.
    pub(in crate::worker) fn expire_by(&self) -> UnixMs {
        let look = self.parts.expiry.look(self.parts.clock.moment());
        let metrics = &self.parts.metrics;
        if let Some(step_ms) = look.step {
            metrics.clock_stepped(step_ms > 0);
            tracing::warn!(
                step_ms,
                "the machine's clock was stepped; waits and time-outs go on as before"
            );
        }
        if let Some(held) = look.held {
            self.tell_expiry_held(held);
        }
        look.expire_by
    }

    fn tell_expiry_held(&self, held: bool) {
        self.parts.metrics.expiry_held(held);
        if held {
            let hold_ms = crate::jobs::whole_ms(self.parts.expiry.hold());
            tracing::warn!(
                hold_ms,
                "the machine's clock is far ahead of what was seen last; nothing expires because of that until it has run on for CLOCK_STEP_HOLD"
            );
        } else {
            tracing::info!("expiry goes by the machine's clock again");
        }
    }

    /// Before anything else is done: what happened to the clock since the last process.
    pub(in crate::worker) async fn resume_clock(&self) -> Result<(), StoreError> {
        let (expiry, now) = (&self.parts.expiry, self.parts.clock.moment());
        if let Some(seen) = self.parts.store.clock_seen().await? {
            if let Some(millis) = expiry.resume(seen.moment, seen.held, now) {
                tracing::info!(
                    shift_ms = millis,
                    "the clock was stepped, or the service long away; the queue's times were moved"
                );
                self.parts.store.queue_shift(millis).await?;
            }
            if expiry.is_held() {
                self.tell_expiry_held(true);
            }
        }
        self.parts.store.clock_see(self.clock_seen()).await
    }

    /// What the next process is to compare with: a leap that is not trusted is one for it too, and
    /// what it has lasted counts, so that a service that runs for minutes at a time expires things too.
    fn clock_seen(&self) -> ClockSeen {
        let wall = self.expire_by();
        let now = self.parts.clock.now();
        ClockSeen {
            moment: Moment { now, wall },
            held: self.parts.expiry.held_for(now).unwrap_or_default(),
        }
    }

    /// For the next process.
    pub(in crate::worker) async fn leave_clock(&self) {
        if let Err(error) = self.parts.store.clock_see(self.clock_seen()).await {
            tracing::warn!(%error, "the time could not be written down for the next start");
        }
    }

    async fn watch_clock(&self) -> Result<(), StoreError> {
        let seen = self.clock_seen();
        if self.clock_seen_at.is_due(seen.moment.now) {
            self.parts.store.clock_see(seen).await?;
        }
        Ok(())
    }
}

pub(in crate::worker) async fn run(worker: &Worker, stop: CancellationToken) {
    periodic::every("clock", PERIOD, None, &stop, || worker.watch_clock()).await;
}
