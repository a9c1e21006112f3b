//! One row for each error: its status, its code, when it is worth trying again, what only the log may
//! hold of it, and what strangers read. Statuses and sentences are nowhere else.
//!
//! A sentence says what happened and what to do. Nothing internal enters it; what is repeated of a request
//! is short and was checked. Seconds: jobs take a few, and which of them ends next, no one knows; room comes
//! when pictures are deleted or expire, and maintenance looks every 15.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use axum::http::StatusCode;
use image_intake::ImageError;

use super::{ApiError, LinkFault};
use crate::jobs::{EngineKind, FieldError, sentence};
use crate::store::{Gone, QuotaExceeded, StorageBound};

/// What is known of one error.
pub(in crate::http) struct Row<'a> {
    pub(in crate::http) status: u16,
    pub(in crate::http) code: &'static str,
    /// In seconds.
    pub(in crate::http) retry_after: Option<u32>,
    /// What only the log may hold.
    pub(in crate::http) cause: Option<&'a str>,
    /// What happened and what to do, for a stranger.
    pub(in crate::http) detail: Cow<'static, str>,
}

macro_rules! rows {
    ($($pattern:pat => $status:literal $code:literal $(retry($retry:expr))? $(cause($cause:expr))?: $detail:expr;)+) => {
        /// Code and status of every row, and whether it says when to try again.
        const CODES: &[(&str, u16, bool)] =
            &[$(($code, $status, !<[&str]>::is_empty(&[$(stringify!($retry))?]))),+];

        impl ApiError {
            /// The row of this error.
            pub(in crate::http) fn row(&self) -> Row<'_> {
                match self {
                    $($pattern => Row {
                        status: $status,
                        code: $code,
                        retry_after: first(&[$($retry)?]),
                        cause: first(&[$($cause)?]),
                        detail: Cow::from($detail),
                    },)+
                }
            }
        }
    };
}

rows! {
    Self::InvalidJson(place) => 400 "invalid_json":
        format!("The body is not valid JSON: {place}.");
    Self::InvalidMultipart(problem) => 400 "invalid_multipart":
        format!("The multipart form cannot be read: {problem}. Send one part named \"file\", or the image itself as the body.");
    Self::BodyIncomplete => 400 "body_incomplete":
        "The connection ended before the whole body had arrived. Send it again.";
    Self::ContentEncodingInvalid => 400 "content_encoding_invalid":
        "The body begins as compressed data and is damaged or cut. Send it again, or as it is, without Content-Encoding.";
    Self::InvalidIdempotencyKey => 400 "invalid_idempotency_key":
        "Idempotency-Key must be 1 to 255 visible ASCII characters; a fresh UUID for each new job is a good choice.";
    Self::HeaderRepeated(name) => 400 "header_repeated":
        format!("The header {name} came more than once, and it is not told which of them is meant. Send it once.");
    Self::InvalidHost => 400 "invalid_host":
        "The Host header must be host or host:port; links to the layers are made from it.";
    Self::UploadChecksumUnsupported => 400 "upload_checksum_unsupported":
        "Upload-Checksum names a method that is not known. Use sha1, sha256 or sha512, or leave the header out.";
    Self::TusHeaderInvalid(problem) => 400 "tus_header_invalid":
        format!("{problem}.");
    Self::Unauthorized { sent: false } => 401 "unauthorized":
        "This server wants an API key: send the header \"Authorization: Bearer <key>\".";
    Self::Unauthorized { sent: true } => 401 "unauthorized":
        "The Authorization header holds no key that this server knows. It must read \"Bearer <key>\".";
    Self::WebhookUnsigned => 401 "webhook_unsigned":
        "The webhook does not carry the four X-Fal-Webhook headers of a signed call.";
    Self::SpendLimitReached { whole: true, retry_after } => 402 "spend_limit_reached" retry(*retry_after):
        "What this server may spend on layering in a day is used up. Create the job again after midnight UTC, or with \"engine\": \"local\", which costs nothing; the operator can raise the limit.";
    Self::SpendLimitReached { whole: false, retry_after } => 402 "spend_limit_reached" retry(*retry_after):
        "What this key's owner may spend on layering in a day is used up. Create the job again after midnight UTC, or with \"engine\": \"local\", which costs nothing; the operator can raise the limit.";
    Self::OriginNotAllowed => 403 "origin_not_allowed":
        "A web page of another origin sent this, and this server lets none change anything. The operator can allow the page's origin with CORS_ORIGINS.";
    Self::AdminOnly => 403 "admin_only":
        "This key does not open the operator's routes. Use ADMIN_KEY, or a key made with \"lamina keys new NAME --admin\".";
    Self::LinkInvalid => 403 "link_invalid":
        "The link's signature is wrong. Use links exactly as the API gave them; read the job again for fresh ones.";
    Self::SourceLink(LinkFault::Invalid) => 403 "link_invalid":
        "image_url is an address of this server, and no link that it gave, or one that was changed. Use links exactly as the API gave them; read the job or the upload again for a fresh one.";
    Self::WebhookSignatureInvalid => 403 "webhook_signature_invalid":
        "The webhook's signature is wrong or too old.";
    Self::UploadMissing => 404 "upload_missing":
        "There is no such upload, it has expired, or it is not yours. Begin a new one.";
    Self::KeyNotFound => 404 "key_not_found":
        "There is no key with this id. GET /api/admin/keys lists those there are.";
    Self::RouteNotFound => 404 "route_not_found":
        "Nothing is here. GET /openapi.json lists what there is.";
    Self::DeliveryNotFound => 404 "delivery_not_found":
        "No delivery has this id, or its job was forgotten, a week after it went. GET /api/webhooks/deliveries lists those there are.";
    Self::JobNotFound => 404 "job_not_found":
        "There is no such job, or it is not yours.";
    Self::ExportFormatUnknown => 404 "export_format_unknown":
        format!("There is no export in this format. Those there are: {}.", crate::exports::words().join(", "));
    Self::MethodNotAllowed => 405 "method_not_allowed":
        "This path does not take that method; the Allow header names those it takes.";
    Self::NotAcceptable => 406 "not_acceptable":
        "This route answers with a stream of events, and the request's Accept leaves text/event-stream out. Add it, or ask GET /api/jobs/{id} with wait instead.";
    Self::RequestTimeout => 408 "request_timeout":
        "The request came too slowly, so the connection is closed. Send it again.";
    Self::UploadPending => 409 "upload_pending":
        "The picture of this upload has not arrived as a whole yet. Finish sending it, then try again.";
    Self::UploadAlreadyReceived => 409 "upload_already_received":
        "This link has taken its one body already. Use the upload as it is, or ask POST /api/uploads for another.";
    Self::UploadOffsetMismatch { offset } => 409 "upload_offset_mismatch":
        format!("The part does not begin where the upload ends, at byte {offset}. Ask for the offset with HEAD, and go on from there.");
    Self::UploadTakenOver => 409 "upload_taken_over":
        "Another request began to send the same upload, so this one was ended. What had arrived is kept where the upload can be resumed.";
    Self::JobNotFailed(phase) => 409 "job_not_failed":
        format!("Only a failed job can be retried, and this one is {phase}.");
    Self::PaymentUnknown => 409 "payment_unknown":
        "It is not known whether the engine took this job's picture, so it may have been paid. Send {\"pay_again\": true} (lamina jobs retry --pay-again) to hand it over anew all the same.";
    Self::SourceLink(LinkFault::Pending) => 409 "upload_pending":
        "image_url is the link of a ticket, and the picture has not arrived there as a whole yet. Finish sending it, then try again.";
    Self::JobNotCompleted { retry_after } => 409 "job_not_completed" retry(*retry_after):
        "The job has no layers yet. Ask GET /api/jobs/{id} until its status is completed.";
    Self::JobFailed(sentence) => 409 "job_failed":
        format!("The job failed, so it has no layers. {sentence}");
    Self::LinkExpired => 410 "link_expired":
        "The link's time is over; the job and its files have expired with it.";
    Self::FileGone => 410 "file_gone":
        "The file was erased, because its job or upload was deleted or has expired.";
    Self::SourceLink(LinkFault::Expired) => 410 "link_expired":
        "image_url is a link of this server whose time is over. Upload the image again with POST /api/upload.";
    Self::SourceLink(LinkFault::Gone) => 410 "file_gone":
        "image_url is a link of this server to a file that was erased, because its job or upload was deleted or has expired. Upload the image again with POST /api/upload.";
    Self::JobGone(Gone::Deleted) => 410 "job_deleted":
        "The job was deleted, and its files with it.";
    Self::JobGone(Gone::Expired) => 410 "job_expired":
        "The job's time was over, and its files were erased with it.";
    Self::TusVersionUnsupported => 412 "tus_version_unsupported":
        "Resumable uploads speak version 1.0.0 of the tus protocol: send the header Tus-Resumable: 1.0.0.";
    Self::BodyTooLarge { limit } => 413 "body_too_large":
        format!("The body is larger than the {limit} bytes that this route takes.");
    Self::Image { error: error @ ImageError::TooManyBytes { .. }, .. } => 413 "image_too_many_bytes":
        sentence(&error.to_string());
    Self::ContentEncodingUnsupported { coding, accepted: "" } => 415 "content_encoding_unsupported":
        format!("The body is compressed ({coding}), and parts of resumable uploads must not be: their offsets count bytes of the file. Send it as it is, without Content-Encoding.");
    Self::ContentEncodingUnsupported { coding, accepted } => 415 "content_encoding_unsupported":
        format!("The body is compressed ({coding}), and this server takes {accepted} alone. Send it as it is, without Content-Encoding, or in one of these.");
    Self::UnsupportedMediaType { wanted } => 415 "unsupported_media_type":
        format!("Send the body as {wanted}, and say so in Content-Type.");
    Self::Image { error: error @ ImageError::Unrecognised, .. } => 415 "image_unrecognised":
        sentence(&error.to_string());
    Self::Image { error: error @ ImageError::FormatUnsupported { .. }, .. } => 415 "image_format_unsupported":
        sentence(&error.to_string());
    Self::Image { error: error @ ImageError::VariantUnsupported { .. }, .. } => 415 "image_variant_unsupported":
        sentence(&error.to_string());
    Self::RangeNotSatisfiable { size } => 416 "range_not_satisfiable":
        format!("The file has {size} bytes and the range lies outside of them.");
    Self::HostNotAllowed => 421 "host_not_allowed":
        "This server takes requests without a key, so it answers under its own names only, and this Host is none of them. Ask it by its address; the operator can allow the name with ALLOWED_HOSTS or PUBLIC_URL.";
    Self::ExportTooLarge(format) => 422 "export_too_large":
        format!("These layers make a larger file than {format} can be. Take another format, or fetch the layers one by one.");
    Self::LayerVariantTooLarge(format) => 422 "layer_variant_too_large":
        format!("This layer is too large to be made into a {format} of this size. Ask for a smaller width, for trim=1, or for the layer as it is.");
    Self::InvalidFields(errors) => 422 "invalid_fields":
        several(errors, "fields of the body");
    Self::InvalidQuery(errors) => 422 "invalid_query":
        several(errors, "query parameters");
    Self::UploadNotFound => 422 "upload_not_found":
        "There is no such upload, or it has expired. Upload the image again with POST /api/upload.";
    Self::EngineNotConfigured { asked, available } => 422 "engine_not_configured":
        not_configured(*asked, available);
    Self::IdempotencyKeyReused => 422 "idempotency_key_reused":
        "This Idempotency-Key was used with another body. Use a fresh key for a new job.";
    Self::SourceLink(LinkFault::NoUpload) => 422 "upload_not_found":
        "image_url is the link of a ticket, and its upload has expired or is not yours. Upload the image again with POST /api/upload.";
    Self::Image { error: error @ ImageError::Empty, .. } => 422 "image_empty":
        sentence(&error.to_string());
    Self::Image { error: error @ ImageError::TooLarge { .. }, .. } => 422 "image_too_large":
        sentence(&error.to_string());
    Self::Image { error: error @ ImageError::TooSmall { .. }, .. } => 422 "image_too_small":
        sentence(&error.to_string());
    Self::Image { error: error @ ImageError::Truncated { .. }, .. } => 422 "image_truncated":
        sentence(&error.to_string());
    Self::Image { error: error @ ImageError::Corrupt { .. }, .. } => 422 "image_corrupt":
        sentence(&error.to_string());
    Self::Image { error: error @ ImageError::TooComplex { .. }, .. } => 422 "image_too_complex":
        sentence(&error.to_string());
    Self::Image { error: error @ ImageError::Base64Invalid { .. }, .. } => 422 "image_base64_invalid":
        sentence(&error.to_string());
    Self::RateLimited { rate, retry_after } => 429 "rate_limited" retry(*retry_after):
        format!("More requests than the {rate} that this key is allowed. Wait as long as Retry-After says; the RateLimit header tells what is left.");
    Self::TooManyJobs { limit } => 429 "too_many_jobs" retry(5):
        format!("{limit} jobs of this key's owner are at work, and no more are allowed at once. Create the job again when one of them is completed or has failed.");
    Self::TooManyEventStreams { limit } => 429 "too_many_event_streams" retry(5):
        format!("{limit} event streams and waiting reads of this key's owner are open, and no more are allowed at once. Close some, or ask GET /api/jobs/{{id}} without wait; the operator can raise MAX_EVENT_STREAMS_PER_KEY.");
    Self::UploadChecksumMismatch => 460 "upload_checksum_mismatch":
        "The part is not what Upload-Checksum says, so it was discarded. Send it again from the same offset.";
    Self::DatabaseDamaged(cause) => 500 "database_damaged" cause(cause):
        "The server's database is damaged. Trying again does not help until the operator has restored it.";
    Self::StorageRefused(cause) => 500 "storage_refused" cause(cause):
        "The server's storage refuses its key, so nothing was changed. Trying again does not help until the operator has corrected it; lamina check says how.";
    Self::Internal(cause) => 500 "internal_error" cause(cause):
        "Something went wrong in the server. Try again, and report it with the request id if it happens twice.";
    Self::Image { error: ImageError::Internal, .. } => 500 "internal_error":
        "Something went wrong in the server. Try again, and report it with the request id if it happens twice.";
    Self::WebhookKeysUnavailable(cause) => 503 "webhook_keys_unavailable" retry(3) cause(cause):
        "The webhook's signature cannot be checked now. Deliver it again.";
    Self::ServerBusy => 503 "server_busy" retry(3):
        "The server is handling as many pictures as it can. Try again in a few seconds.";
    Self::EventStreamsExhausted => 503 "event_streams_exhausted" retry(5):
        "Every event stream that this server keeps open at once is in use. Ask GET /api/jobs/{id} without wait meanwhile; the operator can raise MAX_EVENT_STREAMS.";
    Self::TooManyConnections => 503 "too_many_connections" retry(3):
        "Every connection that this server takes at once is in use. Try again in a few seconds; the operator can raise MAX_CONNECTIONS.";
    Self::StorageUnavailable(cause) => 503 "storage_unavailable" retry(3) cause(cause):
        "The server cannot reach its storage now. Nothing was changed; try again in a few seconds.";
    Self::NotReady(checks) => 503 "not_ready" retry(3):
        format!("Not ready: {}.", checks.reasons());
    Self::DiskFull(cause) => 507 "storage_full" retry(15) cause(cause):
        "The server's disk is nearly full, so it takes no pictures until some are deleted or expire. Nothing was changed; deleting works, and so does trying again later.";
    Self::StorageFull(QuotaExceeded { bound: StorageBound::Total, limit }) => 507 "storage_limit_reached":
        format!("This server keeps as many bytes as it may, {limit} of all owners together, so nothing was stored. Try again when jobs and uploads have expired; the operator can raise MAX_STORED_BYTES.");
    Self::StorageFull(QuotaExceeded { bound: StorageBound::Owner, limit }) => 507 "storage_quota_exceeded":
        format!("This key's owner keeps as many bytes as it may, {limit} of uploads, sources and layers together, so nothing was stored. Delete jobs that are no longer needed or wait until some expire; the operator can raise MAX_STORED_BYTES_PER_KEY.");
    Self::StorageFull(QuotaExceeded { bound: StorageBound::Incoming, limit }) => 507 "storage_quota_exceeded":
        format!("This key's owner has as many bytes of tickets and resumable uploads that no job has used as it may, {limit}, so nothing was stored. Create jobs of those there are, end or wait for those that are not needed; the operator can raise MAX_INCOMING_BYTES_PER_KEY.");
}

impl ApiError {
    /// Every code that an answer can carry, with its status; `docs/errors.md` explains each.
    #[must_use]
    pub fn codes() -> BTreeMap<&'static str, u16> {
        let codes = CODES.iter().map(|(code, status, _)| (*code, *status));
        codes.collect()
    }

    /// The codes of answers that carry `Retry-After`, always or sometimes.
    #[must_use]
    pub fn codes_with_retry_after() -> BTreeSet<&'static str> {
        let codes = CODES.iter().filter(|(_, _, retry)| *retry);
        codes.map(|(code, _, _)| *code).collect()
    }

    /// The stable word that programs tell errors apart by.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.row().code
    }

    /// The status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.row().status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

fn first<T: Copy>(given: &[T]) -> Option<T> {
    given.first().copied()
}

fn several(errors: &[FieldError], what: &str) -> String {
    match errors {
        [error] => error.detail.clone(),
        _ => format!("{} {what} are wrong; see errors.", errors.len()),
    }
}

fn not_configured(asked: EngineKind, available: &[EngineKind]) -> String {
    let names: Vec<&str> = available.iter().map(|kind| kind.as_str()).collect();
    format!(
        "The engine \"{}\" is not set up on this server. Leave \"engine\" out, or use one of: {}.",
        asked.as_str(),
        names.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_has_one_status_and_says_when_to_try_again_always_or_never() {
        let rows: BTreeSet<_> = CODES.iter().collect();
        assert_eq!(rows.len(), ApiError::codes().len(), "{CODES:?}");
    }
}
