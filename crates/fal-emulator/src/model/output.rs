//! The model's output: layers as files of the CDN (or data URIs) and the JSON that names them.
//!
//! Faults that concern the output and its files act here. Invariant: without faults there are
//! exactly `num_layers` images of one size, and every URL that is returned can be fetched.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use image::{Rgba, RgbaImage};
use serde_json::{Value, json};
use uuid::Uuid;

use super::encode::encode;
use super::input::Input;
use super::source::Source;
use super::{bucket, layers, synthetic};
use crate::cdn::{Cdn, Delivery};
use crate::config::LayerSource;
use crate::failure::Failure;
use crate::fault::{Fault, ModelError};
use crate::queue::Ticket;
use crate::shared::Shared;

/// One image of the output before it has a URL.
pub(crate) struct Frame {
    body: Bytes,
    size: (u32, u32),
    delivery: Delivery,
}

/// Draws the layers, bottom first. Runs as long as the engine needs.
pub(crate) async fn draw(
    shared: &Arc<Shared>,
    ticket: &Arc<Ticket>,
    input: &Input,
    source: &Source,
) -> Result<Vec<Frame>, Failure> {
    let size = bucket::canvas(source.width, source.height);
    let count = count(ticket, input);
    let mut bodies = bodies(shared, ticket, input, source, size, count).await?;
    if ticket.meets(&Fault::LayerEmpty)
        && let Some(second) = bodies.get_mut(1)
    {
        *second = encode(&RgbaImage::new(size.0, size.1), input.webp);
    }
    if ticket.meets(&Fault::SourceFrameFirst)
        && let Some(pixels) = &source.pixels
    {
        bodies.insert(0, encode(&layers::flattened(pixels, size), input.webp));
    }
    let mut frames: Vec<Frame> = bodies
        .into_iter()
        .map(|body| Frame {
            body,
            size,
            delivery: Delivery::Whole,
        })
        .collect();
    if let Some(last) = frames.last_mut() {
        trouble(ticket, last, input.webp);
    }
    Ok(frames)
}

/// Gives the layers their URLs and describes them: the output.
pub(crate) fn publish(
    shared: &Shared,
    ticket: &Ticket,
    input: &Input,
    frames: Vec<Frame>,
    inference: Duration,
) -> Value {
    if ticket.meets(&Fault::NullOutput) {
        return Value::Null;
    }
    let images: Vec<Value> = frames
        .into_iter()
        .map(|frame| publish_one(shared, ticket, input, frame))
        .collect();
    // Above i64::MAX: what fal draws by itself is that large half of the time.
    let drawn = Uuid::new_v4().as_u64_pair().0 | 1 << 63;
    json!({
        "has_nsfw_concepts": vec![ticket.meets(&Fault::Nsfw); images.len()],
        "images": images,
        "seed": input.seed.unwrap_or(drawn),
        "prompt": input.prompt.as_deref().unwrap_or_default(),
        "timings": {"inference": inference.as_secs_f64()},
    })
}

fn count(ticket: &Ticket, input: &Input) -> u8 {
    let asked = input.num_layers;
    ticket
        .pick(|fault| match fault {
            Fault::EmptyImages => Some(0),
            Fault::FewerImages { by } => Some(asked.saturating_sub(*by).max(1)),
            Fault::MoreImages { by } => Some(asked.saturating_add(*by)),
            _ => None,
        })
        .unwrap_or(asked)
}

async fn bodies(
    shared: &Arc<Shared>,
    ticket: &Arc<Ticket>,
    input: &Input,
    source: &Source,
    size: (u32, u32),
    count: u8,
) -> Result<Vec<Bytes>, Failure> {
    let webp = input.webp;
    if ticket.meets(&Fault::Nsfw) {
        let black = RgbaImage::from_pixel(size.0, size.1, Rgba([0, 0, 0, 255]));
        return Ok(vec![encode(&black, webp); usize::from(count)]);
    }
    let shows_source = !ticket.meets(&Fault::WrongPicture);
    let pixels = match (&source.pixels, shared.config.layers) {
        (Some(pixels), LayerSource::Layerize) if count > 0 && shows_source => pixels.clone(),
        _ => {
            let least = shared.config.layer_bytes;
            let drawing = move || synthetic::files(size, count, webp, least).to_vec();
            return joined(tokio::task::spawn_blocking(drawing).await);
        }
    };
    let cancel = layerize::Cancel::default();
    // Raised when this future is dropped, be it by a cancellation or by the emulator's stop.
    let _raise = RaiseOnDrop(cancel.clone());
    let splitting = tokio::task::spawn_blocking(move || {
        let canvases = layers::split(&pixels, size, count, &cancel)?;
        Ok::<_, layerize::Error>(canvases.iter().map(|one| encode(one, webp)).collect())
    });
    joined(splitting.await)?.map_err(|_| Failure::model(ModelError::InternalServerError))
}

struct RaiseOnDrop(layerize::Cancel);

impl Drop for RaiseOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

fn joined<T>(result: Result<T, tokio::task::JoinError>) -> Result<T, Failure> {
    result.map_err(|_| Failure::model(ModelError::InternalServerError))
}

/// Applies the download faults to the last layer.
fn trouble(ticket: &Ticket, frame: &mut Frame, webp: bool) {
    for fault in &ticket.faults {
        match fault {
            Fault::LayerNotAnImage => frame.body = Bytes::from_static(b"this is not an image\n"),
            Fault::LayerWrongSize => {
                let (width, height) = (frame.size.0 / 2, frame.size.1 / 2);
                let small = RgbaImage::from_pixel(width, height, Rgba([90, 90, 90, 128]));
                frame.body = encode(&small, webp);
                frame.size = (width, height);
            }
            Fault::LayerNotFound => frame.delivery = Delivery::Missing,
            Fault::LayerDrips => frame.delivery = Delivery::Drips,
            Fault::LayerErrors { times } => frame.delivery = Delivery::Failing(*times),
            Fault::LayerMissing { times } => frame.delivery = Delivery::MissingFor(*times),
            Fault::LayerGarbled { times } => frame.delivery = Delivery::GarbledFor(*times),
            Fault::LayerHuge { bytes, declared } => {
                frame.delivery = Delivery::Huge {
                    bytes: *bytes,
                    declared: *declared,
                };
            }
            Fault::LayerCut => frame.delivery = Delivery::Cut,
            _ => {}
        }
    }
}

/// Gives a frame its URL and describes it.
fn publish_one(shared: &Shared, ticket: &Ticket, input: &Input, frame: Frame) -> Value {
    let (extension, content_type) = if input.webp {
        ("webp", "image/webp")
    } else {
        ("png", "image/png")
    };
    let bytes = frame.body.len();
    let name = Cdn::fresh_name(extension);
    let url = if input.sync_mode || ticket.meets(&Fault::DataUris) {
        format!(
            "data:{content_type};base64,{}",
            STANDARD.encode(&frame.body)
        )
    } else {
        let path = Cdn::fresh_path(&name);
        let url = format!("{}{path}", ticket.base);
        let (lifecycle, delivery) = (ticket.lifecycle, frame.delivery);
        shared
            .cdn
            .put(path, content_type, frame.body, lifecycle, delivery);
        url
    };
    if ticket.meets(&Fault::MissingFileFields) {
        return json!({"url": url});
    }
    json!({
        "url": url,
        "content_type": content_type,
        "file_name": name,
        "file_size": bytes,
        "width": frame.size.0,
        "height": frame.size.1,
    })
}
