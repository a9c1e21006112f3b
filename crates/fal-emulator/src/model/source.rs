//! The source image: fetched from wherever `image_url` points, decoded, and refused in the model's
//! own words.
//!
//! It sends no credentials, follows redirects, and reads no more than the limit. Invariant: a
//! `Source` was within the limits of the configuration.

use std::io::Cursor;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use image::{ImageError, ImageReader, RgbaImage};
use serde_json::json;

use super::input::Input;
use crate::config::{ImageLimits, LayerSource, SourceCheck};
use crate::failure::{Failure, Item};
use crate::fault::ModelError;
use crate::outgoing::Outgoing;
use crate::shared::Shared;

/// A source that the model accepts.
pub(crate) struct Source {
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// Absent when the configuration does not want it decoded.
    pub(crate) pixels: Option<RgbaImage>,
}

/// Fetches and checks the source; decodes it in any case when its pixels are needed.
pub(crate) async fn load_source(
    shared: &Shared,
    input: &Input,
    pixels_needed: bool,
) -> Result<Source, Failure> {
    let check = match (shared.config.layers, shared.config.source_check) {
        (LayerSource::Layerize, _) => SourceCheck::Decode,
        (LayerSource::Synthetic, _) if pixels_needed => SourceCheck::Decode,
        (LayerSource::Synthetic, check) => check,
    };
    if check == SourceCheck::Skip {
        return Ok(Source {
            width: 640,
            height: 640,
            pixels: None,
        });
    }
    let limits = shared.config.image_limits;
    let bytes = if input.image_url.starts_with("data:") {
        from_data_uri(&input.image_url, limits)?
    } else {
        download(&shared.outgoing, &input.image_url, limits).await?
    };
    let decoding = tokio::task::spawn_blocking(move || decode(&bytes, limits, check)).await;
    decoding.unwrap_or_else(|_| Err(Failure::model(ModelError::InternalServerError)))
}

/// `data:<type>;base64,<payload>`.
fn from_data_uri(uri: &str, limits: ImageLimits) -> Result<Bytes, Failure> {
    let unreadable = || refuse(ModelError::FileDownloadError, "The data URI cannot be read");
    let (head, payload) = uri.split_once(',').ok_or_else(unreadable)?;
    if !head.ends_with(";base64") {
        return Err(unreadable());
    }
    if payload.len() / 4 * 3 > limits.max_bytes + 3 {
        return Err(too_large(limits));
    }
    STANDARD
        .decode(payload.trim())
        .map(Bytes::from)
        .map_err(|_| unreadable())
}

async fn download(outgoing: &Outgoing, url: &str, limits: ImageLimits) -> Result<Bytes, Failure> {
    let failed = || {
        Failure::items(
            422,
            vec![
                Item::new(
                    ModelError::FileDownloadError.name(),
                    "image_url",
                    "Failed to download the file",
                )
                .input(&json!(url)),
            ],
        )
    };
    let client = outgoing.client_for(url).map_err(|_| failed())?;
    let response = client
        .get(url)
        .timeout(Duration::from_secs(30))
        .send()
        .await
        .and_then(reqwest::Response::error_for_status);
    let mut response = response.map_err(|_| failed())?;
    let mut bytes = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(|_| failed())? {
        if bytes.len() + chunk.len() > limits.max_bytes {
            return Err(too_large(limits));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes.freeze())
}

fn decode(bytes: &[u8], limits: ImageLimits, check: SourceCheck) -> Result<Source, Failure> {
    let broken = |error: ImageError| match error {
        ImageError::Unsupported(_) => Failure::model(ModelError::UnsupportedImageFormat),
        _ => refuse(ModelError::ImageLoadError, "Failed to load the image"),
    };
    let reader = || {
        ImageReader::new(Cursor::new(bytes))
            .with_guessed_format()
            .map_err(|_| refuse(ModelError::ImageLoadError, "Failed to load the image"))
    };
    if reader()?.format().is_none() {
        return Err(refuse(
            ModelError::ImageLoadError,
            "Failed to load the image",
        ));
    }
    let (width, height) = reader()?.into_dimensions().map_err(broken)?;
    let (min, max) = (limits.min_side, limits.max_side);
    if width.min(height) < min {
        let context = json!({"min_height": min, "min_width": min});
        return Err(with_context(ModelError::ImageTooSmall, context));
    }
    if width.max(height) > max {
        let context = json!({"max_height": max, "max_width": max});
        return Err(with_context(ModelError::ImageTooLarge, context));
    }
    let pixels = match check {
        SourceCheck::Decode => Some(reader()?.decode().map_err(broken)?.into_rgba8()),
        SourceCheck::Header | SourceCheck::Skip => None,
    };
    Ok(Source {
        width,
        height,
        pixels,
    })
}

fn too_large(limits: ImageLimits) -> Failure {
    with_context(
        ModelError::FileTooLarge,
        json!({"max_size": limits.max_bytes}),
    )
}

fn with_context(kind: ModelError, context: serde_json::Value) -> Failure {
    let message = kind.name().replace('_', " ");
    Failure::items(
        kind.status(),
        vec![Item::new(kind.name(), "image_url", message).context(context)],
    )
}

fn refuse(kind: ModelError, message: &str) -> Failure {
    Failure::items(
        kind.status(),
        vec![Item::new(kind.name(), "image_url", message)],
    )
}
