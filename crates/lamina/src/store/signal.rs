//! Wake-ups from the store to the worker. A signal gives speed, polling gives certainty: whoever
//! waits registers before it queries, so that a wake-up between query and wait is not lost.

use std::sync::Arc;

use tokio::sync::Notify;

/// Three notifications: for work that became due, for bytes that became erasable, for webhooks.
#[derive(Clone, Debug, Default)]
pub struct Signal {
    /// A job can be claimed.
    pub due: Arc<Notify>,
    /// A job or upload can be erased.
    pub erase: Arc<Notify>,
    /// A webhook can be delivered.
    pub deliver: Arc<Notify>,
}
