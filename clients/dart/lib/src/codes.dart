// Written by tool/codes.dart from docs/errors.md. Do not edit.

/// The stable code of a refused request. A newer server may give others: compare, do not switch.
extension type const ProblemCode(String value) implements String {
  /// The body is not JSON in UTF-8. `detail` says where it breaks.
  static const invalidJson = ProblemCode('invalid_json');

  /// The body is not the form that its header promises. One part named `file`, or the image itself as the body.
  static const invalidMultipart = ProblemCode('invalid_multipart');

  /// The connection ended before the body did. Send it again.
  static const bodyIncomplete = ProblemCode('body_incomplete');

  /// The body is not compressed as `Content-Encoding` says. Send it without `Content-Encoding`.
  static const contentEncodingInvalid = ProblemCode('content_encoding_invalid');

  /// `Idempotency-Key` is not 1 to 255 visible ASCII characters. A fresh UUID for each new job.
  static const invalidIdempotencyKey = ProblemCode('invalid_idempotency_key');

  /// No link can be made from this `Host`. `host` or `host:port`. Operators: `PUBLIC_URL`.
  static const invalidHost = ProblemCode('invalid_host');

  /// A header that may come only once came twice. Send it once; a proxy may add one of its own.
  static const headerRepeated = ProblemCode('header_repeated');

  /// A header of a resumable upload is missing or wrong. `detail` says which.
  static const tusHeaderInvalid = ProblemCode('tus_header_invalid');

  /// `Upload-Checksum` names an unknown method. `sha1`, `sha256`, `sha512` or none.
  static const uploadChecksumUnsupported = ProblemCode('upload_checksum_unsupported');

  /// No key, or an unknown one. `Authorization: Bearer <key>`.
  static const unauthorized = ProblemCode('unauthorized');

  /// A webhook without fal's signature headers. Only fal calls this route.
  static const webhookUnsigned = ProblemCode('webhook_unsigned');

  /// The day's spending of the owner or of the whole service is used up. After midnight UTC, or an engine that costs nothing. Operators: `SPEND_LIMIT_USD_PER_DAY`, `lamina keys limit`.
  static const spendLimitReached = ProblemCode('spend_limit_reached');

  /// A key without the operator's right, at `/api/admin`. Operators: `ADMIN_KEY`, or `lamina keys new NAME --admin`.
  static const adminOnly = ProblemCode('admin_only');

  /// A web page of another origin wants to change something on a server without keys, or calls `/api/admin`. Operators: `CORS_ORIGINS`, for the former.
  static const originNotAllowed = ProblemCode('origin_not_allowed');

  /// The signature of a link is wrong; also of an `image_url` at this server. Use links as given; read the job again for fresh ones.
  static const linkInvalid = ProblemCode('link_invalid');

  /// A webhook's signature is wrong or too old. Operators: check the server's clock.
  static const webhookSignatureInvalid = ProblemCode('webhook_signature_invalid');

  /// Nothing has this path. `GET /openapi.json` lists what there is.
  static const routeNotFound = ProblemCode('route_not_found');

  /// No such job, or another owner's. Check the id and the key. A job is forgotten a week after it went.
  static const jobNotFound = ProblemCode('job_not_found');

  /// No such delivery, or another owner's. `GET /api/webhooks/deliveries`.
  static const deliveryNotFound = ProblemCode('delivery_not_found');

  /// No key has this id. `lamina keys list`.
  static const keyNotFound = ProblemCode('key_not_found');

  /// No such upload, another owner's, expired, or (by tus) used by a job. Begin a new one.
  static const uploadMissing = ProblemCode('upload_missing');

  /// There is no export in this format. The sentence lists those there are; so does `exports` of `GET /api/jobs/{id}/layers`.
  static const exportFormatUnknown = ProblemCode('export_format_unknown');

  /// The path does not take this method. `Allow` names those it takes.
  static const methodNotAllowed = ProblemCode('method_not_allowed');

  /// The route answers with an event stream, and `Accept` leaves `text/event-stream` out. Add it, or read the job with `wait`.
  static const notAcceptable = ProblemCode('not_acceptable');

  /// The request came too slowly; the connection is closed. Send it again.
  static const requestTimeout = ProblemCode('request_timeout');

  /// The job has no layers yet. Ask for it until it is `completed`.
  static const jobNotCompleted = ProblemCode('job_not_completed');

  /// The job failed, so it has no layers. Its `error_code`.
  static const jobFailed = ProblemCode('job_failed');

  /// Only a failed job can be retried.
  static const jobNotFailed = ProblemCode('job_not_failed');

  /// A retry of a job that may have been paid. `lamina jobs show`; `--pay-again` hands it over all the same.
  static const paymentUnknown = ProblemCode('payment_unknown');

  /// The upload has not arrived as a whole. Finish sending it, then create the job.
  static const uploadPending = ProblemCode('upload_pending');

  /// The ticket's link has taken its one body. Use the upload; a new picture needs a new ticket.
  static const uploadAlreadyReceived = ProblemCode('upload_already_received');

  /// A part begins elsewhere than the upload ends. HEAD tells the offset; tus clients do this.
  static const uploadOffsetMismatch = ProblemCode('upload_offset_mismatch');

  /// A later request sends the same upload, so this one was ended. Nothing, or HEAD and go on.
  static const uploadTakenOver = ProblemCode('upload_taken_over');

  /// The owner deleted the job.
  static const jobDeleted = ProblemCode('job_deleted');

  /// The job's time is over. Create it again.
  static const jobExpired = ProblemCode('job_expired');

  /// The link's time is over; also of an `image_url`. Create the job again, or ask for another ticket.
  static const linkExpired = ProblemCode('link_expired');

  /// The link is right, its file was erased; also of an `image_url`. Create it again.
  static const fileGone = ProblemCode('file_gone');

  /// `Tus-Resumable` is not 1.0.0. The version that `Tus-Version` names.
  static const tusVersionUnsupported = ProblemCode('tus_version_unsupported');

  /// The body is larger than this route takes. `detail` has the limit.
  static const bodyTooLarge = ProblemCode('body_too_large');

  /// The body's declared type is not taken here. `detail` says which is.
  static const unsupportedMediaType = ProblemCode('unsupported_media_type');

  /// The body is compressed in a way that is not taken here. As `Accept-Encoding` says, or plain.
  static const contentEncodingUnsupported = ProblemCode('content_encoding_unsupported');

  /// The range lies outside of the file. `Content-Range` has the file's size.
  static const rangeNotSatisfiable = ProblemCode('range_not_satisfiable');

  /// A server without keys was asked under a name that is not its own. Its address, or `localhost`. Operators: `PUBLIC_URL`, `ALLOWED_HOSTS`.
  static const hostNotAllowed = ProblemCode('host_not_allowed');

  /// The layers make a larger file than the format can be (2 GB as PSD, 4 GB as ZIP, OpenRaster or PowerPoint). Another format, or the layers one by one.
  static const exportTooLarge = ProblemCode('export_too_large');

  /// A layer is too large for the variant that its link asks for: above 16,383 pixels a side as WebP, or above 26 megapixels. A smaller `width`, `trim=1`, or the layer as it is.
  static const layerVariantTooLarge = ProblemCode('layer_variant_too_large');

  /// Fields of the body are wrong, unknown, missing or too many. `errors` names each.
  static const invalidFields = ProblemCode('invalid_fields');

  /// Query parameters are wrong. `errors` names each.
  static const invalidQuery = ProblemCode('invalid_query');

  /// `upload_id`, or a ticket's link as `image_url`, is no upload of this owner, or expired. Upload again.
  static const uploadNotFound = ProblemCode('upload_not_found');

  /// The engine asked for is not set up. Leave `engine` out, or one that `detail` names.
  static const engineNotConfigured = ProblemCode('engine_not_configured');

  /// The key belongs to another body. A fresh key for a new job.
  static const idempotencyKeyReused = ProblemCode('idempotency_key_reused');

  /// More requests than the owner's rate allows. `Retry-After`; `RateLimit` tells what is left. Operators: `RATE_LIMIT`, `lamina keys limit`.
  static const rateLimited = ProblemCode('rate_limited');

  /// The owner has as many unfinished jobs as it may. When one of them has ended. Operators: `MAX_JOBS_PER_KEY`, `lamina keys limit`.
  static const tooManyJobs = ProblemCode('too_many_jobs');

  /// The owner has as many event streams and waiting reads open as it may. Close some, or read without `wait`. Operators: `MAX_EVENT_STREAMS_PER_KEY`.
  static const tooManyEventStreams = ProblemCode('too_many_event_streams');

  /// A part is not what its checksum says; it was discarded. Send it again from the same offset.
  static const uploadChecksumMismatch = ProblemCode('upload_checksum_mismatch');

  /// A defect in lamina. Report it with the request id.
  static const internalError = ProblemCode('internal_error');

  /// The bucket refuses the server's key. Trying again does not help. Operators: `lamina check`.
  static const storageRefused = ProblemCode('storage_refused');

  /// The database file is damaged, or was moved or replaced. Trying again does not help. Operators: stop it and restore a backup.
  static const databaseDamaged = ProblemCode('database_damaged');

  /// As many pictures are being taken in as can be. Again in a few seconds.
  static const serverBusy = ProblemCode('server_busy');

  /// Every connection is in use; a few more are taken for health checks alone. Again in a few seconds. Operators: `MAX_CONNECTIONS`.
  static const tooManyConnections = ProblemCode('too_many_connections');

  /// All event streams and waiting reads of the server are in use. Read without `wait` meanwhile. Operators: `MAX_EVENT_STREAMS`.
  static const eventStreamsExhausted = ProblemCode('event_streams_exhausted');

  /// The database, the disk or the bucket does not answer. Nothing was changed. Again in a few seconds. Operators: `lamina check`.
  static const storageUnavailable = ProblemCode('storage_unavailable');

  /// fal's public keys cannot be fetched. fal delivers again by itself.
  static const webhookKeysUnavailable = ProblemCode('webhook_keys_unavailable');

  /// Of `/readyz` alone: stopping, or a part is in trouble. `checks` says which.
  static const notReady = ProblemCode('not_ready');

  /// The disk has less free than `MIN_FREE_DISK_BYTES`, so no picture is taken; deleting works. Later, or delete what is not needed. Operators: more room, or a shorter `JOB_TTL`.
  static const storageFull = ProblemCode('storage_full');

  /// The owner keeps as many bytes as it may, in all or in uploads that no job has used. Nothing was stored. Delete jobs, use or end uploads. Operators: `MAX_STORED_BYTES_PER_KEY`, `MAX_INCOMING_BYTES_PER_KEY`, `lamina keys limit`.
  static const storageQuotaExceeded = ProblemCode('storage_quota_exceeded');

  /// All owners together keep as many bytes as they may. Nothing was stored. Later. Operators: `lamina stats`, `MAX_STORED_BYTES`.
  static const storageLimitReached = ProblemCode('storage_limit_reached');

  /// There are no bytes. Send the file's.
  static const imageEmpty = ProblemCode('image_empty');

  /// Not an image; perhaps a web page about one. Send the file itself.
  static const imageUnrecognised = ProblemCode('image_unrecognised');

  /// A known format that is not accepted, such as HEIC; the sentence names it. JPEG, PNG, WebP or GIF.
  static const imageFormatUnsupported = ProblemCode('image_format_unsupported');

  /// An accepted format with a feature that is not decoded. Save it as an ordinary file of that format.
  static const imageVariantUnsupported = ProblemCode('image_variant_unsupported');

  /// More bytes than `MAX_IMAGE_BYTES`. A smaller file.
  static const imageTooManyBytes = ProblemCode('image_too_many_bytes');

  /// A side or the area is beyond the limit. Scale it down.
  static const imageTooLarge = ProblemCode('image_too_large');

  /// A side is below the limit. A larger one.
  static const imageTooSmall = ProblemCode('image_too_small');

  /// The file ends before its picture does. Send the whole file.
  static const imageTruncated = ProblemCode('image_truncated');

  /// The file contradicts itself. Open it in an editor and save it again.
  static const imageCorrupt = ProblemCode('image_corrupt');

  /// A few bytes of the file ask for far more work than its picture needs. Open it in an editor and save it again.
  static const imageTooComplex = ProblemCode('image_too_complex');

  /// The text is not base64, or the `data:` URI is not. Standard or URL-safe alphabet, raw or as `data:image/png;base64,…`.
  static const imageBase64Invalid = ProblemCode('image_base64_invalid');

  /// All codes that this version knows.
  static const known = [
    invalidJson,
    invalidMultipart,
    bodyIncomplete,
    contentEncodingInvalid,
    invalidIdempotencyKey,
    invalidHost,
    headerRepeated,
    tusHeaderInvalid,
    uploadChecksumUnsupported,
    unauthorized,
    webhookUnsigned,
    spendLimitReached,
    adminOnly,
    originNotAllowed,
    linkInvalid,
    webhookSignatureInvalid,
    routeNotFound,
    jobNotFound,
    deliveryNotFound,
    keyNotFound,
    uploadMissing,
    exportFormatUnknown,
    methodNotAllowed,
    notAcceptable,
    requestTimeout,
    jobNotCompleted,
    jobFailed,
    jobNotFailed,
    paymentUnknown,
    uploadPending,
    uploadAlreadyReceived,
    uploadOffsetMismatch,
    uploadTakenOver,
    jobDeleted,
    jobExpired,
    linkExpired,
    fileGone,
    tusVersionUnsupported,
    bodyTooLarge,
    unsupportedMediaType,
    contentEncodingUnsupported,
    rangeNotSatisfiable,
    hostNotAllowed,
    exportTooLarge,
    layerVariantTooLarge,
    invalidFields,
    invalidQuery,
    uploadNotFound,
    engineNotConfigured,
    idempotencyKeyReused,
    rateLimited,
    tooManyJobs,
    tooManyEventStreams,
    uploadChecksumMismatch,
    internalError,
    storageRefused,
    databaseDamaged,
    serverBusy,
    tooManyConnections,
    eventStreamsExhausted,
    storageUnavailable,
    webhookKeysUnavailable,
    notReady,
    storageFull,
    storageQuotaExceeded,
    storageLimitReached,
    imageEmpty,
    imageUnrecognised,
    imageFormatUnsupported,
    imageVariantUnsupported,
    imageTooManyBytes,
    imageTooLarge,
    imageTooSmall,
    imageTruncated,
    imageCorrupt,
    imageTooComplex,
    imageBase64Invalid,
  ];
}

/// The stable code of a failed job. A newer server may give others: compare, do not switch.
extension type const FailureCode(String value) implements String {
  /// There are no bytes. Send the file's.
  static const imageEmpty = FailureCode('image_empty');

  /// Not an image; perhaps a web page about one. Send the file itself.
  static const imageUnrecognised = FailureCode('image_unrecognised');

  /// A known format that is not accepted, such as HEIC; the sentence names it. JPEG, PNG, WebP or GIF.
  static const imageFormatUnsupported = FailureCode('image_format_unsupported');

  /// An accepted format with a feature that is not decoded. Save it as an ordinary file of that format.
  static const imageVariantUnsupported = FailureCode('image_variant_unsupported');

  /// More bytes than `MAX_IMAGE_BYTES`. A smaller file.
  static const imageTooManyBytes = FailureCode('image_too_many_bytes');

  /// A side or the area is beyond the limit. Scale it down.
  static const imageTooLarge = FailureCode('image_too_large');

  /// A side is below the limit. A larger one.
  static const imageTooSmall = FailureCode('image_too_small');

  /// The file ends before its picture does. Send the whole file.
  static const imageTruncated = FailureCode('image_truncated');

  /// The file contradicts itself. Open it in an editor and save it again.
  static const imageCorrupt = FailureCode('image_corrupt');

  /// A few bytes of the file ask for far more work than its picture needs. Open it in an editor and save it again.
  static const imageTooComplex = FailureCode('image_too_complex');

  /// The text is not base64, or the `data:` URI is not. Standard or URL-safe alphabet, raw or as `data:image/png;base64,…`.
  static const imageBase64Invalid = FailureCode('image_base64_invalid');

  /// lamina failed on this picture. Requests get `internal_error`; a job has this code. Report it.
  static const imageInternal = FailureCode('image_internal');

  /// Not https (nor http, where that is allowed). An https address.
  static const fetchSchemeRefused = FailureCode('fetch_scheme_refused');

  /// A user name or password in the URL. A signed URL, for example.
  static const fetchCredentialsRefused = FailureCode('fetch_credentials_refused');

  /// No host in the URL. A complete URL.
  static const fetchHostRefused = FailureCode('fetch_host_refused');

  /// A port other than 80 and 443. One of these, or upload the image.
  static const fetchPortRefused = FailureCode('fetch_port_refused');

  /// The host's address is not on the public internet. Upload the image. Operators, in development: `FETCH_ALLOW_NETS`.
  static const fetchAddressRefused = FailureCode('fetch_address_refused');

  /// Not one of the sources that this server allows. Upload the image. Operators: `FETCH_ALLOW_PREFIXES`.
  static const fetchSourceRefused = FailureCode('fetch_source_refused');

  /// An answer other than 200 and 203, or a 206 that does not hold the whole file. Check that the URL is right and open to everyone.
  static const fetchStatus = FailureCode('fetch_status');

  /// More bytes than `MAX_IMAGE_BYTES`. A smaller image.
  static const fetchTooManyBytes = FailureCode('fetch_too_many_bytes');

  /// More than three redirects. The final URL.
  static const fetchTooManyRedirects = FailureCode('fetch_too_many_redirects');

  /// Redirects in a circle. The final URL.
  static const fetchRedirectLoop = FailureCode('fetch_redirect_loop');

  /// A redirect that does not say where to. The final URL.
  static const fetchBadRedirect = FailureCode('fetch_bad_redirect');

  /// A compressed body that was not asked for; the sentence names how. Have the host send the file as it is.
  static const fetchEncoded = FailureCode('fetch_encoded');

  /// No secure connection: certificate, name, time, TLS version, or no TLS at all. What the sentence says.
  static const fetchTlsFailed = FailureCode('fetch_tls_failed');

  /// The host's name has no address. Check its spelling.
  static const fetchDnsFailed = FailureCode('fetch_dns_failed');

  /// No connection. Check that the host is up.
  static const fetchConnectFailed = FailureCode('fetch_connect_failed');

  /// A limit of time passed. A faster host, or upload the image.
  static const fetchTimeout = FailureCode('fetch_timeout');

  /// The connection broke before a whole picture had come, or did not speak HTTP. Create it again later.
  static const fetchInterrupted = FailureCode('fetch_interrupted');

  /// Status 408, 425, 429 or 5xx. Create it again later.
  static const fetchUnavailable = FailureCode('fetch_unavailable');

  /// The engine's content filter refused picture or prompt, or blanked every layer. Another picture or prompt.
  static const contentRefused = FailureCode('content_refused');

  /// The engine could not use the picture: too large, too small, not decoded. What the sentence says.
  static const engineRejectedImage = FailureCode('engine_rejected_image');

  /// The engine refused a parameter. The defaults.
  static const engineRejectedInput = FailureCode('engine_rejected_input');

  /// fal did not accept the server's key. Operators: `FAL_API_KEY`; then create it again.
  static const engineAuth = FailureCode('engine_auth');

  /// The server's fal account is locked or out of balance. Operators: top it up; then create it again.
  static const engineAccountLocked = FailureCode('engine_account_locked');

  /// fal does not know the server's model. Operators: `FAL_MODEL`; then create it again.
  static const engineModelNotFound = FailureCode('engine_model_not_found');

  /// fal stayed too busy, over eight tries. Create it again later.
  static const engineBusy = FailureCode('engine_busy');

  /// fal could not be reached or kept failing, over eight tries, or for `ENGINE_TIMEOUT` once it had the picture. Create it again later.
  static const engineUnavailable = FailureCode('engine_unavailable');

  /// The engine took the picture and failed, and another run did or could not help. Create it again.
  static const engineFailed = FailureCode('engine_failed');

  /// No layers within `ENGINE_TIMEOUT`; the run was cancelled. Create it again.
  static const engineTimeout = FailureCode('engine_timeout');

  /// fal said eight times that it does not know the request. It may have been paid, so it is not made again. Create the job again if you still need it.
  static const engineLostRequest = FailureCode('engine_lost_request');

  /// fal does not know the request, which was made with another key than the present one: it may be running, and paid, in that key's account, and only that key can stop or read it. Create the job again if you still need it. Operators: [the fal key](operations.md#changing-keys-and-secrets).
  static const engineAccountChanged = FailureCode('engine_account_changed');

  /// fal said eight times that the layers are gone. Create the job again. Operators: was lamina stopped for long?
  static const engineResultExpired = FailureCode('engine_result_expired');

  /// The engine answered without a layer. Another picture, or another number of layers.
  static const engineNoLayers = FailureCode('engine_no_layers');

  /// A layer could not be fetched, is not a picture, or has other proportions. Create it again.
  static const engineBadLayer = FailureCode('engine_bad_layer');

  /// fal sent more than 14 layers, one above 32 MiB or `MAX_IMAGE_PIXELS`, 128 MiB in all, or a result above 8 MiB. Fewer layers. Operators: is `FAL_MODEL` right?
  static const engineOutputTooLarge = FailureCode('engine_output_too_large');

  /// The job's engine is no longer set up on this server. Create the job again with another.
  static const engineNotConfigured = FailureCode('engine_not_configured');

  /// The day's spending was used up before the picture was handed over. Nothing was paid. After midnight UTC. Operators: `SPEND_LIMIT_USD_PER_DAY`.
  static const spendLimitReached = FailureCode('spend_limit_reached');

  /// The connection broke during the hand-over, and neither a webhook nor fal's list of requests shows whether fal took it. Create the job again if you accept to pay twice. Operators: `SUBMIT_UNKNOWN`.
  static const submissionUnknown = FailureCode('submission_unknown');

  /// The stored picture is missing or unreadable. Create the job again. Operators: who else writes to the storage?
  static const sourceLost = FailureCode('source_lost');

  /// The picture behind the URL, or the layers, had no room under the bounds of the owner or of all. Nothing was paid. Delete jobs or wait until some expire; then create it again.
  static const storageQuotaExceeded = FailureCode('storage_quota_exceeded');

  /// Not given today: while the storage is away a job waits. Operators: `/readyz`, `lamina check`.
  static const storageUnavailable = FailureCode('storage_unavailable');

  /// Five processes died while this job's picture, and no other, was being computed. Report it; do not send the picture again.
  static const crashLoop = FailureCode('crash_loop');

  /// A defect in lamina. Report it.
  static const internalError = FailureCode('internal_error');

  /// All codes that this version knows.
  static const known = [
    imageEmpty,
    imageUnrecognised,
    imageFormatUnsupported,
    imageVariantUnsupported,
    imageTooManyBytes,
    imageTooLarge,
    imageTooSmall,
    imageTruncated,
    imageCorrupt,
    imageTooComplex,
    imageBase64Invalid,
    imageInternal,
    fetchSchemeRefused,
    fetchCredentialsRefused,
    fetchHostRefused,
    fetchPortRefused,
    fetchAddressRefused,
    fetchSourceRefused,
    fetchStatus,
    fetchTooManyBytes,
    fetchTooManyRedirects,
    fetchRedirectLoop,
    fetchBadRedirect,
    fetchEncoded,
    fetchTlsFailed,
    fetchDnsFailed,
    fetchConnectFailed,
    fetchTimeout,
    fetchInterrupted,
    fetchUnavailable,
    contentRefused,
    engineRejectedImage,
    engineRejectedInput,
    engineAuth,
    engineAccountLocked,
    engineModelNotFound,
    engineBusy,
    engineUnavailable,
    engineFailed,
    engineTimeout,
    engineLostRequest,
    engineAccountChanged,
    engineResultExpired,
    engineNoLayers,
    engineBadLayer,
    engineOutputTooLarge,
    engineNotConfigured,
    spendLimitReached,
    submissionUnknown,
    sourceLost,
    storageQuotaExceeded,
    storageUnavailable,
    crashLoop,
    internalError,
  ];
}
