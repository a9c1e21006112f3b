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
    include_str!("../../../migrations/0021_sources_in_order.sql"),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_of_an_older_schema_are_kept_and_go_with_their_jobs() {
        let mut db = Connection::open_in_memory().unwrap();
        db.pragma_update(None, "foreign_keys", "on").unwrap();
        for sql in &MIGRATIONS[..20] {
            db.execute_batch(sql).unwrap();
        }
        db.pragma_update(None, "user_version", 20).unwrap();
        db.execute_batch(
            "insert into jobs (id, owner, phase, engine, params, source_media, run_at, created_at, expires_at)
             values ('a', 'o', 'submit', 'fal', '{}', 'png', 1, 1, 1), ('b', 'o', 'submit', 'fal', '{}', 'png', 1, 1, 1);
             insert into sources values ('a', x'0102'), ('b', x'03')",
        )
        .unwrap();
        assert_eq!(migrate(&mut db).unwrap(), NEWEST - 20);
        db.execute("delete from jobs where id = 'b'", []).unwrap();
        let mut kept = db.prepare("select job_id, bytes from sources").unwrap();
        let kept = kept.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
        let kept: Vec<(String, Vec<u8>)> = kept.unwrap().map(|row| row.unwrap()).collect();
        assert_eq!(kept, [("a".to_owned(), vec![1, 2])]);
    }
}
