//! `/api/admin/keys` and `/api/admin/owners`: keys and limits. A key is shown in the answer that
//! makes it, and never again.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;

use super::who::Who;
use super::{AdminState, finish, receive};
use crate::access::{ApiKey, KeyId, OWNER_NAME, OwnerLimits, Rate, owner_name, parse_usd, usd};
use crate::http::answer::error::ApiError;
use crate::http::answer::json::{fresh, require_json};
use crate::http::extract::path::Segments;
use crate::jobs::{Fields, OwnerId, ParseError, UnixMs, sentence};
use crate::store::KeyRecord;

/// Beyond every disk, and a number that JSON has exactly in every language.
const MOST_BYTES: u64 = 1 << 53;

/// The body of `POST /api/admin/keys`.
#[derive(serde::Deserialize, utoipa::ToSchema)]
#[expect(dead_code, reason = "a description; the body is read field by field")]
pub(in crate::http) struct CreateKey {
    /// The owner: 1 to 64 bytes. An owner may have several keys.
    #[schema(example = "app")]
    name: String,
    /// Whether the key opens `/api/admin` too.
    #[schema(default = false)]
    admin: Option<bool>,
    /// Requests, as `20/s`, `600/m` or `20/s burst 40`. What is left out here and below stays as it is.
    #[schema(example = "20/s burst 40")]
    rate: Option<String>,
    /// Jobs at once that are neither completed nor failed.
    #[schema(minimum = 1)]
    max_jobs: Option<u32>,
    /// Spending in a UTC day, in US dollars; 0 allows engines that cost nothing.
    #[schema(minimum = 0)]
    daily_usd: Option<f64>,
    /// Bytes kept at once, promised ones too; 0 keeps nothing.
    #[schema(minimum = 0)]
    storage_bytes: Option<u64>,
}

/// An owner's limits; null is the service's default.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(in crate::http) struct Limits {
    /// Requests, as `20/s`, `600/m` or `20/s burst 40`.
    #[schema(required = true, example = "20/s burst 40")]
    rate: Option<String>,
    /// Jobs at once that are neither completed nor failed.
    #[schema(required = true, minimum = 1)]
    max_jobs: Option<u32>,
    /// Spending in a UTC day, in US dollars.
    #[schema(required = true, minimum = 0)]
    daily_usd: Option<f64>,
    /// Bytes kept at once, promised ones too.
    #[schema(required = true, minimum = 0)]
    storage_bytes: Option<u64>,
}

/// A key that was made.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(in crate::http) struct NewKey {
    /// Names the key.
    #[schema(example = "9f86d081884c")]
    id: String,
    /// The key. It is not kept and cannot be shown again.
    #[schema(example = "lam_…")]
    key: String,
    /// The owner.
    name: String,
    /// Whether it opens `/api/admin`.
    admin: bool,
}

/// A key, without the key.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(in crate::http) struct KeyView {
    /// Names the key: the first 12 hex digits of its SHA-256.
    #[schema(example = "9f86d081884c")]
    id: String,
    /// The owner.
    name: String,
    /// Whether it opens `/api/admin`.
    admin: bool,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: UnixMs,
    /// Since when it opens nothing; null while it does.
    #[schema(value_type = Option<String>, format = DateTime, required = true)]
    revoked_at: Option<UnixMs>,
}

/// Limits of one owner.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(in crate::http) struct OwnerView {
    /// The owner.
    name: String,
    #[serde(flatten)]
    limits: Limits,
}

/// Keys and limits.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(in crate::http) struct KeyList {
    /// Every key that was ever made, oldest first.
    keys: Vec<KeyView>,
    /// Owners whose keys stand in `API_KEYS`.
    configured: Vec<String>,
    /// Owners for whom limits were set.
    owners: Vec<OwnerView>,
}

/// Keys and limits.
#[utoipa::path(
    get,
    path = "/api/admin/keys",
    tag = "admin",
    operation_id = "list_keys",
    responses(
        (status = 200, description = "All of them; no key is shown", body = KeyList),
        (status = 401, description = "`unauthorized`"),
        (status = 403, description = "`admin_only` or `origin_not_allowed`"),
    )
)]
pub(super) async fn list_keys(State(state): State<Arc<AdminState>>) -> Result<Response, ApiError> {
    let (keys, owners) = (
        state.store.key_list().await?,
        state.store.owner_list().await?,
    );
    let configured = state.keys.configured();
    let list = KeyList {
        keys: keys.iter().map(key_view).collect(),
        configured: configured.into_iter().map(ToString::to_string).collect(),
        owners: owners
            .iter()
            .map(|(owner, limits)| owner_view(owner, *limits))
            .collect(),
    };
    fresh(StatusCode::OK, &list)
}

/// Makes a key. It is in force when the answer comes.
#[utoipa::path(
    post,
    path = "/api/admin/keys",
    tag = "admin",
    operation_id = "create_key",
    request_body(content = CreateKey, content_type = "application/json"),
    responses(
        (status = 201, description = "The key, for the only time", body = NewKey),
        (status = 400, description = "`invalid_json`, `body_incomplete` or `content_encoding_invalid`"),
        (status = 401, description = "`unauthorized`"),
        (status = 403, description = "`admin_only` or `origin_not_allowed`"),
        (status = 415, description = "`unsupported_media_type` or `content_encoding_unsupported`"),
        (status = 422, description = "`invalid_fields`"),
    )
)]
pub(super) async fn create_key(
    State(state): State<Arc<AdminState>>,
    by: Who,
    request: Request,
) -> Result<Response, ApiError> {
    require_json(request.headers())?;
    let wish = KeyWish::parse(&receive(&state, request.into_body()).await?)?;
    let key = ApiKey::random();
    let record = KeyRecord {
        id: KeyId::of(key.digest()),
        owner: wish.owner.clone(),
        digest: key.digest().clone(),
        admin: wish.admin,
        created_at: state.clock.wall(),
        revoked_at: None,
    };
    let id = record.id.clone();
    state.store.key_create(record, wish.limits).await?;
    state.keys.load(&*state.store).await?;
    tracing::info!(key.id = %id, owner = %wish.owner, admin = wish.admin, %by, "an API key was made");
    let answer = NewKey {
        id: id.to_string(),
        key: key.expose().to_owned(),
        name: wish.owner.to_string(),
        admin: wish.admin,
    };
    fresh(StatusCode::CREATED, &answer)
}

/// Revokes a key: the next request with it is answered 401. Jobs of its owner stay.
#[utoipa::path(
    delete,
    path = "/api/admin/keys/{id}",
    tag = "admin",
    operation_id = "revoke_key",
    params(("id" = String, Path, description = "The key's id, as the list shows it")),
    responses(
        (status = 200, description = "It is revoked", body = KeyView),
        (status = 401, description = "`unauthorized`"),
        (status = 403, description = "`admin_only` or `origin_not_allowed`"),
        (status = 404, description = "`key_not_found`"),
    )
)]
pub(super) async fn revoke_key(
    State(state): State<Arc<AdminState>>,
    by: Who,
    Segments(id): Segments<String>,
) -> Result<Response, ApiError> {
    let now = state.clock.wall();
    let revoked = state.store.key_revoke(&KeyId::named(&id), now).await?;
    let revoked = revoked.ok_or(ApiError::KeyNotFound)?;
    state.keys.load(&*state.store).await?;
    tracing::info!(key.id = %revoked.id, owner = %revoked.owner, %by, "an API key was revoked");
    fresh(StatusCode::OK, &key_view(&revoked))
}

/// Sets all limits of an owner; what is left out is the service's default again.
#[utoipa::path(
    put,
    path = "/api/admin/owners/{name}/limits",
    tag = "admin",
    operation_id = "set_limits",
    params(("name" = String, Path, description = "The owner")),
    request_body(content = Limits, content_type = "application/json"),
    responses(
        (status = 200, description = "The limits from now on", body = OwnerView),
        (status = 400, description = "`invalid_json`, `body_incomplete` or `content_encoding_invalid`"),
        (status = 401, description = "`unauthorized`"),
        (status = 403, description = "`admin_only` or `origin_not_allowed`"),
        (status = 415, description = "`unsupported_media_type` or `content_encoding_unsupported`"),
        (status = 422, description = "`invalid_fields`"),
    )
)]
pub(super) async fn set_limits(
    State(state): State<Arc<AdminState>>,
    by: Who,
    Segments(name): Segments<String>,
    request: Request,
) -> Result<Response, ApiError> {
    require_json(request.headers())?;
    let body = receive(&state, request.into_body()).await?;
    let mut fields = Fields::of(&body)?;
    let owner = owner_name(&name);
    if owner.is_none() {
        fields.wrong("name", format!("Expected {OWNER_NAME}."));
    }
    let limits = limits_of(&mut fields);
    finish(fields, "rate, max_jobs, daily_usd and storage_bytes")?;
    // Told above already.
    let owner = owner.ok_or(ApiError::RouteNotFound)?;
    state.store.owner_limit(&owner, limits).await?;
    state.keys.load(&*state.store).await?;
    tracing::info!(%owner, ?limits, %by, "the limits of an owner were set");
    fresh(StatusCode::OK, &owner_view(&owner, limits))
}

/// A create as it was asked for.
struct KeyWish {
    owner: OwnerId,
    admin: bool,
    limits: OwnerLimits,
}

impl KeyWish {
    fn parse(body: &[u8]) -> Result<Self, ParseError> {
        let mut fields = Fields::of(body)?;
        let name: Option<String> = fields.take("name", "a string");
        let owner = name.as_deref().and_then(owner_name);
        if owner.is_none() && fields.errors.is_empty() {
            fields.wrong("name", format!("Expected {OWNER_NAME}."));
        }
        let admin = fields.take("admin", "true or false").unwrap_or(false);
        let limits = limits_of(&mut fields);
        finish(
            fields,
            "name, admin, rate, max_jobs, daily_usd and storage_bytes",
        )?;
        Ok(Self {
            // Without a name there was an error.
            owner: owner.unwrap_or_else(OwnerId::anonymous),
            admin,
            limits,
        })
    }
}

fn limits_of(fields: &mut Fields<'_>) -> OwnerLimits {
    let rate = fields.take::<String>("rate", "a string").and_then(|text| {
        let rate = text.parse::<Rate>();
        rate.map_err(|error| fields.wrong("rate", sentence(&error.to_string())))
            .ok()
    });
    // As it is written: money is not to pass through a floating-point number.
    let daily_microusd = match fields.raw("daily_usd").filter(|raw| *raw != "null") {
        Some(raw) => {
            let amount = parse_usd(raw);
            if amount.is_none() {
                let wanted =
                    "Expected a number of US dollars from 0 to 1000000, with at most six decimals.";
                fields.wrong("daily_usd", wanted);
            }
            amount
        }
        None => None,
    };
    fields.leave_out("daily_usd");
    OwnerLimits {
        rate,
        max_jobs: fields.take_whole_in("max_jobs", 1, u32::MAX),
        daily_microusd,
        storage_bytes: fields.take_whole_in("storage_bytes", 0, MOST_BYTES),
    }
}

fn key_view(key: &KeyRecord) -> KeyView {
    KeyView {
        id: key.id.to_string(),
        name: key.owner.to_string(),
        admin: key.admin,
        created_at: key.created_at,
        revoked_at: key.revoked_at,
    }
}

fn owner_view(owner: &OwnerId, limits: OwnerLimits) -> OwnerView {
    OwnerView {
        name: owner.to_string(),
        limits: Limits {
            rate: limits.rate.map(|rate| rate.to_string()),
            max_jobs: limits.max_jobs,
            daily_usd: limits.daily_microusd.map(usd),
            storage_bytes: limits.storage_bytes,
        },
    }
}
