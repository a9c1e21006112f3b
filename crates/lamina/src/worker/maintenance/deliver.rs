//! Tells receivers what became of jobs: each delivery once at a time, those of one job in their order, and none waits
//! for another job's receiver. Attempts at once are shared fairly by owner (`jobs/share.rs`): receivers of one owner that all
//! hang leave places to the others. An attempt that was not written down is made again, so a receiver may hear twice and
//! tells that by the id; it never misses what it could have taken in time.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::Url;

use super::backlog::Backlog;
use crate::access::HookSecret;
use crate::jobs::{OwnerId, Shares, UnixMs, next_attempt};
use crate::metrics::HookEnd;
use crate::store::{Attempt, Delivery, DeliveryState, HookSettings, StoreError};
use crate::worker::{Worker, hook_signature};

/// Attempts at once; each may hang for the fetcher's time-outs.
const AT_ONCE: usize = 32;
/// Found in one look.
const BATCH: u32 = 64;
/// "Gone": whoever answers so is not told anything there again.
const GONE: u16 = 410;

/// Deliveries that are under way.
#[derive(Debug)]
pub(super) struct Deliverer {
    worker: Arc<Worker>,
    stop: CancellationToken,
    tasks: TaskTracker,
    trying: Backlog<String>,
    places: Arc<Mutex<Shares>>,
}

/// One owner's place, given back when dropped.
struct Place {
    places: Arc<Mutex<Shares>>,
    owner: OwnerId,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.lock().give_back(self.owner.as_str());
    }
}

impl Deliverer {
    /// Nothing is under way yet; what is begun runs in `tasks`.
    pub(super) fn new(worker: &Arc<Worker>, tasks: &TaskTracker, stop: &CancellationToken) -> Self {
        Self {
            worker: Arc::clone(worker),
            stop: stop.clone(),
            tasks: tasks.clone(),
            trying: Backlog::new(AT_ONCE, Duration::from_secs(1)),
            places: Arc::new(Mutex::new(Shares::of(AT_ONCE))),
        }
    }

    /// Notified when there may be something to tell.
    pub(super) fn wake(&self) -> &Notify {
        &self.worker.parts.store.signal().deliver
    }

    /// Begins what is due. Returns how many attempts were made since the last round.
    pub(super) async fn round(&self) -> Result<usize, StoreError> {
        let parts = &self.worker.parts;
        // Who may begin nothing now; what is due of the others is looked for without them.
        let mut crowded: Vec<OwnerId> = Vec::new();
        loop {
            let (now, busy) = (parts.clock.wall(), self.trying.busy());
            let found = parts
                .store
                .delivery_due(now, BATCH, &busy, &crowded)
                .await?;
            let known = crowded.len();
            for delivery in found {
                if crowded.contains(&delivery.owner) {
                    continue;
                }
                match self.place(&delivery.owner) {
                    Some(place) => self.begin(delivery, place),
                    None => crowded.push(delivery.owner),
                }
            }
            if crowded.len() == known || self.places.lock().free() == 0 {
                return Ok(self.trying.take_done());
            }
        }
    }

    fn place(&self, owner: &OwnerId) -> Option<Place> {
        let mut places = self.places.lock();
        if !places.may_take(owner.as_str()) {
            return None;
        }
        places.take(owner.as_str());
        Some(Place {
            places: Arc::clone(&self.places),
            owner: owner.clone(),
        })
    }

    fn begin(&self, delivery: Delivery, place: Place) {
        let worker = Arc::clone(&self.worker);
        self.trying.begin(
            delivery.id.clone(),
            &self.tasks,
            &self.stop,
            |_| async move {
                let noted = attempt(&worker, &delivery).await;
                drop(place);
                // The next one of the same job waited for this, and perhaps its owner's others.
                worker.parts.store.signal().deliver.notify_one();
                noted
            },
        );
    }
}

/// One attempt; false when it could not be made or written down, and is made again.
async fn attempt(worker: &Worker, delivery: &Delivery) -> bool {
    let (parts, id, job) = (&worker.parts, &delivery.id, delivery.job);
    // A receiver cannot have a secret that nobody has asked for; what is made here is as good as any.
    let settings = parts
        .store
        .hook_settings(&delivery.owner, HookSecret::random())
        .await;
    let settings = match settings {
        Ok(settings) => settings,
        Err(error) => {
            tracing::warn!(%job, delivery = %id, %error, "what signs a webhook could not be read");
            return false;
        }
    };
    let answer = send(worker, delivery, &settings).await;
    let tried = outcome(delivery, &answer, parts.clock.wall());
    parts.metrics.webhook_tried(match tried.state {
        DeliveryState::Delivered => HookEnd::Delivered,
        DeliveryState::Due => HookEnd::NotTaken,
        DeliveryState::GivenUp => HookEnd::GivenUp,
    });
    log(delivery, &tried);
    match parts.store.delivery_tried(id, tried).await {
        Ok(()) => true,
        Err(error) => {
            tracing::warn!(%job, delivery = %id, %error, "what became of a webhook could not be written");
            false
        }
    }
}

/// What a receiver answered, or why it was not reached.
enum Answer {
    Status(u16, Option<Duration>),
    Failed { code: &'static str, is_final: bool },
}

async fn send(worker: &Worker, delivery: &Delivery, settings: &HookSettings) -> Answer {
    let parts = &worker.parts;
    let Ok(url) = delivery.url.parse::<Url>() else {
        return Answer::Failed {
            code: "url_invalid",
            is_final: true,
        };
    };
    let headers = hook_signature::headers(delivery, settings, parts.clock.wall());
    let body = delivery.body.clone().into();
    match parts.receivers.deliver(&url, &headers, body).await {
        Ok(answer) => Answer::Status(answer.status, answer.retry_after),
        Err(error) => Answer::Failed {
            code: error.code(),
            is_final: error.class() == safe_fetch::FetchClass::Refused,
        },
    }
}

/// Whether a delivery is over with this answer, or when it is tried again.
fn outcome(delivery: &Delivery, answer: &Answer, now: UnixMs) -> Attempt {
    let (status, asked, error, is_final) = match *answer {
        Answer::Status(status, asked) => (Some(status), asked, None, status == GONE),
        Answer::Failed { code, is_final } => (None, None, Some(code.to_owned()), is_final),
    };
    let is_taken = status.is_some_and(|status| (200..300).contains(&status));
    let next = next_attempt(
        delivery.attempts + 1,
        now,
        delivery.until,
        asked,
        fastrand::f64(),
    );
    let (state, due_at) = match next {
        _ if is_taken => (DeliveryState::Delivered, now),
        Some(next) if !is_final => (DeliveryState::Due, next),
        _ => (DeliveryState::GivenUp, now),
    };
    Attempt {
        state,
        due_at,
        tried_at: now,
        status,
        error,
        unsubscribes: status == Some(GONE),
    }
}

fn log(delivery: &Delivery, tried: &Attempt) {
    let Delivery { id, job, event, .. } = delivery;
    let (attempts, status) = (delivery.attempts + 1, tried.status);
    let code = tried.error.as_deref();
    match tried.state {
        DeliveryState::Delivered => {
            tracing::info!(%job, delivery = %id, event, attempts, "webhook delivered");
        }
        DeliveryState::Due => {
            tracing::info!(%job, delivery = %id, event, attempts, status, code, "a webhook was not taken and is tried again");
        }
        DeliveryState::GivenUp => {
            tracing::warn!(%job, delivery = %id, event, attempts, status, code, "a webhook is given up");
        }
    }
}
