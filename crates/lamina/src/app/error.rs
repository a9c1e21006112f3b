//! Why the service cannot start. Says what to correct; it corrects nothing.

use std::io;

use safe_fetch::FetchSetupError;

use crate::blobs::BlobError;
use crate::engines::NetworksError;
use crate::store::StoreError;
use crate::store::sqlite::OpenError;

/// Why the service cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database.
    #[error(transparent)]
    Database(#[from] OpenError),
    /// The blob store.
    #[error("the blob store cannot be used: {0}; check STORAGE_URL")]
    Blobs(#[from] BlobError),
    /// The bucket's address.
    #[error("{0}; check STORAGE_URL, S3_ENDPOINT and S3_STYLE")]
    Links(String),
    /// The signing secret.
    #[error("the signing secret cannot be read or made: {0}")]
    Secret(io::Error),
    /// The client that opens strangers' URLs.
    #[error(transparent)]
    Fetcher(#[from] FetchSetupError),
    /// The networks of the embedded engine.
    #[error("the embedded engine cannot start: {0}")]
    Local(#[from] NetworksError),
    /// The client of fal.
    #[error("the fal client cannot be made: {0}")]
    Fal(#[from] fal_queue::ConfigError),
    /// The address is taken or not this machine's.
    #[error(
        "cannot listen on {address}: {error}; is another lamina running, or is HOST or PORT wrong?"
    )]
    Listen {
        address: std::net::SocketAddr,
        /// What the system said.
        error: io::Error,
    },
    /// The address of metrics is taken or not this machine's.
    #[error("cannot listen on {address} for metrics: {error}; is METRICS_LISTEN wrong, or in use?")]
    ListenMetrics {
        address: std::net::SocketAddr,
        /// What the system said.
        error: io::Error,
    },
    /// Callers would need keys, and there are none.
    #[error(
        "{0} can be reached from outside, so that callers need keys, and there is no key; make one with `lamina keys new NAME`, set API_KEYS=name:key or ADMIN_KEY, or ALLOW_ANONYMOUS=true if something in front of lamina checks who calls"
    )]
    Nobody(std::net::IpAddr),
    /// One key for two names.
    #[error(
        "a key of {0} in the database is given to {1} by the configuration too, so that nobody could tell whose request it is; take it out of API_KEYS or ADMIN_KEY, or revoke it with `lamina keys revoke`"
    )]
    SharedKey(String, String),
    /// The keys cannot be read.
    #[error("the keys of the database cannot be read: {0}")]
    Keys(#[from] StoreError),
    /// The exporter of traces.
    #[error("traces cannot be sent: {0}; correct OTEL_EXPORTER_OTLP_ENDPOINT, or leave it out")]
    Traces(String),
    /// A folder cannot be made.
    #[error("the folder {0} cannot be made: {1}")]
    Folder(String, io::Error),
}
