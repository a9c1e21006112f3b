//! An S3-compatible bucket: its settings, and the client that speaks to it. It retries within a few
//! seconds and gives up then; whoever called waits durably. It does not decide what is stored.

use std::sync::Arc;
use std::time::Duration;

use object_store::aws::AmazonS3Builder;
use object_store::path::Path as ObjectPath;
use object_store::prefix::PrefixStore;
use object_store::{BackoffConfig, ClientOptions, ObjectStore, RetryConfig};
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use super::BlobError;

/// Connecting takes a round trip or two; a host that is down shows within this.
const CONNECT: Duration = Duration::from_secs(5);
/// A request is repeated at most so often, over at most so long, after 5xx answers and broken
/// connections. Longer waits are the job's, which can be seen and survive a restart.
const RETRIES: usize = 3;
const RETRY_FOR: Duration = Duration::from_secs(10);

/// How a bucket is named in its addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BucketStyle {
    /// `https://endpoint/bucket/key`; what R2, MinIO and most others take.
    Path,
    /// `https://bucket.endpoint/key`; what AWS prefers.
    Host,
}

/// One bucket and the key to it.
#[derive(Clone, Debug)]
pub struct BucketSettings {
    /// The bucket's name.
    pub name: String,
    /// The folder within it, without slashes at its ends; empty for the bucket itself.
    pub prefix: String,
    /// Where its API is, without the bucket's name.
    pub endpoint: Url,
    /// Where clients reach it, when that is another address.
    pub public_endpoint: Option<Url>,
    /// The region that requests are signed for; `auto` for R2.
    pub region: String,
    /// How the bucket is named in addresses.
    pub style: BucketStyle,
    /// The key's id.
    pub access_key_id: SecretString,
    pub secret_access_key: SecretString,
}

impl BucketSettings {
    /// The client, confined to the prefix. Nothing is asked of the bucket yet.
    pub(super) fn open(&self) -> Result<Arc<dyn ObjectStore>, BlobError> {
        let endpoint = self.endpoint.as_str().trim_end_matches('/');
        let endpoint = match (self.style, endpoint.split_once("://")) {
            // The library wants the whole host where the bucket's name is part of it.
            (BucketStyle::Host, Some((scheme, host))) => {
                format!("{scheme}://{}.{host}", self.name)
            }
            _ => endpoint.to_owned(),
        };
        let client = ClientOptions::new()
            .with_allow_http(self.endpoint.scheme() == "http")
            .with_connect_timeout(CONNECT)
            // A total would cut a slow download short; `Blobs` bounds each call and each wait.
            .with_timeout_disabled();
        let retry = RetryConfig {
            backoff: BackoffConfig {
                init_backoff: Duration::from_millis(100),
                max_backoff: Duration::from_secs(2),
                base: 2.0,
            },
            max_retries: RETRIES,
            retry_timeout: RETRY_FOR,
        };
        let store = AmazonS3Builder::new()
            .with_bucket_name(&self.name)
            .with_endpoint(endpoint)
            .with_region(&self.region)
            .with_virtual_hosted_style_request(self.style == BucketStyle::Host)
            .with_access_key_id(self.access_key_id.expose_secret())
            .with_secret_access_key(self.secret_access_key.expose_secret())
            .with_client_options(client)
            .with_retry(retry)
            // Not every S3 knows the bulk request, and a job has a dozen objects.
            .with_disable_bulk_delete(true)
            .build()
            .map_err(|error| BlobError::of("the bucket's settings", &error, false))?;
        if self.prefix.is_empty() {
            return Ok(Arc::new(store));
        }
        let prefix = ObjectPath::from(self.prefix.as_str());
        Ok(Arc::new(PrefixStore::new(store, prefix)))
    }
}
