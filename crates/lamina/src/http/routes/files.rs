//! `/files`: what links point to. The signature is the only right that is asked for, so an image
//! widget that sets no header can open a link. Paths are parsed into keys and never used as they
//! came in.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE,
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt as _;
use url::form_urlencoded;

use super::layer_variants;
use crate::blobs::{BlobKey, LinkError, OpenBlob};
use crate::http::answer::error::ApiError;
use crate::http::answer::json::has_tag;
use crate::http::extract::path::Segments;
use crate::http::extract::range::{Part, wanted};
use crate::http::state::ApiState;
use crate::http::state::variants_under_way::VariantsUnderWay;
use crate::jobs::{AskedVariant, UnixMs};
use crate::metrics::Direction;
use crate::store::StoreError;

/// The file behind a link. HEAD answers the same without the file.
#[utoipa::path(
    get,
    path = "/files/{kind}/{id}/{file}",
    tag = "files",
    operation_id = "get_file",
    params(
        ("kind" = String, Path, description = "As the link has it"),
        ("id" = String, Path, description = "As the link has it"),
        ("file" = String, Path, description = "As the link has it"),
        ("exp" = i64, Query, description = "As the link has it"),
        ("sig" = String, Query, description = "As the link has it"),
        ("trim" = Option<u8>, Query, minimum = 0, maximum = 1, description = "May be added to a layer's `variants_url`: 1 cuts it to its `bbox`"),
        ("format" = Option<String>, Query, description = "May be added to a layer's `variants_url`: `png`, or `webp` (without loss)"),
        ("width" = Option<u32>, Query, minimum = 1, maximum = 16384, description = "May be added to a layer's `variants_url`: at least so many pixels wide, rounded up to 128, 256, 512, 1024 or 2048, and never wider than the layer"),
    ),
    responses(
        (status = 200, description = "The file", body = super::openapi::ImageFile, content_type = "image/*"),
        (status = 206, description = "The part that `Range` asks for", body = super::openapi::ImageFile, content_type = "image/*"),
        (status = 304, description = "Nothing has changed since the `ETag`"),
        (status = 403, description = "`link_invalid`"),
        (status = 410, description = "`link_expired` or `file_gone`"),
        (status = 416, description = "`range_not_satisfiable`"),
        (status = 422, description = "`invalid_query`: `trim`, `format` or `width`; or `layer_variant_too_large`"),
        (status = 500, description = "`storage_refused`: the bucket refuses the server's key"),
        (status = 503, description = "`storage_unavailable`, with `Retry-After`"),
    ),
    security(())
)]
pub(in crate::http) async fn get_file(
    State(state): State<Arc<ApiState>>,
    State(under_way): State<VariantsUnderWay>,
    Segments((kind, id, file)): Segments<(String, String, String)>,
    RawQuery(query): RawQuery,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let (exp, sig) = signature(query.as_deref())?;
    let path = format!("{kind}/{id}/{file}");
    let now = state.ends_by();
    let key = state.links.verify(&path, exp, &sig, now)?;
    // A link ends with its job, at once, however long the bytes take to go.
    if !is_live(&state, &key, now).await? {
        return Err(ApiError::FileGone);
    }
    let (key, made) = match key {
        BlobKey::Layer(..) => {
            let asked = layer_variants::asked(query.as_deref())?;
            if asked == AskedVariant::default() {
                (key, None)
            } else {
                layer_variants::find(&state, &under_way, key, asked)
                    .await?
                    .parts()
            }
        }
        BlobKey::Variant(..) => {
            let found = layer_variants::find(&state, &under_way, key, AskedVariant::default());
            found.await?.parts()
        }
        _ => (key, None),
    };
    let (size, version) = match &made {
        Some(bytes) => (bytes.len() as u64, None),
        None => state.blobs.size(&key).await?,
    };
    let tag = entity_tag(&key, size, version.as_deref());
    if has_tag(&headers, &tag) {
        return Ok((StatusCode::NOT_MODIFIED, file_headers(&key, &tag)).into_response());
    }
    let (status, range) = match wanted(&headers, size, &tag) {
        Part::Whole => (StatusCode::OK, 0..size),
        Part::Bytes(range) => (StatusCode::PARTIAL_CONTENT, range),
        Part::Outside => return Err(ApiError::RangeNotSatisfiable { size }),
    };
    let mut answer = file_headers(&key, &tag);
    answer.insert(CONTENT_LENGTH, HeaderValue::from(range.end - range.start));
    if status == StatusCode::PARTIAL_CONTENT {
        let (first, last) = (range.start, range.end - 1);
        insert(
            &mut answer,
            CONTENT_RANGE,
            &format!("bytes {first}-{last}/{size}"),
        );
    }
    if method == Method::HEAD {
        return Ok((status, answer).into_response());
    }
    let part = (status == StatusCode::PARTIAL_CONTENT).then_some(range);
    let opened = match made {
        Some(bytes) => OpenBlob::of(&bytes, part),
        None => state.blobs.open(&key, part).await?,
    };
    // Goes with the last chunk, or with the client.
    let open = state.metrics.requests.stream(Direction::Out);
    let counted = opened.stream.inspect(move |_| {
        let _ = &open;
    });
    Ok((status, answer, Body::from_stream(counted)).into_response())
}

/// So long a link opens an upload that no row names. Uploads are never deleted before their time, and a
/// link ends with that anyway.
const WITHOUT_ROW: Duration = Duration::from_secs(600);

/// Whether what a link of `key` leads to is neither deleted nor expired.
pub(in crate::http) async fn is_live(
    state: &ApiState,
    key: &BlobKey,
    now: UnixMs,
) -> Result<bool, StoreError> {
    match key {
        BlobKey::Source(job, _)
        | BlobKey::EngineInput(job, _)
        | BlobKey::Layer(job, ..)
        | BlobKey::Variant(job, ..)
        | BlobKey::Fidelity(job, _) => state.store.job_is_live(*job, now).await,
        BlobKey::Upload(upload, _) => {
            // What `lamina check` stores to prove the way has no row.
            let made = upload.made_at();
            let young = made.is_some_and(|made| now.since(made) < WITHOUT_ROW);
            Ok(state.store.upload_is_live(*upload, now).await?
                || (young && state.store.upload_existing(&[*upload]).await?.is_empty()))
        }
        // No link reads it.
        BlobKey::Incoming(_) => Ok(false),
    }
}

/// Expiry and signature of a link, from its query: each once and exactly as links are made, so that a
/// link has one form. What else a query holds is left alone: some apps add a parameter of their own to
/// get past a cache.
pub(in crate::http) fn signature(query: Option<&str>) -> Result<(i64, String), LinkError> {
    let (mut exp, mut sig) = (None, None);
    for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        let slot = match &*name {
            "exp" => &mut exp,
            "sig" => &mut sig,
            _ => continue,
        };
        if slot.replace(value.into_owned()).is_some() {
            return Err(LinkError::Wrong);
        }
    }
    let (text, sig) = exp.zip(sig).ok_or(LinkError::Wrong)?;
    let exp: i64 = text.parse().map_err(|_| LinkError::Wrong)?;
    if exp.to_string() == text {
        Ok((exp, sig))
    } else {
        Err(LinkError::Wrong)
    }
}

/// A strong tag: the store's name for this version of the bytes, tied to the key.
fn entity_tag(key: &BlobKey, size: u64, version: Option<&str>) -> String {
    let version: String = version
        .unwrap_or_default()
        .chars()
        .filter(|letter| letter.is_ascii_alphanumeric() || *letter == '-')
        .collect();
    format!("\"{}-{size}-{version}\"", key.file_name())
}

fn file_headers(key: &BlobKey, tag: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let mut fixed = |name, value| headers.insert(name, HeaderValue::from_static(value));
    fixed(CONTENT_TYPE, key.content_type());
    fixed(CACHE_CONTROL, key.cache_control());
    fixed(ACCEPT_RANGES, "bytes");
    fixed(CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox");
    headers.insert(
        "cross-origin-resource-policy",
        HeaderValue::from_static("cross-origin"),
    );
    insert(&mut headers, CONTENT_DISPOSITION, &key.disposition());
    insert(&mut headers, ETAG, tag);
    headers
}

/// For values that are made of keys and numbers, which are always valid in a header.
fn insert(headers: &mut HeaderMap, name: axum::http::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}
