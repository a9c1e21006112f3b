//! The built-in runtime: rten, run in short stages so that a raised flag is obeyed in between.
//!
//! Where the graphs are cut is said in [`super::stages`]. rten itself cannot be stopped within a stage.
//! Models load once a process, on first use, which takes a few milliseconds of the first run.
//! Invariant: a value lives until the last stage that is given it, which may take its memory over.

use std::ops::Range;
use std::sync::OnceLock;

use rten::{Model, ModelOptions, NodeId, RunOptions, ShapeInferenceMode, Value, ValueOrView};
use rten_tensor::prelude::*;
use rten_tensor::{NdTensor, Tensor, TensorView};

use super::stages::Stage;
use super::{Input, Net, Runtime, mask};
use crate::Error;
use crate::context::Context;
use crate::plane::Gray;

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
        let mut alive = Alive::begin(net, input);
        let mut stages = net.stages();
        while let Some((stage, later)) = stages.split_first() {
            alive.advance(ctx, net, (model, pieces), stage, later)?;
            stages = later;
        }
        let answer = alive.0.pop().ok_or_else(|| net.error(&"no output"))?;
        let answer: Tensor<f32> = answer
            .1
            .try_into()
            .map_err(|error| net.error(&format!("{error:?}")))?;
        let shape = answer.shape().to_vec();
        mask(net, &shape, answer.into_data())
    }
}

/// The values known, by name.
struct Alive(Vec<(&'static str, Value)>);

impl Alive {
    fn begin(net: Net, input: Input) -> Self {
        let input = NdTensor::from_data([1, 3, input.h, input.w], input.data);
        Self(vec![(net.input(), input.into_dyn().into())])
    }

    /// Runs a stage and drops what none of the `later` ones needs.
    fn advance(
        &mut self,
        ctx: &Context<'_>,
        net: Net,
        (model, pieces): (&Model, &Model),
        stage: &Stage,
        later: &[Stage],
    ) -> Result<(), Error> {
        ctx.check()?;
        if stage.strips == 1 {
            return whole(ctx, net, model, self, stage, later);
        }
        let strips = strips(ctx, net, pieces, self, stage)?;
        self.0.retain(|(name, _)| needed(later, name));
        self.0.push((stage.to[0], joined(ctx, net, &strips)?));
        Ok(())
    }

    fn get(&self, net: Net, name: &str) -> Result<&Value, Error> {
        let found = self.0.iter().find(|(held, _)| *held == name);
        found
            .map(|(_, value)| value)
            .ok_or_else(|| net.error(&format!("a stage is not given {name}")))
    }
}

fn needed(stages: &[Stage], name: &str) -> bool {
    stages.iter().any(|stage| stage.from.contains(&name))
}

/// A stage as a whole. What no `later` one needs is given away, so that rten may work in place.
fn whole(
    ctx: &Context<'_>,
    net: Net,
    model: &Model,
    alive: &mut Alive,
    stage: &Stage,
    later: &[Stage],
) -> Result<(), Error> {
    let (given, kept): (Vec<_>, Vec<_>) = std::mem::take(&mut alive.0)
        .into_iter()
        .partition(|(name, _)| stage.from.contains(name) && !needed(later, name));
    alive.0 = kept;
    let mut inputs = Vec::with_capacity(stage.from.len());
    for (name, value) in given {
        inputs.push((node(net, model, name)?, value.into()));
    }
    for (name, value) in &alive.0 {
        if stage.from.contains(name) {
            inputs.push((node(net, model, name)?, ValueOrView::from(value)));
        }
    }
    let outputs = stage.to.iter().map(|name| node(net, model, name));
    let outputs = outputs.collect::<Result<Vec<_>, _>>()?;
    let made = run(ctx, net, model, inputs, &outputs)?;
    alive.0.extend(stage.to.iter().copied().zip(made));
    Ok(())
}

/// Rows of a stage's answer, as many as `rows`, and those above and below them, which are wrong.
struct Strip {
    answer: Tensor<f32>,
    rows: Range<usize>,
}

/// A stage strip by strip. A strip is given one row more on both sides than it answers for: there
/// the padding, which stands for rows that are not there, is wrong, unless it is the edge of the
/// picture.
fn strips(
    ctx: &Context<'_>,
    net: Net,
    pieces: &Model,
    alive: &Alive,
    stage: &Stage,
) -> Result<Vec<Strip>, Error> {
    let mut sources = Vec::with_capacity(stage.from.len());
    for name in stage.from {
        let value: Option<TensorView<f32>> = alive.get(net, name)?.as_tensor_view();
        let value = value.ok_or_else(|| net.error(&"a stage begins with no numbers"))?;
        sources.push((node(net, pieces, name)?, value));
    }
    let output = [node(net, pieces, stage.to[0])?];
    let all = sources.first().map_or(0, |(_, value)| value.size(2));
    let tall = all.div_ceil(stage.strips).max(1);
    let mut made = Vec::with_capacity(stage.strips);
    for first in (0..all).step_by(tall) {
        ctx.check()?;
        let end = (first + tall).min(all);
        let (above, below) = (first.min(1), (all - end).min(1));
        let inputs = sources.iter().map(|(id, value)| {
            let part = value.slice((.., .., first - above..end + below));
            (*id, part.into())
        });
        let answer = run(ctx, net, pieces, inputs.collect(), &output)?;
        let answer = answer.into_iter().next().and_then(|a| a.try_into().ok());
        made.push(Strip {
            answer: answer.ok_or_else(|| net.error(&"a strip has no answer"))?,
            rows: above..above + end - first,
        });
    }
    Ok(made)
}

/// The strips as one value.
fn joined(ctx: &Context<'_>, net: Net, strips: &[Strip]) -> Result<Value, Error> {
    let first = strips.first().ok_or_else(|| net.error(&"no rows"))?;
    let (channels, columns) = (first.answer.size(1), first.answer.size(3));
    let rows: usize = strips.iter().map(|strip| strip.rows.len()).sum();
    let mut data = Vec::with_capacity(channels * rows * columns);
    for channel in 0..channels {
        if channel % 16 == 0 {
            ctx.check()?;
        }
        for strip in strips {
            let part = strip.answer.slice((0, channel, strip.rows.clone()));
            data.extend_from_slice(part.data().ok_or_else(|| net.error(&"torn rows"))?);
        }
    }
    Ok(Tensor::from_data(&[1, channels, rows, columns], data).into())
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
    use std::sync::Mutex;
    use std::time::Duration;

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

    /// When the flag was looked at, in processor time.
    static LOOKS: Mutex<Vec<Duration>> = Mutex::new(Vec::new());

    fn noting() -> Duration {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        let nanos = time.tv_nsec.unsigned_abs() as u32;
        let time = Duration::new(time.tv_sec.unsigned_abs(), nanos);
        LOOKS.lock().expect("no panic").push(time);
        time
    }

    /// Processor time in ms of each stretch between two looks in `work`, which `least` is lowered to.
    fn stretches(least: &mut Vec<f64>, work: impl FnOnce()) -> f64 {
        LOOKS.lock().expect("no panic").clear();
        noting();
        work();
        noting();
        let looks = LOOKS.lock().expect("no panic");
        let ms = |pair: &[Duration]| (pair[1] - pair[0]).as_secs_f64() * 1000.0;
        least.resize(looks.len() - 1, f64::MAX);
        for (least, pair) in least.iter_mut().zip(looks.windows(2)) {
            *least = ms(pair).min(*least);
        }
        looks.windows(2).map(ms).sum()
    }

    #[test]
    #[ignore = "a measurement: processor time of each stage, and of all against the graph in one go"]
    fn stage_times() {
        let (options, cancel) = (
            Options {
                clock: noting,
                ..Options::default()
            },
            Cancel::default(),
        );
        let mut heard = |_| {};
        let ctx = Context::new(&options, &mut heard, &cancel);
        for (net, w, h) in [(Net::Saliency, 320, 320), (Net::Text, 960, 960)] {
            let noise = (0..3 * w * h).map(|at| (at * 7919 % 255) as f32 / 127.5 - 1.0);
            let data: Vec<f32> = noise.collect();
            let model = File::of(net).whole().expect("it loads");
            let pieces = File::of(net).pieces().expect("it loads");
            let (mut bare, mut staged) = (f64::MAX, f64::MAX);
            let mut least = vec![Vec::new(); net.stages().len()];
            for _ in 0..15 {
                let input = NdTensor::from_data([1, 3, h, w], data.clone());
                let inputs = vec![(model.input_ids()[0], input.view().into())];
                let once = stretches(&mut Vec::new(), || {
                    run(&ctx, net, model, inputs, &model.output_ids()[..1]).expect("it runs");
                });
                bare = bare.min(once);
                let data = data.clone();
                let mut alive = Alive::begin(net, Input { w, h, data });
                let mut sum = 0.0;
                for (index, stage) in net.stages().iter().enumerate() {
                    sum += stretches(&mut least[index], || {
                        let later = &net.stages()[index + 1..];
                        alive
                            .advance(&ctx, net, (model, pieces), stage, later)
                            .expect("it runs");
                    });
                }
                staged = staged.min(sum);
            }
            let longest = least.iter().flatten().copied().fold(0.0, f64::max);
            let (name, ratio) = (net.name(), staged / bare);
            eprintln!(
                "{name}: in one go {bare:.0} ms, staged {staged:.0}, ratio {ratio:.3}, longest {longest:.1}"
            );
            for (stage, least) in net.stages().iter().zip(least) {
                eprintln!("  {least:.1?} {:?}", stage.to);
            }
        }
    }
}
