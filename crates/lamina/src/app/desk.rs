//! The operator's desk over the file of a service that is stopped: what `lamina keys` and the like
//! work with then. It owns the file as a service would, so that a service cannot start meanwhile.

use std::sync::Arc;

use super::StartError;
use super::access::key_rules;
use crate::clock::Clock;
use crate::config::Config;
use crate::http::AdminDesk;
use crate::store::Store;
use crate::store::sqlite::SqliteStore;

/// Opens the file, or makes it, so that the first key can be made before the first start.
///
/// # Errors
/// [`StartError::Database`], also where a service has it open.
pub(crate) fn open_desk(config: &Config, clock: Arc<dyn Clock>) -> Result<AdminDesk, StartError> {
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&config.database_path)?);
    Ok(AdminDesk {
        daily_microusd: config.spend.total_microusd,
        ..AdminDesk::alone(store, key_rules(config), clock)
    })
}
