//! Fetching the result of a completed request.
//!
//! The result is the model's bare output. A run that failed answers here with the model's own
//! status and error, and says so again however often it is asked; only failures to fetch are
//! repeated. fal keeps a result for an hour, or for six minutes when it is 10 kB or larger and
//! storing was switched off.

use reqwest::{Method, StatusCode};
use serde::de::DeserializeOwned;

use crate::failure::request_id as id_of;
use crate::{Client, Error, ModelId};

/// A model's output and what came with it.
#[derive(Debug, Clone, PartialEq)]
pub struct Output<T> {
    /// The output.
    pub value: T,
    /// `X-Fal-Request-Id`, if sent.
    pub request_id: Option<String>,
    /// `X-Fal-Billable-Units`, the billed quantity in the model's unit, if sent.
    pub billable_units: Option<f64>,
}

impl Client {
    /// Fetches the output of a completed request.
    ///
    /// # Errors
    /// [`Error::NotReady`] before completion, [`Error::NotFound`] for an unknown or expired one,
    /// the run's own failure ([`Error::describes_run`]), or a failure to fetch, which is repeated
    /// within [`Config::retry`](crate::Config::retry).
    pub async fn result<T: DeserializeOwned>(
        &self,
        model: &ModelId,
        request_id: &str,
    ) -> Result<Output<T>, Error> {
        let url = self.request_url(model, request_id, None)?;
        let call = || async {
            let request = self.authorized(Method::GET, url.clone());
            let answer = self.exchange(request).await?;
            if answer.status == StatusCode::ACCEPTED {
                return Err(Error::NotReady(self.failure(&answer)));
            }
            let answer = self.success(answer)?;
            let billed = answer.headers.get("x-fal-billable-units");
            Ok(Output {
                value: self.json(&answer.body)?,
                request_id: id_of(&answer.headers),
                billable_units: billed
                    .and_then(|units| units.to_str().ok()?.trim().parse().ok())
                    .filter(|units: &f64| units.is_finite()),
            })
        };
        let again = |error: &Error| error.may_repeat() && !error.describes_run();
        self.config().retry.run("result", again, call).await
    }
}
