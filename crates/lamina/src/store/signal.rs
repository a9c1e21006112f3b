//! Wake-ups from the store to the worker. A signal gives speed, polling gives certainty: whoever
//! waits registers before it queries, so that a wake-up between query and wait is not lost.

use std::sync::Arc;

use tokio::sync::Notify;

/// Two notifications: one for work that became due, one for bytes that became erasable.
#[derive(Clone, Debug, Default)]
pub struct Signal {
    /// A job can be claimed.
    pub due: Arc<Notify>,
    /// A job or upload can be erased.
    pub erase: Arc<Notify>,
}
