//! layerize: one flat image in, an ordered stack of RGBA layers out. Pure pixels: no files, no
//! network.
//!
//! Invariant: compositing the returned layers bottom first with straight-alpha *over*, in 8 bits,
//! gives the input back with a largest channel difference of 1.
#![warn(missing_docs)]

mod blob;
mod box_blur;
mod components;
mod contact;
mod context;
mod denoise;
mod distance_transform;
mod ellipse;
mod finder;
mod flatness;
mod glow;
mod glowing_letters;
mod grain;
mod ground;
mod guided;
mod hole;
mod image;
mod ink;
mod inks;
mod layer;
mod left;
mod linear;
mod matte;
mod net;
mod options;
mod outline;
mod outlined;
mod passes;
mod patch_match;
mod peel;
mod plane;
mod prints;
mod push_pull;
mod reading_order;
mod report;
mod rim;
mod ringing;
mod scene;
mod settle;
mod shadow;
mod shape_edge;
mod sink;
mod strays;
mod votes;
mod washed;
mod waves;

use std::borrow::Cow;

use crate::context::Context;
use crate::scene::Scene;
use crate::sink::Kept;

pub use crate::image::RgbaImage;
pub use crate::layer::{Layer, LayerKind, composite};
pub use crate::net::{ModelSettings, Networks};
pub use crate::options::{Cancel, Error, Options, Progress, TextLayers, USUAL_LAYERS};
pub use crate::report::{PassTime, Report};
pub use crate::sink::{LayerInfo, LayerSink};

/// The passes that [`Options::skip`] may leave out, in the order they run: one that runs twice is
/// named twice, and left out both times.
#[must_use]
pub fn passes() -> Vec<&'static str> {
    passes::PASSES.iter().map(|pass| pass.name).collect()
}

/// Splits `image` into layers, bottom first; at least a background, at most `max_layers`. A picture
/// given away becomes the background; of one that is lent a copy is made.
///
/// # Errors
/// [`Error::Cancelled`] when `cancel` was raised, [`Error::BadImage`] for an impossible buffer,
/// [`Error::UnknownPass`] when a pass that does not exist is to be left out.
pub fn split<'a>(
    image: impl Into<Cow<'a, RgbaImage>>,
    options: &Options,
    progress: &mut dyn FnMut(Progress),
    cancel: &Cancel,
) -> Result<Vec<Layer>, Error> {
    split_with_report(image, options, progress, cancel).map(|(layers, _)| layers)
}

/// Like [`split`], and tells how many layers were found and how long each pass took.
///
/// # Errors
/// The same.
pub fn split_with_report<'a>(
    image: impl Into<Cow<'a, RgbaImage>>,
    options: &Options,
    progress: &mut dyn FnMut(Progress),
    cancel: &Cancel,
) -> Result<(Vec<Layer>, Report), Error> {
    let mut kept = Kept::default();
    let report = split_into(image, options, progress, cancel, &mut kept)?;
    Ok((kept.stack(), report))
}

/// Like [`split`], and gives the layers to `sink` as they are made, the top one first: no more than the picture itself and
/// some rows are held at full size. After an error, what `sink` was given is no stack.
///
/// # Errors
/// The same.
pub fn split_into<'a>(
    image: impl Into<Cow<'a, RgbaImage>>,
    options: &Options,
    progress: &mut dyn FnMut(Progress),
    cancel: &Cancel,
    sink: &mut dyn LayerSink,
) -> Result<Report, Error> {
    let image = image.into();
    image.check()?;
    options.check()?;
    let mut ctx = Context::new(options, progress, cancel);
    let mut report = Report::default();
    ctx.enter("look", 0.0, 0.05)?;
    let mut scene = Scene::new(&image, &ctx)?;
    scene.most_pixels = sink.most_pixels();
    report.passes.push(ctx.leave()?);
    let mut done = 0.05;
    for pass in passes::PASSES {
        if options.skip.contains(&pass.name) {
            continue;
        }
        ctx.enter(pass.name, done, done + pass.share)?;
        (pass.run)(&mut scene, &mut ctx)?;
        done += pass.share;
        report.passes.push(ctx.leave()?);
    }
    ctx.enter("peel", done, 1.0)?;
    let found = peel::peel(image, &scene, &mut ctx, sink)?;
    report.passes.push(ctx.leave()?);
    report.found = found + scene.merged;
    ctx.reach(1.0)?;
    Ok(report)
}
