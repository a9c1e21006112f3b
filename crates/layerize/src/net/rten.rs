//! The built-in runtime: rten, run in short stages so that a raised flag is obeyed in between.
//!
//! Where the graphs are cut is said in [`super::stages`]. rten itself cannot be stopped within a stage.
//! Models load once a process, on first use, which takes a few milliseconds of the first run.
//! Invariant: a value lives until the last stage that is given it, which may take its memory over.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use rten::{
    Model, ModelOptions, NodeId, RunOptions, ShapeInferenceMode, ThreadPool, Value, ValueOrView,
};
use rten_tensor::prelude::*;
use rten_tensor::{NdTensor, Tensor, TensorView};

use super::stages::Stage;
use super::{Input, Net, Runtime, mask};
use crate::Error;
use crate::context::{Context, Watch};
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

    fn whole(&'static self) -> Result<&'static Model, Error> {
        self.loaded(&self.whole, |options| options)
    }

    fn pieces(&'static self) -> Result<&'static Model, Error> {
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
        let mut call = Call::begin(ctx, net, input)?;
        // All of it on one thread of the pool: each thread that asks for memory keeps some.
        let answer = ctx.pool.run(|| {
            let mut stages = net.stages();
            while let Some((stage, later)) = stages.split_first() {
                call.advance(stage, later)?;
                stages = later;
            }
            let last = call.alive.pop().map(|(_, answer)| answer);
            last.ok_or_else(|| net.error(&"no output"))
        })?;
        let answer: Tensor<f32> = answer
            .try_into()
            .map_err(|error| net.error(&format!("{error:?}")))?;
        let shape = answer.shape().to_vec();
        mask(net, &shape, answer.into_data())
    }
}

/// One run of a network.
struct Call<'a> {
    watch: &'a Watch<'a>,
    pool: &'a Arc<ThreadPool>,
    net: Net,
    model: &'static Model,
    pieces: &'static Model,
    /// The values known, by name.
    alive: Vec<(&'static str, Value)>,
}

/// Rows of a stage's answer, as many as `rows`, and those above and below them, which are wrong.
struct Strip {
    answer: Tensor<f32>,
    rows: Range<usize>,
}

impl<'a> Call<'a> {
    fn begin(ctx: &'a Context<'_>, net: Net, input: Input) -> Result<Self, Error> {
        ctx.check()?;
        let model = File::of(net).whole()?;
        ctx.check()?;
        let input = NdTensor::from_data([1, 3, input.h, input.w], input.data);
        Ok(Self {
            watch: &ctx.watch,
            pool: &ctx.pool,
            net,
            model,
            pieces: File::of(net).pieces()?,
            alive: vec![(net.input(), input.into_dyn().into())],
        })
    }

    /// Runs a stage and drops what none of the `later` ones needs.
    fn advance(&mut self, stage: &Stage, later: &[Stage]) -> Result<(), Error> {
        self.watch.check()?;
        if stage.strips == 1 {
            return self.whole(stage, later);
        }
        let strips = self.strips(stage)?;
        self.alive.retain(|(name, _)| needed(later, name));
        let joined = self.joined(&strips)?;
        self.alive.push((stage.to[0], joined));
        Ok(())
    }

    /// A stage as a whole. What no `later` one needs is given away, so that rten may work in place.
    fn whole(&mut self, stage: &Stage, later: &[Stage]) -> Result<(), Error> {
        let (given, kept): (Vec<_>, Vec<_>) = std::mem::take(&mut self.alive)
            .into_iter()
            .partition(|(name, _)| stage.from.contains(name) && !needed(later, name));
        self.alive = kept;
        let mut inputs = Vec::with_capacity(stage.from.len());
        for (name, value) in given {
            inputs.push((self.node(self.model, name)?, value.into()));
        }
        for (name, value) in &self.alive {
            if stage.from.contains(name) {
                inputs.push((self.node(self.model, name)?, ValueOrView::from(value)));
            }
        }
        let outputs = stage.to.iter().map(|name| self.node(self.model, name));
        let outputs = outputs.collect::<Result<Vec<_>, _>>()?;
        let made = self.run(self.model, inputs, &outputs)?;
        self.alive.extend(stage.to.iter().copied().zip(made));
        Ok(())
    }

    /// A stage strip by strip. A strip is given one row more on both sides than it answers for:
    /// there the padding, which stands for rows that are not there, is wrong, unless it is the edge
    /// of the picture.
    fn strips(&self, stage: &Stage) -> Result<Vec<Strip>, Error> {
        let mut sources = Vec::with_capacity(stage.from.len());
        for name in stage.from {
            let held = self.alive.iter().find(|(held, _)| held == name);
            let value = held.and_then(|(_, value)| value.as_tensor_view());
            let value: TensorView<f32> =
                value.ok_or_else(|| self.net.error(&format!("a stage is not given {name}")))?;
            sources.push((self.node(self.pieces, name)?, value));
        }
        let output = [self.node(self.pieces, stage.to[0])?];
        let all = sources.first().map_or(0, |(_, value)| value.size(2));
        let tall = all.div_ceil(stage.strips).max(1);
        let mut made = Vec::with_capacity(stage.strips);
        for first in (0..all).step_by(tall) {
            self.watch.check()?;
            let end = (first + tall).min(all);
            let (above, below) = (first.min(1), (all - end).min(1));
            let inputs = sources.iter().map(|(id, value)| {
                let part = value.slice((.., .., first - above..end + below));
                (*id, part.into())
            });
            let answer = self.run(self.pieces, inputs.collect(), &output)?;
            let answer = answer.into_iter().next().and_then(|a| a.try_into().ok());
            made.push(Strip {
                answer: answer.ok_or_else(|| self.net.error(&"a strip has no answer"))?,
                rows: above..above + end - first,
            });
        }
        Ok(made)
    }

    /// The strips as one value.
    fn joined(&self, strips: &[Strip]) -> Result<Value, Error> {
        let first = strips.first();
        let first = first.ok_or_else(|| self.net.error(&"a stage has no rows"))?;
        let (channels, columns) = (first.answer.size(1), first.answer.size(3));
        let rows: usize = strips.iter().map(|strip| strip.rows.len()).sum();
        let mut data = Vec::with_capacity(channels * rows * columns);
        for channel in 0..channels {
            if channel % 16 == 0 {
                self.watch.check()?;
            }
            for strip in strips {
                let part = strip.answer.slice((0, channel, strip.rows.clone()));
                let part = part.data();
                data.extend_from_slice(part.ok_or_else(|| self.net.error(&"torn rows"))?);
            }
        }
        Ok(Tensor::from_data(&[1, channels, rows, columns], data).into())
    }

    fn node(&self, model: &Model, name: &str) -> Result<NodeId, Error> {
        model.node_id(name).map_err(|error| self.net.error(&error))
    }

    fn run(
        &self,
        model: &Model,
        inputs: Vec<(NodeId, ValueOrView<'_>)>,
        outputs: &[NodeId],
    ) -> Result<Vec<Value>, Error> {
        let options = RunOptions::default().with_thread_pool(Some(self.pool.clone()));
        model
            .run(inputs, outputs, Some(options))
            .map_err(|error| self.net.error(&error))
    }
}

fn needed(stages: &[Stage], name: &str) -> bool {
    stages.iter().any(|stage| stage.from.contains(&name))
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
            let input = || Input {
                w,
                h,
                data: data.clone(),
            };
            let wanted = in_one_go(Call::begin(&ctx, net, input()).expect("it loads"));
            let staged = Embedded.run(&ctx, net, input()).expect("it runs");
            assert!(
                wanted.iter().any(|value| *value > 0.01),
                "a mask of nothing"
            );
            for (one, other) in wanted.iter().zip(&staged.data) {
                assert!((one - other).abs() < 1e-5, "{} {w} x {h}", net.name());
            }
        }
    }

    /// The answer of the graph without stages.
    fn in_one_go(mut call: Call<'_>) -> Vec<f32> {
        let (model, (_, picture)) = (call.model, call.alive.pop().expect("a picture"));
        let inputs = vec![(model.input_ids()[0], picture.into())];
        let answer = call.run(model, inputs, &model.output_ids()[..1]);
        let answer = answer.expect("it runs").into_iter().next();
        let answer: Tensor<f32> = answer.expect("an answer").try_into().expect("numbers");
        answer.into_data()
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
            let call = || {
                let data = data.clone();
                Call::begin(&ctx, net, Input { w, h, data }).expect("it loads")
            };
            let (mut bare, mut staged) = (f64::MAX, f64::MAX);
            let mut least = vec![Vec::new(); net.stages().len()];
            for _ in 0..15 {
                let once = call();
                let once = stretches(&mut Vec::new(), || drop(in_one_go(once)));
                bare = bare.min(once);
                let (mut call, mut sum) = (call(), 0.0);
                for (index, stage) in net.stages().iter().enumerate() {
                    let later = &net.stages()[index + 1..];
                    let mut advance = || call.advance(stage, later).expect("it runs");
                    sum += stretches(&mut least[index], || ctx.pool.run(&mut advance));
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
