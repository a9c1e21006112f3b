//! Other variants of layers' files, as far as they are kept. A part of [`super::Store`].

use async_trait::async_trait;

use super::StoreError;
use crate::jobs::{JobId, Layer, LayerVariant, OwnerId, UnixMs};

/// Which variant of which layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VariantOf {
    pub job: JobId,
    /// The number of the layer's file.
    pub file: u32,
    pub variant: LayerVariant,
}

/// Other variants of layers' files.
#[async_trait]
pub trait LayerVariantStore: std::fmt::Debug + Send + Sync {
    /// A layer of a job that is neither deleted nor expired, and whose it is.
    async fn layer_get(
        &self,
        job: JobId,
        file: u32,
        now: UnixMs,
    ) -> Result<Option<(OwnerId, Layer)>, StoreError>;
    /// Counts so many bytes as kept for a variant, before they are stored; instead of those that were counted for it. False, and nothing is
    /// counted, once the job is deleted or expired.
    ///
    /// Refused with [`StoreError::QuotaExceeded`] where the owner, or all owners, keep as much as they may.
    async fn layer_variant_keep(
        &self,
        variant: VariantOf,
        bytes: u64,
        now: UnixMs,
    ) -> Result<bool, StoreError>;
    /// Counts nothing for it any more: it was not stored.
    async fn layer_variant_forget(&self, variant: VariantOf) -> Result<(), StoreError>;
}
