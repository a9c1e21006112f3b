//! Every way in which a request is refused, and the only place that knows the statuses of errors.
//! The texts that strangers read are in `text`, the errors of other modules that become these in
//! `from`; `problem` gives them their form.
//!
//! Internal text never enters an answer: [`ApiError::cause`] is logged once, by `observe`. A job's
//! own failure is not an error here; it is a field of the job.

mod from;
mod text;

use std::borrow::Cow;

use axum::http::{HeaderName, StatusCode};

use crate::access::Rate;
use crate::http::answer::checks::Checks;
use crate::images::ImageError;
use crate::jobs::{EngineKind, FieldError, Phase};
use crate::store::{Gone, QuotaExceeded, StorageBound};

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
    /// Every code that an answer can carry, with its status; `docs/errors.md` explains each.
    pub const CODES: [(&'static str, u16); 69] = [
        ("invalid_json", 400),
        ("invalid_multipart", 400),
        ("body_incomplete", 400),
        ("content_encoding_invalid", 400),
        ("invalid_idempotency_key", 400),
        ("invalid_host", 400),
        ("header_repeated", 400),
        ("tus_header_invalid", 400),
        ("upload_checksum_unsupported", 400),
        ("unauthorized", 401),
        ("webhook_unsigned", 401),
        ("spend_limit_reached", 402),
        ("admin_only", 403),
        ("origin_not_allowed", 403),
        ("link_invalid", 403),
        ("webhook_signature_invalid", 403),
        ("route_not_found", 404),
        ("job_not_found", 404),
        ("key_not_found", 404),
        ("upload_missing", 404),
        ("method_not_allowed", 405),
        ("request_timeout", 408),
        ("job_not_completed", 409),
        ("job_failed", 409),
        ("job_not_failed", 409),
        ("payment_unknown", 409),
        ("upload_pending", 409),
        ("upload_already_received", 409),
        ("upload_offset_mismatch", 409),
        ("upload_taken_over", 409),
        ("job_deleted", 410),
        ("job_expired", 410),
        ("link_expired", 410),
        ("file_gone", 410),
        ("tus_version_unsupported", 412),
        ("body_too_large", 413),
        ("image_too_many_bytes", 413),
        ("unsupported_media_type", 415),
        ("content_encoding_unsupported", 415),
        ("image_unrecognised", 415),
        ("image_format_unsupported", 415),
        ("image_variant_unsupported", 415),
        ("range_not_satisfiable", 416),
        ("host_not_allowed", 421),
        ("invalid_fields", 422),
        ("invalid_query", 422),
        ("upload_not_found", 422),
        ("engine_not_configured", 422),
        ("idempotency_key_reused", 422),
        ("image_empty", 422),
        ("image_too_large", 422),
        ("image_too_small", 422),
        ("image_truncated", 422),
        ("image_corrupt", 422),
        ("image_base64_invalid", 422),
        ("rate_limited", 429),
        ("too_many_jobs", 429),
        ("upload_checksum_mismatch", 460),
        ("internal_error", 500),
        ("storage_refused", 500),
        ("database_damaged", 500),
        ("server_busy", 503),
        ("too_many_connections", 503),
        ("storage_unavailable", 503),
        ("webhook_keys_unavailable", 503),
        ("not_ready", 503),
        ("storage_quota_exceeded", 507),
        ("storage_limit_reached", 507),
        ("storage_full", 507),
    ];

    /// The stable word that programs tell errors apart by.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::InvalidJson(_) => "invalid_json",
            Self::InvalidMultipart(_) => "invalid_multipart",
            Self::BodyIncomplete => "body_incomplete",
            Self::ContentEncodingInvalid => "content_encoding_invalid",
            Self::ContentEncodingUnsupported { .. } => "content_encoding_unsupported",
            Self::InvalidIdempotencyKey => "invalid_idempotency_key",
            Self::HeaderRepeated(_) => "header_repeated",
            Self::InvalidHost => "invalid_host",
            Self::HostNotAllowed => "host_not_allowed",
            Self::OriginNotAllowed => "origin_not_allowed",
            Self::InvalidFields(_) => "invalid_fields",
            Self::InvalidQuery(_) => "invalid_query",
            Self::UploadNotFound => "upload_not_found",
            Self::UploadMissing => "upload_missing",
            Self::UploadPending => "upload_pending",
            Self::UploadAlreadyReceived => "upload_already_received",
            Self::UploadOffsetMismatch { .. } => "upload_offset_mismatch",
            Self::UploadTakenOver => "upload_taken_over",
            Self::UploadChecksumMismatch => "upload_checksum_mismatch",
            Self::UploadChecksumUnsupported => "upload_checksum_unsupported",
            Self::TusHeaderInvalid(_) => "tus_header_invalid",
            Self::TusVersionUnsupported => "tus_version_unsupported",
            Self::EngineNotConfigured { .. } => "engine_not_configured",
            Self::IdempotencyKeyReused => "idempotency_key_reused",
            Self::Unauthorized { .. } => "unauthorized",
            Self::AdminOnly => "admin_only",
            Self::KeyNotFound => "key_not_found",
            Self::RateLimited { .. } => "rate_limited",
            Self::TooManyJobs { .. } => "too_many_jobs",
            Self::SpendLimitReached { .. } => "spend_limit_reached",
            Self::JobNotFailed(_) => "job_not_failed",
            Self::PaymentUnknown => "payment_unknown",
            Self::LinkInvalid => "link_invalid",
            Self::LinkExpired => "link_expired",
            Self::FileGone => "file_gone",
            Self::SourceLink(LinkFault::Invalid) => "link_invalid",
            Self::SourceLink(LinkFault::Expired) => "link_expired",
            Self::SourceLink(LinkFault::Gone) => "file_gone",
            Self::SourceLink(LinkFault::NoUpload) => "upload_not_found",
            Self::SourceLink(LinkFault::Pending) => "upload_pending",
            Self::WebhookUnsigned => "webhook_unsigned",
            Self::WebhookSignatureInvalid => "webhook_signature_invalid",
            Self::WebhookKeysUnavailable(_) => "webhook_keys_unavailable",
            Self::RouteNotFound => "route_not_found",
            Self::JobNotFound => "job_not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::RequestTimeout => "request_timeout",
            Self::JobNotCompleted { .. } => "job_not_completed",
            Self::JobFailed(_) => "job_failed",
            Self::JobGone(Gone::Deleted) => "job_deleted",
            Self::JobGone(Gone::Expired) => "job_expired",
            Self::BodyTooLarge { .. } => "body_too_large",
            Self::UnsupportedMediaType { .. } => "unsupported_media_type",
            Self::RangeNotSatisfiable { .. } => "range_not_satisfiable",
            Self::Image { error, .. } => error.code(),
            Self::ServerBusy => "server_busy",
            Self::TooManyConnections => "too_many_connections",
            Self::StorageUnavailable(_) => "storage_unavailable",
            Self::DiskFull(_) => "storage_full",
            Self::DatabaseDamaged(_) => "database_damaged",
            Self::StorageRefused(_) => "storage_refused",
            Self::StorageFull(full) => match full.bound {
                StorageBound::Total => "storage_limit_reached",
                StorageBound::Owner | StorageBound::Incoming => "storage_quota_exceeded",
            },
            Self::NotReady(_) => "not_ready",
            Self::Internal(_) => "internal_error",
        }
    }

    /// The status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        let code = self.code();
        let known = Self::CODES.iter().find(|(known, _)| *known == code);
        known
            .and_then(|(_, status)| StatusCode::from_u16(*status).ok())
            .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// Each wrong field, for `errors`.
    pub(in crate::http) fn into_fields(self) -> Vec<FieldError> {
        let detail = self.detail();
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

    /// When it is worth trying again, in seconds.
    pub(in crate::http) fn retry_after(&self) -> Option<u32> {
        match self {
            Self::JobNotCompleted { retry_after }
            | Self::RateLimited { retry_after, .. }
            | Self::SpendLimitReached { retry_after, .. } => Some(*retry_after),
            // Jobs take seconds; which of them ends next, nobody knows.
            Self::TooManyJobs { .. } => Some(5),
            // Room comes when pictures are deleted or expire; maintenance looks every 15 s.
            Self::DiskFull(_) => Some(15),
            Self::ServerBusy
            | Self::TooManyConnections
            | Self::StorageUnavailable(_)
            | Self::WebhookKeysUnavailable(_)
            | Self::NotReady(_) => Some(3),
            _ => None,
        }
    }

    /// What only the log may hold.
    pub(in crate::http) fn cause(&self) -> Option<&str> {
        match self {
            Self::StorageUnavailable(cause)
            | Self::DiskFull(cause)
            | Self::DatabaseDamaged(cause)
            | Self::StorageRefused(cause)
            | Self::WebhookKeysUnavailable(cause)
            | Self::Internal(cause) => Some(cause),
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
