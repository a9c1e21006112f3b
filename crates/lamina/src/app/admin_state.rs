//! What the operator's routes are given over the file of a service that is stopped: what `lamina keys` and the like
//! work with then. It owns the file as a service would, so that a service cannot start meanwhile.

use std::sync::Arc;

use super::StartError;
use super::access::key_rules;
use crate::clock::Clock;
use crate::config::Config;
use crate::http::AdminState;
use crate::store::Store;
use crate::store::sqlite::{SqliteStore, present};

/// What becomes of a question when there is no file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Absent {
    /// It is refused, and nothing is made: an answer about nothing would mislead.
    Refuse,
    /// The file is made, so that the first key can be made before the first start.
    Make,
}

/// Opens the file.
///
/// # Errors
/// [`StartError::Database`], also where a service has it open.
pub(crate) fn open_admin_state(
    config: &Config,
    absent: Absent,
    clock: Arc<dyn Clock>,
) -> Result<AdminState, StartError> {
    if absent == Absent::Refuse {
        present(&config.database_path)?;
    }
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&config.database_path)?);
    Ok(AdminState {
        daily_microusd: config.spend.total_microusd,
        ..AdminState::alone(store, key_rules(config), clock)
    })
}
