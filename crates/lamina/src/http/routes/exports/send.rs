//! An export as an answer: nothing where the client has it, a part where it asks for one, else the whole. The tag is known before the file
//! is made, so that neither 304 nor HEAD makes one.

use std::convert::Infallible;
use std::fs::File;
use std::io::{Seek as _, SeekFrom};

use axum::body::Body;
use axum::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE,
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use tokio::io::AsyncReadExt as _;
use tokio_util::io::ReaderStream;

use super::disposition::attachment;
use super::make::make;
use crate::exports::Plan;
use crate::http::answer::error::ApiError;
use crate::http::answer::json::has_tag;
use crate::http::extract::range::{Part, wanted};
use crate::http::state::ApiState;
use crate::http::state::export_places::ExportPlaces;
use crate::metrics::Direction;
use crate::store::JobRecord;

/// Bytes that are read and sent at once.
const BLOCK: usize = 64 << 10;

/// Of a request, what decides what is sent.
pub(super) struct Asked {
    pub(super) method: Method,
    pub(super) headers: HeaderMap,
}

pub(super) async fn answer(
    state: &ApiState,
    places: &ExportPlaces,
    job: &JobRecord,
    plan: Plan,
    asked: Asked,
) -> Result<Response, ApiError> {
    let tag = plan.tag().to_owned();
    let mut headers = headers_of(&plan);
    if has_tag(&asked.headers, &tag) {
        return Ok((StatusCode::NOT_MODIFIED, headers).into_response());
    }
    if asked.method == Method::HEAD {
        // Of no known length: "0" would be wrong, and the right one is known only when the file is made.
        let unknown = Body::from_stream(stream::empty::<Result<Bytes, Infallible>>());
        return Ok((StatusCode::OK, headers, unknown).into_response());
    }
    let place = places.enter(&job.owner)?;
    let (mut file, size) = make(state, job, plan).await?;
    let (status, range) = match wanted(&asked.headers, size, &tag) {
        Part::Whole => (StatusCode::OK, 0..size),
        Part::Bytes(range) => (StatusCode::PARTIAL_CONTENT, range),
        Part::Outside => return Err(ApiError::RangeNotSatisfiable { size }),
    };
    headers.insert(CONTENT_LENGTH, HeaderValue::from(range.end - range.start));
    if status == StatusCode::PARTIAL_CONTENT {
        let (first, last) = (range.start, range.end - 1);
        let part = format!("bytes {first}-{last}/{size}");
        insert(&mut headers, CONTENT_RANGE, &part);
        file.seek(SeekFrom::Start(first))?;
    }
    let body = body(file, range.end - range.start);
    // Both go with the last chunk, or with the client.
    let held = (place, state.metrics.requests.stream(Direction::Out));
    let counted = body.inspect(move |_| {
        let _ = &held;
    });
    Ok((status, headers, Body::from_stream(counted)).into_response())
}

fn body(file: File, length: u64) -> ReaderStream<impl tokio::io::AsyncRead> {
    let part = tokio::fs::File::from_std(file).take(length);
    ReaderStream::with_capacity(part, BLOCK)
}

fn headers_of(plan: &Plan) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let mut fixed = |name, value| headers.insert(name, HeaderValue::from_static(value));
    fixed(CONTENT_TYPE, plan.media_type());
    fixed(CACHE_CONTROL, "private, max-age=3600");
    fixed(ACCEPT_RANGES, "bytes");
    fixed(CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox");
    fixed(
        HeaderName::from_static("cross-origin-resource-policy"),
        "cross-origin",
    );
    let name = attachment(&plan.file_stem(), plan.extension());
    insert(&mut headers, CONTENT_DISPOSITION, &name);
    insert(&mut headers, ETAG, plan.tag());
    headers
}

/// For values that are ASCII by how they are made.
fn insert(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}
