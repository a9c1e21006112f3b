//! The errors of the modules behind the edge, as the edge answers them.

use std::io::ErrorKind;

use image_intake::ImageError;

use super::ApiError;
use crate::blobs::{BlobError, InboxError, LinkError};
use crate::disk::Full;
use crate::jobs::ParseError;
use crate::pool::PoolError;
use crate::store::StoreError;

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        let cause = error.to_string();
        match error {
            StoreError::QuotaExceeded(full) => Self::StorageFull(full),
            StoreError::Full(_) => Self::DiskFull(cause),
            StoreError::Damaged(_) => Self::DatabaseDamaged(cause),
            StoreError::Unavailable(_) | StoreError::Closed => Self::StorageUnavailable(cause),
            StoreError::Defect(_) => Self::Internal(cause),
        }
    }
}

impl From<BlobError> for ApiError {
    fn from(error: BlobError) -> Self {
        match error {
            BlobError::Missing(_) => Self::FileGone,
            BlobError::Full(cause) => Self::DiskFull(cause),
            BlobError::Unavailable(cause) => Self::StorageUnavailable(cause),
            BlobError::Refused(cause) => Self::StorageRefused(cause),
        }
    }
}

impl From<InboxError> for ApiError {
    fn from(error: InboxError) -> Self {
        match error {
            InboxError::Disk(error) => error.into(),
            InboxError::Stuck => Self::StorageUnavailable(error.to_string()),
            InboxError::TakenOver => Self::UploadTakenOver,
        }
    }
}

impl From<std::io::Error> for ApiError {
    /// Only bodies are written to files here, so every such error is the disk's.
    fn from(error: std::io::Error) -> Self {
        let cause = format!("a body's file: {error}");
        match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Self::DiskFull(cause),
            _ => Self::StorageUnavailable(cause),
        }
    }
}

impl From<Full> for ApiError {
    fn from(full: Full) -> Self {
        Self::DiskFull(full.to_string())
    }
}

impl From<LinkError> for ApiError {
    fn from(error: LinkError) -> Self {
        match error {
            LinkError::Wrong => Self::LinkInvalid,
            LinkError::Expired => Self::LinkExpired,
        }
    }
}

impl From<ParseError> for ApiError {
    fn from(error: ParseError) -> Self {
        match error {
            ParseError::Syntax(place) => Self::InvalidJson(place),
            ParseError::Fields(errors) => Self::InvalidFields(errors),
        }
    }
}

impl From<ImageError> for ApiError {
    fn from(error: ImageError) -> Self {
        match error {
            ImageError::Internal => Self::Internal(error.to_string()),
            error => Self::Image {
                error,
                pointer: None,
            },
        }
    }
}

impl From<PoolError> for ApiError {
    fn from(error: PoolError) -> Self {
        match error {
            PoolError::Busy | PoolError::Stopped => Self::ServerBusy,
            PoolError::Panicked => Self::Internal(error.to_string()),
        }
    }
}
