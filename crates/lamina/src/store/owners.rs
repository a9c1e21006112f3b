//! The store's side of keys and limits: what `access` describes, kept. A part of [`super::Store`],
//! with a file of its own because neither the edge's jobs nor the worker's have to do with it.

use async_trait::async_trait;

use super::StoreError;
use crate::access::{KeyDigest, KeyId, OwnerLimits, UtcDay};
use crate::jobs::{OwnerId, UnixMs};

/// A key as it is kept: everything but the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRecord {
    /// Its name in lists.
    pub id: KeyId,
    /// Whose requests it makes.
    pub owner: OwnerId,
    /// What a key that is sent is compared with.
    pub digest: KeyDigest,
    /// Whether it opens `/api/admin` too.
    pub admin: bool,
    /// When it was made.
    pub created_at: UnixMs,
    /// Since when it opens nothing.
    pub revoked_at: Option<UnixMs>,
}

/// What an owner has at work, and what was spent on a day, in millionths of a US dollar. All but
/// refused submissions count, since all others may have been taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OwnerUsage {
    /// Its jobs that are neither completed nor failed.
    pub active_jobs: u32,
    /// Spent by it.
    pub owner_microusd: u64,
    /// Spent by all.
    pub total_microusd: u64,
}

/// Keys and limits.
#[async_trait]
pub trait OwnerStore: std::fmt::Debug + Send + Sync {
    /// Keeps a new key. What `limits` says replaces the owner's limits; what it does not say stays.
    async fn key_create(&self, key: KeyRecord, limits: OwnerLimits) -> Result<(), StoreError>;
    /// Every key there ever was, oldest first.
    async fn key_list(&self) -> Result<Vec<KeyRecord>, StoreError>;
    /// Revokes a key, or leaves it revoked as it was; the key as it is then, `None` when there is
    /// none of this name.
    async fn key_revoke(&self, id: &KeyId, now: UnixMs) -> Result<Option<KeyRecord>, StoreError>;
    /// How an owner stands on a day.
    async fn owner_usage(&self, owner: &OwnerId, day: UtcDay) -> Result<OwnerUsage, StoreError>;
    /// Owners for whom a limit was set, by name.
    async fn owner_list(&self) -> Result<Vec<(OwnerId, OwnerLimits)>, StoreError>;
    /// Replaces all limits of an owner.
    async fn owner_limit(&self, owner: &OwnerId, limits: OwnerLimits) -> Result<(), StoreError>;
}
