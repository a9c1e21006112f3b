//! What is kept of whom, in bytes, and the refusal to keep more.

use std::fmt;

use crate::jobs::OwnerId;

/// What the layers of one job are expected to come to: four layers of a design of 1024² have about
/// this. For so much there must be room when a job is handed to its engine, so that what is over a
/// bound in the end is what engines worked on at once.
pub const LAYERS_BYTES: u64 = 2 << 20;

/// What bytes are kept for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeptKind {
    /// Checked uploads.
    Upload,
    /// Tickets and resumable uploads on this machine's disk, arrived or to come.
    Incoming,
    /// Tickets for the bucket.
    Bucket,
    /// Sources of jobs.
    Source,
    Layer,
}

impl KeptKind {
    /// Every kind.
    pub const ALL: [Self; 5] = [
        Self::Upload,
        Self::Incoming,
        Self::Bucket,
        Self::Source,
        Self::Layer,
    ];

    /// The word in the store, and of metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Upload => "upload",
            Self::Incoming => "incoming",
            Self::Bucket => "bucket",
            Self::Source => "source",
            Self::Layer => "layer",
        }
    }
}

/// Which bound was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StorageBound {
    /// Of all owners together.
    Total,
    Owner,
    /// Of one owner's uploads that nobody has looked at.
    Incoming,
}

/// The refusal to keep more: nothing was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuotaExceeded {
    pub bound: StorageBound,
    /// In bytes.
    pub limit: u64,
}

impl fmt::Display for QuotaExceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = match self.bound {
            StorageBound::Total => "all owners",
            StorageBound::Owner => "the owner",
            StorageBound::Incoming => "the owner's unchecked uploads",
        };
        write!(f, "more than the {} bytes of {of}", self.limit)
    }
}

/// All that is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StorageUsage {
    /// Of all owners, by kind; kinds of which there never was any are left out.
    pub kinds: Vec<(KeptKind, u64)>,
    /// Owners of anything, most first, at most as many as were asked for.
    pub owners: Vec<(OwnerId, u64)>,
}

impl StorageUsage {
    /// Everything.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.kinds.iter().map(|(_, bytes)| bytes).sum()
    }

    /// Of one kind.
    #[must_use]
    pub fn of(&self, kind: KeptKind) -> u64 {
        let found = self.kinds.iter().find(|(known, _)| *known == kind);
        found.map_or(0, |(_, bytes)| *bytes)
    }
}
