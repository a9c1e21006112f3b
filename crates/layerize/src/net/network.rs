//! A network run in short stages, so that a raised flag is obeyed in between: by rten, but for convolutions that
//! [`super::convolution`] does in half the time.
//!
//! Where the graphs are cut is said in [`super::stages`]. rten itself cannot be stopped within a stage.
//! Invariant: a value lives until the last stage that is given it, which may take its memory over.

use std::fmt;
use std::sync::{Arc, OnceLock};

use rten::{Model, ModelOptions, NodeId, RunOptions, ThreadPool, Value, ValueOrView};
use rten_tensor::prelude::*;
use rten_tensor::{NdTensor, Tensor, TensorView};

use super::Input;
use super::convolution::{Convolution, Planes};
use super::stages::{Stage, Weights};
use crate::Error;
use crate::context::{Context, Watch};

/// A network inside the program; weights stay where they are, but for those of [`Loaded::convolutions`].
pub(super) struct Network {
    name: &'static str,
    /// The ONNX file.
    bytes: &'static [u8],
    /// The value that holds the picture.
    input: &'static str,
    /// The graph in pieces, in the order they run.
    stages: &'static [Stage],
    loaded: OnceLock<Result<Loaded, String>>,
}

struct Loaded {
    model: Model,
    /// One for each stage that is run by one, in order.
    convolutions: Vec<Option<Convolution>>,
}

impl Network {
    pub(super) const fn new(
        name: &'static str,
        bytes: &'static [u8],
        input: &'static str,
        stages: &'static [Stage],
    ) -> Self {
        Self {
            name,
            bytes,
            input,
            stages,
            loaded: OnceLock::new(),
        }
    }

    /// Loads it if it is not.
    ///
    /// # Errors
    /// [`Error::Model`] if it does not load.
    pub(super) fn load(&'static self) -> Result<(), Error> {
        self.loaded().map(drop)
    }

    /// What it answers.
    pub(super) fn run(
        &'static self,
        ctx: &Context<'_>,
        input: Input,
    ) -> Result<Tensor<f32>, Error> {
        let mut call = Call::begin(ctx, self, input)?;
        // All of it on one thread of the pool: each thread that asks for memory keeps some.
        let answer = ctx.pool.run(|| {
            for at in 0..self.stages.len() {
                call.advance(at)?;
            }
            let last = call.alive.pop().map(|(_, answer)| answer);
            last.ok_or_else(|| self.error(&"no output"))
        })?;
        answer
            .try_into()
            .map_err(|error| self.error(&format!("{error:?}")))
    }

    fn loaded(&'static self) -> Result<&'static Loaded, Error> {
        self.loaded
            .get_or_init(|| Loaded::new(self.bytes, self.stages))
            .as_ref()
            .map_err(|reason| self.error(reason))
    }

    pub(super) fn error(&self, reason: &dyn fmt::Display) -> Error {
        Error::Model {
            model: self.name,
            reason: reason.to_string(),
        }
    }
}

impl Loaded {
    fn new(bytes: &'static [u8], stages: &[Stage]) -> Result<Self, String> {
        let model = ModelOptions::with_all_ops().load_static_slice(bytes);
        let model = model.map_err(|error| error.to_string())?;
        let made = |weights: &Weights| {
            let [values, bias] = weights.constants.map(|name| constant(&model, name));
            let made = Convolution::new(&values?, bias?.into_data(), weights.rectified);
            made.ok_or_else(|| format!("{:?} make no convolution", weights.constants))
        };
        let convolutions = stages
            .iter()
            .map(|stage| stage.convolution.as_ref().map(made).transpose());
        Ok(Self {
            convolutions: convolutions.collect::<Result<_, _>>()?,
            model,
        })
    }
}

fn constant(model: &Model, name: &str) -> Result<Tensor<f32>, String> {
    let id = model.node_id(name).map_err(|error| error.to_string())?;
    let value = model.run(Vec::new(), &[id], None);
    let value = value.map_err(|error| error.to_string())?.pop();
    let value = value.and_then(|value| value.try_into().ok());
    value.ok_or_else(|| format!("{name} holds no numbers"))
}

/// One run of a network.
struct Call<'a> {
    watch: &'a Watch<'a>,
    pool: &'a Arc<ThreadPool>,
    network: &'static Network,
    loaded: &'static Loaded,
    /// The values known, by name.
    alive: Vec<(&'static str, Value)>,
}

impl<'a> Call<'a> {
    fn begin(ctx: &'a Context<'_>, network: &'static Network, input: Input) -> Result<Self, Error> {
        ctx.check()?;
        let loaded = network.loaded()?;
        ctx.check()?;
        let input = NdTensor::from_data([1, 3, input.h, input.w], input.data);
        Ok(Self {
            watch: &ctx.watch,
            pool: &ctx.pool,
            network,
            loaded,
            alive: vec![(network.input, input.into_dyn().into())],
        })
    }

    /// Runs the stage `at` and drops what none of the later ones needs.
    fn advance(&mut self, at: usize) -> Result<(), Error> {
        self.watch.check()?;
        let (stage, later) = (&self.network.stages[at], &self.network.stages[at + 1..]);
        match &self.loaded.convolutions[at] {
            Some(convolution) => self.convolve(stage, convolution, later),
            None => self.graph(stage, later),
        }
    }

    /// A stage by rten. What no `later` one needs is given away, so that rten may work in place.
    fn graph(&mut self, stage: &Stage, later: &[Stage]) -> Result<(), Error> {
        let (given, kept): (Vec<_>, Vec<_>) = std::mem::take(&mut self.alive)
            .into_iter()
            .partition(|(name, _)| stage.from.contains(name) && !needed(later, name));
        self.alive = kept;
        let mut inputs = Vec::with_capacity(stage.from.len());
        for (name, value) in given {
            inputs.push((self.node(name)?, value.into()));
        }
        for (name, value) in &self.alive {
            if stage.from.contains(name) {
                inputs.push((self.node(name)?, ValueOrView::from(value)));
            }
        }
        let outputs = stage.to.iter().map(|name| self.node(name));
        let outputs = outputs.collect::<Result<Vec<_>, _>>()?;
        let made = self.run(inputs, &outputs)?;
        self.alive.extend(stage.to.iter().copied().zip(made));
        Ok(())
    }

    /// A stage by one convolution. What its answer is added to is taken over if no `later` one needs it.
    fn convolve(
        &mut self,
        stage: &Stage,
        convolution: &Convolution,
        later: &[Stage],
    ) -> Result<(), Error> {
        let onto = stage.convolution.as_ref().and_then(|weights| weights.onto);
        let [_, _, h, w] = self.held(stage.from[0])?.shape()[..] else {
            return Err(self.network.error(&"a value is no picture"));
        };
        let mut to = match onto {
            None => Tensor::zeros(&[1, convolution.channels(), h, w]),
            Some(name) if needed(later, name) => self.held(name)?.to_tensor(),
            Some(name) => self.taken(name)?,
        };
        let mut channels = Vec::new();
        for name in stage.from {
            let data = self.held(name)?.data();
            let data = data.ok_or_else(|| self.network.error(&format!("{name} is torn")))?;
            channels.extend(data.chunks_exact((w * h).max(1)));
        }
        let from = Planes { w, h, channels };
        let sums = to.data_mut().unwrap_or_default();
        if !convolution.add_to(sums, &from, self.watch)? {
            return Err(self.network.error(&format!("{:?} does not fit", stage.to)));
        }
        self.alive.retain(|(name, _)| needed(later, name));
        self.alive.push((stage.to[0], to.into()));
        Ok(())
    }

    fn held(&self, name: &str) -> Result<TensorView<'_, f32>, Error> {
        let value = self.alive.iter().find(|(held, _)| *held == name);
        let value = value.and_then(|(_, value)| value.as_tensor_view());
        value.ok_or_else(|| self.network.error(&format!("a stage is not given {name}")))
    }

    fn taken(&mut self, name: &str) -> Result<Tensor<f32>, Error> {
        let at = self.alive.iter().position(|(held, _)| *held == name);
        let value = at.map(|at| self.alive.swap_remove(at).1);
        let value = value.and_then(|value| value.try_into().ok());
        value.ok_or_else(|| self.network.error(&format!("a stage is not given {name}")))
    }

    fn node(&self, name: &str) -> Result<NodeId, Error> {
        let id = self.loaded.model.node_id(name);
        id.map_err(|error| self.network.error(&error))
    }

    fn run(
        &self,
        inputs: Vec<(NodeId, ValueOrView<'_>)>,
        outputs: &[NodeId],
    ) -> Result<Vec<Value>, Error> {
        let options = RunOptions::default().with_thread_pool(Some(self.pool.clone()));
        let made = self.loaded.model.run(inputs, outputs, Some(options));
        made.map_err(|error| self.network.error(&error))
    }
}

fn needed(stages: &[Stage], name: &str) -> bool {
    stages.iter().any(|stage| stage.takes(name))
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::time::Duration;

    use super::*;
    use crate::net::rten::{SALIENCY, TEXT};
    use crate::{Cancel, Options};

    /// With a size each.
    fn networks() -> impl Iterator<Item = (&'static Network, (usize, usize))> {
        let masks = [
            (&SALIENCY, (320, 320)),
            (&TEXT, (32, 32)),
            (&TEXT, (320, 192)),
        ];
        #[cfg(feature = "words")]
        let reader = Some((&crate::net::words::READER, (320, 48)));
        #[cfg(not(feature = "words"))]
        let reader = None;
        masks.into_iter().chain(reader)
    }

    #[test]
    fn a_network_in_stages_answers_what_the_whole_one_does() {
        let (options, cancel) = (Options::default(), Cancel::default());
        let mut heard = |_| {};
        let ctx = Context::new(&options, &mut heard, &cancel);
        for (network, (w, h)) in networks() {
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
            let wanted = in_one_go(Call::begin(&ctx, network, input()).expect("it loads"));
            let staged = network.run(&ctx, input()).expect("it runs").into_data();
            assert!(
                wanted.iter().any(|value| *value > 0.01),
                "an answer of nothing"
            );
            assert_eq!(wanted.len(), staged.len());
            let far = |(one, other): (&f32, &f32)| (one - other).abs();
            let farthest = wanted.iter().zip(&staged).map(far).fold(0.0, f32::max);
            // Sums taken in another order differ over forty layers; either is as near the truth.
            assert!(farthest < 3e-4, "{} {w} x {h}: {farthest}", network.name);
        }
    }

    /// The answer of the graph without stages.
    fn in_one_go(mut call: Call<'_>) -> Vec<f32> {
        let (model, (_, picture)) = (&call.loaded.model, call.alive.pop().expect("a picture"));
        let inputs = vec![(model.input_ids()[0], picture.into())];
        let answer = call.run(inputs, &model.output_ids()[..1]);
        let answer = answer.expect("it runs").into_iter().next();
        let answer: Tensor<f32> = answer.expect("an answer").try_into().expect("numbers");
        answer.into_data()
    }

    /// When the flag was looked at, in processor time.
    static LOOKS: Mutex<Vec<Duration>> = Mutex::new(Vec::new());

    fn noting() -> Duration {
        let mut looks = LOOKS.lock().expect("no panic");
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        let nanos = time.tv_nsec.unsigned_abs() as u32;
        let time = Duration::new(time.tv_sec.unsigned_abs(), nanos);
        looks.push(time);
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
        for (network, (w, h)) in networks() {
            let (w, h) = if network.name == "text" {
                (960, 960)
            } else {
                (w, h)
            };
            let noise = (0..3 * w * h).map(|at| (at * 7919 % 255) as f32 / 127.5 - 1.0);
            let data: Vec<f32> = noise.collect();
            let call = || {
                let data = data.clone();
                Call::begin(&ctx, network, Input { w, h, data }).expect("it loads")
            };
            let (mut bare, mut staged) = (f64::MAX, f64::MAX);
            let mut least = vec![Vec::new(); network.stages.len()];
            for _ in 0..15 {
                let once = call();
                let once = stretches(&mut Vec::new(), || drop(in_one_go(once)));
                bare = bare.min(once);
                let (mut call, mut sum) = (call(), 0.0);
                for (at, least) in least.iter_mut().enumerate() {
                    let mut advance = || call.advance(at).expect("it runs");
                    sum += stretches(least, || ctx.pool.run(&mut advance));
                }
                staged = staged.min(sum);
            }
            let longest = least.iter().flatten().copied().fold(0.0, f64::max);
            let (name, ratio) = (network.name, staged / bare);
            eprintln!(
                "{name}: in one go {bare:.0} ms, staged {staged:.0}, ratio {ratio:.3}, longest {longest:.1}"
            );
            for (stage, least) in network.stages.iter().zip(least) {
                eprintln!("  {least:.1?} {:?}", stage.to);
            }
        }
    }
}
