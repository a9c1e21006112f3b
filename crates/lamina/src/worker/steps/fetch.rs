//! The layers of an engine's answer on their way: fetched, as many as may be held together, and looked at one by one. How they
//! are looked at together is in `proof.rs`.

use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use image_intake::LayerMeasures;

use super::collect::{AT_ONCE, on_pool};
use super::layers::Bounds;
use super::report::StepError;
use crate::engines::{LayerContent, LayerSource};
use crate::jobs::{LayerCheck, LayerLabels};
use crate::pool::PictureError;
use crate::store::Claimed;
use crate::worker::Worker;

/// A layer that was fetched and found good.
pub(in crate::worker) struct Checked {
    pub(in crate::worker) labels: LayerLabels,
    pub(in crate::worker) bytes: Bytes,
    pub(in crate::worker) measures: LayerMeasures,
}

/// How far a layer is.
pub(in crate::worker) enum Arriving {
    /// There is no room to hold it yet.
    Not(LayerSource),
    /// Nobody has looked at it.
    Here {
        labels: LayerLabels,
        bytes: Bytes,
    },
    Checked(Checked),
}

/// All layers, bottom first; those that come when `most_held` bytes are here stay where they are.
pub(in crate::worker) async fn all(
    worker: &Worker,
    sources: Vec<LayerSource>,
    bounds: &Bounds,
    most_held: u64,
) -> Result<Vec<Arriving>, StepError> {
    let held = AtomicU64::new(0);
    let held = &held;
    stream::iter(sources)
        .map(|source| async move {
            if held.load(Ordering::Relaxed) > most_held {
                return Ok(Arriving::Not(source));
            }
            let layer = fetched(worker, source, bounds).await?;
            held.fetch_add(layer.held_bytes(), Ordering::Relaxed);
            Ok(layer)
        })
        .buffered(AT_ONCE)
        .try_collect()
        .await
}

async fn fetched(
    worker: &Worker,
    source: LayerSource,
    bounds: &Bounds,
) -> Result<Arriving, StepError> {
    let labels = source.labels;
    let bytes = match source.content {
        LayerContent::Measured(bytes, measures) => {
            return Ok(Arriving::Checked(Checked {
                labels,
                bytes,
                measures,
            }));
        }
        LayerContent::Bytes(bytes) => bytes,
        LayerContent::Url(url, declared) => {
            let policy = worker.parts.layers.policy();
            bounds.declared(declared, policy.max_bytes, &worker.parts.layer_limits)?;
            let fetched = worker.parts.layers.fetch(&url).await;
            let bytes = fetched.map_err(StepError::LayerFetch)?.bytes;
            bounds.fetched(bytes.len())?;
            bytes
        }
    };
    Ok(Arriving::Here { labels, bytes })
}

impl Arriving {
    /// Fetches it, if it is not here, and decodes and measures it, if nobody did.
    pub(in crate::worker) async fn checked(
        self,
        worker: &Worker,
        job: &Claimed,
        bounds: &Bounds,
    ) -> Result<Checked, StepError> {
        let here = match self {
            Self::Not(source) => fetched(worker, source, bounds).await?,
            here => here,
        };
        let (labels, bytes) = match here {
            Self::Here { labels, bytes } => (labels, bytes),
            Self::Checked(checked) => return Ok(checked),
            Self::Not(source) => unreachable!("it was fetched: {source:?}"),
        };
        let limits = worker.parts.layer_limits;
        let (inspected, bytes) = match worker.settings.stacks.layer_check {
            LayerCheck::Full => {
                on_pool(worker, job, bytes, limits, image_intake::inspect_layer).await
            }
            // As quick as to hand it over to another thread.
            LayerCheck::Checksums => {
                let declared = image_intake::declared_layer(&bytes, &limits);
                (declared.map_err(PictureError::from), bytes)
            }
        };
        let measures = inspected.map_err(StepError::Layer)?;
        Ok(Checked {
            labels,
            bytes,
            measures,
        })
    }

    /// The file, while nobody has looked at it.
    pub(in crate::worker) fn unseen(&self) -> Option<&Bytes> {
        match self {
            Self::Here { bytes, .. } => Some(bytes),
            Self::Not(_) | Self::Checked(_) => None,
        }
    }

    /// The same layer, at which somebody has looked.
    pub(in crate::worker) fn with(self, measures: LayerMeasures) -> Self {
        match self {
            Self::Here { labels, bytes } => Self::Checked(Checked {
                labels,
                bytes,
                measures,
            }),
            other => other,
        }
    }

    fn held_bytes(&self) -> u64 {
        match self {
            Self::Here { bytes, .. } | Self::Checked(Checked { bytes, .. }) => bytes.len() as u64,
            Self::Not(_) => 0,
        }
    }
}
