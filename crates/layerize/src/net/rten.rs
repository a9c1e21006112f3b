//! The built-in runtime: rten, run in short stages so that a raised flag is obeyed in between.
//!
//! A graph is cut where few values are alive; each stage computes the values the next ones need.
//! The value names are those of the ONNX files. rten itself cannot be stopped within a stage.
//! Models load once a process, on first use, which takes a few milliseconds of the first run.

use std::sync::OnceLock;

use rten::{Model, ModelOptions, NodeId, RunOptions, ShapeInferenceMode, Value, ValueOrView};
use rten_tensor::prelude::*;
use rten_tensor::{NdTensor, Tensor, TensorView};

use super::{Input, Net, Runtime, mask};
use crate::Error;
use crate::context::Context;
use crate::plane::Gray;

/// A piece of a graph.
enum Stage {
    /// The values alive after it; the last stage of a graph yields the mask.
    Whole(&'static [&'static str]),
    /// One large convolution (3 by 3, padded to keep its size) from the first value to the second,
    /// run in `STRIPS` strips of rows.
    Strips(&'static str, &'static str),
}
use Stage::{Strips, Whole};

/// The longest convolution takes a quarter of a whole call.
const STRIPS: usize = 8;

/// Cut so that no stage takes more than about a sixteenth of the call.
const SALIENCY: &[Stage] = &[
    Whole(&["801"]),
    Strips("801", "1969"),
    Whole(&["801", "943"]),
    Strips("943", "2005"),
    Whole(&["947", "948"]),
    Whole(&["947", "2008"]),
    Whole(&["947", "951", "1066"]),
    Whole(&["947", "1070"]),
    Whole(&["947", "1070", "1166"]),
    Whole(&["947", "1070", "1449", "1916", "1936", "1956"]),
    Whole(&["947", "1564", "1896", "1916", "1936", "1956"]),
    Strips("1564", "2224"),
    Whole(&["947", "1567", "1682", "1896", "1916", "1936", "1956"]),
    Whole(&["947", "1686", "1896", "1916", "1936", "1956"]),
    Whole(&["947", "1705", "1876", "1896", "1916", "1936", "1956"]),
    Whole(&["1706", "1876", "1896", "1916", "1936", "1956"]),
    Strips("1706", "2260"),
    Whole(&["1709", "1876", "1896", "1916", "1936", "1956"]),
    Strips("1709", "2263"),
    Whole(&["1709", "1851", "1876", "1896", "1916", "1936", "1956"]),
    Strips("1851", "2299"),
    Whole(&["1855", "1876", "1896", "1916", "1936", "1956"]),
    Strips("1855", "1856"),
    Whole(&["1959"]),
];
const TEXT: &[Stage] = &[
    Whole(&["batch_norm_67.tmp_2"]),
    Whole(&["depthwise_conv2d_0.tmp_0"]),
    Whole(&["p2o.Add.11"]),
    Whole(&["p2o.Add.15"]),
    Whole(&["depthwise_conv2d_2.tmp_0"]),
    Whole(&["conv2d_482.tmp_0", "depthwise_conv2d_3.tmp_0"]),
    Whole(&["p2o.Add.55", "p2o.Add.247"]),
    Whole(&["p2o.Add.71", "p2o.Add.247"]),
    Whole(&["p2o.Add.99", "p2o.Add.241", "p2o.Add.247"]),
    Whole(&["depthwise_conv2d_8.tmp_0", "p2o.Add.241", "p2o.Add.247"]),
    Whole(&["p2o.Add.147", "p2o.Add.241", "p2o.Add.247"]),
    Whole(&["p2o.Add.207", "p2o.Add.235", "p2o.Add.241", "p2o.Add.247"]),
    Whole(&[
        "p2o.Add.247",
        "p2o.Add.251",
        "p2o.Add.259",
        "conv2d_488.tmp_0",
        "conv2d_491.tmp_0",
        "conv2d_492.tmp_0",
        "hardsigmoid_11.tmp_0",
    ]),
    Whole(&[
        "p2o.Add.253",
        "p2o.Mul.167",
        "conv2d_488.tmp_0",
        "conv2d_491.tmp_0",
        "conv2d_493.tmp_0",
        "nearest_interp_v2_3.tmp_0",
    ]),
    Strips("p2o.Add.253", "conv2d_494.tmp_0"),
    Whole(&["p2o.Concat.1"]),
    Strips("p2o.Concat.1", "batch_norm_0.tmp_3"),
    Whole(&["sigmoid_0.tmp_0"]),
];

static SALIENCY_FILE: File = File::new(Net::Saliency);
static TEXT_FILE: File = File::new(Net::Text);

/// A network as loaded; weights stay where they are in the program.
struct File {
    net: Net,
    /// Optimised for values of the shapes inferred, which it insists on.
    whole: OnceLock<Result<Model, String>>,
    /// As it is in the file, for strips, which are less tall than inferred.
    pieces: OnceLock<Result<Model, String>>,
}

impl File {
    const fn new(net: Net) -> Self {
        Self {
            net,
            whole: OnceLock::new(),
            pieces: OnceLock::new(),
        }
    }

    fn of(net: Net) -> &'static Self {
        match net {
            Net::Saliency => &SALIENCY_FILE,
            Net::Text => &TEXT_FILE,
        }
    }

    fn whole(&self) -> Result<&Model, Error> {
        self.loaded(&self.whole, |options| options)
    }

    fn pieces(&self) -> Result<&Model, Error> {
        self.loaded(&self.pieces, |options| {
            options
                .enable_optimization(false)
                .shape_inference(ShapeInferenceMode::Off)
        })
    }

    fn loaded<'a>(
        &self,
        place: &'a OnceLock<Result<Model, String>>,
        wish: impl Fn(&mut ModelOptions) -> &mut ModelOptions,
    ) -> Result<&'a Model, Error> {
        place
            .get_or_init(|| {
                wish(&mut ModelOptions::with_all_ops())
                    .load_static_slice(self.net.bytes())
                    .map_err(|error| error.to_string())
            })
            .as_ref()
            .map_err(|reason| self.net.error(reason))
    }
}

/// rten with both models inside the library.
pub(super) struct Embedded;

impl Runtime for Embedded {
    fn name(&self) -> &'static str {
        "embedded"
    }

    fn warm_up(&self) -> Result<(), Error> {
        // The second form of each is small work beside the first run, so it waits for that.
        let load = |net| File::of(net).whole().map(drop);
        std::thread::scope(|scope| {
            let saliency = scope.spawn(|| load(Net::Saliency));
            let text = load(Net::Text);
            // A panic is passed on, as it would be without the thread.
            saliency
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
                .and(text)
        })
    }

    fn run(&self, ctx: &Context<'_>, net: Net, input: Input) -> Result<Gray, Error> {
        ctx.check()?;
        let model = File::of(net).whole()?;
        ctx.check()?;
        let pieces = File::of(net).pieces()?;
        let inputs = model.input_ids();
        let input_id = *inputs.first().ok_or_else(|| net.error(&"no input"))?;
        let input = NdTensor::from_data([1, 3, input.h, input.w], input.data);
        let mut alive: Alive = vec![(input_id, input.into_dyn().into())];
        let stages = match net {
            Net::Saliency => SALIENCY,
            Net::Text => TEXT,
        };
        for stage in stages {
            ctx.check()?;
            match stage {
                Whole(names) => alive = whole(ctx, net, model, alive, names)?,
                Strips(from, to) => strips(ctx, net, (model, pieces), &mut alive, from, to)?,
            }
        }
        let (_, answer) = alive.pop().ok_or_else(|| net.error(&"no output"))?;
        let answer: Tensor<f32> = answer
            .try_into()
            .map_err(|error| net.error(&format!("{error:?}")))?;
        let shape = answer.shape().to_vec();
        mask(net, &shape, answer.into_data())
    }
}

/// The values known, with what they are.
type Alive = Vec<(NodeId, Value)>;

/// Computes the values named from those alive, passing on what is still needed.
fn whole(
    ctx: &Context<'_>,
    net: Net,
    model: &Model,
    alive: Alive,
    names: &[&str],
) -> Result<Alive, Error> {
    let ids = names
        .iter()
        .map(|name| node(net, model, name))
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
    let made = run(ctx, net, model, inputs, &missing)?;
    let mut next: Alive = alive
        .into_iter()
        .filter(|(id, _)| ids.contains(id))
        .collect();
    next.extend(missing.into_iter().zip(made));
    Ok(next)
}

/// Adds the convolution `to` of the value `from`, computed strip by strip. A strip is given one row
/// more on both sides than it answers for: there the padding, which stands for rows that are not
/// there, is wrong, unless it is the edge of the picture.
fn strips(
    ctx: &Context<'_>,
    net: Net,
    (model, pieces): (&Model, &Model),
    alive: &mut Alive,
    from: &str,
    to: &str,
) -> Result<(), Error> {
    let (input, output) = (node(net, pieces, from)?, node(net, pieces, to)?);
    let (from, to) = (node(net, model, from)?, node(net, model, to)?);
    let whole: TensorView<f32> = alive
        .iter()
        .find(|(id, _)| *id == from)
        .and_then(|(_, value)| value.as_tensor_view())
        .ok_or_else(|| net.error(&"a stage has nothing to begin with"))?;
    let (rows, mut made) = (whole.size(2), None::<Tensor<f32>>);
    let tall = rows.div_ceil(STRIPS);
    for first in (0..rows).step_by(tall) {
        ctx.check()?;
        let end = (first + tall).min(rows);
        let (above, below) = (first.min(1), (rows - end).min(1));
        let strip = whole.slice((.., .., first - above..end + below));
        let answer = run(ctx, net, pieces, vec![(input, strip.into())], &[output])?;
        let answer: Option<Tensor<f32>> = answer.into_iter().next().and_then(|a| a.try_into().ok());
        let answer = answer.ok_or_else(|| net.error(&"a strip has no answer"))?;
        let (channels, columns) = (answer.size(1), answer.size(3));
        let made = made.get_or_insert_with(|| Tensor::zeros(&[1, channels, rows, columns]));
        made.slice_mut((.., .., first..end))
            .copy_from(&answer.slice((.., .., above..above + end - first)));
    }
    let made = made.ok_or_else(|| net.error(&"a stage has no rows"))?;
    alive.push((to, made.into()));
    Ok(())
}

fn node(net: Net, model: &Model, name: &str) -> Result<NodeId, Error> {
    model.node_id(name).map_err(|error| net.error(&error))
}

fn run(
    ctx: &Context<'_>,
    net: Net,
    model: &Model,
    inputs: Vec<(NodeId, ValueOrView<'_>)>,
    outputs: &[NodeId],
) -> Result<Vec<Value>, Error> {
    let options = RunOptions::default().with_thread_pool(Some(ctx.pool.clone()));
    model
        .run(inputs, outputs, Some(options))
        .map_err(|error| net.error(&error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Cancel, Options};

    #[test]
    fn a_net_in_stages_answers_what_the_whole_one_does() {
        let (options, cancel) = (Options::default(), Cancel::default());
        let mut heard = |_| {};
        let ctx = Context::new(&options, &mut heard, &cancel);
        for (net, w, h) in [
            (Net::Saliency, 320, 320),
            (Net::Text, 32, 32),
            (Net::Text, 320, 192),
        ] {
            let data: Vec<f32> = (0..3 * w * h)
                .map(|at| {
                    let (x, y) = (at % w, at / w % h);
                    let stroke = (x / 4) % 2 == 0 && (12..26).contains(&(y % 64));
                    if stroke { -0.9 } else { 0.9 }
                })
                .collect();
            let model = File::of(net).whole().expect("it loads");
            let input = NdTensor::from_data([1, 3, h, w], data.clone());
            let inputs = vec![(model.input_ids()[0], input.view().into())];
            let wanted = run(&ctx, net, model, inputs, &model.output_ids()[..1]).expect("it runs");
            let wanted: Tensor<f32> = wanted.into_iter().next().unwrap().try_into().unwrap();
            let staged = Embedded
                .run(&ctx, net, Input { w, h, data })
                .expect("it runs");
            let wanted = wanted.into_data();
            assert!(
                wanted.iter().any(|value| *value > 0.01),
                "a mask of nothing"
            );
            for (one, other) in wanted.iter().zip(&staged.data) {
                assert!((one - other).abs() < 1e-5, "{} {w} x {h}", net.name());
            }
        }
    }
}
