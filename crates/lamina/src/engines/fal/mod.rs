//! fal.ai's `qwen-image-layered` over the `fal-queue` crate: how a picture reaches fal, what its
//! answers mean. It does not retry and does not remember: the worker and the store do.
//!
//! No text of fal's leaves this folder: errors carry a code, and a sentence of `fal-queue`'s or ours.

mod failure;
mod output;
mod place;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
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

/// How long after its upload a picture may still be submitted: it outlives the run by this.
const INPUT_SPARE: Duration = Duration::from_secs(5 * 60);

/// The tags of a submission. fal's list does not promise to name them; where it does, they decide.
const JOB_TAG: &str = "lamina-job";
const NONCE_TAG: &str = "lamina-nonce";

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

    /// An input that was uploaded before, if it is there for as long as a run may take.
    fn kept(&self, order: &Order) -> Option<Input> {
        let needed = self.clock.wall().plus(self.settings.engine_timeout);
        let until_the_end = needed.0.min(order.expires_at.0);
        let kept = order.input.clone()?;
        let good = |until: UnixMs| until.0 >= until_the_end && until > self.clock.wall();
        kept.kept_until.is_some_and(good).then_some(kept)
    }

    async fn upload(&self, order: &Order) -> Result<Input, EngineError> {
        if let Some(kept) = self.kept(order) {
            return Ok(kept);
        }
        let bytes = self.blobs.get(&order.source).await?;
        let (media, name) = (order.source.content_type(), order.source.file_name());
        let lifetime = self.input_lifetime(order);
        // Counted from before the upload, so that fal never ends it earlier.
        let kept_until = self.clock.wall().plus(lifetime);
        let uploaded = self.client.upload(bytes, media, &name, Some(lifetime));
        let address = uploaded.await.map_err(|error| engine_error(&error))?;
        Ok(Input {
            address: address.into(),
            kept_until: Some(kept_until),
        })
    }

    /// The address where fal fetches the picture itself, if that is the way.
    fn link(&self, order: &Order) -> Result<Option<Url>, EngineError> {
        match (self.settings.way, &self.settings.public_url) {
            (ImageWay::Bucket, _) => Ok(self.links.presigned(&order.source, order.expires_at)),
            (ImageWay::Link, Some(public)) => {
                let path = self.links.served(&order.source, order.expires_at);
                join(public, &path).map(Some)
            }
            (ImageWay::Link | ImageWay::Upload | ImageWay::DataUri, _) => Ok(None),
        }
    }

    /// What a run makes goes when the job goes, and may be collected until then.
    fn lifetime(&self, order: &Order) -> Duration {
        order
            .expires_at
            .since(self.clock.wall())
            .max(Duration::from_secs(60))
    }

    /// What goes in is needed while the engine may take, and fal deletes it on no request.
    fn input_lifetime(&self, order: &Order) -> Duration {
        let needed = self.settings.engine_timeout + INPUT_SPARE;
        self.lifetime(order).min(needed)
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
            // The model makes one frame more than it is asked for, the whole picture again, which its
            // usual pipeline removes.
            may_return_source: true,
            calls_back: self.settings.webhooks && self.settings.public_url.is_some(),
            max_side: Some(MAX_SIDE),
            usual_run: Duration::from_secs(22),
        }
    }

    async fn input(&self, order: &Order) -> Result<Input, EngineError> {
        if let Some(link) = self.link(order)? {
            // fal would be paid for finding out that the picture cannot be read now.
            if self.settings.way == ImageWay::Bucket {
                self.blobs.publish(&order.source).await?;
            } else {
                self.blobs.size(&order.source).await?;
            }
            return Ok(Input::at(link.into()));
        }
        if self.settings.way == ImageWay::DataUri {
            let bytes = self.blobs.get(&order.source).await?;
            let media = order.source.content_type();
            let uri = format!("data:{media};base64,{}", STANDARD.encode(bytes));
            return Ok(Input::at(uri));
        }
        self.upload(order).await
    }

    async fn submit(&self, order: &Order) -> Result<Accepted, SubmitError> {
        let no_input = || {
            let text = "a submission without an input";
            SubmitError::not_taken(EngineError::permanent(FailureCode::Internal, text))
        };
        let address = order.input.clone().ok_or_else(no_input)?.address;
        let input = Self::model_input(order, address);
        let tags = [
            (JOB_TAG, order.job.to_string()),
            (NONCE_TAG, nonce_tag(&order.nonce)),
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
        let (job, nonce) = (job.to_string(), nonce_tag(nonce));
        let listed = |request: fal_queue::ListedRequest| Listed {
            sent_at: UnixMs(request.sent_ms.saturating_sub(ahead)),
            ours: ours(&request.tags, &job, &nonce),
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

/// The nonce opens the webhook's address, so only its digest is told to whoever can read tags.
fn nonce_tag(nonce: &Nonce) -> String {
    let digest = digest::digest(&digest::SHA256, nonce.as_str().as_bytes());
    let mut half = [0; 16];
    half.copy_from_slice(&digest.as_ref()[..16]);
    format!("{:032x}", u128::from_be_bytes(half))
}

/// Whether the tags are those of this submission; `None` where they do not say.
fn ours(tags: &[(String, String)], job: &str, nonce: &str) -> Option<bool> {
    let value = |wanted| {
        let mut named = tags.iter().filter(|(name, _)| name == wanted);
        named.next().map(|(_, value)| value.as_str())
    };
    match (value(JOB_TAG), value(NONCE_TAG)) {
        (_, Some(tag)) => Some(tag == nonce),
        (Some(tag), None) if tag != job => Some(false),
        (Some(_) | None, None) => None,
    }
}
