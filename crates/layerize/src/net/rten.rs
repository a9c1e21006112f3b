//! The built-in runtime: rten, run in short stages so that a raised flag is obeyed in between.
//!
//! A graph is cut where few values are alive; each stage computes the values the next ones need.
//! The value names are those of the ONNX files. rten itself cannot be stopped within a stage.
//! Models load once a process, on first use.

use std::sync::OnceLock;

use rten::{Model, NodeId, RunOptions, Value, ValueOrView};
use rten_tensor::prelude::*;
use rten_tensor::{NdTensor, Tensor};

use super::{Input, Net, Runtime, mask};
use crate::Error;
use crate::context::Context;
use crate::plane::Gray;

/// The values alive after each stage; the last stage yields the mask.
const SALIENCY: &[&[&str]] = &[
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
];
const TEXT: &[&[&str]] = &[
    &["p2o.Add.11"],
    &["p2o.Add.27"],
    &["p2o.Add.43"],
    &["p2o.Add.43", "p2o.Add.71"],
    &["p2o.Add.43", "p2o.Add.71", "p2o.Add.147"],
    &["p2o.Add.43", "p2o.Add.71", "p2o.Add.147", "p2o.Add.215"],
    &["p2o.Concat.1"],
    &["sigmoid_0.tmp_0"],
];

static MODELS: [OnceLock<Result<Model, String>>; 2] = [OnceLock::new(), OnceLock::new()];

/// rten with both models inside the library.
pub(super) struct Embedded;

impl Runtime for Embedded {
    fn name(&self) -> &'static str {
        "embedded"
    }

    fn warm_up(&self) -> Result<(), Error> {
        model(Net::Saliency)?;
        model(Net::Text)?;
        Ok(())
    }

    fn run(&self, ctx: &Context<'_>, net: Net, input: Input) -> Result<Gray, Error> {
        let model = model(net)?;
        let inputs = model.input_ids();
        let input_id = *inputs.first().ok_or_else(|| net.error(&"no input"))?;
        let input = NdTensor::from_data([1, 3, input.h, input.w], input.data);
        let mut alive: Vec<(NodeId, Value)> = vec![(input_id, input.into_dyn().into())];
        let stages = match net {
            Net::Saliency => SALIENCY,
            Net::Text => TEXT,
        };
        for names in stages {
            ctx.check()?;
            alive = stage(ctx, net, model, alive, names)?;
        }
        let (_, answer) = alive.pop().ok_or_else(|| net.error(&"no output"))?;
        let answer: Tensor<f32> = answer
            .try_into()
            .map_err(|error| net.error(&format!("{error:?}")))?;
        let shape = answer.shape().to_vec();
        mask(net, &shape, answer.into_data())
    }
}

fn model(net: Net) -> Result<&'static Model, Error> {
    MODELS[usize::from(net == Net::Text)]
        .get_or_init(|| Model::load_static_slice(net.bytes()).map_err(|error| error.to_string()))
        .as_ref()
        .map_err(|reason| net.error(reason))
}

/// Computes the values of one stage from those alive before it, passing on what is still needed.
fn stage(
    ctx: &Context<'_>,
    net: Net,
    model: &Model,
    alive: Vec<(NodeId, Value)>,
    names: &[&str],
) -> Result<Vec<(NodeId, Value)>, Error> {
    let ids = names
        .iter()
        .map(|name| model.node_id(name).map_err(|error| net.error(&error)))
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
        .map_err(|error| net.error(&error))?;
    let mut next: Vec<(NodeId, Value)> = alive
        .into_iter()
        .filter(|(id, _)| ids.contains(id))
        .collect();
    next.extend(missing.into_iter().zip(made));
    Ok(next)
}
