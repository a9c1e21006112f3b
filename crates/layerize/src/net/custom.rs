//! Models that the caller brings: one that marks the subject, one that completes what was cut.
//!
//! The contract (shapes, channels, ranges) stands in `docs/engine.md`; it is checked by one run when a
//! model is given, so that no picture is the first to find out. Run by the built-in runtime and in one
//! go: a raised stop flag is obeyed only when the run is over. Nothing is read from disk here.
//! Invariant: whatever a model answers, a mask is within 0 to 1 and a colour within 0 to 255.

use std::ops::RangeInclusive;
use std::sync::Arc;

use rten::{
    DataType, Dimension, Model, ModelOptions, NodeId, RunOptions, ThreadPool, ValueOrView,
    ValueType,
};
use rten_tensor::prelude::*;
use rten_tensor::{NdTensor, Tensor};

use super::Input;
use crate::Error;
use crate::context::Context;
use crate::plane::{Gray, Plane, Rgb};

/// Pixels a side that a model may be shown. Less shows no picture; more than twice what the passes
/// look at takes seconds and gigabytes and shows nothing more.
const SIDES: RangeInclusive<usize> = 64..=2048;
/// How far an answer may lie beyond its range, as a share of it: rounding, and what a network that was
/// trained on a range overshoots.
const OVERSHOOT: f32 = 0.1;
/// What the networks trained on ImageNet are shown, which most that mark subjects begin from.
const MEAN: [f32; 3] = [0.485, 0.456, 0.406];
const DEVIATION: [f32; 3] = [0.229, 0.224, 0.225];

/// What the graph of a model does not say about it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ModelSettings {
    /// Pixels a side of the square it is shown, where its graph leaves that open.
    pub side: Option<usize>,
    /// What is taken from red, green and blue (0 to 1) before they are divided by `deviation`. Of a
    /// model of subjects 0.485, 0.456, 0.406 by default, of one that fills 0.
    pub mean: Option<[f32; 3]>,
    /// Of a model of subjects 0.229, 0.224, 0.225 by default, of one that fills 1.
    pub deviation: Option<[f32; 3]>,
    /// Whether a model of subjects answers with logits, which a sigmoid makes probabilities.
    pub logits: bool,
    /// Whether white is 255 in what a model that fills answers, and not 1.
    pub bytes: bool,
}

/// What a model is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Subject,
    Fill,
}

impl Role {
    fn name(self) -> &'static str {
        match self {
            Self::Subject => "subject",
            Self::Fill => "fill",
        }
    }
}

/// A model that keeps the contract.
pub(super) struct CustomModel {
    role: Role,
    model: Model,
    picture: NodeId,
    /// Where a model that fills is told what to fill.
    mask: Option<NodeId>,
    answer: NodeId,
    side: usize,
    settings: ModelSettings,
}

impl CustomModel {
    pub(super) fn subject(onnx: Vec<u8>, settings: &ModelSettings) -> Result<Self, Error> {
        Self::checked(Role::Subject, onnx, settings)
    }

    pub(super) fn fill(onnx: Vec<u8>, settings: &ModelSettings) -> Result<Self, Error> {
        Self::checked(Role::Fill, onnx, settings)
    }

    pub(super) fn side(&self) -> usize {
        self.side
    }

    fn checked(role: Role, onnx: Vec<u8>, settings: &ModelSettings) -> Result<Self, Error> {
        let refused = |code, reason: String| Error::CustomModel {
            role: role.name(),
            code,
            reason,
        };
        let model = ModelOptions::with_all_ops()
            .load(onnx)
            .map_err(|error| refused("model_file", error.to_string()))?;
        let wrong = |reason: String| refused("model_input", reason);
        let mut inputs: Vec<(NodeId, usize, Option<usize>)> = Vec::new();
        for &id in model.input_ids() {
            let (channels, side) = channels_and_side(&model, id).map_err(wrong)?;
            inputs.push((id, channels, side));
        }
        inputs.sort_by_key(|&(_, channels, _)| std::cmp::Reverse(channels));
        let channels: Vec<usize> = inputs.iter().map(|&(_, channels, _)| channels).collect();
        let (picture, mask) = match (role, channels.as_slice()) {
            (Role::Subject, [3]) => (inputs[0].0, None),
            (Role::Fill, [3, 1]) => (inputs[0].0, Some(inputs[1].0)),
            (Role::Subject, found) => {
                return Err(wrong(format!(
                    "it takes inputs of {found:?} channels; expected one, a picture of 3"
                )));
            }
            (Role::Fill, found) => {
                return Err(wrong(format!(
                    "it takes inputs of {found:?} channels; expected two, a picture of 3 and a mask of 1"
                )));
            }
        };
        let sides: Vec<usize> = inputs.iter().filter_map(|&(_, _, side)| side).collect();
        let side = match (sides.first(), settings.side) {
            (Some(&own), None) => own,
            (Some(&own), Some(wish)) if own == wish => own,
            (None, Some(wish)) => wish,
            (Some(own), Some(wish)) => {
                let reason = format!("it takes {own} pixels a side, and the settings say {wish}");
                return Err(wrong(reason));
            }
            (None, None) => {
                let reason = "its graph does not say how many pixels a side it takes; say so as side in its settings";
                return Err(wrong(reason.to_owned()));
            }
        };
        if sides.iter().any(|&other| other != side) || !SIDES.contains(&side) {
            let (least, most) = (SIDES.start(), SIDES.end());
            return Err(wrong(format!(
                "it takes {sides:?} pixels a side; expected one square of {least} to {most}"
            )));
        }
        let answer = *model
            .output_ids()
            .first()
            .ok_or_else(|| refused("model_output", "it has no output".to_owned()))?;
        let own = Self {
            role,
            model,
            picture,
            mask,
            answer,
            side,
            settings: settings.clone(),
        };
        own.tried()?;
        Ok(own)
    }

    /// One run on a disc before a ramp, of which the middle is to be filled.
    fn tried(&self) -> Result<(), Error> {
        let (side, middle) = (self.side, self.side as f32 / 2.0);
        let reach =
            |at: usize| ((at % side) as f32 - middle).hypot((at / side) as f32 - middle) / middle;
        let picture = Plane {
            w: side,
            h: side,
            data: (0..side * side)
                .map(|at| {
                    let ramp = 40.0 + 120.0 * (at / side) as f32 / side as f32;
                    if reach(at) < 0.5 {
                        [220.0, 180.0, 60.0]
                    } else {
                        [ramp, ramp, 90.0]
                    }
                })
                .collect(),
        };
        let hole = Plane {
            w: side,
            h: side,
            data: (0..side * side)
                .map(|at| f32::from(u8::from(reach(at) < 0.3)))
                .collect(),
        };
        let answer = self.run(&picture, &hole, None)?;
        if answer.iter().any(|value| !value.is_finite()) {
            return Err(self.refused(
                "model_values",
                "it answers with values that are no numbers".to_owned(),
            ));
        }
        let least = answer.iter().copied().fold(f32::MAX, f32::min);
        let most = answer.iter().copied().fold(f32::MIN, f32::max);
        let top = self.top();
        let beyond = least < -OVERSHOOT * top || most > top * (1.0 + OVERSHOOT);
        let (beyond, advice) = match self.role {
            Role::Subject => (
                beyond && !self.settings.logits,
                "if these are logits, say output = \"logits\" in its settings",
            ),
            // The probe is not black, so that an answer up to 1 is none of bytes.
            Role::Fill => (
                beyond || (self.settings.bytes && most <= 1.0 + OVERSHOOT),
                "say output = \"bytes\" in its settings if white is 255, and leave it out if white is 1",
            ),
        };
        if beyond {
            let reason =
                format!("it answers from {least} to {most}; expected 0 to {top}: {advice}");
            return Err(self.refused("model_values", reason));
        }
        Ok(())
    }

    /// The value that stands for white or certain.
    fn top(&self) -> f32 {
        if self.role == Role::Fill && self.settings.bytes {
            255.0
        } else {
            1.0
        }
    }

    /// How much each place stands out, at the size of the model.
    pub(super) fn marks(&self, ctx: &Context<'_>, picture: &Rgb) -> Result<Gray, Error> {
        let small = picture.resize(self.side, self.side);
        let none = Plane::filled(self.side, self.side, 0.0);
        let mut data = self.run(&small, &none, Some(&ctx.pool))?;
        for value in &mut data {
            let sure = if self.settings.logits {
                1.0 / (1.0 + (-*value).exp())
            } else {
                *value
            };
            *value = if sure.is_finite() {
                sure.clamp(0.0, 1.0)
            } else {
                0.0
            };
        }
        Ok(Plane {
            w: self.side,
            h: self.side,
            data,
        })
    }

    /// `picture` with what it thinks belongs where `hole` is 1; both of its side. What is no number stays
    /// as it was.
    pub(super) fn completes(
        &self,
        ctx: &Context<'_>,
        picture: &Rgb,
        hole: &Gray,
    ) -> Result<Rgb, Error> {
        let data = self.run(picture, hole, Some(&ctx.pool))?;
        let (pixels, scale) = (self.side * self.side, 255.0 / self.top());
        let mut made = picture.clone();
        for (at, colour) in made.data.iter_mut().enumerate() {
            for (c, value) in colour.iter_mut().enumerate() {
                let own = data[c * pixels + at] * scale;
                if own.is_finite() {
                    *value = own.clamp(0.0, 255.0);
                }
            }
        }
        Ok(made)
    }

    /// The values the model answers with, of the shape that its role has.
    fn run(
        &self,
        picture: &Rgb,
        hole: &Gray,
        pool: Option<&Arc<ThreadPool>>,
    ) -> Result<Vec<f32>, Error> {
        let (mean, deviation) = match self.role {
            Role::Subject => (MEAN, DEVIATION),
            Role::Fill => ([0.0; 3], [1.0; 3]),
        };
        let mean = self.settings.mean.unwrap_or(mean);
        let deviation = self.settings.deviation.unwrap_or(deviation);
        let input = Input::of(
            picture,
            [0, 1, 2],
            deviation.map(|d| 1.0 / (255.0 * d)),
            [0, 1, 2].map(|k| -mean[k] / deviation[k]),
        );
        let side = self.side;
        let seen = NdTensor::from_data([1, 3, side, side], input.data).into_dyn();
        let mut inputs: Vec<(NodeId, ValueOrView)> = vec![(self.picture, seen.into())];
        if let Some(mask) = self.mask {
            let open = NdTensor::from_data([1, 1, side, side], hole.data.clone()).into_dyn();
            inputs.push((mask, open.into()));
        }
        let options = RunOptions::default().with_thread_pool(pool.cloned());
        let call = || self.model.run(inputs, &[self.answer], Some(options));
        // On one thread of the pool, as the other networks: each that asks for memory keeps some.
        let answer = match pool {
            Some(pool) => pool.run(call),
            None => call(),
        };
        let answer = answer.map_err(|error| self.refused("model_run", error.to_string()))?;
        let answer: Option<Tensor<f32>> = answer.into_iter().next().and_then(|a| a.try_into().ok());
        let wrong = |found: String| {
            let channels = match self.role {
                Role::Subject => 1,
                Role::Fill => 3,
            };
            self.refused(
                "model_output",
                format!("its first output is {found}; expected numbers (f32), 1 x {channels} x {side} x {side}"),
            )
        };
        let answer = answer.ok_or_else(|| wrong("of another kind".to_owned()))?;
        let fits = match (self.role, answer.shape()) {
            (Role::Subject, [1, 1, h, w] | [1, h, w]) => (*h, *w) == (side, side),
            (Role::Fill, [1, 3, h, w]) => (*h, *w) == (side, side),
            _ => false,
        };
        if !fits {
            return Err(wrong(format!("{:?}", answer.shape())));
        }
        Ok(answer.into_data())
    }

    fn refused(&self, code: &'static str, reason: String) -> Error {
        Error::CustomModel {
            role: self.role.name(),
            code,
            reason,
        }
    }
}

/// How many channels an input has and, if the graph says so, how many pixels a side.
fn channels_and_side(model: &Model, id: NodeId) -> Result<(usize, Option<usize>), String> {
    let node = model.node_info(id);
    let name = node.as_ref().and_then(|node| node.name()).unwrap_or("?");
    let kind = node.as_ref().and_then(|node| node.dtype());
    if !matches!(kind, None | Some(ValueType::Tensor(DataType::Float))) {
        return Err(format!("its input {name} is no f32"));
    }
    let shape = node.as_ref().and_then(|node| node.shape());
    let shape = shape.unwrap_or_default();
    let fixed = |dimension: &Dimension| match dimension {
        Dimension::Fixed(size) => Some(*size),
        Dimension::Symbolic(_) => None,
    };
    let sizes: Vec<Option<usize>> = shape.iter().map(fixed).collect();
    match sizes[..] {
        [None | Some(1), Some(channels), h, w] if h == w => Ok((channels, h)),
        _ => Err(format!(
            "its input {name} has the shape {shape:?}; expected 1 x channels x N x N"
        )),
    }
}
