//! Uploads: checked ones, and those that are promised or on their way.

use super::SourceInfo;
use crate::jobs::{OwnerId, UnixMs, UploadId};

/// An upload about to be recorded.
#[derive(Clone, Debug)]
pub struct NewUpload {
    pub id: UploadId,
    /// Who uploaded.
    pub owner: OwnerId,
    /// What was stored.
    pub info: SourceInfo,
    /// Now.
    pub created_at: UnixMs,
    /// When it goes.
    pub expires_at: UnixMs,
}

/// A stored upload.
#[derive(Clone, Debug, PartialEq)]
pub struct UploadRecord {
    pub id: UploadId,
    /// What is stored.
    pub info: SourceInfo,
    /// When it goes.
    pub expires_at: UnixMs,
}

/// How the bytes of an upload come that is not checked yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// One body, through a link of lamina, to this machine's disk.
    Link,
    /// One body, through a presigned link, to the bucket.
    Bucket,
    /// In as many parts as it takes, to this machine's disk.
    Resumable,
}

impl Arrival {
    /// Every way.
    pub const ALL: [Self; 3] = [Self::Link, Self::Bucket, Self::Resumable];

    /// The word in the store.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Link => "link",
            Self::Bucket => "bucket",
            Self::Resumable => "resumable",
        }
    }
}

/// An upload that was promised and is not checked yet; its bytes may be there in part, whole or
/// not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incoming {
    /// Its id; the upload keeps it.
    pub id: UploadId,
    pub owner: OwnerId,
    /// How its bytes come.
    pub arrival: Arrival,
    /// Size of the whole, as far as it was declared.
    pub bytes: Option<u64>,
    /// What it may come to, as far as it was declared, or has come to; counted as kept.
    pub reserved: u64,
    /// What a resumable upload said of itself, as it was sent.
    pub metadata: Option<String>,
    /// When it was promised.
    pub created_at: UnixMs,
    /// When it goes, unless it was checked before.
    pub expires_at: UnixMs,
}
