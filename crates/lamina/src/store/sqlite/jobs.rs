//! SQL of jobs as the edge sees them: create, read, list, delete.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension as _, named_params, params};

use super::job_cache::JobCache;
use super::kept::{self, Bounded};
use super::known_room::KnownRoom;
use super::rows::{self, JOB_COLUMNS, text, unreadable};
use super::{SqliteStore, ended, sources};
use crate::access::StorageCaps;
use crate::jobs::{JobId, Layer, OwnerId, Phase, UnixMs};
use crate::store::{
    Created, Deletion, Gone, IdempotencyKey, JobRecord, JobStore, KeptBytes as _, KeptKind, Lookup,
    NewJob, StoreError, StoredSource,
};

/// A deleted or expired job keeps no word of its owner's: prompt, URL and error go with the bytes.
pub(super) const FORGET_WORDS: &str = "params = '{}', source_url = null, error_code = null, error = null, input_address = null, input_until = null, \
     webhook_url = null, quality = null, lease_owner = null, lease_until = null, lease_token = lease_token + 1";

/// A job that completed was ended at its engine then; one without a submission that was taken, or may
/// be, never began there.
pub(super) const NOTHING_TO_CANCEL: &str = "phase = 'completed' or not exists
     (select 1 from submissions s where s.job_id = jobs.id and s.state in ('open', 'accepted', 'unknown'))";

pub(super) fn create(
    connection: &Connection,
    job: &NewJob,
    key: Option<&IdempotencyKey>,
    caps: StorageCaps,
    known: &KnownRoom,
) -> Bounded<Created> {
    if let Some(key) = key
        && let Some(seen) = by_key(connection, &job.owner, key)?
    {
        return Ok(Ok(seen));
    }
    if let Some(limit) = job.max_active
        && active(connection, &job.owner)? >= limit
    {
        return Ok(Ok(Created::TooManyJobs { limit }));
    }
    let bytes = match &job.source {
        StoredSource::Stored(info) => info.bytes,
        StoredSource::Url(_) => 0,
    };
    if !known.is_enough_within(&job.owner, bytes, caps)
        && let Err(full) = kept::room(connection, &job.owner, KeptKind::Source, bytes, caps)?
    {
        return Ok(Err(full));
    }
    let params = serde_json::to_string(&job.params)
        .map_err(|error| unreadable("params", &error.to_string()))?;
    let (url, info) = match &job.source {
        StoredSource::Url(url) => (Some(url.as_str()), None),
        StoredSource::Stored(info) => (None, Some(*info)),
    };
    let phase = if job.prepared {
        Phase::Submit
    } else {
        Phase::Prepare
    };
    connection
        .prepare_cached(
            // A write that fails is undone by the writer; an insert that could undo itself would copy each page first.
            "insert or fail into jobs (id, owner, phase, engine, params, source_url, source_media, source_width,
                               source_height, source_bytes, run_at, created_at, expires_at, webhook_url)
             values (:id, :owner, :phase, :engine, :params, :url, :media, :width, :height, :bytes, :due, :now, :expires,
                     coalesce(:webhook, (select url from webhooks where owner = :owner)))",
        )?
        .execute(named_params! {
            ":id": text(job.id),
            ":owner": job.owner.as_str(),
            ":phase": phase.as_str(),
            ":engine": job.engine.as_str(),
            ":params": params,
            ":url": url,
            ":media": info.map(|info| info.media_type.extension()),
            ":width": info.map(|info| info.width),
            ":height": info.map(|info| info.height),
            ":bytes": info.map(|info| info.bytes),
            ":due": job.due_at.0,
            ":now": job.created_at.0,
            ":expires": job.expires_at.0,
            ":webhook": job.webhook_url,
        })?;
    if let Some(bytes) = &job.source_bytes {
        sources::keep(connection, job.id, bytes)?;
    }
    if let Some(key) = key {
        connection
            .prepare_cached(
                "insert into idempotency (owner, key, body_sha256, job_id) values (?1, ?2, ?3, ?4)",
            )?
            .execute(params![
                job.owner.as_str(),
                key.key,
                key.body_sha256,
                text(job.id)
            ])?;
    }
    Ok(Ok(Created::New))
}

fn active(connection: &Connection, owner: &OwnerId) -> rusqlite::Result<u32> {
    connection
        .prepare_cached(
            "select count(*) from jobs where owner = ?1 and phase in ('prepare', 'submit', 'wait', 'collect')",
        )?
        .query_row([owner.as_str()], |row| row.get(0))
}

pub(super) fn by_key(
    connection: &Connection,
    owner: &OwnerId,
    key: &IdempotencyKey,
) -> rusqlite::Result<Option<Created>> {
    connection
        .prepare_cached(
            "select i.body_sha256, j.id, j.phase, j.progress_floor from idempotency i join jobs j on j.id = i.job_id
             where i.owner = ?1 and i.key = ?2",
        )?
        .query_row(params![owner.as_str(), key.key], |row| {
            if row.get_ref("body_sha256")?.as_blob()? != key.body_sha256 {
                return Ok(Created::KeyConflict);
            }
            Ok(Created::Existing {
                id: rows::parsed(row, "id")?,
                phase: rows::phase(row)?,
                resubmitted: row.get::<_, f32>("progress_floor")? > 0.0,
            })
        })
        .optional()
}

/// Like [`get`], and remembers the job for the next reader. The row's version is taken before the
/// row is read, so that a write in between is noticed.
pub(super) fn get_and_keep(
    connection: &Connection,
    owner: &OwnerId,
    id: JobId,
    job_cache: &JobCache,
) -> rusqlite::Result<Lookup> {
    let row = connection
        .prepare_cached("select rowid from jobs where id = ?1")?
        .query_row([text(id)], |row| row.get(0))
        .optional()?;
    let Some(row) = row else {
        return Ok(Lookup::Missing);
    };
    let seen = job_cache.look(row);
    let found = get(connection, owner, id)?;
    if let Lookup::Found(job) = &found {
        job_cache.keep(seen, job);
    }
    Ok(found)
}

fn get(connection: &Connection, owner: &OwnerId, id: JobId) -> rusqlite::Result<Lookup> {
    let sql = const_format(JOB_COLUMNS);
    let found = connection
        .prepare_cached(&sql)?
        .query_row(params![text(id), owner.as_str()], rows::job)
        .optional()?;
    let Some(mut job) = found else {
        return Ok(Lookup::Missing);
    };
    if let Some(gone) = gone(job.phase) {
        return Ok(Lookup::Gone(gone));
    }
    if job.phase == Phase::Completed {
        job.layers = layers(connection, id)?;
    }
    Ok(Lookup::Found(Arc::new(job)))
}

/// Bottom first.
pub(super) fn layers(connection: &Connection, id: JobId) -> rusqlite::Result<Vec<Layer>> {
    connection
        .prepare_cached("select * from layers where job_id = ?1 order by ord")?
        .query_map([text(id)], rows::layer)?
        .collect()
}

fn const_format(columns: &str) -> String {
    format!("select {columns} from jobs where id = ?1 and owner = ?2")
}

pub(super) fn list(
    connection: &Connection,
    owner: &OwnerId,
    cursor: Option<JobId>,
    limit: u32,
) -> rusqlite::Result<Vec<JobRecord>> {
    // Ids are UUIDv7, so their order is the order of creation. '~' sorts after every id.
    let after = cursor.map_or_else(|| "~".to_owned(), text);
    let sql = format!(
        "select {JOB_COLUMNS} from jobs where owner = ?1 and id < ?2 and gone_at is null order by id desc limit ?3"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    statement
        .query_map(params![owner.as_str(), after, limit], rows::job)?
        .collect()
}

pub(super) fn delete(
    connection: &Connection,
    owner: &OwnerId,
    id: JobId,
    now: UnixMs,
) -> rusqlite::Result<Deletion> {
    let sql = format!(
        "update jobs set phase = 'deleted', gone_at = ?3, cancelled_at = iif({NOTHING_TO_CANCEL}, ?3, null), {FORGET_WORDS}
         where id = ?1 and owner = ?2 and gone_at is null
         returning id, owner, engine, created_at, finished_at is not null as was_finished"
    );
    let ended = connection
        .prepare_cached(&sql)?
        .query_row(params![text(id), owner.as_str(), now.0], rows::ended)
        .optional()?;
    if let Some(ended) = ended {
        connection
            .prepare_cached("delete from idempotency where job_id = ?1")?
            .execute([text(id)])?;
        sources::erase(connection, id)?;
        return Ok(Deletion::Done(ended));
    }
    let phase = connection
        .prepare_cached("select phase from jobs where id = ?1 and owner = ?2")?
        .query_row(params![text(id), owner.as_str()], rows::phase)
        .optional()?;
    Ok(phase
        .and_then(gone)
        .map_or(Deletion::Missing, Deletion::Gone))
}

pub(super) fn gone(phase: Phase) -> Option<Gone> {
    match phase {
        Phase::Deleted => Some(Gone::Deleted),
        Phase::Expired => Some(Gone::Expired),
        Phase::Prepare
        | Phase::Submit
        | Phase::Wait
        | Phase::Collect
        | Phase::Completed
        | Phase::Failed => None,
    }
}

#[async_trait]
impl JobStore for SqliteStore {
    async fn job_create(
        &self,
        job: NewJob,
        key: Option<IdempotencyKey>,
    ) -> Result<Created, StoreError> {
        let (caps, known) = (self.storage_caps(), Arc::clone(&self.threads()?.known_room));
        let created = self.write_and_notify(&self.signal.due, move |db| {
            create(db, &job, key.as_ref(), caps, &known)
        });
        Ok(created.await??)
    }

    async fn source_bytes(&self, id: JobId) -> Result<Option<Bytes>, StoreError> {
        self.read(move |db| sources::get(db, id)).await
    }

    async fn job_by_key(
        &self,
        owner: &OwnerId,
        key: &IdempotencyKey,
    ) -> Result<Option<Created>, StoreError> {
        let (owner, key) = (owner.clone(), key.clone());
        self.read(move |db| by_key(db, &owner, &key)).await
    }

    fn job_recent(&self, owner: &OwnerId, id: JobId) -> Option<Arc<JobRecord>> {
        self.threads().ok()?.job_cache.get(owner, id)
    }

    async fn job_get(&self, owner: &OwnerId, id: JobId) -> Result<Lookup, StoreError> {
        let threads = self.threads()?;
        if let Some(job) = threads.job_cache.get(owner, id) {
            return Ok(Lookup::Found(job));
        }
        // All who wait for a job come at once when it was written.
        let _turn = threads.job_cache.turn(id).await;
        if let Some(job) = threads.job_cache.get(owner, id) {
            return Ok(Lookup::Found(job));
        }
        let (owner, job_cache) = (owner.clone(), Arc::clone(&threads.job_cache));
        let work = move |db: &_| get_and_keep(db, &owner, id, &job_cache);
        threads.readers.read(work).await
    }

    async fn job_list(
        &self,
        owner: &OwnerId,
        cursor: Option<JobId>,
        limit: u32,
    ) -> Result<Vec<JobRecord>, StoreError> {
        let owner = owner.clone();
        self.read(move |db| list(db, &owner, cursor, limit)).await
    }

    async fn job_open_list(
        &self,
        owner: &OwnerId,
        after: Option<JobId>,
        limit: u32,
    ) -> Result<Vec<JobId>, StoreError> {
        let owner = owner.clone();
        self.read(move |db| ended::open(db, &owner, after, limit))
            .await
    }

    async fn job_ended_list(
        &self,
        owner: &OwnerId,
        after: i64,
        limit: u32,
    ) -> Result<Vec<(JobId, i64)>, StoreError> {
        let owner = owner.clone();
        self.read(move |db| ended::list(db, &owner, after, limit))
            .await
    }

    async fn job_ended_last(&self, owner: &OwnerId) -> Result<i64, StoreError> {
        let owner = owner.clone();
        self.read(move |db| ended::last(db, &owner)).await
    }

    async fn job_delete(
        &self,
        owner: &OwnerId,
        id: JobId,
        now: UnixMs,
    ) -> Result<Deletion, StoreError> {
        let owner = owner.clone();
        self.forget(Some(&self.signal.erase), move |db| {
            delete(db, &owner, id, now)
        })
        .await
    }
}
