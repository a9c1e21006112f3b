//! The picture of a job that is being created, put where the worker will look for it: a small one goes with the
//! job's row, a larger one into the blob store; one behind a stranger's URL is fetched later.

use bytes::Bytes;

use super::own_link::{self, OwnLink};
use crate::blobs::{BlobError, BlobKey};
use crate::disk::Room;
use crate::http::answer::error::{ApiError, LinkFault};
use crate::http::receive::picture::{self, Picture};
use crate::http::receive::upload_capacity::{Place, UploadCapacity};
use crate::http::routes::uploads::verify;
use crate::http::state::ApiState;
use crate::jobs::{JobId, OwnerId, SourceInput, UploadId};
use crate::store::{SourceInfo, StoredSource};

/// A job's source, as its row will have it.
pub(super) struct Source {
    pub(super) stored: StoredSource,
    /// Its file, to be written with the row.
    pub(super) in_row: Option<Bytes>,
    /// What that file takes until it is written.
    pub(super) held: Option<Held>,
}

/// Room on the disk, and a place among the pictures that are in memory.
#[expect(dead_code, reason = "given back when dropped")]
pub(super) struct Held(Room, Place);

impl Source {
    fn blob(info: SourceInfo) -> Self {
        Self {
            stored: StoredSource::Stored(info),
            in_row: None,
            held: None,
        }
    }

    /// Whether there is something in the blob store, which stays when no row is written.
    pub(super) fn is_blob(&self) -> bool {
        matches!(self.stored, StoredSource::Stored(_)) && self.in_row.is_none()
    }
}

/// What a create's body names.
pub(super) async fn of_spec(
    state: &ApiState,
    capacity: &UploadCapacity,
    place: Option<Place>,
    owner: &OwnerId,
    job: JobId,
    source: SourceInput,
) -> Result<Source, ApiError> {
    match source {
        SourceInput::Url(url) => Ok(Source {
            stored: StoredSource::Url(url),
            in_row: None,
            held: None,
        }),
        SourceInput::Base64(text) => {
            let place = match place {
                Some(place) => place,
                None => capacity.enter(text.len() as u64).await?,
            };
            let picture = picture::from_base64(state, owner, text)
                .await
                .map_err(|error| error.at("/image_base64"))?;
            keep(state, job, picture, place).await
        }
        SourceInput::Upload(upload) => {
            // It takes a place of its own size.
            drop(place);
            of_upload(state, capacity, owner, upload, job).await
        }
    }
}

/// What a link of this server stands for.
pub(super) async fn of_link(
    state: &ApiState,
    capacity: &UploadCapacity,
    owner: &OwnerId,
    job: JobId,
    link: OwnLink,
) -> Result<Source, ApiError> {
    let own_upload = match link {
        OwnLink::Ticket(upload) => Some(upload),
        OwnLink::Picture(BlobKey::Upload(upload, _)) => {
            let record = state
                .store
                .upload_get(owner, upload, state.ends_by())
                .await?;
            record.map(|_| upload)
        }
        OwnLink::Picture(_) => None,
    };
    match (own_upload, link) {
        (None, OwnLink::Picture(key)) => {
            let (picture, place) = own_link::read(state, capacity, owner, &key).await?;
            keep(state, job, picture, place).await
        }
        // As if its id had been given: nothing is decoded twice.
        (Some(upload), _) | (None, OwnLink::Ticket(upload)) => {
            let copied = of_upload(state, capacity, owner, upload, job).await;
            copied.map_err(|error| match error {
                ApiError::UploadNotFound => ApiError::SourceLink(LinkFault::NoUpload),
                ApiError::UploadPending => ApiError::SourceLink(LinkFault::Pending),
                other => other.at("/image_url"),
            })
        }
    }
}

/// An upload is copied, because it may expire before the job does.
async fn of_upload(
    state: &ApiState,
    capacity: &UploadCapacity,
    owner: &OwnerId,
    upload: UploadId,
    job: JobId,
) -> Result<Source, ApiError> {
    let now = state.clock.wall();
    let info = match state.store.upload_get(owner, upload, now).await? {
        Some(record) => record.info,
        None => verify::verify(state, capacity, owner, upload).await?,
    };
    let place = capacity.enter(info.bytes).await?;
    let from = BlobKey::Upload(upload, info.media_type);
    // It expired between the two looks.
    let gone = |error| match error {
        BlobError::Missing(_) => ApiError::UploadNotFound,
        other => other.into(),
    };
    if let Some(room) = state.blobs.room_in_row(info.bytes)? {
        let bytes = state.blobs.get(&from).await.map_err(gone)?;
        return Ok(Source {
            stored: StoredSource::Stored(info),
            in_row: Some(bytes),
            held: Some(Held(room, place)),
        });
    }
    let to = BlobKey::Source(job, info.media_type);
    state.blobs.copy(&from, &to).await.map_err(gone)?;
    Ok(Source::blob(info))
}

async fn keep(
    state: &ApiState,
    job: JobId,
    picture: Picture,
    place: Place,
) -> Result<Source, ApiError> {
    let info = picture.info;
    if let Some(room) = state.blobs.room_in_row(info.bytes)? {
        return Ok(Source {
            stored: StoredSource::Stored(info),
            in_row: Some(picture.bytes),
            held: Some(Held(room, place)),
        });
    }
    let key = BlobKey::Source(job, info.media_type);
    state.blobs.put(&key, picture.bytes).await?;
    Ok(Source::blob(info))
}
