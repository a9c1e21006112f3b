//! Why the store could not do something. A lost lease or a missing row is not an error; those are
//! ordinary answers of the methods that meet them.

use super::QuotaExceeded;

/// An error of the store.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// The disk is full; it passes when something was erased.
    #[error("the disk is full: {0}")]
    Full(String),
    /// The file is damaged, or is no database any more; only the operator can help.
    #[error("the database file is damaged: {0}; stop the service and restore a backup")]
    Damaged(String),
    /// The file is read-only or the database is locked; it may pass.
    #[error("the database cannot write now: {0}")]
    Unavailable(String),
    /// A statement failed, or a row does not hold what it must; a defect.
    #[error("the database failed: {0}")]
    Defect(String),
    /// More would be kept than may be; nothing was written.
    #[error("no room: {0}")]
    QuotaExceeded(QuotaExceeded),
    /// The store was closed.
    #[error("the database is closed")]
    Closed,
}

impl StoreError {
    /// Whether the same call may succeed later.
    #[must_use]
    pub const fn is_temporary(&self) -> bool {
        match self {
            Self::Full(_) | Self::Unavailable(_) | Self::Closed => true,
            Self::Damaged(_) | Self::Defect(_) | Self::QuotaExceeded(_) => false,
        }
    }
}

impl From<QuotaExceeded> for StoreError {
    fn from(full: QuotaExceeded) -> Self {
        Self::QuotaExceeded(full)
    }
}
