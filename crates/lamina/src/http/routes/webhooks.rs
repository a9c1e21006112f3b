//! `/api/webhooks`: where an owner's jobs are told, what signs that, and what became of each delivery. It delivers
//! nothing; the worker does.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::Serialize;

use crate::access::HookSecret;
use crate::http::answer::error::ApiError;
use crate::http::answer::json::{fresh, require_json};
use crate::http::extract::caller::Caller;
use crate::http::extract::path::Segments;
use crate::http::extract::query::{AGAIN, parameters};
use crate::http::state::ApiState;
use crate::jobs::{FieldError, HookAddress, JobId, UnixMs};
use crate::store::{Delivery, HookSettings};

/// How long the secret before signs as well.
const OLD_SECRET: Duration = Duration::from_secs(24 * 3600);
/// Deliveries of a page, by default and at the most.
const LISTED: u32 = 100;

/// An owner's webhooks.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Webhooks)]
pub(in crate::http) struct HooksView {
    /// Told of jobs that name no `webhook_url` of their own.
    #[schema(required = true, format = "uri")]
    url: Option<String>,
    /// What signs deliveries, by Standard Webhooks.
    #[schema(example = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD")]
    secret: String,
    /// Until when the secret before signs as well; null when there is none.
    #[schema(value_type = Option<String>, format = DateTime, required = true)]
    old_secret_until: Option<UnixMs>,
}

/// The body of `PUT /api/webhooks`.
#[derive(serde::Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(
    dead_code,
    reason = "a description; HookAddress::parse_body reads the body"
)]
pub(in crate::http) struct SetWebhooks {
    /// Null for none.
    #[schema(required = true, format = "uri")]
    url: Option<String>,
}

/// One event to one receiver.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Delivery)]
pub(in crate::http) struct DeliveryView {
    /// The header `webhook-id`; the same at every attempt.
    id: String,
    /// The job.
    #[schema(value_type = uuid::Uuid)]
    job_id: JobId,
    /// `job.completed`, `job.failed` or `job.expired`.
    event: String,
    #[schema(format = "uri")]
    url: String,
    /// `due`, `delivered` or `given_up`.
    state: &'static str,
    attempts: u32,
    /// What was answered last; null where nothing was.
    #[schema(required = true)]
    status: Option<u16>,
    /// Why nothing was answered, or why it is not tried again, as a stable word.
    #[schema(required = true)]
    error: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    created_at: UnixMs,
    #[schema(value_type = Option<String>, format = DateTime, required = true)]
    tried_at: Option<UnixMs>,
    /// When it is tried next; null unless due.
    #[schema(value_type = Option<String>, format = DateTime, required = true)]
    next_at: Option<UnixMs>,
}

/// Deliveries.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(in crate::http) struct DeliveryList {
    /// Newest first.
    deliveries: Vec<DeliveryView>,
    /// Give it as `cursor` for the next page; null on the last one.
    #[schema(required = true)]
    next_cursor: Option<String>,
}

/// The caller's webhooks.
#[utoipa::path(
    get,
    path = "/api/webhooks",
    tag = "webhooks",
    operation_id = "get_webhooks",
    responses(
        (status = 200, description = "The address and the secret, which is made at the first look", body = HooksView),
        (status = 401, description = "`unauthorized`"),
        (status = 421, description = "`host_not_allowed`"),
        (status = 429, description = "`rate_limited`, with `Retry-After`"),
    )
)]
pub(in crate::http) async fn get_webhooks(
    State(state): State<Arc<ApiState>>,
    Caller(owner): Caller,
) -> Result<Response, ApiError> {
    let fresh_secret = HookSecret::random();
    let settings = state.store.hook_settings(&owner, fresh_secret).await?;
    fresh(StatusCode::OK, &HooksView::of(&state, &settings))
}

/// Sets where jobs are told that name no address of their own.
#[utoipa::path(
    put,
    path = "/api/webhooks",
    tag = "webhooks",
    operation_id = "set_webhooks",
    request_body(content = SetWebhooks, content_type = "application/json"),
    responses(
        (status = 200, description = "As it is now", body = HooksView),
        (status = 400, description = "`invalid_json`"),
        (status = 401, description = "`unauthorized`"),
        (status = 403, description = "`origin_not_allowed`"),
        (status = 415, description = "`unsupported_media_type`"),
        (status = 421, description = "`host_not_allowed`"),
        (status = 422, description = "`invalid_fields`"),
        (status = 429, description = "`rate_limited`, with `Retry-After`"),
    )
)]
pub(in crate::http) async fn set_webhooks(
    State(state): State<Arc<ApiState>>,
    Caller(owner): Caller,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, ApiError> {
    require_json(&headers)?;
    let url = HookAddress::parse_body(&body)?.map(HookAddress::into_text);
    let settings = state.store.hook_address(&owner, url, HookSecret::random());
    fresh(StatusCode::OK, &HooksView::of(&state, &settings.await?))
}

/// Makes a new secret. The one before signs as well for 24 hours, so that receivers can be changed meanwhile.
#[utoipa::path(
    post,
    path = "/api/webhooks/secret",
    tag = "webhooks",
    operation_id = "rotate_webhook_secret",
    responses(
        (status = 200, description = "As it is now", body = HooksView),
        (status = 401, description = "`unauthorized`"),
        (status = 403, description = "`origin_not_allowed`"),
        (status = 421, description = "`host_not_allowed`"),
        (status = 429, description = "`rate_limited`, with `Retry-After`"),
    )
)]
pub(in crate::http) async fn rotate_secret(
    State(state): State<Arc<ApiState>>,
    Caller(owner): Caller,
) -> Result<Response, ApiError> {
    let until = state.clock.wall().plus(OLD_SECRET);
    let settings = state.store.hook_rotate(&owner, HookSecret::random(), until);
    fresh(StatusCode::OK, &HooksView::of(&state, &settings.await?))
}

/// The caller's deliveries, newest first.
#[utoipa::path(
    get,
    path = "/api/webhooks/deliveries",
    tag = "webhooks",
    operation_id = "list_deliveries",
    params(
        ("job_id" = Option<uuid::Uuid>, Query, description = "Of this job alone"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before; the newest without it"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 100, description = "Most deliveries on the page, by default 100"),
    ),
    responses(
        (status = 200, description = "The deliveries", body = DeliveryList),
        (status = 401, description = "`unauthorized`"),
        (status = 421, description = "`host_not_allowed`"),
        (status = 422, description = "`invalid_query`"),
        (status = 429, description = "`rate_limited`, with `Retry-After`"),
    )
)]
pub(in crate::http) async fn list_deliveries(
    State(state): State<Arc<ApiState>>,
    Caller(owner): Caller,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let asked = DeliveryQuery::parse(query.as_deref())?;
    let cursor = asked.cursor.as_deref();
    let limit = asked.limit as usize;
    // One more than asked for tells whether there is a next page.
    let found = state
        .store
        .delivery_list(&owner, asked.job, cursor, asked.limit + 1);
    let mut found = found.await?;
    let more = found.len() > limit;
    found.truncate(limit);
    let list = DeliveryList {
        next_cursor: found.last().filter(|_| more).map(|last| last.id.clone()),
        deliveries: found.iter().map(DeliveryView::of).collect(),
    };
    fresh(StatusCode::OK, &list)
}

/// Which deliveries.
struct DeliveryQuery {
    job: Option<JobId>,
    cursor: Option<String>,
    limit: u32,
}

impl DeliveryQuery {
    fn parse(query: Option<&str>) -> Result<Self, ApiError> {
        let mut asked = Self {
            job: None,
            cursor: None,
            limit: LISTED,
        };
        let mut errors = Vec::new();
        for (name, value, again) in parameters(query) {
            let detail = match &*name {
                _ if again => AGAIN.to_owned(),
                "job_id" => match value.parse() {
                    Ok(id) => {
                        asked.job = Some(id);
                        continue;
                    }
                    Err(_) => "Expected the id of one job.".to_owned(),
                },
                "cursor" if is_delivery_id(&value) => {
                    asked.cursor = Some(value.into_owned());
                    continue;
                }
                "cursor" => "Expected the next_cursor of the page before.".to_owned(),
                "limit" => match value.parse() {
                    Ok(limit @ 1..=LISTED) => {
                        asked.limit = limit;
                        continue;
                    }
                    _ => format!("Expected a whole number from 1 to {LISTED}."),
                },
                _ => "Unknown parameter; known are job_id, cursor and limit.".to_owned(),
            };
            let pointer = format!("/{}", name.chars().take(64).collect::<String>());
            errors.push(FieldError { pointer, detail });
        }
        if errors.is_empty() {
            Ok(asked)
        } else {
            Err(ApiError::InvalidQuery(errors))
        }
    }
}

fn is_delivery_id(text: &str) -> bool {
    let hex = text.strip_prefix("msg_");
    hex.is_some_and(|hex| hex.len() == 32 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// One delivery.
#[utoipa::path(
    get,
    path = "/api/webhooks/deliveries/{id}",
    tag = "webhooks",
    operation_id = "get_delivery",
    params(("id" = String, Path, description = "The delivery's id")),
    responses(
        (status = 200, description = "The delivery", body = DeliveryView),
        (status = 401, description = "`unauthorized`"),
        (status = 404, description = "`delivery_not_found`"),
        (status = 421, description = "`host_not_allowed`"),
        (status = 429, description = "`rate_limited`, with `Retry-After`"),
    )
)]
pub(in crate::http) async fn get_delivery(
    State(state): State<Arc<ApiState>>,
    Caller(owner): Caller,
    Segments(id): Segments<String>,
) -> Result<Response, ApiError> {
    let found = state.store.delivery_get(&owner, &id).await?;
    let found = found.ok_or(ApiError::DeliveryNotFound)?;
    fresh(StatusCode::OK, &DeliveryView::of(&found))
}

/// Delivers again, whatever became of it, and tries for a day.
#[utoipa::path(
    post,
    path = "/api/webhooks/deliveries/{id}/replay",
    tag = "webhooks",
    operation_id = "replay_delivery",
    params(("id" = String, Path, description = "The delivery's id")),
    responses(
        (status = 202, description = "It is due now", body = DeliveryView),
        (status = 401, description = "`unauthorized`"),
        (status = 403, description = "`origin_not_allowed`"),
        (status = 404, description = "`delivery_not_found`"),
        (status = 421, description = "`host_not_allowed`"),
        (status = 429, description = "`rate_limited`, with `Retry-After`"),
    )
)]
pub(in crate::http) async fn replay_delivery(
    State(state): State<Arc<ApiState>>,
    Caller(owner): Caller,
    Segments(id): Segments<String>,
) -> Result<Response, ApiError> {
    let now = state.clock.wall();
    let found = state.store.delivery_replay(&owner, &id, now).await?;
    let found = found.ok_or(ApiError::DeliveryNotFound)?;
    fresh(StatusCode::ACCEPTED, &DeliveryView::of(&found))
}

impl HooksView {
    fn of(state: &ApiState, settings: &HookSettings) -> Self {
        let now = state.clock.wall();
        let until = settings.old.map(|(_, until)| until);
        Self {
            url: settings.url.clone(),
            secret: settings.secret.expose(),
            old_secret_until: until.filter(|until| *until > now),
        }
    }
}

impl DeliveryView {
    fn of(delivery: &Delivery) -> Self {
        let is_due = delivery.state == crate::store::DeliveryState::Due;
        Self {
            id: delivery.id.clone(),
            job_id: delivery.job,
            event: delivery.event.clone(),
            url: delivery.url.clone(),
            state: delivery.state.as_str(),
            attempts: delivery.attempts,
            status: delivery.status,
            error: delivery.error.clone(),
            created_at: delivery.created_at,
            tried_at: delivery.tried_at,
            next_at: is_due.then_some(delivery.due_at),
        }
    }
}
