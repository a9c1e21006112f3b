//! A received picture to its stored form: base64, header and the check of a small PNG on the way in, the pool for
//! whatever costs. It stores nothing and knows no route.

use bytes::Bytes;
use image_intake::{
    Header, Limits, Normalised, decode_base64, header, normalise, normalised_already,
};

use super::spool::Spooled;
use crate::http::answer::error::ApiError;
use crate::http::state::ApiState;
use crate::jobs::OwnerId;
use crate::store::SourceInfo;

/// Bytes of rows of a PNG that are inflated where a small body was received: in some 250 µs, and in 2 ms where somebody
/// made it to take long. The way to the pool and back costs 50 µs. Places among the pictures in memory bound how many
/// there are at once, and are fair by owner as the pool is.
const CHECKED_AT_ONCE: u64 = 2 << 20;

/// A picture ready to be stored.
pub(in crate::http) struct Picture {
    /// Its file.
    pub(in crate::http) bytes: Bytes,
    /// What is known of it.
    pub(in crate::http) info: SourceInfo,
}

/// A picture that was sent as base64 text, raw or as a `data:` URI.
pub(in crate::http) async fn from_base64(
    state: &ApiState,
    owner: &OwnerId,
    text: String,
) -> Result<Picture, ApiError> {
    let limits = state.images;
    if text.len() <= state.limits.memory_bytes {
        let bytes = decode_base64(&text, limits.max_bytes)?;
        return from_bytes(state, owner, bytes.into(), None, limits).await;
    }
    let read = move || read(decode_base64(&text, limits.max_bytes)?.into(), &limits);
    let (bytes, header) = state.pool.of(owner).run(1, read).await??;
    from_bytes(state, owner, bytes, Some(header), limits).await
}

/// A picture whose file was received as it is. What is not in memory is read twice, for its header
/// and again for its pixels: between the two it may wait long for its turn, and would be held.
pub(in crate::http) async fn from_spool(
    state: &ApiState,
    owner: &OwnerId,
    body: Spooled,
) -> Result<Picture, ApiError> {
    within(state, owner, body, state.images).await
}

/// The same of bytes that were stored here before: an engine's layer may have more bytes than a
/// picture that comes in.
pub(in crate::http) async fn of_own_bytes(
    state: &ApiState,
    owner: &OwnerId,
    body: Spooled,
) -> Result<Picture, ApiError> {
    let limits = Limits {
        max_bytes: u64::MAX,
        ..state.images
    };
    within(state, owner, body, limits).await
}

async fn within(
    state: &ApiState,
    owner: &OwnerId,
    body: Spooled,
    limits: Limits,
) -> Result<Picture, ApiError> {
    if let Some(bytes) = body.in_memory() {
        return from_bytes(state, owner, bytes.clone(), None, limits).await;
    }
    let look = move || {
        let (_, header) = read(body.load()?, &limits)?;
        Ok::<_, ApiError>((body, header))
    };
    let (body, header) = state.pool.of(owner).run(1, look).await??;
    let work = move || Ok::<_, ApiError>(normalise(&body.load()?, &limits)?);
    let normalised = state
        .pool
        .of(owner)
        .run(header.cost_megapixels, work)
        .await??;
    Ok(normalised.into())
}

fn read(bytes: Bytes, limits: &Limits) -> Result<(Bytes, Header), ApiError> {
    let header = header(&bytes, limits)?;
    Ok((bytes, header))
}

/// `known` is its header, where that was read already; one that may stay as it is needs no look at it first.
async fn from_bytes(
    state: &ApiState,
    owner: &OwnerId,
    bytes: Bytes,
    known: Option<Header>,
    limits: Limits,
) -> Result<Picture, ApiError> {
    let small = bytes.len() <= state.limits.memory_bytes;
    let checked = || normalised_already(&bytes, &limits, CHECKED_AT_ONCE);
    if let Some(normalised) = small.then(checked).flatten() {
        return Ok(normalised.into());
    }
    let header = known.map_or_else(|| header(&bytes, &limits), Ok)?;
    let work = move || normalise(&bytes, &limits);
    let normalised = state
        .pool
        .of(owner)
        .run(header.cost_megapixels, work)
        .await??;
    Ok(normalised.into())
}

impl From<Normalised> for Picture {
    fn from(normalised: Normalised) -> Self {
        Self {
            info: info(&normalised),
            bytes: normalised.bytes,
        }
    }
}

fn info(normalised: &Normalised) -> SourceInfo {
    SourceInfo {
        media_type: normalised.format,
        width: normalised.width,
        height: normalised.height,
        bytes: normalised.bytes.len() as u64,
    }
}
