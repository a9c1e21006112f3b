//! Storage: the REST host's announcements, the upload URLs they return, and the CDN's own upload
//! endpoints with a token.
//!
//! Three flows meet here: announce and PUT (JavaScript, Dart, and the `gcs` fallback), announce,
//! PUT parts and complete (JavaScript, large files), and token plus POST, whole or in parts
//! (Python). Invariant: `file_url` and `access_url` answer 404 until the upload is complete.

use std::sync::Arc;

use axum::http::HeaderValue;
use axum::http::header::ETAG;
use bytes::Bytes;
use serde_json::{Value, json};

use super::answer::{self, Answer};
use super::call::{self, Call};
use crate::cdn::{Cdn, Delivery};
use crate::clock::iso_micros;
use crate::failure::Failure;
use crate::shared::Shared;
use crate::uploads::Pending;

const TOKEN_LIFETIME_MS: u64 = 24 * 3_600_000;

/// `POST /storage/upload/initiate[-multipart]`.
pub(super) fn initiate(
    shared: &Arc<Shared>,
    call: &Call,
    multipart: bool,
) -> Result<Answer, Failure> {
    call.authorize(&shared.config)?;
    refuse_locked(shared)?;
    let body: Value = serde_json::from_slice(&call.body).unwrap_or_default();
    let text = |name: &str| body[name].as_str().filter(|text| !text.is_empty());
    let Some(content_type) = text("content_type") else {
        return Err(Failure::text(422, "content_type is required"));
    };
    let file_name = text("file_name").unwrap_or("upload.bin");
    let pending = announce(call, file_name, content_type);
    let base = call.base(&shared.config);
    let file_url = format!("{base}{}", pending.path);
    let id = shared.uploads.begin(pending);
    // The id alone authorises the upload; the query is there because clients must keep it.
    let kind = if multipart { "multipart" } else { "single" };
    let upload_url = format!("{base}/storage/upload/{kind}/{id}?sig=emulated");
    let body = json!({"upload_url": upload_url, "file_url": file_url});
    Ok(answer::json(200, &body))
}

/// A locked account uploads as little as it submits.
fn refuse_locked(shared: &Shared) -> Result<(), Failure> {
    let mut board = shared.board();
    if board.locked || board.script.take_lock() {
        return Err(call::locked());
    }
    Ok(())
}

fn announce(call: &Call, file_name: &str, content_type: &str) -> Pending {
    let safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let name: String = file_name
        .chars()
        .map(|c| if safe(c) { c } else { '_' })
        .collect();
    let lifecycle = call
        .header("x-fal-object-lifecycle")
        .or_else(|| call.header("x-fal-object-lifecycle-preference"));
    Pending {
        file_name: file_name.to_owned(),
        content_type: content_type.to_owned(),
        path: Cdn::fresh_path(&name),
        lifecycle: lifecycle.map(str::to_owned),
    }
}

/// `PUT` on the upload URL of a single upload.
pub(super) fn put(shared: &Arc<Shared>, call: &Call, id: &str) -> Result<Answer, Failure> {
    signed(call)?;
    let pending = shared.uploads.pending(id).ok_or_else(unknown)?;
    finish(shared, &pending, call.body.clone());
    Ok(answer::json(200, &json!({})))
}

/// `PUT {upload path}/{n}`: a part, answered in JSON and with an `ETag` header, for both clients.
pub(super) fn put_part(
    shared: &Arc<Shared>,
    call: &Call,
    id: &str,
    number: u64,
) -> Result<Answer, Failure> {
    let etag = shared
        .uploads
        .part(id, number, call.body.clone())
        .ok_or_else(unknown)?;
    let mut answered = answer::json(200, &json!({"partNumber": number, "etag": etag}));
    if let Ok(etag) = HeaderValue::from_str(&etag) {
        answered.headers_mut().insert(ETAG, etag);
    }
    Ok(answered)
}

/// `POST {upload path}/complete`.
pub(super) fn complete(shared: &Arc<Shared>, call: &Call, id: &str) -> Result<Answer, Failure> {
    let list: Value = serde_json::from_slice(&call.body).unwrap_or_default();
    let (pending, body) = shared
        .uploads
        .join(id, &list)
        .map_err(|error| Failure::text(400, error.to_string()))?;
    let url = format!("{}{}", call.base(&shared.config), pending.path);
    finish(shared, &pending, body);
    Ok(answer::json(
        200,
        &json!({"access_url": url, "file_url": url}),
    ))
}

/// `POST /storage/auth/token`.
pub(super) fn token(shared: &Arc<Shared>, call: &Call) -> Result<Answer, Failure> {
    call.authorize(&shared.config)?;
    refuse_locked(shared)?;
    let expires_ms = shared.config.clock.now_ms() + TOKEN_LIFETIME_MS;
    let body = json!({
        "token": shared.uploads.issue_token(),
        "token_type": "Bearer",
        "base_url": call.base(&shared.config),
        "expires_at": iso_micros(expires_ms).replace('Z', "+00:00"),
    });
    Ok(answer::json(200, &body))
}

/// `POST /files/upload[/multipart]` with a token.
pub(super) fn cdn_upload(
    shared: &Arc<Shared>,
    call: &Call,
    multipart: bool,
) -> Result<Answer, Failure> {
    let bearer = call
        .header("authorization")
        .and_then(|header| header.strip_prefix("Bearer "));
    if !bearer.is_some_and(|token| shared.uploads.knows_token(token.trim())) {
        return Err(Failure::text(401, "Invalid token"));
    }
    let content_type = call
        .header("content-type")
        .unwrap_or("application/octet-stream");
    let file_name = call.header("x-fal-file-name").unwrap_or("upload.bin");
    let pending = announce(call, file_name, content_type);
    let access_url = format!("{}{}", call.base(&shared.config), pending.path);
    if multipart {
        let id = shared.uploads.begin(pending);
        let body = json!({"access_url": access_url, "uploadId": id});
        return Ok(answer::json(200, &body));
    }
    finish(shared, &pending, call.body.clone());
    Ok(answer::json(200, &json!({"access_url": access_url})))
}

fn finish(shared: &Arc<Shared>, pending: &Pending, body: Bytes) {
    shared.uploads.note(pending, body.len());
    shared.cdn.put(
        pending.path.clone(),
        &pending.content_type,
        body,
        pending.lifecycle(),
        Delivery::Whole,
    );
    shared.board().counters.uploads += 1;
    shared.changed();
}

/// The query of the upload URL came along; a client that drops it would fail on fal.
pub(super) fn signed(call: &Call) -> Result<(), Failure> {
    match call.query.get("sig") {
        Some(_) => Ok(()),
        None => Err(Failure::text(
            403,
            "The signature of the upload URL is missing",
        )),
    }
}

fn unknown() -> Failure {
    Failure::text(404, "Upload not found")
}
