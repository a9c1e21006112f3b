//! Parts of a resumable upload. A part without a checksum is kept as far as it came, however it
//! ends; a part with one is kept when it is whole and right, so that no byte counts that was not
//! what the client meant.

use std::fs::File;
use std::io::{self, Seek as _, Write};
use std::sync::Arc;

use axum::body::{Body, HttpBody as _};
use axum::extract::{Request, State};
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};

use super::checksum::Checksum;
use super::headers::{PART, expires, is_part, length, number};
use super::status;
use super::status::lock_upload;
use crate::blobs::UploadLock;
use crate::http::answer::error::ApiError;
use crate::http::extract::caller::Caller;
use crate::http::extract::path::Segments;
use crate::http::extract::tus_headers::{METHOD_OVERRIDE, UPLOAD_OFFSET};
use crate::http::receive::body::{Meter, MeteredBody};
use crate::http::receive::disk_room;
use crate::http::receive::file_writer::FileWriter;
use crate::http::receive::spool::nameless;
use crate::http::routes::uploads::ticket_put::next;
use crate::http::routes::uploads::verify::blocking;
use crate::http::state::ApiState;
use crate::store::Incoming;

/// Takes a part at exactly the upload's offset.
#[utoipa::path(
    patch,
    path = "/api/uploads/tus/{id}",
    tag = "uploads",
    operation_id = "tus_part",
    params(
        ("id" = uuid::Uuid, Path, description = "The upload's id"),
        ("Tus-Resumable" = String, Header, description = "1.0.0"),
        ("Upload-Offset" = u64, Header, description = "Where the part begins: where the upload ends"),
        ("Upload-Length" = Option<u64>, Header, description = "Size of the whole, where it was deferred"),
        ("Upload-Checksum" = Option<String>, Header, description = "`sha1`, `sha256` or `sha512`, a space and the part's digest in base64"),
    ),
    request_body(content = crate::http::routes::openapi::ImageFile, content_type = "application/offset+octet-stream"),
    responses(
        (status = 204, description = "It is on disk; `Upload-Offset` is where the next part begins"),
        (status = 400, description = "`tus_header_invalid`, `upload_checksum_unsupported` or `body_incomplete`"),
        (status = 401, description = "`unauthorized`"),
        (status = 429, description = "`rate_limited`, with `Retry-After`"),
        (status = 403, description = "`origin_not_allowed`"),
        (status = 404, description = "`upload_missing`; also once a job has used it"),
        (status = 408, description = "`request_timeout`; what came is kept"),
        (status = 409, description = "`upload_offset_mismatch` or `upload_taken_over`"),
        (status = 412, description = "`tus_version_unsupported`"),
        (status = 413, description = "`body_too_large`: more than the upload's length; `image_too_many_bytes`"),
        (status = 415, description = "`unsupported_media_type` or `content_encoding_unsupported`"),
        (status = 460, description = "`upload_checksum_mismatch`; the part was discarded"),
        (status = 503, description = "`storage_unavailable`, with `Retry-After`"),
        (status = 507, description = "`storage_full` (with `Retry-After`), `storage_quota_exceeded` or `storage_limit_reached`"),
    )
)]
pub(in crate::http) async fn patch(
    State(state): State<Arc<ApiState>>,
    Caller(owner): Caller,
    Segments(id): Segments<String>,
    request: Request,
) -> Result<Response, ApiError> {
    let (parts, body) = request.into_parts();
    if !is_part(&parts.headers) {
        return Err(ApiError::UnsupportedMediaType { wanted: PART });
    }
    let begins = number(&parts.headers, &UPLOAD_OFFSET)?.ok_or_else(|| {
        ApiError::TusHeaderInvalid("Upload-Offset must say where the part begins".to_owned())
    })?;
    let checksum = Checksum::of(&parts.headers)?;
    let _room = disk_room::for_body(&state, &body, state.images.max_bytes)?;
    let declares = length(&state, &parts.headers)?;
    let (promised, lock) = lock_upload(&state, &owner, &id).await?;
    let (lock, offset) = blocking(move || {
        let offset = lock.offset()?;
        Ok((lock, offset))
    })
    .await?;
    if begins != offset {
        return Err(ApiError::UploadOffsetMismatch { offset });
    }
    let whole = agree_on_length(&state, &promised, declares, offset).await?;
    let part = Part {
        offset,
        most: whole.unwrap_or(state.images.max_bytes) - offset,
        checksum,
        body,
    };
    let offset = append(&state, lock, &promised, part).await?;
    let mut answer = HeaderMap::new();
    answer.insert(UPLOAD_OFFSET, HeaderValue::from(offset));
    expires(&mut answer, promised.expires_at);
    answer.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok((StatusCode::NO_CONTENT, answer).into_response())
}

/// PATCH, DELETE or HEAD for clients that can send POST alone: `X-HTTP-Method-Override` names which.
#[utoipa::path(
    post,
    path = "/api/uploads/tus/{id}",
    tag = "uploads",
    operation_id = "tus_instead",
    params(
        ("id" = uuid::Uuid, Path, description = "The upload's id"),
        ("Tus-Resumable" = String, Header, description = "1.0.0"),
        ("X-HTTP-Method-Override" = String, Header, description = "`PATCH`, `DELETE` or `HEAD`"),
    ),
    responses(
        (status = 204, description = "As the method answers"),
        (status = 401, description = "`unauthorized`"),
        (status = 429, description = "`rate_limited`, with `Retry-After`"),
        (status = 405, description = "`method_not_allowed`: no override, or of another method"),
    )
)]
pub(in crate::http) async fn instead(
    state: State<Arc<ApiState>>,
    caller: Caller,
    id: Segments<String>,
    request: Request,
) -> Result<Response, ApiError> {
    let meant = request.headers().get(METHOD_OVERRIDE);
    match meant.map(HeaderValue::as_bytes) {
        Some(b"PATCH") => patch(state, caller, id, request).await,
        Some(b"HEAD") => status::offset(state, caller, id).await,
        Some(b"DELETE") => {
            let ended = status::end(state, caller, id).await?;
            Ok(ended.into_response())
        }
        _ => Err(ApiError::MethodNotAllowed),
    }
}

/// The size of the whole, which a part may declare once if it was deferred.
async fn agree_on_length(
    state: &ApiState,
    promised: &Incoming,
    declares: Option<u64>,
    offset: u64,
) -> Result<Option<u64>, ApiError> {
    let wrong = |problem: &str| ApiError::TusHeaderInvalid(problem.to_owned());
    match (promised.bytes, declares) {
        (Some(known), Some(declared)) if known != declared => Err(wrong(
            "Upload-Length differs from the length declared before",
        )),
        (Some(known), _) => Ok(Some(known)),
        (None, None) => Ok(None),
        (None, Some(declared)) if declared < offset => {
            Err(wrong("Upload-Length is less than what has arrived already"))
        }
        (None, Some(declared)) => {
            state.store.incoming_declare(promised.id, declared).await?;
            Ok(Some(declared))
        }
    }
}

/// One part to be taken.
pub(super) struct Part {
    /// Where it begins, which is where the upload ends.
    pub(super) offset: u64,
    /// Most bytes that it may have.
    pub(super) most: u64,
    pub(super) checksum: Option<Checksum>,
    pub(super) body: Body,
}

/// Puts a part on disk and returns the new offset.
pub(super) async fn append(
    state: &ApiState,
    lock: UploadLock,
    promised: &Incoming,
    part: Part,
) -> Result<u64, ApiError> {
    if promised.bytes.is_some() {
        // It was counted when the upload was begun.
        return write(state, lock, part).await;
    }
    let (id, offset) = (promised.id, part.offset);
    let most = part.body.size_hint().upper().unwrap_or(part.most);
    state
        .store
        .incoming_reserve(id, offset + most.min(part.most))
        .await?;
    let written = write(state, lock, part).await;
    // However the part ended, what came of it is there.
    let inbox = Arc::clone(&state.inbox);
    let kept = blocking(move || inbox.seen(id)).await?.unwrap_or(0);
    state.store.incoming_reserve(id, kept).await?;
    written
}

async fn write(state: &ApiState, lock: UploadLock, part: Part) -> Result<u64, ApiError> {
    let meter = Meter {
        bytes: part.most,
        idle: Some(state.limits.upload_idle),
        total: state.limits.upload_total,
    };
    let body = MeteredBody::new(part.body, meter)?.counted(&state.metrics.requests);
    let received = match part.checksum {
        None => as_it_comes(state, lock, body).await?,
        Some(checksum) => when_it_holds(state, lock, checksum, body).await?,
    };
    Ok(part.offset + received)
}

/// The upload's file, and its lock for as long as a write runs.
struct Growing {
    file: File,
    lock: UploadLock,
}

impl Write for Growing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

async fn as_it_comes(
    state: &ApiState,
    lock: UploadLock,
    mut body: MeteredBody,
) -> Result<u64, ApiError> {
    let release_requested = lock.release_requested.clone();
    let open = move || {
        let file = lock.append()?;
        Ok(Growing { file, lock })
    };
    let mut writer = FileWriter::new(blocking(open).await?, &state.bodies);
    let mut received = 0;
    let ended = loop {
        match next(&mut body, &release_requested).await {
            Ok(Ok(Some(chunk))) => {
                received += chunk.len() as u64;
                writer.write(&chunk).await?;
            }
            Ok(Ok(None)) => break Ok(received),
            Ok(Err(error)) => break Err(error.into()),
            Err(error) => break Err(error),
        }
    };
    let growing = writer.finish().await?;
    blocking(move || {
        growing.file.sync_data()?;
        drop(growing.lock);
        Ok(())
    })
    .await?;
    ended
}

async fn when_it_holds(
    state: &ApiState,
    lock: UploadLock,
    mut checksum: Checksum,
    mut body: MeteredBody,
) -> Result<u64, ApiError> {
    let mut writer = FileWriter::new(nameless(&state.spool).await?, &state.bodies);
    while let Some(chunk) = next(&mut body, &lock.release_requested).await?? {
        checksum.update(&chunk);
        writer.write(&chunk).await?;
    }
    let mut part = writer.finish().await?;
    if !checksum.holds() {
        return Err(ApiError::UploadChecksumMismatch);
    }
    let keep = move || {
        part.rewind()?;
        let mut file = lock.append()?;
        let copied = io::copy(&mut part, &mut file)?;
        file.sync_data()?;
        drop(lock);
        Ok(copied)
    };
    Ok(blocking(keep).await?)
}
