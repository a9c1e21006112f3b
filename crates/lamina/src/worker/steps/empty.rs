//! Layers with nothing on them, left out where the operator wants that (`EMPTY_LAYERS`). What is left is numbered anew, bottom first; files keep
//! their numbers.

use super::collect::blob_key;
use super::report::StepError;
use crate::jobs::{Layer, Quality};
use crate::store::Claimed;
use crate::worker::Worker;

/// The layers that something is on, and what is known of them. A stack of nothing but empty layers keeps its lowest.
pub(in crate::worker) async fn left_out(
    worker: &Worker,
    job: &Claimed,
    layers: Vec<Layer>,
    mut quality: Option<Quality>,
) -> Result<(Vec<Layer>, Option<Quality>), StepError> {
    if !worker.settings.stacks.drop_empty {
        return Ok((layers, quality));
    }
    let (kept, empty) = parted(layers, quality.as_ref());
    for layer in &empty {
        let key = blob_key(job.lease.job, layer);
        worker.parts.blobs.remove(&key).await?;
    }
    if let Some(quality) = &mut quality {
        let orders: Vec<u32> = kept.iter().map(|layer| layer.order).collect();
        quality.retain(&orders);
    }
    let renumbered = kept.into_iter().zip(0..);
    let renumbered = renumbered.map(|(layer, order)| Layer { order, ..layer });
    Ok((renumbered.collect(), quality))
}

fn parted(layers: Vec<Layer>, quality: Option<&Quality>) -> (Vec<Layer>, Vec<Layer>) {
    let is_empty = |layer: &Layer| {
        let told = quality.and_then(|quality| {
            let mut layers = quality.layers.iter();
            layers.find(|told| told.order == layer.order)
        });
        layer.bbox.is_none() || told.is_some_and(|told| told.empty)
    };
    let (mut empty, mut kept): (Vec<_>, Vec<_>) = layers.into_iter().partition(is_empty);
    if kept.is_empty() && !empty.is_empty() {
        kept.push(empty.remove(0));
    }
    (kept, empty)
}
