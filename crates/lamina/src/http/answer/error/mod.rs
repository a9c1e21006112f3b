//! Every way in which a request is refused, and the only place that knows the statuses of errors and the
//! sentences that strangers read: `rows` has one row for each. The errors of other modules that become
//! these are in `from`; `problem` gives them their form.
//!
//! Internal text never enters an answer: a row's cause is logged once, by `observe`. A job's own failure is
//! not an error here; it is a field of the job.

mod from;
mod rows;

use std::borrow::Cow;

use axum::http::HeaderName;
use image_intake::ImageError;

use crate::access::Rate;
use crate::http::answer::checks::Checks;
use crate::jobs::{EngineKind, FieldError, Phase};
use crate::store::{Gone, JobRecord, QuotaExceeded};

/// What is wrong with an `image_url` that is a link of this server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkFault {
    /// It was changed, or never given.
    Invalid,
    /// Its time is over.
    Expired,
    /// Its file was erased.
    Gone,
    /// It is a ticket's, and the ticket is another owner's, or its upload has expired.
    NoUpload,
    /// It is a ticket's, and the picture has not arrived.
    Pending,
}

/// Why a request is refused.
#[derive(Debug)]
pub enum ApiError {
    /// The body is not JSON; the text says where it breaks.
    InvalidJson(String),
    /// The body is not the multipart form that its header promises.
    InvalidMultipart(String),
    /// The body ended before it was complete.
    BodyIncomplete,
    /// The body is not the compressed data that its header promises.
    ContentEncodingInvalid,
    /// The body is compressed in a way that this route does not take.
    ContentEncodingUnsupported {
        /// How.
        coding: String,
        /// What it takes, as `Accept-Encoding` lists it; empty for nothing.
        accepted: &'static str,
    },
    /// `Idempotency-Key` is empty, too long or not visible ASCII.
    InvalidIdempotencyKey,
    /// A header came more than once that may come once.
    HeaderRepeated(HeaderName),
    /// Links cannot be made from this `Host`.
    InvalidHost,
    /// Asked for under a name that is not this server's.
    HostNotAllowed,
    /// A page of another origin wants to change something.
    OriginNotAllowed,
    /// JSON with wrong fields.
    InvalidFields(Vec<FieldError>),
    /// Wrong query parameters.
    InvalidQuery(Vec<FieldError>),
    /// `upload_id` names no upload of this owner.
    UploadNotFound,
    /// No upload of this owner has this id; of the uploads' own routes.
    UploadMissing,
    /// The upload is not there as a whole yet.
    UploadPending,
    /// The ticket took its one body before.
    UploadAlreadyReceived,
    /// A part that begins elsewhere than the upload ends.
    UploadOffsetMismatch {
        /// Where it ends, in bytes.
        offset: u64,
    },
    /// Another request writes the same upload now.
    UploadTakenOver,
    /// The part is not what its checksum says.
    UploadChecksumMismatch,
    /// A checksum by a method that is not known.
    UploadChecksumUnsupported,
    /// A header of the resumable upload is missing or wrong; the text says which.
    TusHeaderInvalid(String),
    /// Another version of the protocol, or none.
    TusVersionUnsupported,
    /// The engine asked for is not set up.
    EngineNotConfigured {
        /// What was asked for.
        asked: EngineKind,
        /// What there is.
        available: Vec<EngineKind>,
    },
    /// The idempotency key belongs to another body.
    IdempotencyKeyReused,
    /// No valid API key.
    Unauthorized {
        /// Whether there was an `Authorization` header at all.
        sent: bool,
    },
    /// A key without the operator's right, at a route of the operator's.
    AdminOnly,
    /// No key has this id.
    KeyNotFound,
    /// More requests than the owner's rate allows.
    RateLimited {
        /// The rate.
        rate: Rate,
        /// Seconds until one more is allowed.
        retry_after: u32,
    },
    /// The owner has as many jobs at work as it may have.
    TooManyJobs {
        /// As many.
        limit: u32,
    },
    /// What may be spent in a day is used up.
    SpendLimitReached {
        /// Of the whole service rather than the owner.
        whole: bool,
        /// Seconds until the day turns.
        retry_after: u32,
    },
    /// A retry of a job that has not failed.
    JobNotFailed(Phase),
    /// A retry of a job that may have been paid, without leave to pay again.
    PaymentUnknown,
    /// The link's signature is wrong.
    LinkInvalid,
    /// The link's time is over.
    LinkExpired,
    /// The link is right and its file was erased.
    FileGone,
    /// The same, of a link that a create names as its picture.
    SourceLink(LinkFault),
    /// A webhook without a complete signature.
    WebhookUnsigned,
    /// A webhook whose signature is wrong or too old.
    WebhookSignatureInvalid,
    /// The keys that a webhook's signature is checked with cannot be fetched.
    WebhookKeysUnavailable(String),
    /// Nothing has this path.
    RouteNotFound,
    /// No job of this owner has this id.
    JobNotFound,
    /// No delivery of this owner has this id.
    DeliveryNotFound,
    /// The path exists, but not with this method.
    MethodNotAllowed,
    /// The client was too slow.
    RequestTimeout,
    /// Layers were asked for before there are any.
    JobNotCompleted {
        /// Seconds until it is worth asking again.
        retry_after: u32,
    },
    /// Layers were asked for of a job that failed.
    JobFailed(Cow<'static, str>),
    /// An export in a format that there is not.
    ExportFormatUnknown,
    /// A format whose files cannot be as large as these layers make one.
    ExportTooLarge(&'static str),
    /// A variant of a layer that would need too much memory, or that the format cannot hold.
    LayerVariantTooLarge(&'static str),
    /// An event stream, for a client that takes none.
    NotAcceptable,
    /// The owner has as many event streams open as it may have.
    TooManyEventStreams {
        /// As many.
        limit: usize,
    },
    /// All owners together have.
    EventStreamsExhausted,
    /// The job was there.
    JobGone(Gone),
    /// The body is larger than this route takes.
    BodyTooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// The body's declared type is not one that this route takes.
    UnsupportedMediaType {
        /// What it takes.
        wanted: &'static str,
    },
    /// A range outside the file.
    RangeNotSatisfiable {
        /// Size of the file in bytes.
        size: u64,
    },
    /// The picture cannot be used.
    Image {
        /// Why.
        error: ImageError,
        /// The field that held it, if it was a field.
        pointer: Option<&'static str>,
    },
    /// As much is being done as can be done at once.
    ServerBusy,
    /// Every connection is in use, and this one may ask for the service's health alone.
    TooManyConnections,
    /// The database or the disk does not answer now.
    StorageUnavailable(String),
    /// The disk is so full that no picture is taken.
    DiskFull(String),
    /// The database file is damaged; only the operator can help.
    DatabaseDamaged(String),
    /// The bucket refuses lamina's key; only the operator can help.
    StorageRefused(String),
    /// As much is kept as may be.
    StorageFull(QuotaExceeded),
    /// Not ready to take work; for `/readyz`.
    NotReady(Checks),
    /// A defect.
    Internal(String),
}

impl ApiError {
    /// Layers were asked for of a failed job.
    pub(in crate::http) fn failed(job: &JobRecord) -> Self {
        let failure = job.failure.as_ref();
        Self::JobFailed(failure.map(|why| why.sentence.clone()).unwrap_or_default())
    }

    /// Each wrong field, for `errors`.
    pub(in crate::http) fn into_fields(self) -> Vec<FieldError> {
        let detail = self.row().detail.into_owned();
        let at = |pointer: &str| {
            vec![FieldError {
                pointer: pointer.to_owned(),
                detail,
            }]
        };
        match self {
            Self::InvalidFields(errors) | Self::InvalidQuery(errors) => errors,
            Self::UploadNotFound | Self::UploadPending => at("/upload_id"),
            Self::EngineNotConfigured { .. } => at("/engine"),
            Self::SourceLink(_) => at("/image_url"),
            Self::Image {
                pointer: Some(pointer),
                ..
            } => at(pointer),
            _ => Vec::new(),
        }
    }

    /// How each part of the service is, for `checks`.
    pub(in crate::http) fn checks(&self) -> Option<Checks> {
        match self {
            Self::NotReady(checks) => Some(*checks),
            _ => None,
        }
    }

    /// Names the field that held a refused picture.
    pub(in crate::http) fn at(self, pointer: &'static str) -> Self {
        match self {
            Self::Image { error, .. } => Self::Image {
                error,
                pointer: Some(pointer),
            },
            other => other,
        }
    }
}
