//! The two embedded networks, run in short stages so that a raised flag is obeyed in between.
//!
//! A graph is cut where few values are alive; each stage computes the values the next ones need.
//! The value names are those of the ONNX files (see `models/README.md`). No download, no file
//! access. Models load once a process, on first use.

use std::sync::OnceLock;

use rten::{Model, NodeId, RunOptions, Value, ValueOrView};
use rten_tensor::prelude::*;
use rten_tensor::{NdTensor, Tensor};

use crate::Error;
use crate::context::Context;
use crate::plane::{Gray, Plane, Rgb};

static SALIENCY: Net = Net {
    name: "saliency",
    bytes: include_bytes!("../models/u2netp.onnx"),
    stages: &[
        &["801", "804", "805"],
        &["801", "804", "923"],
        &["947"],
        &["947", "1070"],
        &["947", "1070", "1166"],
        &["947", "1070", "1166", "1235"],
        &["947", "1070", "1166", "1235", "1293", "1341"],
        &["947", "1070", "1293", "1341", "1429", "1544"],
        &["947", "1293", "1341", "1429", "1544", "1686"],
        &["1293", "1341", "1429", "1544", "1686", "1709"],
        &[
            "1293", "1341", "1429", "1544", "1686", "1709", "1712", "1713",
        ],
        &[
            "1293", "1341", "1429", "1544", "1686", "1709", "1712", "1831",
        ],
        &["1293", "1341", "1429", "1544", "1686", "1855"],
        &["1959"],
    ],
    model: OnceLock::new(),
};

static TEXT: Net = Net {
    name: "text",
    bytes: include_bytes!("../models/ppocrv4_det.onnx"),
    stages: &[
        &["p2o.Add.11"],
        &["p2o.Add.27"],
        &["p2o.Add.43"],
        &["p2o.Add.43", "p2o.Add.71"],
        &["p2o.Add.43", "p2o.Add.71", "p2o.Add.147"],
        &["p2o.Add.43", "p2o.Add.71", "p2o.Add.147", "p2o.Add.215"],
        &["p2o.Concat.1"],
        &["sigmoid_0.tmp_0"],
    ],
    model: OnceLock::new(),
};

/// Side of the square the saliency network looks at.
pub(crate) const SALIENCY_SIDE: usize = 320;

/// How much each place stands out, 0 to 1, at the size of `picture`.
pub(crate) fn saliency(ctx: &Context<'_>, picture: &Rgb) -> Result<Gray, Error> {
    let side = SALIENCY_SIDE;
    let small = picture.resize(side, side);
    let top = small
        .data
        .as_flattened()
        .iter()
        .copied()
        .fold(1.0_f32, f32::max);
    let (mean, deviation) = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
    let input = NdTensor::from_fn([1, 3, side, side], |[_, c, y, x]| {
        (small.at(x, y)[c] / top - mean[c]) / deviation[c]
    });
    Ok(SALIENCY.run(ctx, input)?.resize(picture.w, picture.h))
}

/// The probability of text at each place, 0 to 1, at the size of `picture`, which is shown to the
/// network with its longest side at `longest`.
pub(crate) fn text(ctx: &Context<'_>, picture: &Rgb, longest: usize) -> Result<Gray, Error> {
    let scale = (longest as f32 / picture.w.max(picture.h) as f32).min(2.0);
    let side = |length: usize| ((length as f32 * scale / 32.0).round() as usize * 32).max(32);
    let small = picture.resize(side(picture.w), side(picture.h));
    let input = NdTensor::from_fn([1, 3, small.h, small.w], |[_, c, y, x]| {
        small.at(x, y)[2 - c] / 127.5 - 1.0
    });
    Ok(TEXT.run(ctx, input)?.resize(picture.w, picture.h))
}

/// Loads both models; the first split does so by itself.
///
/// # Errors
/// [`Error::Model`] if an embedded model does not load.
pub fn warm_up() -> Result<(), Error> {
    SALIENCY.model()?;
    TEXT.model()?;
    Ok(())
}

struct Net {
    name: &'static str,
    bytes: &'static [u8],
    /// The values alive after each stage; the last stage yields the mask.
    stages: &'static [&'static [&'static str]],
    model: OnceLock<Result<Model, String>>,
}

impl Net {
    fn model(&self) -> Result<&Model, Error> {
        self.model
            .get_or_init(|| Model::load_static_slice(self.bytes).map_err(|error| error.to_string()))
            .as_ref()
            .map_err(|reason| self.error(&reason))
    }

    fn error(&self, reason: &dyn std::fmt::Display) -> Error {
        Error::Model {
            model: self.name,
            reason: reason.to_string(),
        }
    }

    fn run(&self, ctx: &Context<'_>, input: NdTensor<f32, 4>) -> Result<Gray, Error> {
        let model = self.model()?;
        let input_id = *model
            .input_ids()
            .first()
            .ok_or_else(|| self.error(&"no input"))?;
        let mut alive: Vec<(NodeId, Value)> = vec![(input_id, input.into_dyn().into())];
        for stage in self.stages {
            ctx.check()?;
            alive = self.stage(ctx, model, alive, stage)?;
        }
        let (_, mask) = alive.pop().ok_or_else(|| self.error(&"no output"))?;
        let mask: Tensor<f32> = mask
            .try_into()
            .map_err(|error| self.error(&format!("{error:?}")))?;
        let (h, w) = (mask.size(2), mask.size(3));
        Ok(Plane {
            w,
            h,
            data: mask.to_vec(),
        })
    }

    /// Computes the values of one stage from those alive before it, passing on what is still
    /// needed.
    fn stage(
        &self,
        ctx: &Context<'_>,
        model: &Model,
        alive: Vec<(NodeId, Value)>,
        names: &[&str],
    ) -> Result<Vec<(NodeId, Value)>, Error> {
        let ids = names
            .iter()
            .map(|name| model.node_id(name).map_err(|error| self.error(&error)))
            .collect::<Result<Vec<_>, _>>()?;
        let missing: Vec<NodeId> = ids
            .iter()
            .copied()
            .filter(|id| alive.iter().all(|(held, _)| held != id))
            .collect();
        let inputs = alive
            .iter()
            .map(|(id, value)| (*id, ValueOrView::from(value)))
            .collect();
        let options = RunOptions::default().with_thread_pool(Some(ctx.pool.clone()));
        let made = model
            .run(inputs, &missing, Some(options))
            .map_err(|error| self.error(&error))?;
        let mut next: Vec<(NodeId, Value)> = alive
            .into_iter()
            .filter(|(id, _)| ids.contains(id))
            .collect();
        next.extend(missing.into_iter().zip(made));
        Ok(next)
    }
}
