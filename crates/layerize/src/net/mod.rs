//! The networks: one marks lines of text, one what stands out in a photo, and one reads ([`words`]).
//!
//! Here pictures become what a network wants to see, and its answer a mask; a [`Runtime`] does the
//! sums in between. A caller may bring models of its own for subject and fill ([`custom`]). No download,
//! no file access but for a library the user names.
//! Invariant: a mask has the size of the picture it was asked for.

mod convolution;
mod custom;
mod network;
#[cfg(feature = "onnxruntime")]
mod onnxruntime;
mod rten;
mod stages;
pub(crate) mod words;

use std::fmt;
use std::sync::Arc;

use crate::Error;
use crate::components;
use crate::context::Context;
use crate::plane::{Gray, Plane, Rect, Rgb};
use custom::CustomModel;

pub use custom::ModelSettings;

/// Side of the square the saliency network looks at.
pub(crate) const SALIENCY_SIDE: usize = 320;

/// What runs the networks. The default is built in, pure Rust, and loads once a process.
#[derive(Clone)]
pub struct Networks {
    runtime: Arc<dyn Runtime>,
    subject: Option<Arc<CustomModel>>,
    fill: Option<Arc<CustomModel>>,
}

impl Default for Networks {
    fn default() -> Self {
        Self::by(Arc::new(rten::Embedded))
    }
}

impl fmt::Debug for Networks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = |model: &Option<Arc<CustomModel>>| model.as_ref().map(|model| model.side());
        f.debug_struct("Networks")
            .field("runtime", &self.runtime.name())
            .field("subject_side", &side(&self.subject))
            .field("fill_side", &side(&self.fill))
            .finish()
    }
}

impl Networks {
    fn by(runtime: Arc<dyn Runtime>) -> Self {
        Self {
            runtime,
            subject: None,
            fill: None,
        }
    }

    /// The same, but what stands out is marked by `onnx`, the bytes of a model that keeps the contract of
    /// `docs/engine.md`. It is tried once; the built-in runtime runs it, also beside ONNX Runtime, and a
    /// split that is cancelled meanwhile ends when its run does.
    ///
    /// # Errors
    /// [`Error::CustomModel`] when it does not keep the contract.
    pub fn with_subject_model(
        mut self,
        onnx: Vec<u8>,
        settings: &ModelSettings,
    ) -> Result<Self, Error> {
        self.subject = Some(Arc::new(CustomModel::subject(onnx, settings)?));
        Ok(self)
    }

    /// The same for what completes a photo under the things cut from it.
    ///
    /// # Errors
    /// The same.
    pub fn with_fill_model(
        mut self,
        onnx: Vec<u8>,
        settings: &ModelSettings,
    ) -> Result<Self, Error> {
        self.fill = Some(Arc::new(CustomModel::fill(onnx, settings)?));
        Ok(self)
    }

    /// ONNX Runtime 1.17 or later, from the shared `library` (such as `libonnxruntime.so`), on
    /// `threads` threads (`None`: as many as cores) whatever [`Options::threads`] says. Both
    /// networks load at once. A process can open one such library; naming another later is an error.
    ///
    /// # Errors
    /// [`Error::Library`] when the library does not open, is none, is too old or is another one;
    /// [`Error::Model`] when it does not take a model.
    ///
    /// [`Options::threads`]: crate::Options::threads
    #[cfg(feature = "onnxruntime")]
    pub fn onnxruntime(
        library: &std::path::Path,
        threads: Option<std::num::NonZero<usize>>,
    ) -> Result<Self, Error> {
        Ok(Self::by(Arc::new(onnxruntime::Loaded::open(
            library, threads,
        )?)))
    }

    /// Loads the models if they are not; the first split does so by itself.
    ///
    /// # Errors
    /// [`Error::Model`] if an embedded model does not load.
    pub fn warm_up(&self) -> Result<(), Error> {
        std::thread::scope(|scope| {
            let reader = scope.spawn(words::warm_up);
            let masks = self.runtime.warm_up();
            // A panic is passed on, as it would be without the thread.
            reader
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
                .and(masks)
        })
    }
}

/// Runs a network. Looks at the stop flag of the split often enough to be done within 100 ms.
trait Runtime: Send + Sync {
    /// For people.
    fn name(&self) -> &'static str;

    fn warm_up(&self) -> Result<(), Error>;

    /// The mask `net` answers with, at the size it has there.
    fn run(&self, ctx: &Context<'_>, net: Net, input: Input) -> Result<Gray, Error>;
}

/// The embedded networks; `models/README.md` tells where they are from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Net {
    Saliency,
    Text,
}

impl Net {
    const fn name(self) -> &'static str {
        match self {
            Self::Saliency => "saliency",
            Self::Text => "text",
        }
    }

    /// The ONNX file.
    const fn bytes(self) -> &'static [u8] {
        match self {
            Self::Saliency => include_bytes!("../../models/u2netp.onnx"),
            Self::Text => include_bytes!("../../models/ppocrv4_det.onnx"),
        }
    }

    /// The value that holds the mask; both graphs take one input.
    #[cfg(feature = "onnxruntime")]
    fn output(self) -> &'static str {
        match self {
            Self::Saliency => "1959",
            Self::Text => "sigmoid_0.tmp_0",
        }
    }

    fn error(self, reason: &dyn fmt::Display) -> Error {
        model_error(self.name(), reason)
    }
}

fn model_error(model: &'static str, reason: &dyn fmt::Display) -> Error {
    Error::Model {
        model,
        reason: reason.to_string(),
    }
}

/// Three planes of `h` rows of `w` values, one after another.
struct Input {
    w: usize,
    h: usize,
    data: Vec<f32>,
}

impl Input {
    /// Channel `k` of the network is channel `order[k]` of the picture, `v` turned into
    /// `v * scale[k] + offset[k]`.
    fn of(picture: &Rgb, order: [usize; 3], scale: [f32; 3], offset: [f32; 3]) -> Self {
        let mut data = Vec::with_capacity(picture.data.len() * 3);
        for k in 0..3 {
            let values = picture.data.iter().map(|colour| colour[order[k]]);
            data.extend(values.map(|value| value * scale[k] + offset[k]));
        }
        Self {
            w: picture.w,
            h: picture.h,
            data,
        }
    }
}

/// How much each place stands out, 0 to 1, at the size of `picture`.
pub(crate) fn saliency(ctx: &Context<'_>, picture: &Rgb) -> Result<Gray, Error> {
    if let Some(model) = &ctx.options.networks.subject {
        ctx.check()?;
        let mask = model.marks(ctx, picture)?;
        ctx.check()?;
        return Ok(mask.resize(picture.w, picture.h));
    }
    let small = picture.resize(SALIENCY_SIDE, SALIENCY_SIDE);
    let values = small.data.as_flattened().iter().copied();
    let top = values.fold(1.0_f32, f32::max);
    let (mean, deviation) = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
    let input = Input::of(
        &small,
        [0, 1, 2],
        deviation.map(|d| 1.0 / (d * top)),
        [0, 1, 2].map(|k| -mean[k] / deviation[k]),
    );
    answer(ctx, Net::Saliency, input, picture)
}

/// The probability of text at each place, 0 to 1, at the size of `picture`, which is shown to the
/// network with its longest side at `longest`.
pub(crate) fn text(ctx: &Context<'_>, picture: &Rgb, longest: usize) -> Result<Gray, Error> {
    let scale = (longest as f32 / picture.w.max(picture.h) as f32).min(2.0);
    let side = |length: usize| ((length as f32 * scale / 32.0).round() as usize * 32).max(32);
    let small = picture.resize(side(picture.w), side(picture.h));
    let input = Input::of(&small, [2, 1, 0], [1.0 / 127.5; 3], [-1.0; 3]);
    answer(ctx, Net::Text, input, picture)
}

/// How far around a hole a model of the caller's own is shown the picture: at least this many pixels, and
/// half of the hole's longer side.
const AROUND: usize = 32;

/// `under`, a smooth completion, with what a model of the caller's own makes of the places where `known`
/// is 0; `None` where there is no such model, or nothing to complete. The model is shown the smooth
/// completion there, so it can never show what was cut.
pub(crate) fn completed(
    ctx: &Context<'_>,
    under: &Rgb,
    known: &Gray,
) -> Result<Option<Rgb>, Error> {
    let Some(model) = &ctx.options.networks.fill else {
        return Ok(None);
    };
    let open = known.map(|known| if known > 0.0 { 0.0 } else { 1.0 });
    let Some(hole) = components::bounds(&open) else {
        return Ok(None);
    };
    ctx.check()?;
    let by = (hole.w.max(hole.h) / 2).max(AROUND);
    let room = squared(hole.grow(by, under.w, under.h), under.w, under.h);
    let side = model.side();
    let shown = under.crop(room).resize(side, side);
    let wide = open.crop(room).resize(side, side);
    let mask = wide.map(|open| f32::from(u8::from(open > 0.0)));
    ctx.check()?;
    let made = model.completes(ctx, &shown, &mask)?;
    ctx.check()?;
    let made = made.resize(room.w, room.h);
    let mut filled = under.clone();
    for at in 0..made.data.len() {
        let (x, y) = (room.x + at % room.w, room.y + at / room.w);
        if open.at(x, y) > 0.0 {
            filled.set(x, y, made.data[at]);
        }
    }
    Ok(Some(filled))
}

/// A rectangle made as square as a canvas of `w` by `h` lets it be, about its middle.
fn squared(rect: Rect, w: usize, h: usize) -> Rect {
    let side = rect.w.max(rect.h);
    let along = |from: usize, length: usize, all: usize| {
        let wide = side.max(length).min(all);
        (
            from.saturating_sub((wide - length) / 2).min(all - wide),
            wide,
        )
    };
    let ((x, w), (y, h)) = (along(rect.x, rect.w, w), along(rect.y, rect.h, h));
    Rect { x, y, w, h }
}

fn answer(ctx: &Context<'_>, net: Net, input: Input, picture: &Rgb) -> Result<Gray, Error> {
    ctx.check()?;
    let mask = ctx.options.networks.runtime.run(ctx, net, input)?;
    ctx.check()?;
    Ok(mask.resize(picture.w, picture.h))
}

/// A network's answer as a mask.
fn mask(net: Net, shape: &[usize], data: Vec<f32>) -> Result<Gray, Error> {
    match *shape {
        [1, 1, h, w] if w * h == data.len() && w * h > 0 => Ok(Plane { w, h, data }),
        _ => Err(net.error(&format!("it answers with the shape {shape:?}"))),
    }
}
