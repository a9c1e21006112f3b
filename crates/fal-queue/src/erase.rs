//! Deleting what fal keeps of a request: its input and output as JSON, and the files that the run
//! made. Files that went in are not deleted by this; they go by their own lifetime.
//!
//! Source: fal's platform API, `DELETE /v1/models/requests/{request_id}/payloads`. It wants a key of
//! ADMIN scope, [`Config::admin_key`](crate::Config::admin_key).

use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde_json::Value;

use crate::{Client, Error};

/// What became of the files that a run made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Erased {
    /// Files that are gone.
    pub files: usize,
    /// Files that fal could not delete; they go by their lifetime.
    pub kept: usize,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    cdn_delete_results: Vec<FileResult>,
}

#[derive(Deserialize)]
struct FileResult {
    #[serde(default)]
    exception: Value,
}

impl Client {
    /// Deletes a request's payloads and the files of its output, for good. `None` when fal does not
    /// know the request (any more). Doing it twice does no harm, so it is repeated within
    /// [`Config::retry`](crate::Config::retry).
    ///
    /// # Errors
    /// [`Error::Invalid`] without a key of ADMIN scope, [`Error::Forbidden`] or
    /// [`Error::Unauthorized`] when fal does not take the key as one, or a failure to ask.
    pub async fn erase(&self, request_id: &str) -> Result<Option<Erased>, Error> {
        let url = self.payloads_url(request_id)?;
        let call = || async {
            let request = self.administered(Method::DELETE, url.clone())?;
            let answer = self.exchange(request).await?;
            if matches!(answer.status, StatusCode::NOT_FOUND | StatusCode::GONE) {
                return Ok(None);
            }
            let answer: Answer = self.json(&self.success(answer)?.body)?;
            let all = answer.cdn_delete_results.len();
            let failed = |file: &&FileResult| !file.exception.is_null();
            let kept = answer.cdn_delete_results.iter().filter(failed).count();
            Ok(Some(Erased {
                files: all - kept,
                kept,
            }))
        };
        self.config()
            .retry
            .run("erase", Error::may_repeat, call)
            .await
    }
}
