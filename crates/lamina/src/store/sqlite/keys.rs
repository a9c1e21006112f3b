//! SQL of API keys and of owners' limits. No key is ever here, only digests.

use rusqlite::{Connection, Row, params};

use super::rows::{self, time, unreadable};
use crate::access::{KeyDigest, KeyId, OwnerLimits};
use crate::jobs::{OwnerId, UnixMs};
use crate::store::KeyRecord;

const KEY_COLUMNS: &str = "id, owner, sha256, admin, created_at, revoked_at";

pub(super) fn create(
    connection: &Connection,
    key: &KeyRecord,
    limits: OwnerLimits,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "insert into api_keys (id, owner, sha256, admin, created_at) values (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![
            key.id.as_str(),
            key.owner.as_str(),
            key.digest.as_bytes(),
            key.admin,
            key.created_at.0,
        ])?;
    if limits.is_default() {
        return Ok(());
    }
    let before = limits_of(connection, &key.owner)?;
    limit(connection, &key.owner, limits.over(before))
}

pub(super) fn list(connection: &Connection) -> rusqlite::Result<Vec<KeyRecord>> {
    let sql = format!("select {KEY_COLUMNS} from api_keys order by created_at, id");
    connection
        .prepare_cached(&sql)?
        .query_map([], key)?
        .collect()
}

pub(super) fn revoke(
    connection: &Connection,
    id: &KeyId,
    now: UnixMs,
) -> rusqlite::Result<Option<KeyRecord>> {
    let sql = format!(
        "update api_keys set revoked_at = coalesce(revoked_at, ?2) where id = ?1 returning {KEY_COLUMNS}"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut revoked = statement.query_map(params![id.as_str(), now.0], key)?;
    revoked.next().transpose()
}

pub(super) fn owners(connection: &Connection) -> rusqlite::Result<Vec<(OwnerId, OwnerLimits)>> {
    connection
        .prepare_cached(
            "select name, rate, max_jobs, daily_microusd, storage_bytes from owners order by name",
        )?
        .query_map([], |row| {
            let name = OwnerId::named(row.get_ref("name")?.as_str()?);
            Ok((name, limits(row)?))
        })?
        .collect()
}

pub(super) fn limit(
    connection: &Connection,
    owner: &OwnerId,
    limits: OwnerLimits,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "insert into owners (name, rate, max_jobs, daily_microusd, storage_bytes) values (?1, ?2, ?3, ?4, ?5)
             on conflict do update set rate = ?2, max_jobs = ?3, daily_microusd = ?4, storage_bytes = ?5",
        )?
        .execute(params![
            owner.as_str(),
            limits.rate.map(|rate| rate.to_string()),
            limits.max_jobs,
            limits.daily_microusd,
            limits.storage_bytes,
        ])?;
    Ok(())
}

fn limits_of(connection: &Connection, owner: &OwnerId) -> rusqlite::Result<OwnerLimits> {
    let mut statement = connection.prepare_cached(
        "select rate, max_jobs, daily_microusd, storage_bytes from owners where name = ?1",
    )?;
    let mut found = statement.query_map([owner.as_str()], limits)?;
    Ok(found.next().transpose()?.unwrap_or_default())
}

fn limits(row: &Row<'_>) -> rusqlite::Result<OwnerLimits> {
    let rate: Option<String> = row.get("rate")?;
    let rate = rate.map(|text| {
        let parsed = text.parse();
        parsed.map_err(|_| unreadable("rate", &format!("no rate {text:?}")))
    });
    Ok(OwnerLimits {
        rate: rate.transpose()?,
        max_jobs: row.get("max_jobs")?,
        daily_microusd: row.get("daily_microusd")?,
        storage_bytes: row.get("storage_bytes")?,
    })
}

fn key(row: &Row<'_>) -> rusqlite::Result<KeyRecord> {
    let id = rows::word(row, "id", |text| Some(KeyId::named(text)))?;
    Ok(KeyRecord {
        id,
        owner: OwnerId::named(row.get_ref("owner")?.as_str()?),
        digest: KeyDigest::from_bytes(row.get("sha256")?),
        admin: row.get("admin")?,
        created_at: UnixMs(row.get("created_at")?),
        revoked_at: time(row, "revoked_at")?,
    })
}
