//! [`OwnerStore`] over the SQL of `keys.rs`. No SQL here.

use async_trait::async_trait;

use super::{SqliteStore, keys, spending};
use crate::access::{KeyId, OwnerLimits, UtcDay};
use crate::jobs::{OwnerId, UnixMs};
use crate::store::{KeyRecord, OwnerStore, OwnerUsage, StoreError};

#[async_trait]
impl OwnerStore for SqliteStore {
    async fn key_create(&self, key: KeyRecord, limits: OwnerLimits) -> Result<(), StoreError> {
        self.write(move |db| keys::create(db, &key, limits)).await
    }

    async fn key_list(&self) -> Result<Vec<KeyRecord>, StoreError> {
        self.read(keys::list).await
    }

    async fn key_revoke(&self, id: &KeyId, now: UnixMs) -> Result<Option<KeyRecord>, StoreError> {
        let id = id.clone();
        self.write(move |db| keys::revoke(db, &id, now)).await
    }

    async fn owner_usage(&self, owner: &OwnerId, day: UtcDay) -> Result<OwnerUsage, StoreError> {
        let owner = owner.clone();
        self.read(move |db| spending::usage(db, &owner, day)).await
    }

    async fn owner_list(&self) -> Result<Vec<(OwnerId, OwnerLimits)>, StoreError> {
        self.read(keys::owners).await
    }

    async fn owner_limit(&self, owner: &OwnerId, limits: OwnerLimits) -> Result<(), StoreError> {
        let owner = owner.clone();
        self.write(move |db| keys::limit(db, &owner, limits)).await
    }
}
