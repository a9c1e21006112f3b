//! What strangers read: for each error a sentence that says what happened, and what to do. Nothing
//! internal enters it; what is repeated of a request is short and was checked.

use super::{ApiError, LinkFault};
use crate::jobs::sentence;
use crate::store::{Gone, QuotaExceeded, StorageBound};

impl ApiError {
    /// What happened and what to do, for a stranger.
    pub(in crate::http) fn detail(&self) -> String {
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
            Self::HeaderRepeated(name) => format!(
                "The header {name} came more than once, and it is not told which of them is meant. Send it once."
            ),
            Self::JobFailed(sentence) => format!("The job failed, so it has no layers. {sentence}"),
            Self::BodyTooLarge { limit } => {
                format!("The body is larger than the {limit} bytes that this route takes.")
            }
            Self::ContentEncodingUnsupported {
                coding,
                accepted: "",
            } => format!(
                "The body is compressed ({coding}), and parts of resumable uploads must not be: their offsets count bytes of the file. Send it as it is, without Content-Encoding."
            ),
            Self::ContentEncodingUnsupported { coding, accepted } => format!(
                "The body is compressed ({coding}), and this server takes {accepted} alone. Send it as it is, without Content-Encoding, or in one of these."
            ),
            Self::UnsupportedMediaType { wanted } => {
                format!("Send the body as {wanted}, and say so in Content-Type.")
            }
            Self::JobNotFailed(phase) => {
                format!("Only a failed job can be retried, and this one is {phase}.")
            }
            Self::RateLimited { rate, .. } => format!(
                "More requests than the {rate} that this key is allowed. Wait as long as Retry-After says; the RateLimit header tells what is left."
            ),
            Self::TooManyJobs { limit } => format!(
                "{limit} jobs of this key's owner are at work, and no more are allowed at once. Create the job again when one of them is completed or has failed."
            ),
            Self::RangeNotSatisfiable { size } => {
                format!("The file has {size} bytes and the range lies outside of them.")
            }
            Self::Image { error, .. } => sentence(&error.to_string()),
            Self::UploadOffsetMismatch { offset } => format!(
                "The part does not begin where the upload ends, at byte {offset}. Ask for the offset with HEAD, and go on from there."
            ),
            Self::TusHeaderInvalid(problem) => format!("{problem}."),
            Self::StorageFull(full) => storage_full(*full),
            Self::NotReady(checks) => format!("Not ready: {}.", checks.reasons()),
            other => other.fixed_detail().to_owned(),
        }
    }

    /// The texts that hold nothing of the request.
    fn fixed_detail(&self) -> &'static str {
        match self {
            Self::BodyIncomplete => "The connection ended before the whole body had arrived. Send it again.",
            Self::ContentEncodingInvalid => {
                "The body begins as compressed data and is damaged or cut. Send it again, or as it is, without Content-Encoding."
            }
            Self::InvalidIdempotencyKey => {
                "Idempotency-Key must be 1 to 255 visible ASCII characters; a fresh UUID for each new job is a good choice."
            }
            Self::InvalidHost => {
                "The Host header must be host or host:port; links to the layers are made from it."
            }
            Self::HostNotAllowed => {
                "This server takes requests without a key, so it answers under its own names only, and this Host is none of them. Ask it by its address; the operator can allow the name with ALLOWED_HOSTS or PUBLIC_URL."
            }
            Self::OriginNotAllowed => {
                "A web page of another origin sent this, and this server lets none change anything. The operator can allow the page's origin with CORS_ORIGINS."
            }
            Self::UploadNotFound => {
                "There is no such upload, or it has expired. Upload the image again with POST /api/upload."
            }
            Self::UploadMissing => {
                "There is no such upload, it has expired, or it is not yours. Begin a new one."
            }
            Self::UploadPending => {
                "The picture of this upload has not arrived as a whole yet. Finish sending it, then try again."
            }
            Self::UploadAlreadyReceived => {
                "This link has taken its one body already. Use the upload as it is, or ask POST /api/uploads for another."
            }
            Self::UploadTakenOver => {
                "Another request began to send the same upload, so this one was ended. What had arrived is kept where the upload can be resumed."
            }
            Self::UploadChecksumMismatch => {
                "The part is not what Upload-Checksum says, so it was discarded. Send it again from the same offset."
            }
            Self::UploadChecksumUnsupported => {
                "Upload-Checksum names a method that is not known. Use sha1, sha256 or sha512, or leave the header out."
            }
            Self::TusVersionUnsupported => {
                "Resumable uploads speak version 1.0.0 of the tus protocol: send the header Tus-Resumable: 1.0.0."
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
            Self::AdminOnly => {
                "This key does not open the operator's routes. Use ADMIN_KEY, or a key made with \"lamina keys new NAME --admin\"."
            }
            Self::KeyNotFound => {
                "There is no key with this id. GET /api/admin/keys lists those there are."
            }
            Self::SpendLimitReached { whole: true, .. } => {
                "What this server may spend on layering in a day is used up. Create the job again after midnight UTC, or with \"engine\": \"local\", which costs nothing; the operator can raise the limit."
            }
            Self::SpendLimitReached { whole: false, .. } => {
                "What this key's owner may spend on layering in a day is used up. Create the job again after midnight UTC, or with \"engine\": \"local\", which costs nothing; the operator can raise the limit."
            }
            Self::PaymentUnknown => {
                "It is not known whether the engine took this job's picture, so it may have been paid. Send {\"pay_again\": true} (lamina jobs retry --pay-again) to hand it over anew all the same."
            }
            Self::LinkInvalid => {
                "The link's signature is wrong. Use links exactly as the API gave them; read the job again for fresh ones."
            }
            Self::LinkExpired => "The link's time is over; the job and its files have expired with it.",
            Self::FileGone => "The file was erased, because its job or upload was deleted or has expired.",
            Self::SourceLink(LinkFault::Invalid) => {
                "image_url is an address of this server, and no link that it gave, or one that was changed. Use links exactly as the API gave them; read the job or the upload again for a fresh one."
            }
            Self::SourceLink(LinkFault::Expired) => {
                "image_url is a link of this server whose time is over. Upload the image again with POST /api/upload."
            }
            Self::SourceLink(LinkFault::Gone) => {
                "image_url is a link of this server to a file that was erased, because its job or upload was deleted or has expired. Upload the image again with POST /api/upload."
            }
            Self::SourceLink(LinkFault::NoUpload) => {
                "image_url is the link of a ticket, and its upload has expired or is not yours. Upload the image again with POST /api/upload."
            }
            Self::SourceLink(LinkFault::Pending) => {
                "image_url is the link of a ticket, and the picture has not arrived there as a whole yet. Finish sending it, then try again."
            }
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
            Self::TooManyConnections => {
                "Every connection that this server takes at once is in use. Try again in a few seconds; the operator can raise MAX_CONNECTIONS."
            }
            Self::StorageUnavailable(_) => {
                "The server cannot reach its storage now. Nothing was changed; try again in a few seconds."
            }
            Self::DiskFull(_) => {
                "The server's disk is nearly full, so it takes no pictures until some are deleted or expire. Nothing was changed; deleting works, and so does trying again later."
            }
            Self::DatabaseDamaged(_) => {
                "The server's database is damaged. Trying again does not help until the operator has restored it."
            }
            Self::StorageRefused(_) => {
                "The server's storage refuses its key, so nothing was changed. Trying again does not help until the operator has corrected it; lamina check says how."
            }
            Self::Internal(_)
            // Those below hold something of the request; `detail` writes them.
            | Self::JobNotFailed(_)
            | Self::RateLimited { .. }
            | Self::TooManyJobs { .. }
            | Self::InvalidJson(_)
            | Self::UploadOffsetMismatch { .. }
            | Self::TusHeaderInvalid(_)
            | Self::InvalidMultipart(_)
            | Self::InvalidFields(_)
            | Self::InvalidQuery(_)
            | Self::EngineNotConfigured { .. }
            | Self::JobFailed(_)
            | Self::HeaderRepeated(_)
            | Self::BodyTooLarge { .. }
            | Self::UnsupportedMediaType { .. }
            | Self::ContentEncodingUnsupported { .. }
            | Self::RangeNotSatisfiable { .. }
            | Self::Image { .. }
            | Self::StorageFull(_)
            | Self::NotReady(_) => {
                "Something went wrong in the server. Try again, and report it with the request id if it happens twice."
            }
        }
    }
}

fn storage_full(full: QuotaExceeded) -> String {
    let limit = full.limit;
    match full.bound {
        StorageBound::Total => format!(
            "This server keeps as many bytes as it may, {limit} of all owners together, so nothing was stored. Try again when jobs and uploads have expired; the operator can raise MAX_STORED_BYTES."
        ),
        StorageBound::Owner => format!(
            "This key's owner keeps as many bytes as it may, {limit} of uploads, sources and layers together, so nothing was stored. Delete jobs that are no longer needed or wait until some expire; the operator can raise MAX_STORED_BYTES_PER_KEY."
        ),
        StorageBound::Incoming => format!(
            "This key's owner has as many bytes of tickets and resumable uploads that no job has used as it may, {limit}, so nothing was stored. Create jobs of those there are, end or wait for those that are not needed; the operator can raise MAX_INCOMING_BYTES_PER_KEY."
        ),
    }
}
