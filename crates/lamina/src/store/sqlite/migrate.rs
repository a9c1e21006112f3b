//! Brings a database file to this binary's schema. Forward only; see `migrations/README.md`.

use rusqlite::Connection;

use super::OpenError;

/// In order; the place in the list, counted from one, is the schema's number.
const MIGRATIONS: &[&str] = &[
    include_str!("../../../migrations/0001_jobs.sql"),
    include_str!("../../../migrations/0002_incoming.sql"),
    include_str!("../../../migrations/0003_accounts.sql"),
    include_str!("../../../migrations/0004_account.sql"),
    include_str!("../../../migrations/0005_fair_queue.sql"),
    include_str!("../../../migrations/0006_kept.sql"),
    include_str!("../../../migrations/0007_submissions.sql"),
    include_str!("../../../migrations/0008_deployment.sql"),
    include_str!("../../../migrations/0009_words.sql"),
    include_str!("../../../migrations/0010_engine_facts.sql"),
    include_str!("../../../migrations/0011_places.sql"),
    include_str!("../../../migrations/0012_sources.sql"),
    include_str!("../../../migrations/0013_ended.sql"),
    include_str!("../../../migrations/0014_webhooks.sql"),
    include_str!("../../../migrations/0015_failed.sql"),
    include_str!("../../../migrations/0016_fair_webhooks.sql"),
    include_str!("../../../migrations/0017_steps.sql"),
    include_str!("../../../migrations/0018_layer_variants.sql"),
    include_str!("../../../migrations/0019_quality.sql"),
    include_str!("../../../migrations/0020_resolution.sql"),
];

/// The number of the newest schema this binary knows.
pub const NEWEST: usize = MIGRATIONS.len();

/// Applies what is missing and returns how many migrations that were.
pub(super) fn migrate(connection: &mut Connection) -> Result<usize, OpenError> {
    let found: usize =
        connection.query_row("select user_version from pragma_user_version", [], |row| {
            row.get(0)
        })?;
    if found > NEWEST {
        return Err(OpenError::TooNew {
            found,
            known: NEWEST,
        });
    }
    for (index, sql) in MIGRATIONS.iter().enumerate().skip(found) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(sql)?;
        transaction.pragma_update(None, "user_version", index + 1)?;
        transaction.commit()?;
    }
    Ok(NEWEST - found)
}
