//! An upload that arrived unchecked, looked at when it is first used: the same reading, limits,
//! decoding and cleaning as of `POST /api/upload`, and only what comes out of that is stored. It
//! checks at use and not at arrival, because whoever puts into a bucket does not tell lamina, and
//! because whoever uses the upload is the one who can be told what is wrong with it.
//!
//! Invariant: nothing of the unchecked bytes is read by anything else, and they are gone when the
//! upload is stored.

use crate::blobs::{BlobError, BlobKey};
use crate::http::answer::error::ApiError;
use crate::http::receive::picture;
use crate::http::receive::spool::{SpoolWriter, Spooled};
use crate::http::receive::upload_capacity::UploadCapacity;
use crate::http::state::ApiState;
use crate::jobs::{OwnerId, UploadId};
use crate::store::{Arrival, Incoming, NewUpload, SourceInfo, StoreError};
use futures_util::StreamExt as _;
use image_intake::ImageError;

/// What is there of an upload.
pub(in crate::http) struct Arrived {
    /// How many bytes, as far as that is known.
    pub(in crate::http) bytes: Option<u64>,
    /// Whether that is all of it.
    pub(in crate::http) is_whole: bool,
}

/// A promised upload, if it is this owner's.
pub(in crate::http) async fn own(
    state: &ApiState,
    owner: &OwnerId,
    id: UploadId,
) -> Result<Option<Incoming>, ApiError> {
    let promised = state.store.incoming_get(id, state.ends_by()).await?;
    Ok(promised.filter(|promised| promised.owner == *owner))
}

/// How far an upload is.
pub(in crate::http) async fn arrived(
    state: &ApiState,
    promised: &Incoming,
) -> Result<Arrived, ApiError> {
    let seen = match promised.arrival {
        Arrival::Bucket => match state.blobs.size(&BlobKey::Incoming(promised.id)).await {
            Ok((bytes, _)) => Some(bytes),
            Err(BlobError::Missing(_)) => None,
            Err(error) => return Err(error.into()),
        },
        Arrival::Link | Arrival::Resumable => {
            let (inbox, id) = (state.inbox.clone(), promised.id);
            blocking(move || inbox.seen(id)).await?
        }
    };
    let is_whole = match promised.arrival {
        // A body is given its name when it is whole.
        Arrival::Bucket | Arrival::Link => seen.is_some(),
        Arrival::Resumable => promised
            .bytes
            .is_some_and(|bytes| seen.unwrap_or(0) >= bytes),
    };
    let bytes = match promised.arrival {
        Arrival::Bucket => seen,
        Arrival::Link | Arrival::Resumable => Some(seen.unwrap_or(0)),
    };
    Ok(Arrived { bytes, is_whole })
}

/// Checks and stores a promised upload of `owner`; it is an upload like any other then.
pub(in crate::http) async fn verify(
    state: &ApiState,
    capacity: &UploadCapacity,
    owner: &OwnerId,
    id: UploadId,
) -> Result<SourceInfo, ApiError> {
    let promised = own(state, owner, id).await?;
    let promised = promised.ok_or(ApiError::UploadNotFound)?;
    let Some(file) = whole(state, &promised).await? else {
        // Unless another request has checked it meanwhile.
        let now = state.ends_by();
        let checked = state.store.upload_get(owner, id, now).await?;
        return checked
            .map(|record| record.info)
            .ok_or(ApiError::UploadPending);
    };
    let place = capacity.of(owner).enter(file.len).await?;
    let picture = picture::from_spool(state, owner, file)
        .await
        .map_err(|error| error.at("/upload_id"))?;
    let info = picture.info;
    let key = BlobKey::Upload(id, info.media_type);
    state.blobs.put(&key, picture.bytes).await?;
    drop(place);
    let record = NewUpload {
        id,
        owner: owner.clone(),
        info,
        created_at: promised.created_at,
        expires_at: promised.created_at.plus(state.upload_ttl),
    };
    let checked = state.store.incoming_check(record).await;
    if let Err(StoreError::QuotaExceeded(_)) = checked {
        // The promise stays, and its bytes with it, until there is room or its time is over.
        let _ = state.blobs.erase_upload(id).await;
    }
    if !checked? {
        // Its owner ended it, or its time was over, while it was looked at.
        state.blobs.erase_upload(id).await?;
        return Err(ApiError::UploadNotFound);
    }
    forget_unchecked(state, &promised).await;
    Ok(info)
}

/// All of an upload; `None` when it is not all there.
async fn whole(state: &ApiState, promised: &Incoming) -> Result<Option<Spooled>, ApiError> {
    if promised.arrival == Arrival::Bucket {
        return from_bucket(state, promised.id).await;
    }
    let arrived = arrived(state, promised).await?;
    let Some(len) = arrived.bytes.filter(|_| arrived.is_whole) else {
        return Ok(None);
    };
    if len == 0 {
        return Ok(Some(Spooled::empty(&state.bodies)));
    }
    let (inbox, id) = (state.inbox.clone(), promised.id);
    let file = blocking(move || inbox.read(id)).await?;
    Ok(file.map(|file| Spooled::of_file(file, len)))
}

/// What a client put into the bucket, which nothing but this check keeps within its bounds.
async fn from_bucket(state: &ApiState, id: UploadId) -> Result<Option<Spooled>, ApiError> {
    let max_bytes = state.images.max_bytes;
    let opened = match state.blobs.open(&BlobKey::Incoming(id), None).await {
        Ok(opened) => opened,
        Err(BlobError::Missing(_)) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let too_many = || ApiError::from(ImageError::TooManyBytes { max_bytes });
    if opened.size > max_bytes {
        return Err(too_many().at("/upload_id"));
    }
    let mut spool = SpoolWriter::new(&state.spool, state.limits.memory_bytes, &state.bodies);
    let (mut stream, mut left) = (opened.stream, max_bytes);
    while let Some(chunk) = stream.next().await {
        let chunk = chunk?;
        left = left.checked_sub(chunk.len() as u64).ok_or_else(too_many)?;
        spool.write(&chunk).await?;
    }
    Ok(Some(spool.finish().await?))
}

/// What cannot be erased now goes with the upload.
async fn forget_unchecked(state: &ApiState, promised: &Incoming) {
    let erased = match promised.arrival {
        Arrival::Bucket => {
            let key = BlobKey::Incoming(promised.id);
            state.blobs.remove(&key).await.map_err(|e| e.to_string())
        }
        Arrival::Link | Arrival::Resumable => {
            let erased = state.inbox.erase(promised.id).await;
            erased.map_err(|error| error.to_string())
        }
    };
    if let Err(error) = erased {
        tracing::warn!(upload = %promised.id, %error, "the unchecked bytes of an upload could not be erased; they go with the upload");
    }
}

/// Runs file work off the async threads.
pub(in crate::http) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> std::io::Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(std::io::Error::other)?
}
