//! The headers of resumable uploads, by name. The routes read them, and layers must know them too: those
//! that may come once, those that a page of another origin may send and read.

use axum::http::HeaderName;

pub(in crate::http) const TUS_RESUMABLE: HeaderName = HeaderName::from_static("tus-resumable");
pub(in crate::http) const TUS_VERSION: HeaderName = HeaderName::from_static("tus-version");
pub(in crate::http) const TUS_EXTENSION: HeaderName = HeaderName::from_static("tus-extension");
pub(in crate::http) const TUS_MAX_SIZE: HeaderName = HeaderName::from_static("tus-max-size");
pub(in crate::http) const TUS_CHECKSUM_ALGORITHM: HeaderName =
    HeaderName::from_static("tus-checksum-algorithm");
pub(in crate::http) const UPLOAD_OFFSET: HeaderName = HeaderName::from_static("upload-offset");
pub(in crate::http) const UPLOAD_LENGTH: HeaderName = HeaderName::from_static("upload-length");
pub(in crate::http) const UPLOAD_DEFER_LENGTH: HeaderName =
    HeaderName::from_static("upload-defer-length");
pub(in crate::http) const UPLOAD_METADATA: HeaderName = HeaderName::from_static("upload-metadata");
pub(in crate::http) const UPLOAD_EXPIRES: HeaderName = HeaderName::from_static("upload-expires");
pub(in crate::http) const UPLOAD_CHECKSUM: HeaderName = HeaderName::from_static("upload-checksum");
pub(in crate::http) const METHOD_OVERRIDE: HeaderName =
    HeaderName::from_static("x-http-method-override");
