//! SQL of outgoing webhooks. Deliveries are made by triggers (`migrations/0014_webhooks.sql`); here they are found,
//! noted and shown.

use async_trait::async_trait;
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::SqliteStore;
use super::rows::{id_list, parsed, text};
use crate::access::HookSecret;
use crate::jobs::{JobId, OwnerId, UnixMs};
use crate::store::{
    Attempt, Delivery, DeliveryState, HookSettings, HookStore, HooksWaiting, StoreError,
};

/// How long a delivery that is replayed is tried.
const REPLAY_MS: i64 = 24 * 3600 * 1000;

fn settings(
    connection: &Connection,
    owner: &OwnerId,
    fresh: HookSecret,
) -> rusqlite::Result<HookSettings> {
    connection
        .prepare_cached(
            "insert into webhooks (owner, secret) values (?1, ?2) on conflict do nothing",
        )?
        .execute(params![owner.as_str(), fresh.as_bytes()])?;
    known(connection, owner)?.ok_or(rusqlite::Error::QueryReturnedNoRows)
}

fn known(connection: &Connection, owner: &OwnerId) -> rusqlite::Result<Option<HookSettings>> {
    connection
        .prepare_cached("select url, secret, old_secret, old_until from webhooks where owner = ?1")?
        .query_row([owner.as_str()], |row| {
            let old: Option<[u8; 32]> = row.get("old_secret")?;
            let until: Option<i64> = row.get("old_until")?;
            Ok(HookSettings {
                url: row.get("url")?,
                secret: HookSecret::kept(row.get("secret")?),
                old: old.map(HookSecret::kept).zip(until.map(UnixMs)),
            })
        })
        .optional()
}

fn address(
    connection: &Connection,
    owner: &OwnerId,
    url: Option<&str>,
    fresh: HookSecret,
) -> rusqlite::Result<HookSettings> {
    settings(connection, owner, fresh)?;
    connection
        .prepare_cached("update webhooks set url = ?2 where owner = ?1")?
        .execute(params![owner.as_str(), url])?;
    settings(connection, owner, fresh)
}

fn rotate(
    connection: &Connection,
    owner: &OwnerId,
    fresh: HookSecret,
    old_until: UnixMs,
) -> rusqlite::Result<HookSettings> {
    settings(connection, owner, fresh)?;
    connection
        .prepare_cached(
            "update webhooks set old_secret = secret, old_until = ?3, secret = ?2 where owner = ?1",
        )?
        .execute(params![owner.as_str(), fresh.as_bytes(), old_until.0])?;
    settings(connection, owner, fresh)
}

fn due(
    connection: &Connection,
    now: UnixMs,
    limit: u32,
    except: &str,
    crowded: &str,
) -> rusqlite::Result<Vec<Delivery>> {
    connection
        .prepare_cached(
            "with recursive owners (owner) as (
                 select min(owner) from deliveries where state = 'due'
                 union all
                 select (select min(owner) from deliveries where state = 'due' and owner > owners.owner)
                 from owners where owner is not null
             )
             select d.* from owners join deliveries d on d.number in (
                 select number from deliveries o
                 where o.owner = owners.owner and o.state = 'due' and o.due_at <= ?1
                     and o.id not in (select value from json_each(?3))
                     and not exists (select 1 from deliveries e
                         where e.job_id = o.job_id and e.number < o.number and e.state = 'due')
                 order by o.due_at limit ?2)
             where owners.owner is not null and owners.owner not in (select value from json_each(?4))
             order by d.due_at limit ?2",
        )?
        .query_map(params![now.0, limit, except, crowded], delivery)?
        .collect()
}

fn tried(connection: &Connection, id: &str, attempt: &Attempt) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "update deliveries set state = ?2, due_at = ?3, tried_at = ?4, status = ?5, error = ?6, attempts = attempts + 1
             where id = ?1 and state = 'due'",
        )?
        .execute(params![
            id,
            attempt.state.as_str(),
            attempt.due_at.0,
            attempt.tried_at.0,
            attempt.status,
            attempt.error
        ])?;
    if attempt.unsubscribes {
        connection
            .prepare_cached(
                "update webhooks set url = null
                 where (owner, url) in (select owner, url from deliveries where id = ?1)",
            )?
            .execute([id])?;
    }
    Ok(())
}

fn list(
    connection: &Connection,
    owner: &OwnerId,
    job: Option<JobId>,
    cursor: Option<&str>,
    limit: u32,
) -> rusqlite::Result<Vec<Delivery>> {
    connection
        .prepare_cached(
            "select * from deliveries where owner = ?1 and (?2 is null or job_id = ?2)
                 and (?3 is null or number < (select number from deliveries where owner = ?1 and id = ?3))
             order by number desc limit ?4",
        )?
        .query_map(params![owner.as_str(), job.map(text), cursor, limit], delivery)?
        .collect()
}

fn waiting(connection: &Connection) -> rusqlite::Result<HooksWaiting> {
    connection
        .prepare_cached(
            "select count(*), min(created_at) from (select created_at from deliveries where state = 'due' limit 100000)",
        )?
        .query_row([], |row| {
            Ok(HooksWaiting {
                deliveries: row.get(0)?,
                oldest: row.get::<_, Option<i64>>(1)?.map(UnixMs),
            })
        })
}

fn addresses(connection: &Connection) -> rusqlite::Result<Vec<(OwnerId, String)>> {
    connection
        .prepare_cached("select owner, url from webhooks where url is not null order by owner")?
        .query_map([], |row| {
            Ok((
                OwnerId::named(row.get_ref("owner")?.as_str()?),
                row.get("url")?,
            ))
        })?
        .collect()
}

fn get(connection: &Connection, owner: &OwnerId, id: &str) -> rusqlite::Result<Option<Delivery>> {
    connection
        .prepare_cached("select * from deliveries where owner = ?1 and id = ?2")?
        .query_row(params![owner.as_str(), id], delivery)
        .optional()
}

fn replay(
    connection: &Connection,
    owner: &OwnerId,
    id: &str,
    now: UnixMs,
) -> rusqlite::Result<Option<Delivery>> {
    connection
        .prepare_cached(
            "update deliveries set state = 'due', due_at = ?3, until = max(until, ?4), attempts = 0, error = null
             where owner = ?1 and id = ?2",
        )?
        .execute(params![owner.as_str(), id, now.0, now.0 + REPLAY_MS])?;
    get(connection, owner, id)
}

fn delivery(row: &Row<'_>) -> rusqlite::Result<Delivery> {
    let time = |name: &str| row.get::<_, i64>(name).map(UnixMs);
    let state = match row.get_ref("state")?.as_str()? {
        "due" => DeliveryState::Due,
        "delivered" => DeliveryState::Delivered,
        "given_up" => DeliveryState::GivenUp,
        other => {
            let error = format!("{other} is no state of a delivery");
            return Err(rusqlite::Error::FromSqlConversionFailure(
                0,
                Type::Text,
                error.into(),
            ));
        }
    };
    Ok(Delivery {
        id: row.get("id")?,
        job: parsed(row, "job_id")?,
        owner: OwnerId::named(row.get_ref("owner")?.as_str()?),
        event: row.get("event")?,
        url: row.get("url")?,
        body: row.get("body")?,
        created_at: time("created_at")?,
        until: time("until")?,
        state,
        attempts: row.get("attempts")?,
        due_at: time("due_at")?,
        tried_at: row.get::<_, Option<i64>>("tried_at")?.map(UnixMs),
        status: row.get("status")?,
        error: row.get("error")?,
    })
}

#[async_trait]
impl HookStore for SqliteStore {
    async fn hook_settings(
        &self,
        owner: &OwnerId,
        fresh: HookSecret,
    ) -> Result<HookSettings, StoreError> {
        // Asked before every attempt, and written once.
        let of = owner.clone();
        if let Some(known) = self.read(move |db| known(db, &of)).await? {
            return Ok(known);
        }
        let owner = owner.clone();
        self.write(move |db| settings(db, &owner, fresh)).await
    }

    async fn hook_address(
        &self,
        owner: &OwnerId,
        url: Option<String>,
        fresh: HookSecret,
    ) -> Result<HookSettings, StoreError> {
        let owner = owner.clone();
        self.write(move |db| address(db, &owner, url.as_deref(), fresh))
            .await
    }

    async fn hook_rotate(
        &self,
        owner: &OwnerId,
        fresh: HookSecret,
        old_until: UnixMs,
    ) -> Result<HookSettings, StoreError> {
        let owner = owner.clone();
        self.write(move |db| rotate(db, &owner, fresh, old_until))
            .await
    }

    async fn delivery_due(
        &self,
        now: UnixMs,
        limit: u32,
        except: &[String],
        crowded: &[OwnerId],
    ) -> Result<Vec<Delivery>, StoreError> {
        let except = serde_json::to_string(except).unwrap_or_else(|_| "[]".to_owned());
        let crowded = id_list(crowded);
        self.read(move |db| due(db, now, limit, &except, &crowded))
            .await
    }

    async fn delivery_waiting(&self) -> Result<HooksWaiting, StoreError> {
        self.read(waiting).await
    }

    async fn hook_addresses(&self) -> Result<Vec<(OwnerId, String)>, StoreError> {
        self.read(addresses).await
    }

    async fn delivery_tried(&self, id: &str, attempt: Attempt) -> Result<(), StoreError> {
        let id = id.to_owned();
        self.write(move |db| tried(db, &id, &attempt)).await
    }

    async fn delivery_list(
        &self,
        owner: &OwnerId,
        job: Option<JobId>,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Delivery>, StoreError> {
        let (owner, cursor) = (owner.clone(), cursor.map(str::to_owned));
        self.read(move |db| list(db, &owner, job, cursor.as_deref(), limit))
            .await
    }

    async fn delivery_get(
        &self,
        owner: &OwnerId,
        id: &str,
    ) -> Result<Option<Delivery>, StoreError> {
        let (owner, id) = (owner.clone(), id.to_owned());
        self.read(move |db| get(db, &owner, &id)).await
    }

    async fn delivery_replay(
        &self,
        owner: &OwnerId,
        id: &str,
        now: UnixMs,
    ) -> Result<Option<Delivery>, StoreError> {
        let (owner, id) = (owner.clone(), id.to_owned());
        let wake = &self.signal.deliver;
        self.write_and_notify(wake, move |db| replay(db, &owner, &id, now))
            .await
    }
}
