//! The key set in hand: when it is fetched, when fetched again, when given up.
//!
//! - Used for at most 24 hours, whatever happens; renewed after 12, so that an issuer that is down
//!   for a while does not matter.
//! - Fetched again for an unknown signature, but not within a minute of the last attempt for a webhook:
//!   a flood of forged ones costs fal one request a minute. A fetch ahead of any webhook, such as the one
//!   at the start, does not count, or keys that changed just behind it would be met too late.
//! - One fetch at a time, in a task of its own: whoever needs keys while one is under way waits for
//!   it and uses its outcome. Nobody who asked owns it, so a stranger who hangs up ends no fetch and
//!   is no failure.
//!
//! Age is measured with the times the callers give. A clock that jumps back makes the set old, not
//! young for longer.

use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use reqwest::Method;
use tokio::sync::watch;

use super::keys::KeySet;
use crate::{Client, Error};

/// A set older than this is renewed when it is next used, in seconds.
const RENEW_AFTER: i64 = 12 * 60 * 60;
/// A set older than this is not used, in seconds.
const LONGEST_USE: i64 = 24 * 60 * 60;
/// Callers' times may differ by this much without meaning a jump of the clock, in seconds.
const CLOCK_SLACK: i64 = 300;
/// Seconds between two fetches while a usable set is in hand.
const PAUSE: u64 = 60;
/// Seconds between two fetches while none is: every genuine webhook is turned away meanwhile.
const PAUSE_WITHOUT_KEYS: u64 = 10;
/// fal waits 15 seconds for the answer to a webhook; the fetch must leave some of that.
const FETCH_TIMEOUT: Duration = Duration::from_secs(8);

#[derive(Debug)]
pub(super) struct Cache {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    client: Client,
    state: RwLock<State>,
    /// Closed by the end of the latest fetch.
    latest: Mutex<Option<watch::Receiver<()>>>,
}

#[derive(Debug, Default)]
struct State {
    known: Option<Known>,
    fetched_at: i64,
    tried_at: Option<i64>,
    /// The latest attempt that a webhook asked for.
    asked_at: Option<i64>,
    /// Why the latest attempt brought nothing. Set while one is under way, so that one which ends
    /// without a word (its runtime stops) counts as failed.
    failure: Option<String>,
}

/// For whom keys are fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asker {
    /// No one yet.
    Ahead,
    /// A webhook, for want of usable keys.
    Webhook,
    /// A webhook whose signature the keys at hand do not explain.
    Stranger,
}

/// A key set, and which fetch it came from.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) keys: Arc<KeySet>,
    pub(super) generation: u64,
}

/// What asking for newer keys brought.
pub(super) enum Refreshed {
    /// Keys from a later fetch.
    Newer(Arc<KeySet>),
    /// The keys at hand are the latest of an attempt less than a minute ago.
    TooSoon,
    /// The latest attempt failed.
    Failed(String),
}

impl Cache {
    pub(super) fn new(client: Client) -> Self {
        Self {
            shared: Arc::new(Shared {
                client,
                state: RwLock::default(),
                latest: Mutex::default(),
            }),
        }
    }

    /// A cache that fetched these keys just now, and so will not fetch at this time.
    #[cfg(any(test, fuzzing))]
    pub(super) fn holding(client: Client, keys: KeySet, now: i64) -> Self {
        let cache = Self::new(client);
        let keys = Arc::new(keys);
        cache.shared.change(|state| {
            *state = State {
                known: Some(Known {
                    keys,
                    generation: 0,
                }),
                fetched_at: now,
                tried_at: Some(now),
                asked_at: Some(now),
                failure: None,
            };
        });
        cache
    }

    /// The usable key set for a webhook, fetched or renewed first if it is time; else a sentence.
    pub(super) async fn current(&self, now: i64) -> Result<Known, String> {
        self.known(now, Asker::Webhook).await
    }

    /// The same before any webhook has come.
    pub(super) async fn ahead(&self, now: i64) -> Result<Known, String> {
        self.known(now, Asker::Ahead).await
    }

    async fn known(&self, now: i64, asker: Asker) -> Result<Known, String> {
        let look = |state: &State| (state.usable(now), state.age(now) > RENEW_AFTER);
        let (usable, old) = self.shared.look(look);
        match usable {
            Some(known) if !old => return Ok(known),
            // One caller waits for newer ones; the others go on with what there is.
            Some(known) if self.under_way().is_some() => return Ok(known),
            Some(_) => self.fetch(now, PAUSE, asker).await,
            None => self.fetch(now, PAUSE_WITHOUT_KEYS, asker).await,
        }
        self.shared.look(|state| {
            let reason = || {
                state
                    .failure
                    .clone()
                    .unwrap_or_else(|| "the keys are too old".to_owned())
            };
            state.usable(now).ok_or_else(reason)
        })
    }

    /// Keys from a later fetch than `seen`, fetching them if the pause allows.
    pub(super) async fn newer_than(&self, seen: u64, now: i64) -> Refreshed {
        let newer = |state: &State| {
            let known = state.usable(now)?;
            (known.generation != seen).then_some(known.keys)
        };
        if let Some(keys) = self.shared.look(newer) {
            return Refreshed::Newer(keys);
        }
        self.fetch(now, PAUSE, Asker::Stranger).await;
        self.shared
            .look(|state| match (newer(state), &state.failure) {
                (Some(keys), _) => Refreshed::Newer(keys),
                (None, Some(reason)) => Refreshed::Failed(reason.clone()),
                (None, None) => Refreshed::TooSoon,
            })
    }

    /// Waits for the fetch that is under way, or for one that begins now if the pause allows.
    async fn fetch(&self, now: i64, pause: u64, asker: Asker) {
        if let Some(mut under_way) = self.begin(now, pause, asker) {
            // Nothing is ever sent: the sender goes away when the fetch has ended, however it did.
            let _ = under_way.changed().await;
        }
    }

    fn under_way(&self) -> Option<watch::Receiver<()>> {
        under_way(&lock(&self.shared.latest))
    }

    /// The fetch that is under way; begins one unless the last attempt is less than `pause` seconds
    /// away.
    fn begin(&self, now: i64, pause: u64, asker: Asker) -> Option<watch::Receiver<()>> {
        let mut latest = lock(&self.shared.latest);
        if let Some(under_way) = under_way(&latest) {
            return Some(under_way);
        }
        let recent = |state: &State| {
            let last = match asker {
                Asker::Stranger => state.asked_at,
                Asker::Webhook | Asker::Ahead => state.tried_at,
            };
            last.is_some_and(|at| now.abs_diff(at) < pause)
        };
        if self.shared.look(recent) {
            return None;
        }
        self.shared.change(|state| {
            state.tried_at = Some(now);
            if asker != Asker::Ahead {
                state.asked_at = Some(now);
            }
            state.failure = Some("the fetch was broken off".to_owned());
        });
        let (open, under_way) = watch::channel(());
        let shared = Arc::clone(&self.shared);
        tokio::spawn(async move {
            shared.fetch(now).await;
            drop(open);
        });
        *latest = Some(under_way.clone());
        Some(under_way)
    }
}

impl Shared {
    async fn fetch(&self, now: i64) {
        match self.download().await {
            Ok(keys) => self.change(|state| {
                let generation = state.known.as_ref().map_or(0, |known| known.generation + 1);
                let keys = Arc::new(keys);
                state.known = Some(Known { keys, generation });
                state.fetched_at = now;
                state.failure = None;
            }),
            Err(reason) => {
                tracing::warn!(error = %reason, "fal's webhook keys could not be fetched");
                self.change(|state| state.failure = Some(reason));
            }
        }
    }

    async fn download(&self) -> Result<KeySet, String> {
        let sentence = |error: Error| error.to_string();
        let config = self.client.config();
        let request = self
            .client
            .anonymous(Method::GET, config.jwks_url.clone())
            .timeout(config.request_timeout.min(FETCH_TIMEOUT));
        let answer = self.client.exchange(request).await.map_err(sentence)?;
        let answer = self.client.success(answer).map_err(sentence)?;
        KeySet::parse(&answer.body)
    }

    // No code panics while it holds the lock, and a state is whole after every write.
    fn look<T>(&self, read: impl FnOnce(&State) -> T) -> T {
        read(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn change(&self, write: impl FnOnce(&mut State)) {
        write(&mut self.state.write().unwrap_or_else(PoisonError::into_inner));
    }
}

/// The latest fetch, unless it has ended.
fn under_way(latest: &Option<watch::Receiver<()>>) -> Option<watch::Receiver<()>> {
    latest
        .as_ref()
        .filter(|ended| ended.has_changed().is_ok())
        .cloned()
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    fn age(&self, now: i64) -> i64 {
        now.saturating_sub(self.fetched_at)
    }

    fn usable(&self, now: i64) -> Option<Known> {
        let in_time = (-CLOCK_SLACK..=LONGEST_USE).contains(&self.age(now));
        self.known.clone().filter(|_| in_time)
    }
}
