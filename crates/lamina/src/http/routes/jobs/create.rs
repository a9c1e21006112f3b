//! `POST /api/jobs`: a body to a durable job. The answer is given after the job, its source and
//! its idempotency record survive power loss; a picture behind a URL is fetched later, by the
//! worker.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::response::Response;

use super::admission::admit;
use super::created::{Answered, Reply};
use super::own_link::{self, AskedAt};
use super::response_cache::ResponseCache;
use super::source;
use super::view::{JobAccepted, JobView};
use crate::http::answer::error::ApiError;
use crate::http::answer::json::require_json;
use crate::http::extract::caller::Allowance;
use crate::http::receive::body::{Meter, MeteredBody};
use crate::http::receive::disk_room;
use crate::http::receive::spool::{SpoolWriter, Spooled};
use crate::http::receive::upload_capacity::UploadCapacity;
use crate::http::state::ApiState;
use crate::http::state::api_keys::Account;
use crate::http::state::event_places::EventPlaces;
use crate::jobs::{HookAddress, JobId, JobSpec, Moment, OwnerId, SourceInput};
use crate::store::{Created, IdempotencyKey, NewJob, StoreError, StoredSource};
use crate::trace;

/// Creates a job.
#[utoipa::path(
    post,
    path = "/api/jobs",
    tag = "jobs",
    operation_id = "create_job",
    params(
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 255 visible ASCII characters. The same key with the same body gives the same job again"),
        ("Prefer" = Option<String>, Header, description = "`wait=N`: answer when the job has ended, or after N seconds, at most 60"),
    ),
    request_body(content = crate::http::routes::openapi::CreateJob, content_type = "application/json"),
    responses(
        (status = 200, description = "With `Prefer: wait`: the job, which has ended. `Location`, `ETag` and `Preference-Applied` as with 202", body = JobView),
        (status = 202, description = "Accepted; `Location` is the job. With `Prefer: wait` the whole job, which has not ended by then, and `Preference-Applied`; without that header no place to wait was free", body = JobAccepted),
        (status = 400, description = "`invalid_json`, `invalid_idempotency_key`, `body_incomplete` or `content_encoding_invalid`"),
        (status = 401, description = "`unauthorized`"),
        (status = 402, description = "`spend_limit_reached`, with `Retry-After`"),
        (status = 403, description = "`origin_not_allowed`, or `link_invalid` of an `image_url` that is a link of this server"),
        (status = 408, description = "`request_timeout`"),
        (status = 409, description = "`upload_pending`"),
        (status = 410, description = "`job_deleted` or `job_expired`: the key's job was there; `link_expired` or `file_gone` of an `image_url` that is a link of this server"),
        (status = 413, description = "`body_too_large` or `image_too_many_bytes`"),
        (status = 415, description = "`unsupported_media_type`, `content_encoding_unsupported`, `image_unrecognised`, `image_format_unsupported` or `image_variant_unsupported`"),
        (status = 421, description = "`host_not_allowed`"),
        (status = 422, description = "`invalid_fields`, `upload_not_found`, `engine_not_configured`, `idempotency_key_reused`, `image_empty`, `image_too_large`, `image_too_small`, `image_truncated`, `image_corrupt`, `image_too_complex` or `image_base64_invalid`"),
        (status = 429, description = "`rate_limited` or `too_many_jobs`, with `Retry-After`"),
        (status = 500, description = "`storage_refused`: the bucket refuses the server's key"),
        (status = 503, description = "`server_busy` or `storage_unavailable`, with `Retry-After`"),
        (status = 507, description = "`storage_full` (with `Retry-After`), `storage_quota_exceeded` or `storage_limit_reached`"),
    )
)]
pub(in crate::http) async fn create_job(
    State(state): State<Arc<ApiState>>,
    State(capacity): State<UploadCapacity>,
    State(cache): State<Arc<ResponseCache>>,
    State(places): State<EventPlaces>,
    Allowance(account): Allowance,
    request: Request,
) -> Result<Response, ApiError> {
    let (parts, body) = request.into_parts();
    require_json(&parts.headers)?;
    let key = idempotency_key(&parts.headers)?;
    let asked = AskedAt::of(&parts.uri, &parts.headers);
    let reply = Reply::to(&parts, &state, &cache, &places, &account.owner)?;
    let _room = disk_room::for_body(&state, &body, state.limits.json_bytes)?;
    let body = receive(&state, body, key.is_some()).await?;
    let key = key
        .zip(body.sha256)
        .map(|(key, body_sha256)| IdempotencyKey { key, body_sha256 });
    if let Some(key) = &key
        && let Some(seen) = state.store.job_by_key(&account.owner, key).await?
    {
        return reply.answer(Answered::of(seen, None)?).await;
    }
    let (created, id) = create(&state, &capacity, &account, &asked, body, key).await?;
    reply.answer(Answered::of(created, Some(id))?).await
}

/// Everything after the body is there and its key is known to be new.
async fn create(
    state: &ApiState,
    capacity: &UploadCapacity,
    account: &Arc<Account>,
    asked: &AskedAt,
    body: Spooled,
    key: Option<IdempotencyKey>,
) -> Result<(Created, JobId), ApiError> {
    let capacity = &capacity.of(&account.owner);
    let mut place = None;
    if body.in_memory().is_none() {
        place = Some(capacity.enter(body.len).await?);
    }
    let spec = parse(state, &account.owner, body).await?;
    let engine = state.engines.choose(spec.engine)?;
    admit(state, account, engine).await?;
    let owner = account.owner.clone();
    let Moment {
        now: due_at,
        wall: now,
    } = state.clock.moment();
    let id = JobId::new(now);
    let link = match &spec.source {
        SourceInput::Url(url) => own_link::recognise(state, asked, url)?,
        SourceInput::Base64(_) | SourceInput::Upload(_) => None,
    };
    let source = match link {
        Some(link) => {
            drop(place);
            source::of_link(state, capacity, &owner, id, link).await?
        }
        None => source::of_spec(state, capacity, place, &owner, id, spec.source).await?,
    };
    let has_blob = source.is_blob();
    let prepared = match &source.stored {
        StoredSource::Stored(info) => state.engines.takes(engine, info),
        StoredSource::Url(_) => false,
    };
    let job = NewJob {
        id,
        owner,
        engine,
        params: spec.params,
        source: source.stored,
        source_bytes: source.in_row,
        prepared,
        created_at: now,
        due_at,
        expires_at: now.plus(state.job_ttl),
        max_active: account.max_jobs,
        webhook_url: spec.webhook_url.map(HookAddress::into_text),
    };
    let owner = job.owner.clone();
    let created = state.store.job_create(job, key).await;
    drop(source.held);
    if let Err(StoreError::QuotaExceeded(_)) = created
        && has_blob
    {
        // What cannot be erased now has no job, so maintenance finds it.
        let _ = state.blobs.erase_job(id).await;
    }
    let created = created?;
    if created == Created::New {
        tracing::info!(job = %id, %owner, engine = engine.as_str(), "job created");
        state.metrics.jobs.created(engine);
        trace::link(id);
    }
    if has_blob && created != Created::New {
        // Another request with the same key was first, or others took the last places. What cannot
        // be erased now has no job, so maintenance finds it.
        let _ = state.blobs.erase_job(id).await;
    }
    Ok((created, id))
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let Some(value) = headers.get("idempotency-key") else {
        return Ok(None);
    };
    let text = value
        .to_str()
        .map_err(|_| ApiError::InvalidIdempotencyKey)?;
    let visible = text.bytes().all(|letter| letter.is_ascii_graphic());
    if visible && (1..=255).contains(&text.len()) {
        Ok(Some(text.to_owned()))
    } else {
        Err(ApiError::InvalidIdempotencyKey)
    }
}

async fn receive(state: &ApiState, body: Body, hash: bool) -> Result<Spooled, ApiError> {
    let limits = &state.limits;
    let meter = Meter {
        bytes: limits.json_bytes,
        idle: None,
        total: limits.json_total,
    };
    let mut body = MeteredBody::new(body, meter)?.counted(&state.metrics.requests);
    let mut spool = SpoolWriter::new(&state.spool, limits.memory_bytes, &state.bodies);
    if hash {
        spool = spool.hashing();
    }
    while let Some(chunk) = body.next().await? {
        spool.write(&chunk).await?;
    }
    Ok(spool.finish().await?)
}

async fn parse(state: &ApiState, owner: &OwnerId, body: Spooled) -> Result<JobSpec, ApiError> {
    if let Some(bytes) = body.in_memory() {
        return Ok(JobSpec::parse(bytes)?);
    }
    let work = move || Ok(JobSpec::parse(&body.load()?)?);
    state.pool.of(owner).run(1, work).await?
}
