//! A stack is drawn on one canvas: every layer has its size.
//!
//! A layer that came smaller or larger is scaled, since the run is paid for and the layer is good.
//! One of other proportions has no place on the canvas; no guess is made, and the job fails.

use super::collect::{Number, blob_key, on_pool, store};
use super::fetch::Checked;
use super::layers::Stored;
use super::report::{Report, StepError};
use crate::jobs::{FailureCode, Layer};
use crate::store::Claimed;
use crate::worker::Worker;

/// Sides may differ in proportion by this much: what rounding to whole pixels, or to a multiple of
/// sixteen as models do, makes of a small picture.
const ROUNDING: f64 = 0.05;

type Size = (u32, u32);

/// The layers, all of one size. They are stored; one that is scaled is read, and written again.
pub(in crate::worker) async fn fit(
    worker: &Worker,
    job: &Claimed,
    mut layers: Vec<Layer>,
    stored: &Stored,
) -> Result<Vec<Layer>, StepError> {
    let sizes: Vec<Size> = layers.iter().map(size).collect();
    let Some(canvas) = most_common(&sizes) else {
        return Ok(layers);
    };
    let id = job.lease.job;
    for layer in layers.iter_mut().filter(|layer| size(layer) != canvas) {
        let (width, height) = size(layer);
        tracing::warn!(job = %id, width, height, canvas_width = canvas.0, canvas_height = canvas.1, "the engine gave a layer of another size");
        if !alike(size(layer), canvas) {
            return Err(Report::give_up(FailureCode::EngineBadLayer).into());
        }
        let key = blob_key(id, layer);
        let bytes = worker.parts.blobs.get(&key).await?;
        let limits = worker.parts.layer_limits;
        let scale = move |bytes: &[u8], limits: &image_intake::Limits| {
            image_intake::fit_layer(bytes, limits, canvas)
        };
        let (scaled, _) = on_pool(worker, job, bytes, limits, scale).await;
        let (measures, png) = scaled.map_err(StepError::Layer)?;
        let scaled = Checked {
            labels: std::mem::take(&mut layer.labels),
            bytes: png.into(),
            measures,
        };
        *layer = store(worker, id, Number::of(layer), scaled, stored).await?;
        if blob_key(id, layer) != key {
            worker.parts.blobs.remove(&key).await?;
        }
    }
    Ok(layers)
}

fn size(layer: &Layer) -> Size {
    (layer.width, layer.height)
}

/// The size that most layers have; of several, the one that comes first from below.
fn most_common(sizes: &[Size]) -> Option<Size> {
    let votes = |size: &Size| sizes.iter().filter(|other| *other == size).count();
    // max_by_key takes the last of equals.
    sizes.iter().rev().copied().max_by_key(votes)
}

fn alike(one: Size, other: Size) -> bool {
    let across = f64::from(one.0) * f64::from(other.1);
    let down = f64::from(one.1) * f64::from(other.0);
    (across - down).abs() <= ROUNDING * across.max(down)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_of_most_layers_is_the_canvas_and_the_bottom_one_decides_a_draw() {
        let (small, large) = ((320, 200), (640, 400));
        assert_eq!(most_common(&[small, large, large]), Some(large));
        assert_eq!(most_common(&[small, large]), Some(small));
        assert_eq!(most_common(&[large, small]), Some(large));
        assert_eq!(most_common(&[]), None);
    }

    #[test]
    fn a_layer_is_scaled_only_to_its_own_proportions() {
        assert!(alike((320, 200), (640, 400)));
        assert!(alike((320, 208), (640, 400)));
        assert!(!alike((400, 400), (640, 400)));
        assert!(!alike((200, 320), (320, 200)));
    }
}
