//! Which deployment a database belongs to, and whether its journal is clean. A part of
//! [`super::Store`], with a file of its own because it is about the database and not about jobs.

use async_trait::async_trait;

use super::StoreError;
use crate::jobs::UnixMs;

/// What a database says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployment {
    /// Made with the database, and never changed.
    pub id: String,
    /// The last time that was written into it, for comparison with what its storage was told.
    pub seen_at: UnixMs,
    /// What its storage holds and was made before this, and no row names, may be swept although it
    /// looks like another database's: the operator said so.
    pub adopted_at: UnixMs,
    /// The newest job or upload in it, in its kind's own words; only for comparing.
    pub newest: Option<String>,
    /// Whether there is any job or upload in it.
    pub has_rows: bool,
}

/// The database as a whole.
#[async_trait]
pub trait DeploymentStore: std::fmt::Debug + Send + Sync {
    /// Which deployment it is.
    async fn deployment(&self) -> Result<Deployment, StoreError>;
    /// Writes that the database was there at `now`; never goes back. What the storage is told must
    /// have been written here before.
    async fn deployment_seen(&self, now: UnixMs) -> Result<(), StoreError>;
    /// The operator says that the storage is this database's, as it was at `now`.
    async fn deployment_adopted(&self, now: UnixMs) -> Result<(), StoreError>;
    /// Brings all that was committed into the database file and empties the journal, where words of
    /// jobs that are gone can be read until then. False when a reader is in the way; try again later.
    async fn journal_empty(&self) -> Result<bool, StoreError>;
}
