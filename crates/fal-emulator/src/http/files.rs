//! The CDN's paths: files as they are, or delivered as badly as scripted.
//!
//! Files are public unless their access rule says otherwise; the owner is whoever holds a key.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, header};
use bytes::Bytes;
use futures_util::stream::{self, StreamExt as _};
use tokio::time::{Instant, interval_at};

use super::answer::{self, Answer};
use super::call::Call;
use crate::cdn::{Delivery, Found};
use crate::failure::Failure;
use crate::shared::Shared;

const CHUNK: usize = 64 * 1024;

/// `GET /files/b/{hash}/{name}`.
pub(super) fn get(shared: &Arc<Shared>, call: &Call) -> Answer {
    shared.board().counters.downloads += 1;
    shared.changed();
    let owner = call.authorize(&shared.config).is_ok();
    let (content_type, body, delivery) = match shared.cdn.find(call.uri.path(), owner) {
        Found::Missing => return answer::failed(&Failure::text(404, "File not found")),
        Found::Forbidden => return answer::failed(&Failure::text(403, "Access denied")),
        Found::File {
            content_type,
            body,
            delivery,
        } => (content_type, body, delivery),
    };
    let (length, body) = match delivery {
        Delivery::Missing => return answer::failed(&Failure::text(404, "File not found")),
        Delivery::Failing(left) if left > 0 => {
            return answer::failed(&Failure::text(500, "Internal server error"));
        }
        Delivery::MissingFor(left) if left > 0 => {
            return answer::failed(&Failure::text(404, "File not found"));
        }
        Delivery::GarbledFor(left) if left > 0 => {
            let text = "<html>moment</html>";
            (Some(text.len() as u64), Body::from(text))
        }
        Delivery::Whole
        | Delivery::Failing(_)
        | Delivery::MissingFor(_)
        | Delivery::GarbledFor(_) => (Some(body.len() as u64), Body::from(body)),
        Delivery::Drips => (None, drip(&body)),
        Delivery::Huge { bytes, declared } => (declared.then_some(bytes), huge(body, bytes)),
        Delivery::Cut => (Some(body.len() as u64), answer::half(&body)),
    };
    let mut answered = answer::with_type(200, "application/octet-stream", body);
    let headers = answered.headers_mut();
    if let Ok(content_type) = HeaderValue::from_str(&content_type) {
        headers.insert(header::CONTENT_TYPE, content_type);
    }
    if let Some(length) = length {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    answered
}

/// The beginning of the file, then a zero every 50 ms for ever.
fn drip(file: &Bytes) -> Body {
    let start = file.slice(..file.len().min(64));
    let every = Duration::from_millis(50);
    let ticks = interval_at(Instant::now() + every, every);
    let zeros = stream::unfold(ticks, |mut ticks| async move {
        ticks.tick().await;
        Some((Bytes::from_static(&[0]), ticks))
    });
    let whole = stream::iter([start]).chain(zeros);
    Body::from_stream(whole.map(Ok::<_, std::io::Error>))
}

/// The file, then zeros up to `bytes`.
fn huge(file: Bytes, bytes: u64) -> Body {
    let zeros = Bytes::from_static(&[0; CHUNK]);
    let chunks = stream::unfold((file, bytes), move |(next, left)| {
        let zeros = zeros.clone();
        async move {
            if left == 0 {
                return None;
            }
            let take = usize::try_from(left).unwrap_or(usize::MAX).min(next.len());
            Some((next.slice(..take), (zeros, left - take as u64)))
        }
    });
    Body::from_stream(chunks.map(Ok::<_, std::io::Error>))
}
