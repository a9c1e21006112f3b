//! Putting a file into fal's storage, so that a model can be given its address.
//!
//! Two steps: fal hands out a signed address for the bytes, then the bytes go there without the
//! key. Files above 90 MiB need fal's multipart upload, which this crate does not do.

use std::time::Duration;

use bytes::Bytes;
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::submit::lifecycle;
use crate::{Client, Error};

/// The largest file that one PUT may carry, after fal's own client.
const LARGEST: usize = 90 << 20;

#[derive(Serialize)]
struct Initiate<'a> {
    file_name: &'a str,
    content_type: &'a str,
}

#[derive(Deserialize)]
struct Initiated {
    upload_url: Url,
    file_url: Url,
}

impl Client {
    /// Uploads `bytes` and returns the public address of the file. fal deletes it after `lifetime`
    /// (whole seconds, at least one), or by the account's own rule.
    ///
    /// # Errors
    /// A failure of either step; both are repeated within [`Config::retry`](crate::Config::retry),
    /// each with its own count. When the second step fails the first one leaves nothing behind.
    pub async fn upload(
        &self,
        bytes: Bytes,
        content_type: &str,
        file_name: &str,
        lifetime: Option<Duration>,
    ) -> Result<Url, Error> {
        if bytes.len() > LARGEST {
            return Err(Error::Invalid(format!(
                "a file of {} bytes needs a multipart upload, which starts above {LARGEST}",
                bytes.len()
            )));
        }
        let media_type = HeaderValue::from_str(content_type)
            .map_err(|_| Error::Invalid("the content type cannot be a header".to_owned()))?;
        let lifecycle = lifetime.map(lifecycle).transpose()?;
        let wanted = Initiate {
            file_name,
            content_type,
        };
        let retry = &self.config().retry;
        let initiate = || self.initiate(&wanted, lifecycle.as_deref());
        let target = retry
            .run("upload initiate", Error::may_repeat, initiate)
            .await?;
        let put = || self.put_bytes(&target.upload_url, &media_type, &bytes);
        retry.run("upload", Error::may_repeat, put).await?;
        Ok(target.file_url)
    }

    async fn initiate(
        &self,
        wanted: &Initiate<'_>,
        lifecycle: Option<&str>,
    ) -> Result<Initiated, Error> {
        let mut url = self.rest_url(["storage", "upload", "initiate"]);
        url.set_query(Some("storage_type=fal-cdn-v3"));
        let mut request = self.authorized(Method::POST, url).json(wanted);
        if let Some(lifecycle) = lifecycle {
            request = request.header("x-fal-object-lifecycle", lifecycle);
        }
        let answer = self.success(self.exchange(request).await?)?;
        let target: Initiated = self.json(&answer.body)?;
        let plain_allowed = self.config().rest_url.scheme() == "http";
        for url in [&target.upload_url, &target.file_url] {
            if url.scheme() != "https" && !(plain_allowed && url.scheme() == "http") {
                return Err(Error::Unexpected(
                    "storage gave an address that is not https".to_owned(),
                ));
            }
        }
        Ok(target)
    }

    async fn put_bytes(
        &self,
        url: &Url,
        media_type: &HeaderValue,
        bytes: &Bytes,
    ) -> Result<(), Error> {
        let request = self
            .anonymous(Method::PUT, url.clone())
            .timeout(self.config().upload_timeout)
            .header(CONTENT_TYPE, media_type.clone())
            .body(bytes.clone());
        let answer = self.exchange(request).await?;
        if answer.status.is_success() {
            return Ok(());
        }
        // This is a bucket, not fal's gateway: its 401, 403 and 404 speak of the signed address,
        // not of the key or the account.
        Err(Error::Http(self.failure(&answer)))
    }
}
