//! `POST /api/upload`: a picture to an upload that jobs can be made of. The body goes to the spool
//! as it comes, so a slow or large upload costs a file and no memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::body::{Body, HttpBody as _};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;
use futures_util::StreamExt as _;
use image_intake::ImageError;
use serde::Serialize;

use crate::blobs::BlobKey;
use crate::http::answer::error::ApiError;
use crate::http::answer::json::fresh;
use crate::http::extract::caller::Caller;
use crate::http::extract::public_base::PublicBase;
use crate::http::receive::body::{BodyError, Meter, MeteredBody};
use crate::http::receive::disk_room;
use crate::http::receive::picture;
use crate::http::receive::spool::{SpoolWriter, Spooled};
use crate::http::receive::upload_capacity::UploadCapacity;
use crate::http::state::ApiState;
use crate::jobs::{FieldError, UnixMs, UploadId, shorten};
use crate::store::{NewUpload, SourceInfo, StoreError};

/// A stored upload.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Upload)]
pub(in crate::http) struct UploadView {
    /// Give it as `upload_id` on `POST /api/jobs`.
    #[schema(value_type = uuid::Uuid)]
    upload_id: UploadId,
    /// A signed link to the stored file; needs no header and expires with the upload.
    #[schema(format = "uri")]
    url: String,
    /// Type of the stored file.
    #[schema(example = "image/png")]
    content_type: &'static str,
    /// Width in pixels, orientation applied.
    width: u32,
    /// Height in pixels, orientation applied.
    height: u32,
    /// Size of the stored file; it holds no metadata, so it may be smaller than what was sent.
    bytes: u64,
    /// When it goes.
    #[schema(value_type = String, format = DateTime)]
    expires_at: UnixMs,
}

impl UploadView {
    pub(in crate::http) fn of(
        state: &ApiState,
        base: &PublicBase,
        upload_id: UploadId,
        info: SourceInfo,
        expires_at: UnixMs,
    ) -> Self {
        let key = BlobKey::Upload(upload_id, info.media_type);
        Self {
            upload_id,
            url: base.absolute(&state.links.sign(&key, expires_at)),
            content_type: info.media_type.mime(),
            width: info.width,
            height: info.height,
            bytes: info.bytes,
            expires_at,
        }
    }
}

/// Stores a picture: a multipart form with one part named `file`, or the image itself as the body.
#[utoipa::path(
    post,
    path = "/api/upload",
    tag = "uploads",
    operation_id = "upload",
    request_body(content(
        (crate::http::routes::openapi::UploadForm = "multipart/form-data"),
        (crate::http::routes::openapi::ImageFile = "image/*"),
    )),
    responses(
        (status = 201, description = "Stored", body = UploadView),
        (status = 400, description = "`invalid_multipart`, `body_incomplete` or `content_encoding_invalid`"),
        (status = 401, description = "`unauthorized`"),
        (status = 429, description = "`rate_limited`, with `Retry-After`"),
        (status = 403, description = "`origin_not_allowed`"),
        (status = 408, description = "`request_timeout`"),
        (status = 413, description = "`body_too_large` or `image_too_many_bytes`"),
        (status = 415, description = "`content_encoding_unsupported`, `image_unrecognised`, `image_format_unsupported` or `image_variant_unsupported`"),
        (status = 421, description = "`host_not_allowed`"),
        (status = 422, description = "`invalid_fields`, `image_empty`, `image_too_large`, `image_too_small`, `image_truncated`, `image_corrupt` or `image_too_complex`"),
        (status = 500, description = "`storage_refused`: the bucket refuses the server's key"),
        (status = 503, description = "`server_busy` or `storage_unavailable`, with `Retry-After`"),
        (status = 507, description = "`storage_full` (with `Retry-After`), `storage_quota_exceeded` or `storage_limit_reached`"),
    )
)]
pub(in crate::http) async fn upload(
    State(state): State<Arc<ApiState>>,
    State(capacity): State<UploadCapacity>,
    Caller(owner): Caller,
    base: PublicBase,
    request: Request,
) -> Result<Response, ApiError> {
    let declared = request.body().size_hint().lower();
    let least = declared.saturating_sub(state.limits.multipart_overhead);
    let least = least.min(state.images.max_bytes);
    state.store.storage_room(&owner, least).await?;
    let _room = disk_room::for_body(&state, request.body(), state.images.max_bytes)?;
    let file = receive(&state, request).await?;
    let place = capacity.of(&owner).enter(file.len).await?;
    let picture = picture::from_spool(&state, &owner, file).await?;
    let now = state.clock.wall();
    let (id, info) = (UploadId::new(now), picture.info);
    let expires_at = now.plus(state.upload_ttl);
    let key = BlobKey::Upload(id, info.media_type);
    state.blobs.put(&key, picture.bytes).await?;
    drop(place);
    let record = NewUpload {
        id,
        owner,
        info,
        created_at: now,
        expires_at,
    };
    // Bytes whose record could not be written belong to no upload; maintenance finds them.
    let created = state.store.upload_create(record).await;
    if let Err(StoreError::QuotaExceeded(_)) = created {
        // What cannot be erased now has no record either.
        let _ = state.blobs.erase_upload(id).await;
    }
    created?;
    let view = UploadView::of(&state, &base, id, info, expires_at);
    fresh(StatusCode::CREATED, &view)
}

/// What is wrong with a form that has another boundary than its type, or lines that end as in text files.
const NO_BOUNDARY_LINE: &str =
    "no line of it is two hyphens and the boundary that its Content-Type names; lines end in CR LF";

/// How many of the parts that are not the picture a refusal names.
const NAMED_PARTS: usize = 4;

/// The picture's file, from whichever form the body has.
async fn receive(state: &ApiState, request: Request) -> Result<Spooled, ApiError> {
    let (parts, body) = request.into_parts();
    let declared = parts.headers.get(CONTENT_TYPE);
    let declared = declared
        .and_then(|kind| kind.to_str().ok())
        .unwrap_or_default();
    if declared
        .get(..10)
        .is_some_and(|head| head.eq_ignore_ascii_case("multipart/"))
    {
        let boundary = boundary(declared).map_err(|error| form_error(&error))?;
        return from_form(state, body, boundary).await;
    }
    // Whatever else the header says: the bytes decide what this is.
    let too_large = too_many_bytes(state);
    let mut body = metered(state, body, state.images.max_bytes).map_err(too_large)?;
    let mut spool = SpoolWriter::new(&state.spool, state.limits.memory_bytes, &state.bodies);
    while let Some(chunk) = body.next().await.map_err(too_large)? {
        spool.write(&chunk).await?;
    }
    Ok(spool.finish().await?)
}

/// The boundary that a form's type names. Many clients leave out the quotes that RFC 2046, 5.1.1, wants around a boundary
/// with `=`, `/` or a colon in it.
fn boundary(declared: &str) -> multer::Result<String> {
    let strict = multer::parse_boundary(declared);
    if !matches!(strict, Err(multer::Error::DecodeContentType(_))) || !is_form(declared) {
        return strict.and_then(|boundary| {
            let named = !boundary.is_empty();
            named.then_some(boundary).ok_or(multer::Error::NoBoundary)
        });
    }
    let parameters = declared.split(';').skip(1);
    let found = parameters
        .filter_map(|parameter| parameter.trim().split_once('='))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("boundary"))
        .map(|(_, value)| value.trim().trim_matches('"').to_owned());
    found
        .filter(|boundary| !boundary.is_empty())
        .ok_or(multer::Error::NoBoundary)
}

fn is_form(declared: &str) -> bool {
    let kind = declared.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("multipart/form-data")
}

async fn from_form(state: &ApiState, body: Body, boundary: String) -> Result<Spooled, ApiError> {
    let most = state.images.max_bytes + state.limits.multipart_overhead;
    let body = metered(state, body, most).map_err(too_many_bytes(state))?;
    // What came and is part of no field yet: boundaries and part headers, which the parser keeps in
    // memory until they end.
    let between = Arc::new(AtomicU64::new(0));
    let (counted, most) = (Arc::clone(&between), state.limits.multipart_overhead);
    let chunks = body.into_stream().map(move |chunk| {
        let chunk = chunk.map_err(multer_error)?;
        let before = counted.fetch_add(chunk.len() as u64, Ordering::Relaxed);
        if before > most {
            return Err(multer_error(LongPartHeader(most)));
        }
        Ok(chunk)
    });
    let mut form = multer::Multipart::new(chunks, boundary);
    let (mut file, mut others) = (None, Vec::new());
    loop {
        let field = form.next_field().await;
        let Some(mut field) = field.map_err(|error| match error {
            // No part was seen yet.
            multer::Error::IncompleteStream if file.is_none() && others.is_empty() => {
                ApiError::InvalidMultipart(NO_BOUNDARY_LINE.to_owned())
            }
            error => form_error(&error),
        })?
        else {
            break;
        };
        between.store(0, Ordering::Relaxed);
        if field.name() != Some("file") {
            if others.len() < NAMED_PARTS {
                others.push(shorten(field.name().unwrap_or("without a name")));
            }
            while let Some(_ignored) = field.chunk().await.map_err(|error| form_error(&error))? {
                between.store(0, Ordering::Relaxed);
            }
            continue;
        }
        if file.is_some() {
            return Err(file_field("Send one part named \"file\", not several."));
        }
        let mut spool = SpoolWriter::new(&state.spool, state.limits.memory_bytes, &state.bodies);
        let mut left = state.images.max_bytes;
        while let Some(chunk) = field.chunk().await.map_err(|error| form_error(&error))? {
            between.store(0, Ordering::Relaxed);
            left = left
                .checked_sub(chunk.len() as u64)
                .ok_or_else(|| too_many_bytes(state)(BodyError::TooLarge(0)))?;
            spool.write(&chunk).await?;
        }
        file = Some(spool.finish().await?);
    }
    file.ok_or_else(|| {
        let got = match others.as_slice() {
            [] => "there are no parts at all".to_owned(),
            names => format!("got {}", names.join(", ")),
        };
        file_field(&format!(
            "Send the picture as a part named \"file\"; {got}."
        ))
    })
}

fn metered(state: &ApiState, body: Body, bytes: u64) -> Result<MeteredBody, BodyError> {
    let meter = Meter {
        bytes,
        idle: Some(state.limits.upload_idle),
        total: state.limits.upload_total,
    };
    Ok(MeteredBody::new(body, meter)?.counted(&state.metrics.requests))
}

/// A body that is too large holds too large a picture, and is answered as one.
fn too_many_bytes(state: &ApiState) -> impl Fn(BodyError) -> ApiError + Copy + use<> {
    let max_bytes = state.images.max_bytes;
    move |error| match error {
        BodyError::TooLarge(_) => ImageError::TooManyBytes { max_bytes }.into(),
        other => other.into(),
    }
}

/// A part's header that does not end.
#[derive(Debug, thiserror::Error)]
#[error("a part's header has more than {0} bytes")]
struct LongPartHeader(u64);

fn multer_error(
    error: impl std::error::Error + Send + Sync + 'static,
) -> Box<dyn std::error::Error + Send + Sync> {
    error.into()
}

fn form_error(error: &multer::Error) -> ApiError {
    if let multer::Error::StreamReadFailed(cause) = error {
        return match cause.downcast_ref::<BodyError>() {
            Some(BodyError::TooLarge(limit)) => ApiError::BodyTooLarge { limit: *limit },
            Some(BodyError::TooSlow) => ApiError::RequestTimeout,
            Some(BodyError::Damaged) => ApiError::ContentEncodingInvalid,
            Some(BodyError::NoMemory) => ApiError::ServerBusy,
            Some(BodyError::Incomplete) => ApiError::BodyIncomplete,
            None if cause.is::<LongPartHeader>() => ApiError::InvalidMultipart(cause.to_string()),
            None => ApiError::BodyIncomplete,
        };
    }
    ApiError::InvalidMultipart(match error {
        // The usual mistake: the header is set by hand, so the library cannot add its boundary.
        multer::Error::NoBoundary => {
            "its Content-Type has no boundary; leave that header to your HTTP library, which knows the boundary".to_owned()
        }
        other => other.to_string(),
    })
}

fn file_field(detail: &str) -> ApiError {
    ApiError::InvalidFields(vec![FieldError {
        pointer: "/file".to_owned(),
        detail: detail.to_owned(),
    }])
}
