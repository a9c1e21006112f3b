//! A network run in short stages, so that a raised flag is obeyed in between: by rten, but for what
//! [`super::convolution`] does in less time.
//!
//! Where the graphs are cut is said in [`super::stages`]. rten itself cannot be stopped within a stage.
//! Invariant: a value lives until the last stage that is given it, which may take its memory over.

use std::fmt;
use std::sync::{Arc, OnceLock};

use rten::{Model, ModelOptions, NodeId, RunOptions, ThreadPool, Value, ValueOrView};
use rten_tensor::prelude::*;
use rten_tensor::{NdTensor, Tensor, TensorView};

use super::convolution::{Convolution, Interpolation, Planes, upsampled};
use super::stages::{By, Stage, Weights};
use super::{Input, model_error};
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
    /// For each stage, in order, what runs it if it is a convolution.
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
        // Begun on a thread of the pool: each thread that asks for much memory keeps some.
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

    fn error(&self, reason: &dyn fmt::Display) -> Error {
        model_error(self.name, reason)
    }
}

impl Loaded {
    fn new(bytes: &'static [u8], stages: &[Stage]) -> Result<Self, String> {
        let model = ModelOptions::with_all_ops().load_static_slice(bytes);
        let model = model.map_err(|error| error.to_string())?;
        let made = |weights: &Weights| {
            let [values, bias] = weights.constants.map(|name| constant(&model, name));
            let made = Convolution::new(&values?, bias?.into_data(), weights.stride, weights.relu);
            made.ok_or_else(|| format!("{:?} make no convolution", weights.constants))
        };
        let convolutions = stages
            .iter()
            .map(|stage| stage.weights().map(made).transpose());
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
        match &stage.by {
            By::Graph => self.graph(stage, later),
            By::Convolution(weights) => self.convolve(at, weights.residual, later),
            By::Upsample(interpolation) => self.upsample(stage, *interpolation, later),
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

    /// The stage `at`, by one convolution. What its answer is added to is given away for it.
    fn convolve(
        &mut self,
        at: usize,
        residual: Option<&str>,
        later: &[Stage],
    ) -> Result<(), Error> {
        let stage = &self.network.stages[at];
        let convolution = self.loaded.convolutions[at].as_ref();
        let convolution = convolution.ok_or_else(|| self.network.error(&"no convolution"))?;
        let taken = residual.map(|name| self.taken(name)).transpose()?;
        let from = self.planes(stage)?;
        let (w, h) = convolution.size(from.w, from.h);
        let mut to = taken.unwrap_or_else(|| Tensor::zeros(&[1, convolution.channels(), h, w]));
        let sums = to.data_mut().unwrap_or_default();
        if !convolution.add_to(sums, &from, self.watch)? {
            return Err(self.network.error(&format!("{:?} does not fit", stage.to)));
        }
        self.made(stage, to, later);
        Ok(())
    }

    fn upsample(
        &mut self,
        stage: &Stage,
        interpolation: Interpolation,
        later: &[Stage],
    ) -> Result<(), Error> {
        let from = self.planes(stage)?;
        let shape = [1, from.channels.len(), 2 * from.h, 2 * from.w];
        let made = upsampled(&from, interpolation, self.watch)?;
        self.made(stage, Tensor::from_data(&shape, made), later);
        Ok(())
    }

    /// All that a stage is given, as one picture.
    fn planes(&self, stage: &Stage) -> Result<Planes<'_>, Error> {
        let [_, _, h, w] = self.held(stage.from[0])?.shape()[..] else {
            return Err(self.network.error(&"a value is no picture"));
        };
        let mut channels = Vec::new();
        for name in stage.from {
            let data = self.held(name)?.data();
            let data = data.ok_or_else(|| self.network.error(&format!("{name} is torn")))?;
            channels.extend(data.chunks_exact((w * h).max(1)));
        }
        Ok(Planes { w, h, channels })
    }

    /// Keeps what a stage made, and of what it was given what a `later` one needs.
    fn made(&mut self, stage: &Stage, value: Tensor<f32>, later: &[Stage]) {
        self.alive.retain(|(name, _)| needed(later, name));
        self.alive.push((stage.to[0], value.into()));
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
mod tests;
