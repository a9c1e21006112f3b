//! SQL of the ledger of spending: one row for each day, owner and engine, kept by triggers of the
//! schema (`0003_accounts.sql`), so that it is true whatever statement writes a submission.

use rusqlite::{Connection, OptionalExtension as _, named_params, params};

use super::rows::text;
use crate::access::{SpendCaps, UtcDay};
use crate::jobs::{Moment, Nonce, OwnerId, UnixMs};
use crate::store::{Call, Lease, Opening, OwnerUsage};

/// Opens a submission, if its lease holds and both caps leave room for its price. Whoever runs this
/// holds the only transaction that writes, so nothing comes between the sum and the insert.
pub(super) fn open(
    connection: &Connection,
    lease: &Lease,
    nonce: &Nonce,
    call: &Call,
    caps: SpendCaps,
    moment: Moment,
) -> rusqlite::Result<Opening> {
    let opened = connection
        .prepare_cached(
            "insert into submissions (nonce, job_id, owner, engine, state, price_microusd, repeatable, opened_at, waits_since, place)
             select :nonce, j.id, j.owner, j.engine, 'open', :price, :repeatable, :wall, :now, :place
             from jobs j left join owners o on o.name = j.owner
             where j.id = :job and j.lease_token = :token and j.lease_owner is not null
               and (:price = 0
                    or (:price + (select coalesce(sum(microusd), 0) from spending_days where day = :day)
                            <= :total_cap
                        and :price + (select coalesce(sum(microusd), 0) from spending
                                      where day = :day and owner = j.owner)
                            <= coalesce(o.daily_microusd, :owner_cap)))",
        )?
        .execute(named_params! {
            ":nonce": nonce.as_str(),
            ":price": whole(call.price_microusd),
            ":place": call.place,
            ":repeatable": call.repeatable,
            ":now": moment.now.0,
            ":wall": moment.wall.0,
            ":job": text(lease.job),
            ":token": lease.token,
            ":day": UtcDay::of(moment.wall).0,
            ":total_cap": bound(caps.total_microusd),
            ":owner_cap": bound(caps.owner_microusd),
        })?;
    if opened == 1 {
        return Ok(Opening::Opened);
    }
    let leased: Option<i64> = connection
        .prepare_cached(
            "select 1 from jobs where id = ?1 and lease_token = ?2 and lease_owner is not null",
        )?
        .query_row(params![text(lease.job), lease.token], |row| row.get(0))
        .optional()?;
    Ok(leased.map_or(Opening::LostLease, |_| Opening::CapReached))
}

/// Whether [`open`] would leave room for such a price now.
pub(super) fn affordable(
    connection: &Connection,
    owner: &OwnerId,
    price_microusd: u64,
    caps: SpendCaps,
    now: UnixMs,
) -> rusqlite::Result<bool> {
    let day = UtcDay::of(now);
    let spent = usage(connection, owner, day)?;
    let own_cap: Option<u64> = connection
        .prepare_cached("select daily_microusd from owners where name = ?1")?
        .query_row([owner.as_str()], |row| row.get(0))
        .optional()?
        .flatten();
    let fits = |spent: u64, cap: Option<u64>| {
        cap.is_none_or(|cap| spent.saturating_add(price_microusd) <= cap)
    };
    Ok(price_microusd == 0
        || (fits(spent.total_microusd, caps.total_microusd)
            && fits(spent.owner_microusd, own_cap.or(caps.owner_microusd))))
}

pub(super) fn usage(
    connection: &Connection,
    owner: &OwnerId,
    day: UtcDay,
) -> rusqlite::Result<OwnerUsage> {
    let mut statement = connection.prepare_cached(
        "select (select count(*) from jobs
                 where owner = ?1 and phase in ('prepare', 'submit', 'wait', 'collect')),
                (select coalesce(sum(microusd), 0) from spending where day = ?2 and owner = ?1),
                (select coalesce(sum(microusd), 0) from spending_days where day = ?2)",
    )?;
    statement.query_row(params![owner.as_str(), day.0], |row| {
        Ok(OwnerUsage {
            active_jobs: row.get(0)?,
            owner_microusd: row.get(1)?,
            total_microusd: row.get(2)?,
        })
    })
}

/// No cap is one that no sum reaches.
fn bound(cap: Option<u64>) -> i64 {
    cap.map_or(i64::MAX, whole)
}

fn whole(microusd: u64) -> i64 {
    i64::try_from(microusd).unwrap_or(i64::MAX)
}
