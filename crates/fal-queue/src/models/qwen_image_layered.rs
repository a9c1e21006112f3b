//! `fal-ai/qwen-image-layered`: one image in, a stack of RGBA layers out.
//!
//! Source of fields, ranges and defaults: the endpoint types of fal's JavaScript client 1.10.1 and
//! the model's page. Fields left `None` are not sent, so that fal's defaults apply. Reading an
//! output is lenient: everything but the addresses of the images may be missing or odd, because the
//! run is paid by then.

use std::fmt;

use serde::de::{DeserializeOwned, IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use url::Url;

/// The model's id.
pub const MODEL: &str = "fal-ai/qwen-image-layered";

/// Millionths of a US dollar per request, whatever the number of layers. Source: the model page says "$0.05 per
/// image", fal's guide "about $0.05 per decomposition"; that this is one request is a reading of
/// the two. Runs that end in a 5xx are not billed.
pub const PRICE_MICROUSD_PER_REQUEST: u64 = 50_000;

/// The model's input. `Debug` shortens a data URI.
#[derive(Clone, PartialEq, Serialize)]
pub struct Input {
    /// Public address of the image, or a `data:` URI. JPEG, PNG, WebP, GIF or AVIF; transparency
    /// is lost.
    pub image_url: String,
    /// A caption of the whole picture, hidden parts included. It does not steer single layers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// Default empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub negative_prompt: Option<String>,
    /// 1 to 50, default 28.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub num_inference_steps: Option<u32>,
    /// 1 to 20, default 5.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guidance_scale: Option<f64>,
    /// Default random; the output names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// 1 to 10, default 4.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub num_layers: Option<u32>,
    /// Return the images as data URIs, and keep them out of the history. Default false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sync_mode: Option<bool>,
    /// Default true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_safety_checker: Option<bool>,
    /// Default PNG.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_format: Option<OutputFormat>,
    /// Default regular.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acceleration: Option<Acceleration>,
}

/// Format of the layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum OutputFormat {
    /// PNG.
    Png,
    /// WebP.
    Webp,
}

/// Speed against quality.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Acceleration {
    /// Slowest.
    None,
    /// The default.
    Regular,
    /// Fastest.
    High,
}

impl Input {
    /// An input with fal's defaults.
    #[must_use]
    pub fn new(image_url: impl Into<String>) -> Self {
        Self {
            image_url: image_url.into(),
            prompt: None,
            negative_prompt: None,
            num_inference_steps: None,
            guidance_scale: None,
            seed: None,
            num_layers: None,
            sync_mode: None,
            enable_safety_checker: None,
            output_format: None,
            acceleration: None,
        }
    }
}

/// How many images of an output are kept; what is beyond is read and dropped. The model makes ten at
/// the most, and no number that a server sends may decide how much memory is taken.
pub const MOST_IMAGES: usize = 64;

/// The model's output. `Debug` does not show the prompt.
#[derive(Clone, PartialEq, Deserialize)]
pub struct Output {
    /// The layers, bottom first in practice. Their count may differ from what was asked for, and
    /// their size follows the model, not the input. At most [`MOST_IMAGES`].
    #[serde(deserialize_with = "first_images")]
    pub images: Vec<Image>,
    /// The seed that was used; it needs all 64 bits.
    #[serde(default, deserialize_with = "lenient")]
    pub seed: Option<u64>,
    /// One entry per image; `None` when missing. Flagged images are commonly blanked.
    #[serde(default, deserialize_with = "lenient")]
    pub has_nsfw_concepts: Option<Vec<bool>>,
    /// The caption that was used.
    #[serde(default, deserialize_with = "lenient")]
    pub prompt: Option<String>,
    /// Seconds by stage, commonly `inference`.
    #[serde(default, deserialize_with = "lenient")]
    pub timings: Option<Map<String, Value>>,
}

/// One layer. `Debug` shortens a data URI.
#[derive(Clone, PartialEq, Deserialize)]
pub struct Image {
    /// An address on fal's CDN, or with `sync_mode` a `data:` URI.
    pub url: String,
    /// Media type.
    #[serde(default, deserialize_with = "lenient")]
    pub content_type: Option<String>,
    /// Name on the CDN.
    #[serde(default, deserialize_with = "lenient")]
    pub file_name: Option<String>,
    /// In bytes.
    #[serde(default, deserialize_with = "lenient")]
    pub file_size: Option<u64>,
    /// In pixels.
    #[serde(default, deserialize_with = "lenient")]
    pub width: Option<u32>,
    /// In pixels.
    #[serde(default, deserialize_with = "lenient")]
    pub height: Option<u32>,
}

/// `None` for null and for anything of an unexpected type.
fn lenient<'de, D: Deserializer<'de>, T: DeserializeOwned>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    Ok(serde_json::from_value(value).ok())
}

/// The first [`MOST_IMAGES`] of a list.
fn first_images<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Image>, D::Error> {
    struct First;
    impl<'de> Visitor<'de> for First {
        type Value = Vec<Image>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list of images")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<Image>, A::Error> {
            let mut images = Vec::new();
            while images.len() < MOST_IMAGES {
                let Some(image) = list.next_element()? else {
                    return Ok(images);
                };
                images.push(image);
            }
            while list.next_element::<IgnoredAny>()?.is_some() {}
            Ok(images)
        }
    }
    deserializer.deserialize_seq(First)
}

/// An address fit for a log: a data URI without its data, a link without its query.
fn shortened(url: &str) -> &str {
    let end = if url.starts_with("data:") {
        url.find(',')
    } else {
        url.find('?')
    };
    end.map_or(url, |end| &url[..end])
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Input")
            .field("image_url", &shortened(&self.image_url))
            .field("num_layers", &self.num_layers)
            .field("seed", &self.seed)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The path of an address, and a name, may be made of the prompt.
        let host = Url::parse(&self.url)
            .ok()
            .and_then(|url| url.host_str().map(str::to_owned));
        f.debug_struct("Image")
            .field("host", &host)
            .field("width", &self.width)
            .field("height", &self.height)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Output")
            .field("images", &self.images)
            .field("seed", &self.seed)
            .field("has_nsfw_concepts", &self.has_nsfw_concepts)
            .finish_non_exhaustive()
    }
}
