//! Outgoing webhooks: settings of owners, and deliveries. A part of [`super::Store`].

use async_trait::async_trait;

use super::StoreError;
use crate::access::HookSecret;
use crate::jobs::{JobId, OwnerId, UnixMs};

/// An owner's settings.
#[derive(Clone, PartialEq, Eq)]
pub struct HookSettings {
    /// For jobs that name no address of their own.
    pub url: Option<String>,
    pub secret: HookSecret,
    /// The secret before, and until when it signs as well.
    pub old: Option<(HookSecret, UnixMs)>,
}

impl std::fmt::Debug for HookSettings {
    // Neither a secret nor an address that may hold one reaches a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HookSettings").finish_non_exhaustive()
    }
}

/// Where a delivery is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryState {
    /// To be tried.
    Due,
    /// The receiver took it.
    Delivered,
    /// It will not be tried again.
    GivenUp,
}

impl DeliveryState {
    /// The word in the store and in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Due => "due",
            Self::Delivered => "delivered",
            Self::GivenUp => "given_up",
        }
    }
}

/// One event to one receiver.
#[derive(Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The same at every attempt; receivers tell repeated ones by it.
    pub id: String,
    pub job: JobId,
    pub owner: OwnerId,
    /// `job.completed`, `job.failed` or `job.expired`.
    pub event: String,
    pub url: String,
    /// JSON, the same at every attempt.
    pub body: String,
    pub created_at: UnixMs,
    /// No attempt after this time.
    pub until: UnixMs,
    pub state: DeliveryState,
    pub attempts: u32,
    pub due_at: UnixMs,
    /// When it was tried last.
    pub tried_at: Option<UnixMs>,
    /// What was answered then.
    pub status: Option<u16>,
    /// Why nothing was, or why it was given up, as a stable word.
    pub error: Option<String>,
}

impl std::fmt::Debug for Delivery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Delivery")
            .field("id", &self.id)
            .field("job", &self.job)
            .field("event", &self.event)
            .field("state", &self.state)
            .field("attempts", &self.attempts)
            .finish_non_exhaustive()
    }
}

/// What an attempt came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    pub state: DeliveryState,
    /// When the next one is, if it is still due.
    pub due_at: UnixMs,
    pub tried_at: UnixMs,
    pub status: Option<u16>,
    pub error: Option<String>,
    /// Whether the receiver asked never to be told anything there again.
    pub unsubscribes: bool,
}

/// Deliveries that are not done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HooksWaiting {
    pub deliveries: u64,
    /// When there was something to tell, of the oldest.
    pub oldest: Option<UnixMs>,
}

/// Webhooks and their deliveries.
#[async_trait]
pub trait HookStore: std::fmt::Debug + Send + Sync {
    /// The owner's settings; `fresh` becomes the secret of an owner that has none.
    async fn hook_settings(
        &self,
        owner: &OwnerId,
        fresh: HookSecret,
    ) -> Result<HookSettings, StoreError>;
    /// Sets the address of jobs that name none.
    async fn hook_address(
        &self,
        owner: &OwnerId,
        url: Option<String>,
        fresh: HookSecret,
    ) -> Result<HookSettings, StoreError>;
    /// Puts `fresh` in the place of the secret, which signs as well until `old_until`.
    async fn hook_rotate(
        &self,
        owner: &OwnerId,
        fresh: HookSecret,
        old_until: UnixMs,
    ) -> Result<HookSettings, StoreError>;
    /// Deliveries that are due, of each job the oldest that is not done, but for `except` and those of `crowded` owners.
    async fn delivery_due(
        &self,
        now: UnixMs,
        limit: u32,
        except: &[String],
        crowded: &[OwnerId],
    ) -> Result<Vec<Delivery>, StoreError>;
    /// Writes down what an attempt came to.
    async fn delivery_tried(&self, id: &str, attempt: Attempt) -> Result<(), StoreError>;
    /// How many deliveries are not done, counted up to 100,000, and since when the oldest of them is due.
    async fn delivery_waiting(&self) -> Result<HooksWaiting, StoreError>;
    /// Where webhooks are told of jobs that name no address, by owner.
    async fn hook_addresses(&self) -> Result<Vec<(OwnerId, String)>, StoreError>;
    /// The owner's deliveries, newest first, of one job or of all, after `cursor`.
    async fn delivery_list(
        &self,
        owner: &OwnerId,
        job: Option<JobId>,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Delivery>, StoreError>;
    /// One delivery of the owner.
    async fn delivery_get(&self, owner: &OwnerId, id: &str)
    -> Result<Option<Delivery>, StoreError>;
    /// Makes a delivery of the owner due again, for a day, whatever became of it; none where there is none.
    async fn delivery_replay(
        &self,
        owner: &OwnerId,
        id: &str,
        now: UnixMs,
    ) -> Result<Option<Delivery>, StoreError>;
}
