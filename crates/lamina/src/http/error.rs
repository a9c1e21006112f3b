//! Every way in which a request is refused, and the only place that knows the statuses of errors
//! and the texts that strangers read. `problem` gives them their form.
//!
//! Internal text never enters an answer: [`ApiError::cause`] is logged once, by `observe`. A job's
//! own failure is not an error here; it is a field of the job.

use std::borrow::Cow;

use axum::http::StatusCode;

use crate::blobs::{BlobError, LinkError};
use crate::images::{ImageError, PoolError};
use crate::jobs::{EngineKind, FieldError, ParseError};
use crate::store::{Gone, StoreError};

/// Why a request is refused.
#[derive(Debug)]
pub enum ApiError {
    /// The body is not JSON; the text says where it breaks.
    InvalidJson(String),
    /// The body is not the multipart form that its header promises.
    InvalidMultipart(String),
    /// The body ended before it was complete.
    BodyIncomplete,
    /// `Idempotency-Key` is empty, too long or not visible ASCII.
    InvalidIdempotencyKey,
    /// Links cannot be made from this `Host`.
    InvalidHost,
    /// JSON with wrong fields.
    InvalidFields(Vec<FieldError>),
    /// Wrong query parameters.
    InvalidQuery(Vec<FieldError>),
    /// `upload_id` names no upload of this owner.
    UploadNotFound,
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
    /// The link's signature is wrong.
    LinkInvalid,
    /// The link's time is over.
    LinkExpired,
    /// The link is right and its file was erased.
    FileGone,
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
    /// The database or the disk does not answer now.
    StorageUnavailable(String),
    /// Not ready to take work; for `/readyz`.
    NotReady(&'static str),
    /// A defect.
    Internal(String),
}

impl ApiError {
    /// Every code that an answer can carry, with its status; `docs/errors.md` explains each.
    pub const CODES: [(&'static str, u16); 42] = [
        ("invalid_json", 400),
        ("invalid_multipart", 400),
        ("body_incomplete", 400),
        ("invalid_idempotency_key", 400),
        ("invalid_host", 400),
        ("unauthorized", 401),
        ("webhook_unsigned", 401),
        ("link_invalid", 403),
        ("webhook_signature_invalid", 403),
        ("route_not_found", 404),
        ("job_not_found", 404),
        ("method_not_allowed", 405),
        ("request_timeout", 408),
        ("job_not_completed", 409),
        ("job_failed", 409),
        ("job_deleted", 410),
        ("job_expired", 410),
        ("link_expired", 410),
        ("file_gone", 410),
        ("body_too_large", 413),
        ("image_too_many_bytes", 413),
        ("unsupported_media_type", 415),
        ("image_unrecognised", 415),
        ("image_format_unsupported", 415),
        ("image_variant_unsupported", 415),
        ("range_not_satisfiable", 416),
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
        ("internal_error", 500),
        ("server_busy", 503),
        ("storage_unavailable", 503),
        ("webhook_keys_unavailable", 503),
        ("not_ready", 503),
    ];

    /// The stable word that programs tell errors apart by.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::InvalidJson(_) => "invalid_json",
            Self::InvalidMultipart(_) => "invalid_multipart",
            Self::BodyIncomplete => "body_incomplete",
            Self::InvalidIdempotencyKey => "invalid_idempotency_key",
            Self::InvalidHost => "invalid_host",
            Self::InvalidFields(_) => "invalid_fields",
            Self::InvalidQuery(_) => "invalid_query",
            Self::UploadNotFound => "upload_not_found",
            Self::EngineNotConfigured { .. } => "engine_not_configured",
            Self::IdempotencyKeyReused => "idempotency_key_reused",
            Self::Unauthorized { .. } => "unauthorized",
            Self::LinkInvalid => "link_invalid",
            Self::LinkExpired => "link_expired",
            Self::FileGone => "file_gone",
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
            Self::StorageUnavailable(_) => "storage_unavailable",
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

    /// What happened and what to do, for a stranger.
    pub(super) fn detail(&self) -> String {
        match self {
            Self::InvalidJson(place) => format!("The body is not valid JSON: {place}."),
            Self::InvalidMultipart(problem) => format!(
                "The multipart form cannot be read: {problem}. Send one part named \"file\", or the image itself as the body."
            ),
            Self::InvalidFields(errors) | Self::InvalidQuery(errors) if errors.len() == 1 => {
                errors[0].detail.clone()
            }
            Self::InvalidFields(errors) => {
                format!("{} fields of the body are wrong; see errors.", errors.len())
            }
            Self::InvalidQuery(errors) => {
                format!("{} query parameters are wrong; see errors.", errors.len())
            }
            Self::EngineNotConfigured { asked, available } => {
                let names: Vec<&str> = available.iter().map(|kind| kind.as_str()).collect();
                format!(
                    "The engine \"{}\" is not set up on this server. Leave \"engine\" out, or use one of: {}.",
                    asked.as_str(),
                    names.join(", ")
                )
            }
            Self::JobFailed(sentence) => format!("The job failed, so it has no layers. {sentence}"),
            Self::BodyTooLarge { limit } => {
                format!("The body is larger than the {limit} bytes that this route takes.")
            }
            Self::UnsupportedMediaType { wanted } => {
                format!("Send the body as {wanted}, and say so in Content-Type.")
            }
            Self::RangeNotSatisfiable { size } => {
                format!("The file has {size} bytes and the range lies outside of them.")
            }
            Self::Image { error, .. } => sentence(&error.to_string()),
            Self::NotReady(what) => format!("Not ready: {what}."),
            other => other.fixed_detail().to_owned(),
        }
    }

    /// The texts that hold nothing of the request.
    fn fixed_detail(&self) -> &'static str {
        match self {
            Self::BodyIncomplete => "The connection ended before the whole body had arrived. Send it again.",
            Self::InvalidIdempotencyKey => {
                "Idempotency-Key must be 1 to 255 visible ASCII characters; a fresh UUID for each new job is a good choice."
            }
            Self::InvalidHost => {
                "The Host header must be host or host:port; links to the layers are made from it."
            }
            Self::UploadNotFound => {
                "There is no such upload, or it has expired. Upload the image again with POST /api/upload."
            }
            Self::IdempotencyKeyReused => {
                "This Idempotency-Key was used with another body. Use a fresh key for a new job."
            }
            Self::Unauthorized { sent: false } => {
                "This server wants an API key: send the header \"Authorization: Bearer <key>\"."
            }
            Self::Unauthorized { sent: true } => {
                "The Authorization header holds no key that this server knows. It must read \"Bearer <key>\"."
            }
            Self::LinkInvalid => {
                "The link's signature is wrong. Use links exactly as the API gave them; read the job again for fresh ones."
            }
            Self::LinkExpired => "The link's time is over; the job and its files have expired with it.",
            Self::FileGone => "The file was erased, because its job or upload was deleted or has expired.",
            Self::WebhookUnsigned => "The webhook does not carry the four X-Fal-Webhook headers of a signed call.",
            Self::WebhookSignatureInvalid => "The webhook's signature is wrong or too old.",
            Self::WebhookKeysUnavailable(_) => {
                "The webhook's signature cannot be checked now. Deliver it again."
            }
            Self::RouteNotFound => "Nothing is here. GET /openapi.json lists what there is.",
            Self::JobNotFound => "There is no such job, or it is not yours.",
            Self::MethodNotAllowed => "This path does not take that method; the Allow header names those it takes.",
            Self::RequestTimeout => "The request came too slowly, so the connection is closed. Send it again.",
            Self::JobNotCompleted { .. } => {
                "The job has no layers yet. Ask GET /api/jobs/{id} until its status is completed."
            }
            Self::JobGone(Gone::Deleted) => "The job was deleted, and its files with it.",
            Self::JobGone(Gone::Expired) => "The job's time was over, and its files were erased with it.",
            Self::ServerBusy => "The server is handling as many pictures as it can. Try again in a few seconds.",
            Self::StorageUnavailable(_) => {
                "The server cannot reach its storage now. Nothing was changed; try again in a few seconds."
            }
            Self::Internal(_)
            // Those below hold something of the request; `detail` writes them.
            | Self::InvalidJson(_)
            | Self::InvalidMultipart(_)
            | Self::InvalidFields(_)
            | Self::InvalidQuery(_)
            | Self::EngineNotConfigured { .. }
            | Self::JobFailed(_)
            | Self::BodyTooLarge { .. }
            | Self::UnsupportedMediaType { .. }
            | Self::RangeNotSatisfiable { .. }
            | Self::Image { .. }
            | Self::NotReady(_) => {
                "Something went wrong in the server. Try again, and report it with the request id if it happens twice."
            }
        }
    }

    /// Each wrong field, for `errors`.
    pub(super) fn into_fields(self) -> Vec<FieldError> {
        let detail = self.detail();
        let at = |pointer: &str| {
            vec![FieldError {
                pointer: pointer.to_owned(),
                detail,
            }]
        };
        match self {
            Self::InvalidFields(errors) | Self::InvalidQuery(errors) => errors,
            Self::UploadNotFound => at("/upload_id"),
            Self::EngineNotConfigured { .. } => at("/engine"),
            Self::Image {
                pointer: Some(pointer),
                ..
            } => at(pointer),
            _ => Vec::new(),
        }
    }

    /// When it is worth trying again, in seconds.
    pub(super) fn retry_after(&self) -> Option<u32> {
        match self {
            Self::JobNotCompleted { retry_after } => Some(*retry_after),
            Self::ServerBusy
            | Self::StorageUnavailable(_)
            | Self::WebhookKeysUnavailable(_)
            | Self::NotReady(_) => Some(3),
            _ => None,
        }
    }

    /// What only the log may hold.
    pub(super) fn cause(&self) -> Option<&str> {
        match self {
            Self::StorageUnavailable(cause)
            | Self::WebhookKeysUnavailable(cause)
            | Self::Internal(cause) => Some(cause),
            _ => None,
        }
    }
}

/// The texts of `images` begin small, because logs quote them; an answer begins like a sentence.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first: String = letters
        .next()
        .into_iter()
        .flat_map(char::to_uppercase)
        .collect();
    format!("{first}{}.", letters.as_str().trim_end_matches('.'))
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        if error.is_temporary() {
            Self::StorageUnavailable(error.to_string())
        } else {
            Self::Internal(error.to_string())
        }
    }
}

impl From<BlobError> for ApiError {
    fn from(error: BlobError) -> Self {
        match error {
            BlobError::Missing(_) => Self::FileGone,
            BlobError::Unavailable(cause) => Self::StorageUnavailable(cause),
        }
    }
}

impl From<std::io::Error> for ApiError {
    /// Only the spool does file work here, so every such error is the disk's.
    fn from(error: std::io::Error) -> Self {
        Self::StorageUnavailable(format!("the spool: {error}"))
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
            ImageError::Busy => Self::ServerBusy,
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

impl ApiError {
    /// Names the field that held a refused picture.
    pub(super) fn at(self, pointer: &'static str) -> Self {
        match self {
            Self::Image { error, .. } => Self::Image {
                error,
                pointer: Some(pointer),
            },
            other => other,
        }
    }
}
