//! fal.ai's `qwen-image-layered` over the `fal-queue` crate: how a picture reaches fal, what its
//! answers mean. It does not retry and does not remember: the worker and the store do.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fal_queue::models::qwen_image_layered::{Input, Output};
use fal_queue::{Class, Client, ErrorType, ModelId, Status, SubmitOptions};
use url::Url;

use super::{
    Accepted, Check, Delivery, Engine, EngineError, EngineFacts, LayerContent, LayerSource, Order,
    SubmitError,
};
use crate::blobs::{Blobs, LinkSigner};
use crate::clock::Clock;
use crate::jobs::{EngineKind, FailureCode, NumLayers, RequestId};

/// fal needs a number; this is its own default.
const DEFAULT_LAYERS: u32 = 4;
/// The model works on an area of 640² or 1024²; more than this on a side only costs transfer.
const MAX_SIDE: u32 = 1536;

/// Between the upload of a picture and the answer to its submission, at the most.
const INPUT_SPARE: Duration = Duration::from_secs(5 * 60);

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

    async fn image_url(&self, order: &Order) -> Result<String, EngineError> {
        let media = order.source.content_type();
        if let Some(link) = self.link(order)? {
            // fal would be paid for finding out that the picture cannot be read now.
            self.blobs.size(&order.source).await?;
            return Ok(link.into());
        }
        let bytes = self.blobs.get(&order.source).await?;
        if self.settings.way == ImageWay::DataUri {
            return Ok(format!("data:{};base64,{}", media, STANDARD.encode(bytes)));
        }
        let lifetime = self.input_lifetime(order);
        let uploaded = self
            .client
            .upload(bytes, media, &order.source.file_name(), Some(lifetime))
            .await;
        uploaded
            .map(String::from)
            .map_err(|error| engine_error(&error))
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

    async fn result(&self, request: &RequestId) -> Result<Check, EngineError> {
        match self
            .client
            .result::<Output>(&self.settings.model, &request.0)
            .await
        {
            Ok(output) if blanked(&output.value) => {
                let text = "fal's safety checker flagged every layer";
                let refused = EngineError::permanent(FailureCode::ContentRefused, text);
                Ok(Check::Failed(refused))
            }
            Ok(output) => layers(&output.value).map(Check::Ready),
            Err(error) if error.describes_run() => Ok(Check::Failed(self.run_error(&error))),
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
}

#[async_trait]
impl Engine for Fal {
    fn facts(&self) -> EngineFacts {
        EngineFacts {
            kind: EngineKind::Fal,
            price_microusd: self.settings.price_microusd,
            repeatable: false,
            calls_back: self.settings.webhooks && self.settings.public_url.is_some(),
            max_side: Some(MAX_SIDE),
            usual_run: Duration::from_secs(22),
        }
    }

    async fn submit(&self, order: &Order) -> Result<Accepted, SubmitError> {
        let mut input = Input::new(
            self.image_url(order)
                .await
                .map_err(SubmitError::not_taken)?,
        );
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
        let options = SubmitOptions {
            webhook_url: self.webhook_url(order).map_err(SubmitError::not_taken)?,
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

    async fn check(&self, request: &RequestId) -> Result<Check, EngineError> {
        match self
            .client
            .status(&self.settings.model, &request.0, true)
            .await
        {
            Ok(Status::InQueue { position }) => Ok(Check::Queued {
                position: position.and_then(|position| u32::try_from(position).ok()),
            }),
            Ok(Status::InProgress { logs, .. }) => {
                let fraction = logs
                    .iter()
                    .rev()
                    .find_map(|line| step_fraction(&line.message));
                Ok(Check::Running { fraction })
            }
            Ok(Status::Completed { .. }) => self.result(request).await,
            Err(error) if error.class() == Class::NotFound => Ok(Check::Lost),
            Err(error) => Err(engine_error(&error)),
        }
    }

    async fn cancel(&self, request: &RequestId) -> Result<(), EngineError> {
        let asked = self.client.cancel(&self.settings.model, &request.0).await;
        asked.map(|_| ()).map_err(|error| engine_error(&error))
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

/// The checker blanks what it flags: a stack of nothing but black frames is no result. One flag
/// among others may be a mistake, and the rest of the stack is paid for.
fn blanked(output: &Output) -> bool {
    let flags = output.has_nsfw_concepts.as_deref().unwrap_or_default();
    !flags.is_empty() && flags.iter().all(|flagged| *flagged)
}

fn layers(output: &Output) -> Result<Vec<LayerSource>, EngineError> {
    let bad = |text: String| EngineError::permanent(FailureCode::EngineBadLayer, text);
    let content = |text: &str| {
        if let Some(data) = text.strip_prefix("data:") {
            let base64 = data.split_once(";base64,").map(|(_, base64)| base64);
            let bytes = base64.and_then(|base64| STANDARD.decode(base64).ok());
            return bytes
                .map(|bytes| LayerContent::Bytes(bytes.into()))
                .ok_or_else(|| bad("a broken data URI".into()));
        }
        Url::parse(text)
            .map(LayerContent::Url)
            .map_err(|error| bad(format!("a layer's address: {error}")))
    };
    output
        .images
        .iter()
        .map(|image| {
            Ok(LayerSource {
                name: None,
                content: content(&image.url)?,
            })
        })
        .collect()
}

/// "step 7/28" or a progress bar's "7/28" in a log line, as a fraction.
fn step_fraction(line: &str) -> Option<f32> {
    let (before, after) = line.split_once('/')?;
    let done: String = before
        .chars()
        .rev()
        .take_while(char::is_ascii_digit)
        .collect();
    let done: f32 = done.chars().rev().collect::<String>().parse().ok()?;
    let all: f32 = after
        .chars()
        .take_while(char::is_ascii_digit)
        .collect::<String>()
        .parse()
        .ok()?;
    (all > 0.0 && done <= all).then_some(done / all)
}

fn engine_error(error: &fal_queue::Error) -> EngineError {
    let (code, retryable) = match error.class() {
        Class::Retryable if error.describes_run() => (FailureCode::EngineFailed, true),
        Class::Retryable => (FailureCode::EngineUnavailable, true),
        Class::RateLimited => (FailureCode::EngineBusy, true),
        Class::Auth => (FailureCode::EngineAuth, false),
        Class::Locked => (FailureCode::EngineAccountLocked, false),
        Class::Permanent => (permanent_code(error), false),
        Class::NotFound | Class::NotReady | Class::Cancelled => (FailureCode::EngineFailed, false),
    };
    EngineError {
        code,
        sentence: Some(code)
            .filter(|code| *code == FailureCode::EngineRejectedImage)
            .and(error.error_type())
            .and_then(rejected_image),
        retryable,
        retry_after: error.retry_after(),
        text: error.to_string(),
    }
}

/// To a submission, "not found" means the model.
fn submit_error(error: &fal_queue::Error) -> EngineError {
    let failed = engine_error(error);
    if error.class() == Class::NotFound {
        return EngineError {
            code: FailureCode::EngineModelNotFound,
            ..failed
        };
    }
    failed
}

/// What is wrong with a picture that fal refused, and what to send instead.
fn rejected_image(why: &ErrorType) -> Option<&'static str> {
    Some(match why {
        ErrorType::ImageTooLarge => {
            "The picture has too many pixels for the layering service. Send a smaller one."
        }
        ErrorType::ImageTooSmall => {
            "The picture has too few pixels for the layering service. Send a larger one."
        }
        ErrorType::FileTooLarge => {
            "The picture's file is too large for the layering service. Send a smaller one."
        }
        ErrorType::ImageLoadError => {
            "The layering service could not decode this picture. Save it anew as a JPEG or PNG and send that."
        }
        ErrorType::UnsupportedImageFormat => {
            "The layering service does not take pictures of this format. Send a JPEG or PNG."
        }
        ErrorType::FileDownloadError => {
            "The layering service could not download the picture. Create the job again; if it fails twice, ask the operator."
        }
        ErrorType::FaceDetectionError => {
            "The layering service found no face in this picture and wants one. Send another picture."
        }
        _ => return None,
    })
}

fn permanent_code(error: &fal_queue::Error) -> FailureCode {
    match error.error_type() {
        Some(ErrorType::ContentPolicyViolation) => FailureCode::ContentRefused,
        Some(ErrorType::NoMediaGenerated) => FailureCode::EngineNoLayers,
        // A 400, and no parameter's fault.
        Some(ErrorType::DownstreamServiceError) => FailureCode::EngineFailed,
        Some(
            ErrorType::ImageTooSmall
            | ErrorType::ImageTooLarge
            | ErrorType::ImageLoadError
            | ErrorType::FileDownloadError
            | ErrorType::FileTooLarge
            | ErrorType::FaceDetectionError
            | ErrorType::UnsupportedImageFormat,
        ) => FailureCode::EngineRejectedImage,
        _ if error
            .failure()
            .is_some_and(|failure| failure.status == 422 || failure.status == 400) =>
        {
            FailureCode::EngineRejectedInput
        }
        _ => FailureCode::EngineFailed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_count_in_a_log_line_is_a_fraction() {
        assert_eq!(step_fraction("step 7/28"), Some(0.25));
        assert_eq!(
            step_fraction(" 50%|█████     | 14/28 [00:07<00:07]"),
            Some(0.5)
        );
        assert_eq!(step_fraction("https://example.com"), None);
        assert_eq!(step_fraction("9/0"), None);
        assert_eq!(step_fraction("29/28"), None);
    }
}
