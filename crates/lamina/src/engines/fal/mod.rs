//! fal.ai's `qwen-image-layered` over the `fal-queue` crate: how a picture reaches fal, what its
//! answers mean. It does not retry and does not remember: the worker and the store do.
//!
//! No text of fal's leaves this folder: errors carry a code, and a sentence of `fal-queue`'s or ours.

mod failure;
mod input;
mod output;
mod place;
mod tags;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use fal_queue::models::qwen_image_layered as model;
use fal_queue::{CancelOutcome, Class, Client, ErrorType, ModelId, Status, SubmitOptions};
use url::Url;

use self::failure::{engine_error, owned_by_the_run, submit_error};
use super::{
    Accepted, Check, Delivery, Engine, EngineError, EngineFacts, History, Input, Listed, Order,
    SubmitError,
};
use crate::blobs::{Blobs, LinkSigner};
use crate::clock::Clock;
use crate::jobs::{EngineKind, FailureCode, JobId, Nonce, NumLayers, RequestId, UnixMs};

/// fal needs a number; this is its own default.
const DEFAULT_LAYERS: u32 = 4;
/// The model works on an area of 640² or 1024²; more than this on a side only costs transfer.
const MAX_SIDE: u32 = 1536;
/// A request may have been paid.
pub(super) const REPEATABLE: bool = false;

/// How a picture reaches fal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageWay {
    /// A signed link under the service's public address.
    Link,
    /// A presigned link of the bucket.
    Bucket,
    /// An upload to fal's own storage.
    Upload,
    /// Inside the request.
    DataUri,
}

/// What the engine is told once.
#[derive(Clone, Debug)]
pub struct FalSettings {
    /// The model to run.
    pub model: ModelId,
    /// How the picture gets there.
    pub way: ImageWay,
    /// The service's address as fal can reach it.
    pub public_url: Option<Url>,
    /// How long lamina waits for a run at most.
    pub engine_timeout: Duration,
    /// Whether fal is asked to call back under `public_url`.
    pub webhooks: bool,
    /// What one request costs, in millionths of a US dollar.
    pub price_microusd: u64,
}

/// fal.ai.
#[derive(Debug)]
pub struct Fal {
    client: Client,
    blobs: Blobs,
    links: Arc<LinkSigner>,
    clock: Arc<dyn Clock>,
    settings: FalSettings,
}

impl Fal {
    /// An engine over a client whose own retries are off.
    #[must_use]
    pub fn new(
        client: Client,
        blobs: Blobs,
        links: Arc<LinkSigner>,
        clock: Arc<dyn Clock>,
        settings: FalSettings,
    ) -> Self {
        Self {
            client,
            blobs,
            links,
            clock,
            settings,
        }
    }

    /// What a run makes goes when the job goes, and may be collected until then.
    fn lifetime(&self, order: &Order) -> Duration {
        order
            .expires_at
            .since(self.clock.wall())
            .max(Duration::from_secs(60))
    }

    fn webhook_url(&self, order: &Order) -> Result<Option<Url>, EngineError> {
        let Some(public) = self
            .settings
            .public_url
            .as_ref()
            .filter(|_| self.settings.webhooks)
        else {
            return Ok(None);
        };
        join(
            public,
            &format!("/hooks/fal/{}/{}", order.job, order.nonce.as_str()),
        )
        .map(Some)
    }

    /// The model that a call went to; that of the settings where it was not written down.
    fn model_at(&self, place: Option<&str>) -> ModelId {
        let written = place.and_then(place::model);
        written.unwrap_or_else(|| self.settings.model.clone())
    }

    /// fal could not download a link of ours: this service was down or out of reach for a moment,
    /// which says nothing about the picture. Such a run is not billed.
    fn run_error(&self, error: &fal_queue::Error) -> EngineError {
        let ours = matches!(self.settings.way, ImageWay::Link | ImageWay::Bucket)
            && error.error_type() == Some(&ErrorType::FileDownloadError);
        EngineError {
            retryable: ours || engine_error(error).retryable,
            ..engine_error(error)
        }
    }

    /// `failed` is whether the status named an error. Only then, or in the model's own words, is an
    /// answer that is no success taken for the run's end; any other is a failure to read the result,
    /// which is there and paid for, and may be read a moment later.
    async fn result(
        &self,
        model: &ModelId,
        request: &RequestId,
        failed: bool,
    ) -> Result<Check, EngineError> {
        let answer = self.client.result::<model::Output>(model, &request.0);
        match answer.await {
            Ok(answer) if output::blanked(&answer.value) => {
                let text = "fal's safety checker flagged every layer";
                let refused = EngineError::permanent(FailureCode::ContentRefused, text);
                Ok(Check::Failed(refused))
            }
            Ok(answer) => output::layers(&answer.value).map(Check::Ready),
            Err(error) if owned_by_the_run(&error, failed) => {
                Ok(Check::Failed(self.run_error(&error)))
            }
            Err(error) => match error.class() {
                Class::NotFound => Ok(Check::ResultGone),
                Class::NotReady => Ok(Check::Running { fraction: None }),
                Class::Retryable
                | Class::Permanent
                | Class::RateLimited
                | Class::Auth
                | Class::Locked
                | Class::Cancelled => Err(engine_error(&error)),
            },
        }
    }

    fn model_input(order: &Order, address: String) -> model::Input {
        let mut input = model::Input::new(address);
        let params = &order.params;
        input.prompt.clone_from(&params.prompt);
        input.negative_prompt.clone_from(&params.negative_prompt);
        input.seed = params.seed;
        input.num_inference_steps = params.num_inference_steps.map(u32::from);
        input.guidance_scale = params.guidance_scale.map(f64::from);
        input.num_layers = Some(match params.num_layers {
            Some(NumLayers::Count(count)) => u32::from(count),
            Some(NumLayers::Auto) | None => DEFAULT_LAYERS,
        });
        input
    }
}

#[async_trait]
impl Engine for Fal {
    fn facts(&self) -> EngineFacts {
        EngineFacts {
            kind: EngineKind::Fal,
            price_microusd: self.settings.price_microusd,
            repeatable: REPEATABLE,
            in_process: false,
            seeded: true,
            // The model makes one frame more than it is asked for, the whole picture again, which its
            // usual pipeline removes.
            may_return_source: true,
            calls_back: self.settings.webhooks && self.settings.public_url.is_some(),
            max_side: Some(MAX_SIDE),
            at_once: None,
            usual_run: Duration::from_secs(22),
        }
    }

    async fn input(&self, order: &Order) -> Result<Input, EngineError> {
        self.make_input(order).await
    }

    async fn submit(&self, order: &Order) -> Result<Accepted, SubmitError> {
        let no_input = || {
            let text = "a submission without an input";
            SubmitError::not_taken(EngineError::permanent(FailureCode::Internal, text))
        };
        let address = order.input.clone().ok_or_else(no_input)?.address;
        let input = Self::model_input(order, address);
        let tags = [
            (tags::JOB, order.job.to_string()),
            (tags::NONCE, tags::nonce_tag(&order.nonce)),
        ];
        let options = SubmitOptions {
            webhook_url: self.webhook_url(order).map_err(SubmitError::not_taken)?,
            tags: tags.map(|(name, value)| (name.to_owned(), value)).into(),
            // Another endpoint would have another price and other layers, and no place in the list.
            disable_fallback: true,
            // fal would repeat a failed run by itself, up to ten times; lamina counts its runs.
            no_retry: true,
            // Else fal would keep the input, a picture inside it too, and the output for a month.
            store_io: Some(false),
            object_lifetime: Some(self.lifetime(order)),
            ..SubmitOptions::default()
        };
        match self
            .client
            .submit(&self.settings.model, &input, &options)
            .await
        {
            Ok(taken) => Ok(Accepted {
                request: RequestId(taken.request_id),
                queue_position: taken
                    .queue_position
                    .and_then(|position| u32::try_from(position).ok()),
            }),
            Err(failed) => Err(SubmitError {
                delivery: match failed.delivery {
                    fal_queue::Delivery::NotSent | fal_queue::Delivery::Refused => {
                        Delivery::NotTaken
                    }
                    fal_queue::Delivery::Unknown => Delivery::Unknown,
                },
                error: submit_error(&failed.error),
            }),
        }
    }

    fn place(&self) -> Option<String> {
        Some(place::written(&self.settings.model, self.client.config()))
    }

    async fn check(&self, request: &RequestId, place: Option<&str>) -> Result<Check, EngineError> {
        let model = self.model_at(place);
        match self.client.status(&model, &request.0, true).await {
            Ok(Status::InQueue { position }) => Ok(Check::Queued {
                position: position.and_then(|position| u32::try_from(position).ok()),
            }),
            Ok(Status::InProgress { logs, .. }) => {
                let fraction = logs
                    .iter()
                    .rev()
                    .find_map(|line| output::step_fraction(&line.message));
                Ok(Check::Running { fraction })
            }
            Ok(Status::Completed {
                error, error_type, ..
            }) => {
                let failed = error.is_some() || error_type.is_some();
                self.result(&model, request, failed).await
            }
            Err(error) if error.class() == Class::NotFound => {
                place::known_here(place, self.client.config()).map(|()| Check::Lost)
            }
            Err(error) => Err(engine_error(&error)),
        }
    }

    /// Asks for the result first, which is one question where there is one. Nothing more is asked where fal cannot answer now, or the
    /// result is too large: the status would not help.
    async fn check_done(
        &self,
        request: &RequestId,
        place: Option<&str>,
    ) -> Result<Check, EngineError> {
        let result = self.result(&self.model_at(place), request, false).await;
        match result {
            Ok(Check::Ready(layers)) => Ok(Check::Ready(layers)),
            Err(error) if failure::ends_the_asking(&error) => Err(error),
            // What anything else means, its status tells.
            Ok(_) | Err(_) => self.check(request, place).await,
        }
    }

    fn lists(&self, place: Option<&str>) -> bool {
        place.is_none_or(|place| place::is_of(place, self.client.config()))
    }

    async fn history(
        &self,
        job: JobId,
        nonce: &Nonce,
        place: Option<&str>,
        since: UnixMs,
    ) -> Result<History, EngineError> {
        let found = self.client.history(&self.model_at(place), since.0).await;
        let found = found.map_err(|error| engine_error(&error))?;
        // Times are fal's; what the two clocks differ by is taken out.
        let ahead = found.server_ms.map_or(0, |ms| ms - self.clock.wall().0);
        let (job, nonce) = (job.to_string(), tags::nonce_tag(nonce));
        let listed = |request: fal_queue::ListedRequest| Listed {
            sent_at: UnixMs(request.sent_ms.saturating_sub(ahead)),
            ours: tags::ours(&request.tags, &job, &nonce),
            request: RequestId(request.request_id),
        };
        Ok(History {
            requests: found.requests.into_iter().map(listed).collect(),
            complete: found.complete,
        })
    }

    async fn cancel(&self, request: &RequestId, place: Option<&str>) -> Result<(), EngineError> {
        match self.client.cancel(&self.model_at(place), &request.0).await {
            Ok(CancelOutcome::NotFound) => place::known_here(place, self.client.config()),
            Ok(_) => Ok(()),
            Err(error) => Err(engine_error(&error)),
        }
    }

    async fn erase(&self, request: &RequestId) -> Result<(), EngineError> {
        if self.client.config().admin_key.is_none() {
            return Ok(());
        }
        let erased = self.client.erase(&request.0).await;
        erased.map(|_| ()).map_err(|error| engine_error(&error))
    }

    fn release(&self, _request: &RequestId) {}
}

fn join(public: &Url, path: &str) -> Result<Url, EngineError> {
    let base = public.as_str().trim_end_matches('/');
    Url::parse(&format!("{base}{path}"))
        .map_err(|error| EngineError::permanent(FailureCode::Internal, error.to_string()))
}
